#include "broker/log/cleaner.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

namespace tidemark::log {
namespace {

constexpr int kNice = 10;
constexpr Duration kLongestPause = std::chrono::hours(1);
// Who has written that long ago will write again.
constexpr Duration kWriterStays = std::chrono::seconds(1);
constexpr Duration kLongestRest = std::chrono::seconds(1);

int64_t ThreadNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// The log is not where it was, or is being cut.
bool IsGone(const Error& error) {
  return error.code == ErrorCode::kUnknownTopicOrPartition ||
         error.code == ErrorCode::kNotLeaderOrFollower;
}

bool IsDamage(const Error& error) {
  return error.code == ErrorCode::kCorruptMessage;
}

}  // namespace

// All threads share the rate.
class Cleaner::Pace final : public CleaningPace {
 public:
  explicit Pace(double bytes_per_second)
      : bytes_per_second_(std::max(1.0, bytes_per_second)) {}

  void SetRate(double bytes_per_second) {
    std::lock_guard lock(mutex_);
    bytes_per_second_ = std::max(1.0, bytes_per_second);
    // What was spent at the rate before is not waited for.
    next_ = std::min(next_, std::chrono::steady_clock::now());
    ++changes_;
    wake_.notify_all();
  }
  bool Spend(size_t bytes) override {
    std::unique_lock lock(mutex_);
    if (stopping_) return false;
    const Instant now = std::chrono::steady_clock::now();
    const Instant turn = std::max(now, next_);
    const double seconds =
        std::min(static_cast<double>(bytes) / bytes_per_second_, 3600.0);
    next_ = turn + std::chrono::duration_cast<Duration>(
                       std::chrono::duration<double>(seconds));
    const uint64_t changes = changes_;
    wake_.wait_until(lock, turn,
                     [&] { return stopping_ || changes_ != changes; });
    return !stopping_;
  }
  void Rest(Duration rest) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, rest, [this] { return stopping_; });
  }
  void Stop() {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }

 private:
  std::mutex mutex_;  // of what follows
  double bytes_per_second_;
  std::condition_variable wake_;
  uint64_t changes_ = 0;
  bool stopping_ = false;
  Instant next_{};
};

// Of one thread with one log: works for its share of the time while anybody
// writes.
class Cleaner::Turns final : public CleaningPace {
 public:
  Turns(Pace& pace, const CleanSource& source, double share, Counters& counters)
      : pace_(pace), source_(source), share_(share), counters_(counters) {}

  bool Spend(size_t bytes) override {
    const Instant now = std::chrono::steady_clock::now();
    const Duration worked = now - began_;
    if (const int64_t written = source_.Written(); written != written_) {
      written_ = written;
      writer_until_ = now + kWriterStays;
    }
    if (now < writer_until_ && share_ < 1) {
      const Duration rest = std::min(
          kLongestRest, std::chrono::duration_cast<Duration>(
                            worked * ((1 - share_) / std::max(share_, 0.01))));
      pace_.Rest(rest);
      counters_.rest_nanos += rest / std::chrono::nanoseconds(1);
    }
    const bool goes_on = pace_.Spend(bytes);
    began_ = std::chrono::steady_clock::now();
    return goes_on;
  }

 private:
  Pace& pace_;
  const CleanSource& source_;
  const double share_;
  Counters& counters_;
  Instant began_ = std::chrono::steady_clock::now();
  int64_t written_ = source_.Written();
  Instant writer_until_{};
};

Cleaner::Cleaner(io::FileSystem& fs, const Clock& clock, Options options,
                 CleanSource& source)
    : fs_(fs),
      clock_(clock),
      source_(source),
      pace_(std::make_unique<Pace>(options.bytes_per_second)),
      options_(options) {}

Cleaner::~Cleaner() { Stop(); }

void Cleaner::Start() {
  std::lock_guard lock(mutex_);
  started_ = true;
  StartThreads();
}

void Cleaner::StartThreads() {
  const auto wanted = static_cast<size_t>(std::max(options_.threads, 0));
  if (threads_.size() < wanted) threads_.resize(wanted);
  for (size_t i = 0; i < wanted; ++i) {
    // One that has not noticed yet that it was not wanted goes on.
    if (threads_[i] != nullptr && !threads_[i]->over) continue;
    if (threads_[i] != nullptr) threads_[i]->thread.join();
    threads_[i] = std::make_unique<Thread>();
    threads_[i]->thread = std::thread([this, i] {
      pthread_setname_np(pthread_self(), "log-cleaner");
      // Of this thread only.
      (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
      Run(i);
    });
  }
}

void Cleaner::Change(const Options& options) {
  {
    std::lock_guard lock(mutex_);
    if (options == options_) return;
    options_ = options;
    ++changes_;
    if (started_ && !stopping_) StartThreads();
    wake_.notify_all();
  }
  pace_->SetRate(options.bytes_per_second);
  LOG(INFO) << "log cleaner changed threads=" << options.threads
            << " dedupe_bytes=" << options.dedupe_bytes
            << " load_factor=" << options.load_factor
            << " bytes_per_second=" << options.bytes_per_second
            << " share=" << options.share
            << " backoff_ms=" << options.backoff / std::chrono::milliseconds(1);
}

Cleaner::Options Cleaner::CurrentOptions() {
  std::lock_guard lock(mutex_);
  return options_;
}

void Cleaner::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  pace_->Stop();
  for (const auto& thread : threads_) {
    if (thread != nullptr) thread->thread.join();
  }
  threads_.clear();
}

void Cleaner::Run(size_t index) {
  std::unique_lock lock(mutex_);
  const auto wanted = [&] {
    return !stopping_ && index < static_cast<size_t>(options_.threads);
  };
  while (wanted()) {
    lock.unlock();
    const bool cleaned = CleanOne();
    lock.lock();
    if (cleaned) continue;
    wake_.wait_for(lock, options_.backoff, [&, before = changes_] {
      return !wanted() || changes_ != before;
    });
  }
  threads_[index]->over = true;
}

bool Cleaner::CleanOne() {
  auto item = Next();
  if (!item) return false;
  Clean(*item);
  std::lock_guard lock(mutex_);
  busy_.erase({item->partition, item->topic_id});
  return true;
}

std::optional<CleanSource::Item> Cleaner::Next() {
  std::lock_guard looking(looking_);
  const auto take = [this]() -> std::optional<CleanSource::Item> {
    std::lock_guard lock(mutex_);
    if (stopping_ || due_.empty()) return std::nullopt;
    CleanSource::Item item = std::move(due_.front());
    due_.pop_front();
    busy_[{item.partition, item.topic_id}] = 1;
    return item;
  };
  if (auto item = take()) return item;
  Look();
  return take();
}

// Everything that is due, the dirtiest first.
void Cleaner::Look() {
  // What was being cleaned when the list was made is another log by now.
  const std::map<Key, int> busy_before = [this] {
    std::lock_guard lock(mutex_);
    return std::map<Key, int>(busy_.begin(), busy_.end());
  }();
  std::vector<CleanSource::Item> all = source_.List();
  std::lock_guard lock(mutex_);
  double dirtiest = 0;
  std::set<Key> there;
  for (CleanSource::Item& item : all) {
    const Key key{item.partition, item.topic_id};
    there.insert(key);
    dirtiest = std::max(dirtiest, item.what.DirtyRatio());
    if (!item.what.Due() || busy_.contains(key) || busy_before.contains(key)) {
      continue;
    }
    const auto failure = failures_.find(key);
    if (failure != failures_.end() &&
        clock_.Now() < failure->second.not_before) {
      continue;
    }
    due_.push_back(std::move(item));
  }
  std::sort(due_.begin(), due_.end(), [](const auto& a, const auto& b) {
    return a.what.DirtyRatio() > b.what.DirtyRatio();
  });
  std::erase_if(failures_, [&](const auto& failure) {
    return !there.contains(failure.first);
  });
  CountUncleanable();
  counters_.dirtiest_percent = static_cast<int64_t>(dirtiest * 100);
}

void Cleaner::Clean(const CleanSource::Item& item) {
  const auto log = source_.Take(item);
  const int64_t began = ThreadNanos();
  const Options options = CurrentOptions();
  auto keys = KeyOffsets::Make(
      options.dedupe_bytes / static_cast<size_t>(std::max(options.threads, 1)),
      options.load_factor, KeyHash::RandomSecret());
  if (!keys) return Failed(item, keys.error(), {});
  Turns turns(*pace_, source_, item.what.overdue ? 1 : options.share,
              counters_);
  LogCleaning cleaning(fs_, item.what, *keys, *log, turns, clock_.WallMs());
  const auto outcome = cleaning.Run();
  Count(cleaning.counts());
  counters_.busy_nanos += ThreadNanos() - began;
  if (!outcome) return Failed(item, outcome.error(), cleaning.counts());
  if (*outcome == LogCleaning::Outcome::kStopped) return;
  if (*outcome == LogCleaning::Outcome::kChanged) return Postpone(item);
  ++counters_.passes;
  counters_.last_pass_wall_ms = clock_.WallMs();
  const LogCleaning::Counts& counts = cleaning.counts();
  LOG(INFO) << "log cleaned partition=" << ToString(item.partition)
            << " dirty_bytes=" << item.what.dirty_bytes
            << " clean_bytes=" << item.what.clean_bytes
            << " read_bytes=" << counts.read
            << " written_bytes=" << counts.written << " kept=" << counts.kept
            << " dropped=" << counts.dropped;
  std::lock_guard lock(mutex_);
  failures_.erase({item.partition, item.topic_id});
  CountUncleanable();
}

void Cleaner::Count(const LogCleaning::Counts& counts) {
  counters_.read_bytes += static_cast<int64_t>(counts.read);
  counters_.written_bytes += static_cast<int64_t>(counts.written);
  counters_.dropped_records += static_cast<int64_t>(counts.dropped);
}

void Cleaner::Failed(const CleanSource::Item& item, const Error& error,
                     const LogCleaning::Counts& counts) {
  if (IsGone(error)) return Postpone(item);
  // What was cut meanwhile looks like damage.
  if (IsDamage(error) && !IsAsItWas(item)) return Postpone(item);
  const bool shortage = io::IsShortage(error);
  ++counters_.failed_passes;
  if (IsDamage(error)) source_.Damaged(item, counts.right, error);
  std::lock_guard lock(mutex_);
  Failure& failure = failures_[{item.partition, item.topic_id}];
  failure.times = shortage ? 1 : failure.times + 1;
  failure.shortage = shortage;
  const Duration pause = std::min(
      kLongestPause, options_.backoff * (1 << std::min(failure.times - 1, 12)));
  failure.not_before = clock_.Now() + pause;
  CountUncleanable();
  LOG(ERROR)
      << "log not cleaned partition=" << ToString(item.partition)
      << " offset=" << counts.right << " again_in_ms="
      << std::chrono::duration_cast<std::chrono::milliseconds>(pause).count()
      << " error=" << ToString(error);
}

bool Cleaner::IsAsItWas(const CleanSource::Item& item) {
  const std::vector<CleanSource::Item> all = source_.List();
  const auto now = std::find_if(all.begin(), all.end(), [&](const auto& one) {
    return one.partition == item.partition && one.topic_id == item.topic_id;
  });
  if (now == all.end() || now->exchanges != item.exchanges ||
      now->what.generation != item.what.generation) {
    return false;
  }
  // Newer ones may have joined them.
  const auto& before = item.what.segments;
  const auto& after = now->what.segments;
  return now->what.unfinished == nullptr && before.size() <= after.size() &&
         std::equal(before.begin(), before.end(), after.begin());
}

// So that nobody is asked again at once, in vain.
void Cleaner::Postpone(const CleanSource::Item& item) {
  std::lock_guard lock(mutex_);
  Failure& failure = failures_[{item.partition, item.topic_id}];
  failure.shortage = true;
  failure.not_before = clock_.Now() + options_.backoff;
  CountUncleanable();
}

void Cleaner::CountUncleanable() {
  counters_.uncleanable =
      std::count_if(failures_.begin(), failures_.end(),
                    [](const auto& one) { return !one.second.shortage; });
}

}  // namespace tidemark::log
