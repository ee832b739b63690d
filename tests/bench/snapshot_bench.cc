// What a snapshot of the metadata costs a controller that goes on meanwhile,
// from a thousand partitions to a million: one voter on a real disk with the
// image of image_bench, to which something is proposed all the time.
//
//   build/release/bin/tidemark-snapshot-bench DIRECTORY [PARTITIONS]...
//
// The longest turn of its loop, of processor time, so that what else the
// machine does is not counted, and the longest commit, before a snapshot and
// while one is taken, and while it is read again at the next start.
#include <glog/logging.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/io/event_loop.h"
#include "common/io/meta_properties.h"
#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"
#include "controller/quorum/raft_quorum.h"

namespace tidemark::quorum {
namespace {

using metadata::ImagePtr;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;
namespace record_v1 = metadata::v1;

constexpr int kBrokers = 300;
constexpr int kPartitions = 10;  // of a topic
constexpr int kReplicas = 3;

double Ms(Clock::duration took) {
  return std::chrono::duration<double, std::milli>(took).count();
}

Uuid RandomId(std::mt19937_64& rng) {
  Uuid id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(rng());
  return id;
}

// Topics of ten partitions, a batch of records each.
class Topics {
 public:
  std::string Next() {
    record_v1::RecordBatch batch;
    const Uuid id = RandomId(rng_);
    auto* topic = batch.add_records()->mutable_add_topic();
    topic->set_name("some.team.topic-" + std::to_string(made_++));
    topic->set_topic_id(id.ToBytes());
    for (int index = 0; index < kPartitions; ++index) {
      auto* partition = batch.add_records()->mutable_add_partition();
      partition->set_topic_id(id.ToBytes());
      partition->set_partition(index);
      const auto first = static_cast<int>(rng_() % kBrokers);
      for (int i = 0; i < kReplicas; ++i) {
        partition->add_replicas((first + i) % kBrokers);
        partition->add_isr((first + i) % kBrokers);
      }
      partition->set_leader(first);
      partition->set_leader_epoch(1);
      partition->set_partition_epoch(1);
    }
    return batch.SerializeAsString();
  }

 private:
  std::mt19937_64 rng_{1};
  int made_ = 0;
};

// The controller's, with nothing but the image.
class Machine final : public StateMachine {
 public:
  void Apply(std::span<const Committed> entries) override {
    for (const Committed& entry : entries) {
      record_v1::RecordBatch batch;
      batch.ParseFromString(entry.data);
      image_ = *metadata::ApplyBatch(image_, batch, entry.offset, nullptr);
    }
  }
  Result<Install> ReadSnapshot(SharedBytes data,
                               MetadataOffset offset) override {
    record_v1::RecordBatch batch;
    batch.ParseFromArray(data.data(), static_cast<int>(data.size()));
    return [this, image = *metadata::FromRecords(batch, offset)]() mutable {
      std::swap(image, image_);
      loaded = true;
    };
  }
  std::shared_ptr<const FrozenState> TakeSnapshot() override {
    struct Frozen final : FrozenState {
      explicit Frozen(ImagePtr image) : image(std::move(image)) {}
      void Write(const Part& part) const override {
        metadata::WriteSnapshot(*image, part);
      }
      const ImagePtr image;
    };
    return std::make_shared<Frozen>(image_);
  }
  void BecomeActive(uint64_t) override { active = true; }
  void Resign() override { active = false; }

  std::atomic<bool> active = false, loaded = false;

 private:
  ImagePtr image_ = std::make_shared<metadata::Image>();
};

// What a loop does at most between two tasks that are a millisecond apart.
class Watch {
 public:
  explicit Watch(Executor& loop) : loop_(loop) { Next(); }
  double Longest() { return static_cast<double>(longest_.exchange(0)) / 1e6; }

 private:
  void Next() {
    loop_.PostAfter(std::chrono::milliseconds(1), [this] {
      timespec at;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
      const int64_t now = at.tv_sec * 1'000'000'000 + at.tv_nsec;
      longest_ = std::max(longest_.load(), now - std::exchange(last_, now));
      Next();
    });
  }
  Executor& loop_;
  int64_t last_ = 0;  // nanoseconds that its thread has run
  std::atomic<int64_t> longest_ = 0;
};

struct Process {
  explicit Process(const Options& options) : loop("quorum"), watch(loop) {
    auto opened = RaftQuorum::Open(options, loop, machine);
    if (!opened) {
      std::fprintf(stderr, "%s\n", ToString(opened.error()).c_str());
      std::exit(1);
    }
    quorum = std::move(*opened);
    Run([&] { quorum->Start(); });
    while (!machine.active) std::this_thread::sleep_for(kPause);
  }
  ~Process() {
    Run([&] { quorum.reset(); });
  }
  template <class F>
  std::invoke_result_t<F> Run(F f) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(f));
    auto future = task.get_future();
    loop.Post([&] { task(); });
    return future.get();
  }
  double Propose(std::string data) {
    std::promise<void> done;
    const auto began = Clock::now();
    loop.Post([&] {
      quorum->Propose(std::move(data),
                      [&](Result<MetadataOffset>) { done.set_value(); });
    });
    done.get_future().get();
    return Ms(Clock::now() - began);
  }
  uint64_t Snapshots() {
    return Run([&] { return quorum->status().times.snapshot.count; });
  }

  static constexpr auto kPause = std::chrono::milliseconds(1);
  Machine machine;
  io::EventLoop loop;
  Watch watch;
  std::unique_ptr<RaftQuorum> quorum;
};

void Measure(const std::string& under, int partitions) {
  const std::string directory = under + "/snapshot-bench";
  fs::remove_all(directory);
  if (!io::FormatDirectory(directory, "bench", 1, io::Use::kMetadata)) return;
  Options options;
  options.self = 1;
  options.directory = directory;
  options.voters = {{1, "127.0.0.1", 27999}};
  const int topics = partitions / kPartitions;
  // The first one is due when all are there, and there is no second.
  constexpr int kBefore = 2'000;
  options.snapshot_every_bytes = UINT64_MAX;
  options.snapshot_every_entries = static_cast<uint64_t>(topics) + kBefore;
  Topics source;
  double idle_turn, idle_commit = 0, turn, commit = 0;
  QuorumStatus status;
  {
    Process process(options);
    std::atomic<int> waiting = 0;
    for (int i = 0; i < topics; ++i) {
      while (waiting > 500) std::this_thread::sleep_for(Process::kPause);
      ++waiting;
      process.loop.Post([&, data = source.Next()]() mutable {
        process.quorum->Propose(std::move(data),
                                [&](Result<MetadataOffset>) { --waiting; });
      });
    }
    while (waiting > 0) std::this_thread::sleep_for(Process::kPause);
    process.watch.Longest();
    for (int i = 0; i < kBefore - 100; ++i)
      idle_commit = std::max(idle_commit, process.Propose(source.Next()));
    idle_turn = process.watch.Longest();
    while (process.Snapshots() == 0)
      commit = std::max(commit, process.Propose(source.Next()));
    turn = process.watch.Longest();
    status = process.Run([&] { return process.quorum->status(); });
  }
  const auto began = Clock::now();
  Process again(options);
  const double start = Ms(Clock::now() - began);
  std::printf(
      "| %d | %.1f | %.2f | %.1f | %.1f | %.1f | %.1f | %.2f | %.1f |\n",
      partitions, static_cast<double>(status.snapshot_bytes) / 1e6,
      Ms(std::chrono::duration_cast<Clock::duration>(
          status.times.snapshot.longest)) /
          1000,
      idle_turn, turn, idle_commit, commit, start / 1000,
      again.watch.Longest());
  std::fflush(stdout);
}

}  // namespace
}  // namespace tidemark::quorum

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [PARTITIONS]...\n", argv[0]);
    return 2;
  }
  FLAGS_minloglevel = 1;
  std::printf(
      "| partitions | snapshot, MB | taken and stored, s | longest turn "
      "before, "
      "ms | while it is taken, ms | longest commit before, ms | while it is "
      "taken, ms | next start until it leads, s | longest turn then, ms |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  std::vector<int> sizes = {1'000, 10'000, 100'000, 1'000'000};
  if (argc > 2) sizes.clear();
  for (int i = 2; i < argc; ++i) sizes.push_back(std::stoi(argv[i]));
  for (int size : sizes) tidemark::quorum::Measure(argv[1], size);
}
