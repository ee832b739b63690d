// What a core compacts in a second: a log of so many records of 100 bytes, each
// key written four times, as one pass of the cleaner sees it.
//
//   tidemark-compaction-bench DIRECTORY [RECORDS] [RUNS]

#include <fcntl.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "broker/log/log.h"
#include "broker/log/log_cleaning.h"
#include "broker/log/log_syncer.h"
#include "common/record/batch_builder.h"

namespace tidemark::log {
namespace {

constexpr int kOfABatch = 100;
constexpr int kTimesAKey = 4;

class DirectLog final : public LogBeingCleaned {
 public:
  explicit DirectLog(Log& log) : log_(log) {}
  Result<std::map<ProducerId, LastOfProducer>> LastOfProducers() override {
    return log_.LastOfProducers();
  }
  Result<std::vector<AbortedTransaction>> AbortedIn(Offset from,
                                                    Offset below) override {
    return log_.AbortedIn(from, below);
  }
  Result<bool> Replace(const CleanedGroup& cleaned) override {
    return log_.Replace(cleaned);
  }
  Status Cleaned(uint64_t generation, Offset upto) override {
    return log_.Cleaned(generation, upto);
  }
  void SyncFailed(const Error& error) override { log_.SyncFailed(error); }

 private:
  Log& log_;
};

class NoPace final : public CleaningPace {
 public:
  bool Spend(size_t) override { return true; }
};

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) / 1e9;
}

std::unique_ptr<Log> Fill(io::FileSystem& fs, const std::string& dir,
                          int records, record::Codec codec) {
  OpenOptions options;
  options.dir = dir;
  options.partition = {"bench", 0};
  options.topic_id = *Uuid::FromBytes("0123456789abcdef");
  options.config.compacted = true;
  options.config.segment_bytes = 64 << 20;
  auto log = OpenLog(fs, options, 0).value();
  std::mt19937 random(1);
  std::string value(84, 'v');
  for (int at = 0; at < records; at += kOfABatch) {
    record::BatchBuilder builder({.codec = codec});
    for (int i = 0; i < kOfABatch; ++i) {
      char key[32];
      std::snprintf(key, sizeof key, "key-%012d",
                    static_cast<int>(random() % static_cast<unsigned>(
                                                    records / kTimesAKey)));
      for (int byte = 0; byte < 42; ++byte) {
        value[static_cast<size_t>(byte)] = static_cast<char>(random());
      }
      builder.Add(1'700'000'000'000, key, value);
    }
    if (!log->AppendAsLeader(builder.Build(), 0, 1'700'000'000'000)) return {};
  }
  while (auto work = log->TakeSync()) {
    if (!PerformSync(fs, *work)) return {};
    log->Flushed(*work);
  }
  return log;
}

bool Measure(const std::string& dir, int records, record::Codec codec,
             const char* name) {
  io::FileSystem& fs = io::PosixFileSystem();
  std::filesystem::remove_all(dir);
  const auto log = Fill(fs, dir, records, codec);
  if (!log) return false;
  const auto what = log->FindCleanable(log->end_offset(), 1'700'000'000'001);
  if (!what || !*what) return false;
  auto keys = KeyOffsets::Make(128 << 20, 0.9, KeyHash::RandomSecret());
  DirectLog direct(*log);
  NoPace pace;
  LogCleaning cleaning(fs, **what, *keys, direct, pace, 1'700'000'000'001);
  const double wall = Seconds(CLOCK_MONOTONIC);
  const double cpu = Seconds(CLOCK_THREAD_CPUTIME_ID);
  const auto outcome = cleaning.Run();
  const double took = Seconds(CLOCK_MONOTONIC) - wall;
  const double used = Seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
  if (!outcome) return false;
  const double mb = static_cast<double>((*what)->dirty_bytes) / 1e6;
  std::printf(
      "%-6s dirty %7.1f MB  left %7.1f MB  %6.2f s  cpu %6.2f s  "
      "%6.1f MB/s  %6.1f MB/s per core\n",
      name, mb, static_cast<double>(cleaning.counts().written) / 1e6, took,
      used, mb / took, mb / used);
  std::filesystem::remove_all(dir);
  return true;
}

}  // namespace
}  // namespace tidemark::log

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [RECORDS] [RUNS]\n", argv[0]);
    return 2;
  }
  const int records = argc > 2 ? std::atoi(argv[2]) : 4'000'000;
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  const std::string dir = std::string(argv[1]) + "/bench-0";
  using tidemark::record::Codec;
  for (int run = 0; run < runs; ++run) {
    for (const auto& [codec, name] :
         {std::pair(Codec::kNone, "plain"), std::pair(Codec::kLz4, "lz4")}) {
      if (!tidemark::log::Measure(dir, records, codec, name)) return 1;
    }
  }
  return 0;
}
