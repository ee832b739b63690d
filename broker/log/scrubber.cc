#include "broker/log/scrubber.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::log {
namespace {

constexpr size_t kPiece = 256 << 10;
// A broker that has just started has other things to do.
constexpr Duration kFirst = std::chrono::minutes(1);

}  // namespace

SegmentScrub::SegmentScrub(SealedSegment segment)
    : segment_(std::move(segment)),
      checker_(
          [this](const record::BatchHeader& header) { return Look(header); }),
      expected_(segment_.base_offset),
      last_base_(segment_.base_offset) {}

// What no checksum covers.
Status SegmentScrub::Look(const record::BatchHeader& header) {
  if (header.base_offset < expected_ ||
      (header.base_offset > expected_ && !segment_.gaps)) {
    return Fail(ErrorCode::kCorruptMessage,
                "offset " + std::to_string(header.base_offset) + " where " +
                    std::to_string(expected_) + " is next");
  }
  if (header.leader_epoch < epoch_) {
    distrust_ = true;
    return Fail(ErrorCode::kCorruptMessage,
                "epoch " + std::to_string(header.leader_epoch) + " behind " +
                    std::to_string(epoch_));
  }
  epoch_ = header.leader_epoch;
  last_base_ = header.base_offset;
  expected_ = header.NextOffset();
  return {};
}

Offset SegmentScrub::Right() const {
  return std::max(checker_.next(), segment_.base_offset);
}

void SegmentScrub::Found(Error error) {
  damage_ = Damage{distrust_ ? last_base_ : Right(), std::move(error)};
  done_ = true;
}

Result<size_t> SegmentScrub::Read(io::FileSystem& fs, size_t count) {
  if (file_ == nullptr) {
    TM_ASSIGN_OR_RETURN(file_, fs.Open(segment_.path, false));
  }
  count = static_cast<size_t>(std::min<uint64_t>(count, segment_.size - at_));
  std::string piece(count, '\0');
  TM_ASSIGN_OR_RETURN(const size_t read,
                      file_->ReadOnceAt(at_, piece.data(), count));
  at_ += read;
  piece.resize(read);
  const Status right = checker_.Add(piece);
  const bool all = read < count || at_ == segment_.size;
  if (Right() >= segment_.end_offset) {
    // Behind its last batch there may be what a full disk took of another.
    done_ = true;
  } else if (!right) {
    Found(right.error());
  } else if (all && segment_.gaps && checker_.AtBoundary()) {
    done_ = true;
  } else if (all) {
    Found({ErrorCode::kCorruptMessage, "the segment ends early"});
  }
  return read;
}

Scrubber::Scrubber(Executor& executor, io::FileSystem& fs, Options options,
                   ScrubSource& source)
    : executor_(executor), fs_(fs), options_(options), source_(source) {}

void Scrubber::Start() {
  executor_.PostAfter(std::min(kFirst, options_.interval),
                      [this] { BeginPeriod(); });
}

void Scrubber::BeginPeriod() {
  period_began_ = executor_.Now();
  source_.List([this](std::vector<TopicPartition> all) {
    std::sort(all.begin(), all.end());
    // Brokers that are restarted daily get round to everything, too.
    if (periods_++ == 0 && !all.empty()) {
      std::rotate(
          all.begin(),
          all.begin() + static_cast<ptrdiff_t>(options_.seed % all.size()),
          all.end());
    }
    left_ = std::move(all);
    NextPartition();
  });
}

void Scrubber::NextPartition() {
  if (left_.empty()) {
    counters_.periods.fetch_add(1, std::memory_order_relaxed);
    const Instant next = period_began_ + options_.interval;
    return executor_.PostAfter(
        std::max(Duration::zero(), next - executor_.Now()),
        [this] { BeginPeriod(); });
  }
  partition_ = std::move(left_.back());
  left_.pop_back();
  next_ = 0;
  NextSegment();
}

void Scrubber::NextSegment() {
  again_ = false;
  source_.Find(partition_, next_,
               [this](std::optional<ScrubSource::Item> item) {
                 if (!item) return NextPartition();
                 next_ = item->segment.end_offset;
                 Begin(std::move(*item));
               });
}

void Scrubber::Begin(ScrubSource::Item item) {
  scrub_.emplace(item.segment);
  item_ = std::move(item);
  Step();
}

void Scrubber::Step() {
  const auto read = scrub_->Read(fs_, kPiece);
  if (!read) {
    // It was removed, or the disk is broken: whoever writes there finds out.
    LOG(INFO) << "segment not scrubbed path=" << item_->segment.path
              << " error=" << read.error().message;
    return Pause([this] { NextSegment(); });
  }
  counters_.bytes.fetch_add(static_cast<int64_t>(*read),
                            std::memory_order_relaxed);
  const auto cost =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
          static_cast<double>(*read) /
          static_cast<double>(options_.bytes_per_second)));
  next_read_ = std::max(next_read_, executor_.Now()) + cost;
  Pause([this] { scrub_->done() ? Finish() : Step(); });
}

void Scrubber::Pause(std::function<void()> then) {
  executor_.PostAfter(std::max(Duration::zero(), next_read_ - executor_.Now()),
                      std::move(then));
}

void Scrubber::Finish() {
  counters_.segments.fetch_add(1, std::memory_order_relaxed);
  if (scrub_->damage()) return Confirm();
  NextSegment();
}

// Whether the segment is still what it was when the reading began.
void Scrubber::Confirm() {
  source_.Find(partition_, item_->segment.base_offset,
               [this](std::optional<ScrubSource::Item> item) {
                 const bool changed = item != item_;
                 if (again_ && !changed) {
                   LOG(ERROR) << "scrubbing found damage partition="
                              << ToString(partition_)
                              << " path=" << item_->segment.path
                              << " offset=" << scrub_->damage()->from
                              << " error=" << scrub_->damage()->error.message;
                   counters_.damaged.fetch_add(1, std::memory_order_relaxed);
                   source_.Found(*item_, *scrub_->damage());
                   return NextPartition();
                 }
                 // Cut, removed, or of another epoch: the next period looks
                 // again, where it still matters.
                 if (again_ || !item ||
                     item->segment.base_offset != item_->segment.base_offset) {
                   return NextSegment();
                 }
                 again_ = true;
                 Begin(std::move(*item));
               });
}

}  // namespace tidemark::log
