// What a leader answers a follower: it is refused, or it is a log.

#include <glog/logging.h>

#include "broker/log/log.h"
#include "common/record/batch_builder.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"
#include "tests/support/sim_disk.h"

namespace tidemark::fuzz {
namespace {

void RunFetched(std::string_view input) {
  Numbers numbers(&input);
  const uint8_t flags = numbers.Byte();
  std::string batches(input);
  if (flags & 1) CorrectChecksums(&batches);
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories("/data"));
  log::OpenOptions options;
  options.dir = "/data/t-0";
  options.partition = {"t", 0};
  options.config.segment_bytes = 600;
  options.config.index_interval_bytes = 200;
  options.config.compacted = (flags & 2) != 0;
  options.health = std::make_shared<log::DirectoryHealth>("/data");
  auto log = log::OpenLog(disk, options, kNow).value();
  // The same answer once more is refused or goes on from there. A leader may
  // have compacted what it sends, whatever the settings are.
  for (int i = 0; i < 2; ++i) {
    const Offset before = log->end_offset();
    (void)log->AppendAsFollower(batches);
    CHECK_LE(before, log->end_offset());
    CHECK(!log->failed());
    CHECK_EQ(ReadUntilWrong(*log, 0, 1 << 20, true), log->end_offset());
  }
  const Offset end = log->end_offset();
  (void)log->FindByTimestamp(kNow);
  (void)log->FindMaxTimestamp();
  CHECK(log->Close());
  for (const bool clean : {true, false}) {
    options.clean = clean;
    log = log::OpenLog(disk, options, kNow).value();
    CHECK_EQ(log->end_offset(), end) << "clean " << clean;
    CHECK_EQ(ReadUntilWrong(*log, 0, 1 << 20, true), end);
  }
}

std::vector<std::string> FetchedCorpus() {
  std::vector<std::string> out;
  for (const int count : {1, 3, 12}) {
    std::string batches;
    Offset next = 0;
    for (int i = 0; i < count; ++i) {
      std::string batch = SomeRecords(i, 1 + i % 3, i % 2 == 0 ? 1 : -1);
      record::SetBaseOffset(batch.data(), next);
      record::SetLeaderEpoch(batch.data(), i / 4);
      next += 1 + i % 3;
      batches += batch;
    }
    for (const char flags : {0, 1, 3}) out.push_back(flags + batches);
  }
  return out;
}

const Added kFetched({"fetched", RunFetched, FetchedCorpus});

}  // namespace
}  // namespace tidemark::fuzz
