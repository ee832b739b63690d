#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/replication/partition.h"
#include "tests/unit/broker/replication/test_log.h"

namespace tidemark::replication {

inline constexpr Instant kStart{std::chrono::hours(1)};
inline const TopicPartition kName{"t", 0};
inline const Uuid kId = TestUuid(9);

inline metadata::PartitionImage Row(std::vector<NodeId> isr, NodeId leader,
                                    LeaderEpoch leader_epoch,
                                    PartitionEpoch partition_epoch) {
  metadata::PartitionImage row;
  row.replicas = {1, 2, 3};
  row.isr = std::move(isr);
  row.leader = leader;
  row.leader_epoch = leader_epoch;
  row.partition_epoch = partition_epoch;
  return row;
}

// Replicas of one partition, each on a disk of its own, moved by hand.
class PartitionTest : public testing::Test {
 protected:
  struct Replica {
    Stats stats;
    PartitionEnv env;
    sim::SimDisk disk{1};
    std::unique_ptr<Partition> partition;
  };

  Replica& Make(NodeId id, int32_t min_isr = 2) {
    auto replica = std::make_unique<Replica>();
    replica->env.self = id;
    replica->env.image = std::make_shared<const metadata::Image>();
    replica->env.stats = &replica->stats;
    replica->partition = std::make_unique<Partition>(
        kName, kId, OpenTestLog(replica->disk, "/d", kName, kId), &replica->env,
        -1, min_isr);
    return *(replicas_[id] = std::move(replica));
  }

  static Result<log::AppendInfo> Append(Replica& at, const std::string& value,
                                        int16_t acks = -1) {
    return at.partition->AppendAsLeader(
        BatchOf(value), acks, AppendOrigin::kClient, kStart, 1'000'000);
  }
  static void Sync(Replica& at) {
    if (auto work = SyncNow(at.disk, at.partition->log())) {
      at.partition->Flushed(*work, kStart);
    }
  }
  // One fetch of `follower` from `leader`; returns the leader's answer.
  static FetchAnswer Fetch(Replica& follower, Replica& leader,
                           Instant now = kStart) {
    const auto at = follower.partition->FollowerPosition();
    CHECK(at);
    FollowerFetch fetch;
    fetch.replica = follower.env.self;
    fetch.broker_epoch = 1;
    fetch.current_leader_epoch = at->leader_epoch;
    fetch.fetch_offset = at->fetch_offset;
    fetch.last_fetched_epoch = at->last_fetched_epoch;
    fetch.flushed_offset = at->flushed_offset;
    fetch.forgotten = at->forgotten;
    FetchAnswer answer =
        leader.partition->FetchAsFollower(fetch, 1 << 20, true, now);
    if (answer.begin_anew) {
      CHECK(follower.partition->BeginAnew(at->asked(), answer.log_start_offset,
                                          *answer.begin_anew));
    } else if (answer.error == ErrorCode::kOffsetOutOfRange) {
      CHECK(
          follower.partition->OutOfRange(at->asked(), answer.log_start_offset));
    } else if (answer.diverging) {
      CHECK(follower.partition->Diverged(at->asked(), *answer.diverging));
    } else if (answer.error == ErrorCode::kNone) {
      CHECK(follower.partition->AppendFetched(
          at->asked(), answer.records.bytes(), answer.high_watermark,
          answer.log_start_offset));
    }
    Cut(follower);
    return answer;
  }
  // What has been decided, at once.
  static void Cut(Replica& at) {
    if (!at.partition->away()) return;
    LentLog lent = at.partition->TakeCut();
    const Status cut = CarryOut(lent.cut, *lent.log);
    at.partition->CutDone(std::move(lent.log), cut, kStart);
  }

  std::map<NodeId, std::unique_ptr<Replica>> replicas_;
};

}  // namespace tidemark::replication
