#include "common/metadata/apply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/metadata/snapshot.h"

namespace tidemark::metadata {
namespace {

Uuid Id(uint8_t n) {
  Uuid id;
  id.bytes[0] = n;
  id.bytes[15] = 1;
  return id;
}

v1::Record Register(NodeId id, uint8_t incarnation, bool fenced = true) {
  v1::Record out;
  auto* r = out.mutable_register_broker();
  r->set_broker_id(id);
  r->set_incarnation_id(Id(incarnation).ToBytes());
  r->set_fenced(fenced);
  return out;
}

v1::Record Change(NodeId id, BrokerEpoch epoch, bool fenced) {
  v1::Record out;
  auto* r = out.mutable_change_broker();
  r->set_broker_id(id);
  r->set_broker_epoch(epoch);
  r->set_fenced(fenced);
  return out;
}

v1::Record Topic(const std::string& name, uint8_t id) {
  v1::Record out;
  out.mutable_add_topic()->set_name(name);
  out.mutable_add_topic()->set_topic_id(Id(id).ToBytes());
  return out;
}

v1::Record RemoveTopic(uint8_t id) {
  v1::Record out;
  out.mutable_remove_topic()->set_topic_id(Id(id).ToBytes());
  return out;
}

v1::Record Partition(uint8_t topic, int index, std::vector<NodeId> replicas) {
  v1::Record out;
  auto* p = out.mutable_add_partition();
  p->set_topic_id(Id(topic).ToBytes());
  p->set_partition(index);
  p->mutable_replicas()->Add(replicas.begin(), replicas.end());
  p->mutable_isr()->Add(replicas.begin(), replicas.end());
  p->set_leader(replicas.empty() ? kNoNode : replicas[0]);
  return out;
}

v1::Record ChangeP(uint8_t topic, int index, std::vector<NodeId> isr) {
  v1::Record out;
  auto* p = out.mutable_change_partition();
  p->set_topic_id(Id(topic).ToBytes());
  p->set_partition(index);
  p->mutable_isr()->Add(isr.begin(), isr.end());
  return out;
}

v1::Record Config(v1::ResourceType type, const std::string& name,
                  const std::string& key, const char* value) {
  v1::Record out;
  auto* c = out.mutable_set_config();
  c->set_type(type);
  c->set_name(name);
  c->set_key(key);
  if (value != nullptr) c->set_value(value);
  return out;
}

v1::RecordBatch Batch(std::vector<v1::Record> records) {
  v1::RecordBatch out;
  for (auto& r : records) *out.add_records() = std::move(r);
  return out;
}

// Applies; the test fails when a batch is refused.
struct World {
  ImagePtr image = std::make_shared<Image>();
  MetadataOffset next = 1;
  Delta last;

  void Do(std::vector<v1::Record> records) {
    last = {};
    auto result = ApplyBatch(image, Batch(std::move(records)), next++, &last);
    ASSERT_TRUE(result) << result.error().message;
    image = *result;
  }
  bool Refuses(v1::Record record) {
    return !ApplyBatch(image, Batch({std::move(record)}), next, nullptr);
  }
};

TEST(Apply, BrokerEpochIsTheRegistrationsOffset) {
  World w;
  w.Do({Topic("a", 1)});
  w.Do({Register(1, 7)});
  EXPECT_EQ(w.image->FindBroker(1)->epoch, 2);
  EXPECT_TRUE(w.image->FindBroker(1)->fenced);
}

TEST(Apply, SameIncarnationKeepsEpochAndFencing) {
  World w;
  w.Do({Register(1, 7)});
  w.Do({Change(1, 1, false)});
  w.Do({Register(1, 7)});
  EXPECT_EQ(w.image->FindBroker(1)->epoch, 1);
  EXPECT_FALSE(w.image->FindBroker(1)->fenced);
  w.Do({Register(1, 8)});
  EXPECT_EQ(w.image->FindBroker(1)->epoch, 4);
  EXPECT_TRUE(w.image->FindBroker(1)->fenced);
}

TEST(Apply, EveryPartitionChangeAddsOneToItsEpoch) {
  World w;
  w.Do({Topic("a", 1), Partition(1, 0, {1, 2}), Partition(1, 1, {2, 1})});
  ImagePtr before = w.image;
  w.Do({ChangeP(1, 0, {1})});
  EXPECT_EQ(w.image->FindPartition("a", 0)->partition_epoch, 1);
  EXPECT_EQ(w.image->FindPartition("a", 1)->partition_epoch, 0);
  EXPECT_EQ(before->FindPartition("a", 0)->partition_epoch, 0);
  EXPECT_EQ(before->FindTopic("a")->partitions[1],
            w.image->FindTopic("a")->partitions[1])
      << "unchanged partitions are shared";
  EXPECT_EQ(w.last.changed_topics, std::set<std::string>{"a"});
}

TEST(Apply, RecreatedTopicIsDeletedAndChanged) {
  World w;
  w.Do({Topic("a", 1), Partition(1, 0, {1}),
        Config(v1::TOPIC, "a", "retention.ms", "5")});
  w.Do({RemoveTopic(1), Topic("a", 2), Partition(2, 0, {1})});
  EXPECT_EQ(w.last.deleted_topics.count(Id(1)), 1u);
  EXPECT_EQ(w.last.changed_topics.count("a"), 1u);
  EXPECT_EQ(w.image->FindTopic("a")->id, Id(2));
  EXPECT_EQ(w.image->FindConfigs({ResourceType::kTopic, "a"}), nullptr);
}

TEST(Apply, ATopicThatCameAndWentIsNotReported) {
  World w;
  w.Do({Topic("a", 1), RemoveTopic(1)});
  EXPECT_TRUE(w.last.changed_topics.empty());
  EXPECT_TRUE(w.last.deleted_topics.empty());
}

TEST(Apply, RefusesWhatContradictsTheImage) {
  World w;
  w.Do({Register(1, 7), Topic("a", 1), Partition(1, 0, {1, 2})});
  EXPECT_TRUE(w.Refuses(v1::Record()));
  EXPECT_TRUE(w.Refuses(Register(-2, 7)));
  EXPECT_TRUE(w.Refuses(Change(1, 99, false)));
  EXPECT_TRUE(w.Refuses(Change(2, 1, false)));
  EXPECT_TRUE(w.Refuses(Topic("a", 9)));
  EXPECT_TRUE(w.Refuses(Topic("b", 1)));
  EXPECT_TRUE(w.Refuses(Topic("", 3)));
  EXPECT_TRUE(w.Refuses(RemoveTopic(3)));
  EXPECT_TRUE(w.Refuses(Partition(1, 5, {1})));
  EXPECT_TRUE(w.Refuses(Partition(1, -1, {1})));
  EXPECT_TRUE(w.Refuses(Partition(1, 1, {})));
  EXPECT_TRUE(w.Refuses(Partition(1, 1, {1, 1})));
  EXPECT_TRUE(w.Refuses(ChangeP(1, 0, {3})));
  EXPECT_TRUE(w.Refuses(ChangeP(1, 0, {2}))) << "leader outside the ISR";
  EXPECT_TRUE(w.Refuses(ChangeP(1, 7, {1})));
  EXPECT_TRUE(w.Refuses(Config(v1::TOPIC, "nope", "a", "b")));
  EXPECT_TRUE(w.Refuses(Config(v1::UNKNOWN, "a", "a", "b")));
  EXPECT_TRUE(
      w.Refuses(Config(static_cast<v1::ResourceType>(8), "a", "a", "b")));
  EXPECT_TRUE(w.Refuses(Config(v1::GROUP, "", "a", "b")));
  v1::Record move;
  auto* moved = move.mutable_change_partition();
  moved->set_topic_id(Id(1).ToBytes());
  moved->mutable_adding_replicas()->add_replicas(3);
  EXPECT_TRUE(w.Refuses(move)) << "to come, and no replica";
  moved->mutable_adding_replicas()->set_replicas(0, 2);
  moved->mutable_removing_replicas()->add_replicas(2);
  EXPECT_FALSE(w.Refuses(move)) << "of a move that another took the place of";
  moved->mutable_removing_replicas()->set_replicas(0, 4);
  EXPECT_TRUE(w.Refuses(move)) << "to go, and no replica";
  moved->clear_adding_replicas();
  moved->mutable_removing_replicas()->set_replicas(0, 1);
  EXPECT_FALSE(w.Refuses(move));
  moved->mutable_removing_replicas()->add_replicas(2);
  EXPECT_TRUE(w.Refuses(move)) << "all of them go";
  v1::Record bad_id;
  bad_id.mutable_add_topic()->set_name("c");
  bad_id.mutable_add_topic()->set_topic_id("short");
  EXPECT_TRUE(w.Refuses(bad_id));
  v1::Record same_epoch;
  auto* change = same_epoch.mutable_change_partition();
  change->set_topic_id(Id(1).ToBytes());
  change->set_leader(2);
  EXPECT_TRUE(w.Refuses(same_epoch)) << "new leader, old leader epoch";
  v1::Record ids;
  ids.mutable_allocate_producer_ids()->set_next_producer_id(0);
  EXPECT_TRUE(w.Refuses(ids));
}

// A node that catches up takes many entries with one builder.
TEST(Apply, OneBuilderForManyEntriesIsTheSame) {
  ImageBuilder builder(nullptr);
  World w;
  MetadataOffset offset = 1;
  for (uint8_t topic = 1; topic <= 100; ++topic) {
    std::vector<v1::Record> records = {
        Topic("t" + std::to_string(topic), topic), Partition(topic, 0, {1, 2}),
        Partition(topic, 1, {2, 3})};
    if (topic > 10) records.push_back(ChangeP(topic - 10, 1, {2}));
    if (topic > 20) records.push_back(RemoveTopic(topic - 20));
    ASSERT_TRUE(builder.Apply(Batch(records), offset++));
    w.Do(std::move(records));
  }
  Delta delta;
  ImagePtr once = builder.Build(offset - 1, &delta);
  EXPECT_TRUE(Equal(*once, *w.image));
  EXPECT_EQ(delta.changed_topics.size(), 20u);
  EXPECT_TRUE(delta.deleted_topics.empty()) << "they came and went";
}

TEST(Difference, FindsDeletions) {
  World w;
  w.Do({Register(1, 7), Topic("a", 1), Partition(1, 0, {1}),
        Config(v1::BROKER, "", "log.retention.ms", "5")});
  ImagePtr full = w.image;
  auto empty = std::make_shared<Image>();
  Delta delta = Difference(*full, *empty);
  EXPECT_TRUE(delta.from_snapshot);
  EXPECT_EQ(delta.deleted_topics.size(), 1u);
  EXPECT_EQ(delta.changed_brokers.size(), 1u);
  EXPECT_EQ(delta.changed_configs.size(), 1u);
  EXPECT_TRUE(delta.changed_topics.empty());
}

// Some share a collision form.
const std::string kNames[] = {"a.b", "a_b", "a.b_c", "a_b.c", "plain"};

// Some of five brokers, in any order.
std::vector<NodeId> RandomBrokers(std::mt19937& rng) {
  std::vector<NodeId> out = {1, 2, 3, 4, 5};
  std::shuffle(out.begin(), out.end(), rng);
  out.resize(rng() % 5);
  return out;
}

v1::Record RandomChange(std::mt19937& rng, uint8_t topic, int partition,
                        const Image& image) {
  auto pick = [&](int n) { return static_cast<int>(rng() % n); };
  v1::Record out = ChangeP(topic, partition, {});
  auto* change = out.mutable_change_partition();
  const TopicImage* found = image.FindTopic(Id(topic));
  const PartitionImage* now = found ? found->Find(partition) : nullptr;
  if (now == nullptr) return out;
  // Each replica in the ISR, eligible, or neither.
  if (pick(2)) change->mutable_eligible_leader_replicas();
  for (NodeId id : pick(3) ? now->replicas : RandomBrokers(rng)) {
    const int where = pick(3);
    if (where == 0) change->add_isr(id);
    if (where == 1 && change->has_eligible_leader_replicas()) {
      change->mutable_eligible_leader_replicas()->add_replicas(id);
    }
  }
  if (pick(5) == 0) {
    for (NodeId id : RandomBrokers(rng)) change->add_replicas(id);
  }
  if (pick(3) == 0) {
    change->mutable_adding_replicas();
    change->mutable_removing_replicas();
    for (NodeId id : now->replicas) {
      const int where = pick(4);
      if (where == 0) change->mutable_adding_replicas()->add_replicas(id);
      if (where == 1) change->mutable_removing_replicas()->add_replicas(id);
    }
  }
  if (pick(3)) {
    change->set_leader(pick(3) && change->isr_size() ? change->isr(0)
                                                     : pick(6) - 1);
    change->set_leader_epoch(now->leader_epoch + pick(3));
    change->set_recovery(pick(2) ? v1::RECOVERING : v1::RECOVERED);
  }
  return out;
}

// Any record at all; many are refused.
v1::Record RandomRecord(std::mt19937& rng, const Image& image) {
  auto pick = [&](int n) { return static_cast<int>(rng() % n); };
  uint8_t topic = static_cast<uint8_t>(1 + pick(5));
  std::string name = kNames[topic - 1];
  const TopicImage* found = image.FindTopic(Id(topic));
  int count = found == nullptr ? 0 : static_cast<int>(found->partitions.size());
  switch (pick(9)) {
    case 0:
      return Register(pick(4), static_cast<uint8_t>(1 + pick(3)), pick(2));
    case 1: {
      const BrokerImage* broker = image.FindBroker(pick(4));
      return broker == nullptr ? Change(1, 1, true)
                               : Change(broker->id, broker->epoch, pick(2));
    }
    case 2:
      return Topic(name, topic);
    case 3:
      return pick(3) == 0 ? RemoveTopic(topic) : Topic(name, topic);
    case 4:
      return Partition(topic, count, RandomBrokers(rng));
    case 5:
      return RandomChange(rng, topic, count == 0 ? 0 : pick(count), image);
    case 6:
      return Config(v1::TOPIC, name, "k" + std::to_string(pick(3)),
                    pick(3) == 0 ? nullptr : "v");
    case 7:
      if (pick(3) == 0) {
        return Config(pick(2) ? v1::GROUP : v1::CLIENT_METRICS,
                      pick(4) ? "g" : "", "k", pick(2) ? "v" : nullptr);
      }
      return Config(v1::BROKER, pick(2) ? "" : "1", "k",
                    pick(2) ? "v" : nullptr);
    default: {
      v1::Record out;
      out.mutable_allocate_producer_ids()->set_next_producer_id(pick(9000));
      return out;
    }
  }
}

using Keys = std::set<PartitionKey>;

Keys KeysOf(const PartitionSet& set) {
  Keys out;
  for (const auto& [key, nothing] : set) out.insert(key);
  return out;
}

// All that is asked of all partitions, found by looking at all.
void ExpectIndexesAreRight(const TopicsImage& topics) {
  Keys leaderless, not_preferred, eligible, moving;
  std::map<NodeId, Keys> replicas, leads, in_sync, eligible_of;
  int64_t partitions = 0, under_replicated = 0;
  for (const auto& [name, topic] : topics) {
    ASSERT_EQ(topics.Find(topic->id), topic.get());
    for (int i = 0; topic->Find(i) != nullptr; ++i) {
      const PartitionImage& p = *topic->Find(i);
      const PartitionKey key{topic->id, i};
      ++partitions;
      // Who is still to come does not count.
      const auto original = p.Original();
      under_replicated +=
          !std::all_of(original.begin(), original.end(), [&](NodeId id) {
            return std::find(p.isr.begin(), p.isr.end(), id) != p.isr.end();
          });
      if (!p.adding.empty() || !p.removing.empty()) moving.insert(key);
      if (p.leader == kNoNode) leaderless.insert(key);
      if (p.leader != p.replicas[0]) not_preferred.insert(key);
      if (!p.elr.empty()) eligible.insert(key);
      for (NodeId id : p.replicas) replicas[id].insert(key);
      for (NodeId id : p.isr) in_sync[id].insert(key);
      for (NodeId id : p.elr) eligible_of[id].insert(key);
      leads[p.leader].insert(key);
    }
  }
  ASSERT_EQ(topics.partitions(), partitions);
  ASSERT_EQ(topics.under_replicated(), under_replicated);
  ASSERT_EQ(KeysOf(topics.leaderless()), leaderless);
  ASSERT_EQ(KeysOf(topics.not_preferred()), not_preferred);
  ASSERT_EQ(KeysOf(topics.with_eligible()), eligible);
  ASSERT_EQ(KeysOf(topics.moving()), moving);
  for (NodeId id = 0; id <= 6; ++id) {
    const BrokerPartitions& of = topics.Of(id);
    ASSERT_EQ(KeysOf(of.replicas), replicas[id]);
    ASSERT_EQ(static_cast<size_t>(of.leads), leads[id].size());
    ASSERT_EQ(static_cast<size_t>(of.in_sync), in_sync[id].size());
    ASSERT_EQ(static_cast<size_t>(of.eligible), eligible_of[id].size());
  }
  for (const std::string& name : kNames) {
    std::set<std::string> colliding;
    for (const auto& [other, topic] : topics) {
      if (CollisionForm(other) == CollisionForm(name)) colliding.insert(other);
    }
    const std::string* found = topics.FindColliding(name);
    ASSERT_EQ(found != nullptr, !colliding.empty());
    ASSERT_TRUE(found == nullptr || colliding.contains(*found));
  }
}

// C-27: the state is the same from the log, and from any snapshot with the
// log's tail; deltas name exactly what differs.
TEST(ApplyProperty, ReplayEqualsSnapshotPlusTail) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 rng(seed);
    ImagePtr live = std::make_shared<Image>();
    ImagePtr from_snapshot = live;
    int accepted = 0;
    for (MetadataOffset offset = 1; offset <= 400; ++offset) {
      v1::RecordBatch batch;
      for (unsigned i = rng() % 3; i < 3; ++i) {
        *batch.add_records() = RandomRecord(rng, *live);
      }
      Delta delta;
      auto next = ApplyBatch(live, batch, offset, &delta);
      auto twin = ApplyBatch(from_snapshot, batch, offset, nullptr);
      ASSERT_EQ(next.has_value(), twin.has_value());
      if (!next) continue;
      ++accepted;
      Delta compared = Difference(*live, **next);
      for (const auto& name : compared.changed_topics) {
        EXPECT_TRUE(delta.changed_topics.contains(name));
      }
      for (const auto& [id, topic] : compared.deleted_topics) {
        EXPECT_TRUE(delta.deleted_topics.contains(id));
      }
      for (NodeId id : compared.changed_brokers) {
        EXPECT_TRUE(delta.changed_brokers.contains(id));
      }
      for (const auto& resource : compared.changed_configs) {
        EXPECT_TRUE(delta.changed_configs.contains(resource));
      }
      live = *next;
      from_snapshot = *twin;
      ExpectIndexesAreRight(live->topics());
      ASSERT_TRUE(Equal(*live, *from_snapshot)) << "seed " << seed;
      if (rng() % 10 == 0) {
        auto reloaded = FromRecords(ToRecords(*live), offset);
        ASSERT_TRUE(reloaded) << reloaded.error().message;
        ASSERT_TRUE(Equal(*live, **reloaded)) << "seed " << seed;
        ASSERT_EQ(ToRecords(*live).SerializeAsString(),
                  ToRecords(**reloaded).SerializeAsString());
        from_snapshot = *reloaded;
        ExpectIndexesAreRight(from_snapshot->topics());
      }
    }
    EXPECT_GT(accepted, 20);
  }
}

}  // namespace
}  // namespace tidemark::metadata
