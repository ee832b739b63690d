#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/log/log.h"
#include "broker/log/log_syncer.h"
#include "broker/log/partition_log.h"
#include "common/record/batch_builder.h"
#include "common/record/control_record.h"
#include "tests/support/sim_disk.h"

namespace tidemark::log {

inline constexpr int64_t kNow = 1'700'000'000'000;
inline constexpr char kDir[] = "/data/orders-3";

inline record::BatchOptions Idempotent(ProducerId id, int32_t sequence,
                                       ProducerEpoch epoch = 0) {
  record::BatchOptions options;
  options.producer_id = id;
  options.producer_epoch = epoch;
  options.base_sequence = sequence;
  return options;
}

inline std::string Batch(int count, int64_t timestamp_ms = kNow,
                         record::BatchOptions options = {},
                         size_t value_size = 20) {
  record::BatchBuilder builder(options);
  const std::string value(value_size, 'v');
  for (int i = 0; i < count; ++i) builder.Add(timestamp_ms + i, "key", value);
  return builder.Build();
}

inline record::BatchOptions Transactional(ProducerId id, int32_t sequence,
                                          ProducerEpoch epoch = 0) {
  record::BatchOptions options = Idempotent(id, sequence, epoch);
  options.transactional = true;
  return options;
}

inline std::string Marker(ProducerId id, bool commit, ProducerEpoch epoch = 0,
                          int32_t coordinator_epoch = 0) {
  record::BatchOptions options = Transactional(id, -1, epoch);
  options.control = true;
  record::BatchBuilder builder(options);
  builder.Add(
      kNow,
      record::EncodeControlKey(commit ? record::ControlRecordType::kCommit
                                      : record::ControlRecordType::kAbort),
      record::EncodeMarkerValue(coordinator_epoch));
  return builder.Build();
}

// A batch as it comes from a leader.
inline std::string LeaderBatch(Offset base, int count, LeaderEpoch epoch,
                               size_t value_size = 20) {
  record::BatchOptions options;
  options.base_offset = base;
  options.leader_epoch = epoch;
  return Batch(count, kNow, options, value_size);
}

class LogTest : public testing::Test {
 protected:
  LogTest() : topic_id_(*Uuid::FromBytes("0123456789abcdef")) {
    options_.dir = kDir;
    options_.partition = {"orders", 3};
    options_.topic_id = topic_id_;
    EXPECT_TRUE(disk_.CreateDirectories("/data"));
    EXPECT_TRUE(disk_.SyncDirectory("/"));
  }

  Status Open(bool clean = false) {
    options_.clean = clean;
    log_.reset();
    auto log = OpenLog(disk_, options_, kNow);
    if (!log) return Fail(log.error());
    log_ = std::move(*log);
    return {};
  }
  // Clean stop and start.
  void Reopen() {
    ASSERT_TRUE(log_->Close());
    ASSERT_TRUE(Open(true));
  }
  // Power cut and start.
  void CrashAndReopen() {
    disk_.Crash();
    ASSERT_TRUE(Open(false));
  }
  Result<AppendInfo> Append(const std::string& batch, LeaderEpoch epoch = 0) {
    return log_->AppendAsLeader(batch, epoch, kNow);
  }
  void Flush() {
    while (auto work = log_->TakeSync()) {
      ASSERT_TRUE(PerformSync(disk_, *work));
      log_->Flushed(*work);
    }
  }
  std::string ReadAll(Offset from = 0) {
    std::string all;
    while (from < log_->end_offset()) {
      auto bytes = log_->Read(from, INT64_MAX, 1 << 20, true);
      if (!bytes || bytes->empty()) {
        ADD_FAILURE() << "nothing at " << from;
        break;
      }
      all += bytes->view();
      record::BatchIterator it(bytes->view());
      while (auto view = it.Next().value()) from = view->header.NextOffset();
    }
    return all;
  }
  std::vector<Offset> BaseOffsets(std::string_view bytes) {
    std::vector<Offset> offsets;
    record::BatchIterator it(bytes);
    while (auto view = it.Next().value()) {
      offsets.push_back(view->header.base_offset);
    }
    return offsets;
  }
  size_t CountFiles(const std::string& suffix) {
    size_t count = 0;
    const auto names = disk_.List(kDir).value();
    for (const auto& name : names) {
      count += name.ends_with(suffix);
    }
    return count;
  }
  const PartitionLog& impl() const {
    return static_cast<const PartitionLog&>(*log_);
  }

  Uuid topic_id_;
  sim::SimDisk disk_{42};
  OpenOptions options_;
  std::unique_ptr<Log> log_;
};

}  // namespace tidemark::log
