#include <gtest/gtest.h>

#include <random>

#include "broker/coordinator/group/footprint.h"
#include "tests/unit/broker/coordinator/group_driver.h"

namespace tidemark::coordinator {
namespace {

// What the log keeps of every group.
std::map<std::string, std::pair<std::optional<StoredGroup>,
                                std::map<TopicPartition, CommittedOffset>>>
Replicated(const GroupTable& table) {
  std::map<std::string, std::pair<std::optional<StoredGroup>,
                                  std::map<TopicPartition, CommittedOffset>>>
      out;
  for (const auto& [id, group] : table.groups())
    if (group.stored || !group.offsets.empty())
      out[id] = {group.stored, group.offsets};
  return out;
}

// What transactions may yet make of it.
std::map<std::string, std::map<ProducerId, TransactionalOffsets::Offsets>> Open(
    const GroupTable& table) {
  std::map<std::string, std::map<ProducerId, TransactionalOffsets::Offsets>>
      out;
  for (const auto& [id, group] : table.groups()) {
    if (!group.transactional.empty())
      out[id] = group.transactional.by_producer();
  }
  return out;
}

// The offsets of records that nothing depends on any more are forgotten.
auto WhatASnapshotKeeps(const GroupTable& table) {
  auto out = Replicated(table);
  for (auto& [id, replicated] : out) {
    const TransactionalOffsets& open = table.groups().at(id).transactional;
    for (auto& [partition, value] : replicated.second) {
      if (!open.Contains(partition)) value.written_at = -1;
    }
  }
  return out;
}

// A snapshot, taken in slices of about so many bytes.
void CheckSnapshot(const GroupTable& table, size_t slice) {
  GroupTable copy{GroupConfig{}};
  GroupCursor cursor;
  bool more = true;
  for (int slices = 0; more; ++slices) {
    ASSERT_LT(slices, 10'000);
    std::vector<GroupRecord> records;
    more = table.Snapshot(cursor, slice, &records);
    ASSERT_TRUE(!more || !records.empty());
    for (const GroupRecord& record : records) {
      const auto* offset = std::get_if<OffsetRecord>(&record);
      const Offset at = offset ? offset->value->written_at : -1;
      copy.Apply(record, {.offset = at});
    }
  }
  ASSERT_EQ(Replicated(copy), WhatASnapshotKeeps(table));
  ASSERT_EQ(copy.live_bytes(), table.live_bytes());
  ASSERT_EQ(table.live_bytes() == 0, Replicated(table).empty());
}

// Counted anew, while nothing is being written.
size_t FootprintOf(const GroupTable& table) {
  size_t bytes = 0;
  for (const auto& [unused, group] : table.groups()) {
    bytes += Footprint(group);
    if (group.stored) bytes += Footprint(*group.stored);
    for (const auto& [partition, value] : group.offsets) {
      bytes += Footprint(partition, value);
    }
    for (const auto& [unused, offsets] : group.transactional.by_producer()) {
      bytes += OpenFootprint(group.id);
      for (const auto& [partition, value] : offsets) {
        bytes += OpenFootprint(partition, value);
      }
    }
  }
  return bytes;
}

void CheckInvariants(const GroupTable& table, bool settled) {
  EXPECT_EQ(table.OldestOpenOffset().has_value(), !Open(table).empty());
  if (settled) {
    EXPECT_EQ(table.footprint(), FootprintOf(table));
  }
  for (const auto& [id, group] : table.groups()) {
    SCOPED_TRACE(id);
    EXPECT_EQ(group.members.empty(), !group.leader.has_value());
    if (group.leader) {
      EXPECT_TRUE(group.members.contains(*group.leader));
    }
    for (const auto& [instance, member] : group.static_members) {
      ASSERT_TRUE(group.members.contains(member));
      EXPECT_EQ(group.members.at(member).instance_id, instance);
    }
    for (const auto& [unused, m] : group.members) {
      EXPECT_TRUE(!m.join || group.Is(GroupState::kPreparingRebalance));
      EXPECT_TRUE(!m.sync || group.Is(GroupState::kCompletingRebalance));
    }
    EXPECT_EQ(group.Is(GroupState::kPreparingRebalance),
              group.join_deadline.has_value());
    if (group.Is(GroupState::kEmpty)) {
      EXPECT_TRUE(group.members.empty());
    }
    if (settled) {
      EXPECT_TRUE(group.pending_offsets.empty());
      EXPECT_TRUE(group.pending_transactional.empty());
      EXPECT_FALSE(group.IsDisposable()) << "should be gone";
      if (group.Is(GroupState::kStable)) {
        ASSERT_TRUE(group.stored);
        EXPECT_EQ(group.stored->generation, group.generation);
        EXPECT_EQ(group.stored->members, group.ToStored().members);
      }
    }
  }
}

class Chaos {
 public:
  explicit Chaos(uint32_t seed) : random_(seed) {}

  std::string Command() {
    const std::string group = " group=g" + std::to_string(Below(2));
    const std::string member = " member=" + Member();
    const std::string gen = " gen=" + std::to_string(Below(8));
    const std::string producer = " producer=" + std::to_string(Below(3));
    switch (Below(17)) {
      case 0:
      case 1:
        return "join client=c" + std::to_string(Below(3)) + group + Version() +
               Protocols();
      case 2:
      case 3:
        return "join" + member + group + Version() + Protocols();
      case 4:
        return "join client=s instance=i" + std::to_string(Below(2)) + group +
               Version() + Protocols();
      case 5:
      case 6:
        return "sync" + member + gen + group + " assign=" + Member() + ":x";
      case 7:
        return "heartbeat" + member + gen + group;
      case 8:
        return "leave members=" + Member() + ";@i" + std::to_string(Below(2)) +
               group;
      case 9:
        return "commit" + member + gen + group + Offsets();
      case 10:
        return "commit" + group + Offsets();
      case 11:
        return "advance ms=" + std::to_string(Below(20'000));
      case 12:
        return Below(2) ? "hold" : Below(4) ? "settle" : "settle fail=1";
      case 13:
      case 14:
        return "txn" + producer + group + Offsets() +
               (Below(2) ? "" : member + gen);
      case 15:
        return "end" + producer + (Below(3) ? "" : " abort=1");
      default:
        return Below(2)   ? "expire"
               : Below(2) ? "delete" + group
               : Below(2) ? "forget topics=t"
                          : "failover";
    }
  }

  int Below(int n) {
    return static_cast<int>(random_() % static_cast<unsigned>(n));
  }

 private:
  std::string Member() {
    static const char* kClients[] = {"c0", "c1", "c2", "s"};
    return std::string(kClients[Below(4)]) + "-" + std::to_string(Below(40));
  }
  std::string Version() { return " v=" + std::to_string(Below(10)); }
  std::string Protocols() {
    return Below(4) ? " protocols=range:m;rr:m"
                    : " protocols=rr:n" + std::to_string(Below(2));
  }
  std::string Offsets() {
    return " offsets=" + std::string(Below(2) ? "t-0:" : "u-1:") +
           std::to_string(Below(100));
  }

  std::mt19937 random_;
};

TEST(GroupRandom, ReplayOfTheLogGivesTheSameStateAndInvariantsHold) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    Chaos chaos(seed);
    GroupDriver driver;
    driver.Run("config initial_delay=1000 retention=30000");
    for (int step = 0; step < 400; ++step) {
      const std::string command = chaos.Command();
      SCOPED_TRACE("seed " + std::to_string(seed) + " step " +
                   std::to_string(step) + ": " + command);
      driver.Run(command);
      const bool settled = driver.unsettled() == 0;
      CheckInvariants(driver.table(), settled);
      ASSERT_EQ(Replicated(driver.Replay()), Replicated(driver.table()));
      ASSERT_EQ(Open(driver.Replay()), Open(driver.table()));
      ASSERT_EQ(driver.Replay().OldestOpenOffset(),
                driver.table().OldestOpenOffset());
      CheckSnapshot(driver.table(), 1 + static_cast<size_t>(chaos.Below(200)));
      if (testing::Test::HasFailure()) return;
    }
    // Whoever still waits is answered once everything has timed out.
    driver.Run("settle");
    driver.Run("advance ms=4000000");
    EXPECT_EQ(driver.waiting(), 0u) << "seed " << seed;
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tidemark::coordinator
