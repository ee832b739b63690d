#include <gtest/gtest.h>

#include <random>

#include "controller/metadata/config_decisions.h"
#include "controller/metadata/describe.h"
#include "controller/metadata/topic_decisions.h"
#include "controller/metadata/topic_name.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using Ids = std::vector<NodeId>;

Randomness Seeded(unsigned seed = 1) {
  auto rng = std::make_shared<std::mt19937>(seed);
  auto next = std::make_shared<int>(100);
  return {[next] { return TestId((*next)++); },
          [rng](size_t bound) { return (*rng)() % bound; }};
}

View SeededView(const metadata::Image& image,
                const Settings& settings = Settings()) {
  static const Randomness random = Seeded();
  return {.image = image, .settings = settings, .random = &random};
}

admin_v1::CreateTopicsRequest Create(const std::string& name, int partitions,
                                     int replicas) {
  admin_v1::CreateTopicsRequest r;
  auto* t = r.add_topics();
  t->set_name(name);
  t->set_partitions(partitions);
  t->set_replication_factor(replicas);
  return r;
}

ErrorCode CodeOf(const State& state, const admin_v1::CreateTopicsRequest& r) {
  auto decision = Decide(SeededView(*state), r);
  auto code = static_cast<ErrorCode>(decision.response.topics(0).code());
  EXPECT_EQ(decision.records.empty(), code != ErrorCode::kNone);
  return code;
}

TEST(TopicName, Rules) {
  EXPECT_TRUE(CheckTopicName("a.B_c-9"));
  EXPECT_TRUE(CheckTopicName(std::string(249, 'a')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."),
        std::string(250, 'a'), std::string("a b"), std::string("a/b"),
        std::string("\xc3\xa9"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(CheckTopicName(bad)) << bad;
  }
}

TEST(CreateTopics, PlacesAndElects) {
  State state;
  state.Broker(1).Broker(2).Broker(3);
  auto decision = Decide(SeededView(*state), Create("t", 6, 3));
  state.Apply(decision.records);
  EXPECT_EQ(decision.response.topics(0).partitions(), 6);
  EXPECT_EQ(decision.response.topics(0).replication_factor(), 3);
  std::map<NodeId, int> leaders;
  for (int i = 0; i < 6; ++i) {
    const auto& p = state.P("t", i);
    EXPECT_EQ(p.replicas.size(), 3u);
    EXPECT_EQ(p.isr, p.replicas);
    EXPECT_EQ(p.leader, p.replicas[0]);
    ++leaders[p.leader];
  }
  for (auto [id, count] : leaders) EXPECT_EQ(count, 2) << id;
}

TEST(CreateTopics, DefaultsComeFromTheSettings) {
  State state;
  state.Broker(1).Broker(2);
  Settings settings;
  settings.default_partitions = 4;
  settings.default_replication_factor = 2;
  auto decision = Decide(SeededView(*state, settings), Create("t", -1, -1));
  EXPECT_EQ(decision.response.topics(0).partitions(), 4);
  EXPECT_EQ(decision.response.topics(0).replication_factor(), 2);
}

TEST(CreateTopics, CodesOfEachRefusal) {
  State state;
  state.Broker(1).Broker(2, true).Topic("a.b", 1).Partition(1, 0, {1}, {1}, 1);
  EXPECT_EQ(CodeOf(state, Create("t", 1, 1)), ErrorCode::kNone);
  EXPECT_EQ(CodeOf(state, Create("a.b", 1, 1)), ErrorCode::kTopicAlreadyExists);
  EXPECT_EQ(CodeOf(state, Create("a_b", 1, 1)),
            ErrorCode::kInvalidTopicException);
  EXPECT_EQ(CodeOf(state, Create("a b", 1, 1)),
            ErrorCode::kInvalidTopicException);
  EXPECT_EQ(CodeOf(state, Create("t", 0, 1)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(CodeOf(state, Create("t", -2, 1)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(CodeOf(state, Create("t", 1, 0)),
            ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(CodeOf(state, Create("t", 1, 3)),
            ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(CodeOf(state, Create("t", 2000000000, 1)),
            ErrorCode::kPolicyViolation);
  EXPECT_EQ(CodeOf(state, Create("t", 10'000, 1)), ErrorCode::kPolicyViolation)
      << "KAFKA-14204: 10,001 records";
  EXPECT_EQ(CodeOf(state, Create("t", 9'999, 1)), ErrorCode::kNone);
  auto bad_key = Create("t", 1, 1);
  (*bad_key.mutable_topics(0)->mutable_configs())["retention.m"] = "1";
  EXPECT_EQ(CodeOf(state, bad_key), ErrorCode::kInvalidConfig);
  auto decision = Decide(SeededView(*state), bad_key);
  EXPECT_NE(decision.response.topics(0).message().find("retention.ms"),
            std::string::npos);
  auto bad_value = Create("t", 1, 1);
  (*bad_value.mutable_topics(0)->mutable_configs())["retention.ms"] = "x";
  EXPECT_EQ(CodeOf(state, bad_value), ErrorCode::kInvalidConfig);
  EXPECT_EQ(CodeOf(State().Broker(1, true), Create("t", 1, 1)),
            ErrorCode::kInvalidReplicationFactor)
      << "all fenced";
  EXPECT_EQ(CodeOf(State(), Create("t", 1, 1)),
            ErrorCode::kInvalidReplicationFactor);
}

TEST(CreateTopics, ManualAssignment) {
  State state;
  state.Broker(1).Broker(2, true).Broker(3);
  auto with = [](std::vector<Ids> assignment) {
    auto r = Create("t", -1, -1);
    for (const Ids& ids : assignment) {
      r.mutable_topics(0)->add_assignment()->mutable_broker_ids()->Add(
          ids.begin(), ids.end());
    }
    return r;
  };
  EXPECT_EQ(CodeOf(state, with({{1, 2}, {1}})),
            ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(CodeOf(state, with({{1, 1}})),
            ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(CodeOf(state, with({{1, 9}})),
            ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(CodeOf(state, with({{}})), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(CodeOf(state, with({{2}})), ErrorCode::kInvalidReplicaAssignment);
  auto both = with({{1, 3}});
  both.mutable_topics(0)->set_partitions(1);
  EXPECT_EQ(CodeOf(state, both), ErrorCode::kInvalidRequest);
  auto decision = Decide(SeededView(*state), with({{2, 1, 3}, {3, 1, 2}}));
  state.Apply(decision.records);
  EXPECT_EQ(state.P("t", 0).isr, (Ids{1, 3})) << "no fenced broker in sync";
  EXPECT_EQ(state.P("t", 0).leader, 1);
  EXPECT_EQ(state.P("t", 1).leader, 3);
}

TEST(CreateTopics, EachTopicOnItsOwn) {
  State state;
  state.Broker(1);
  auto request = Create("a", 1, 1);
  *request.add_topics() = Create("b", 1, 5).topics(0);
  *request.add_topics() = Create("c.d", 1, 1).topics(0);
  *request.add_topics() = Create("c_d", 1, 1).topics(0);
  *request.add_topics() = Create("e", 1, 1).topics(0);
  *request.add_topics() = Create("e", 1, 1).topics(0);
  auto decision = Decide(SeededView(*state), request);
  std::vector<ErrorCode> codes;
  for (const auto& t : decision.response.topics()) {
    codes.push_back(static_cast<ErrorCode>(t.code()));
  }
  using E = ErrorCode;
  EXPECT_EQ(codes, (std::vector<E>{E::kNone, E::kInvalidReplicationFactor,
                                   E::kNone, E::kInvalidTopicException,
                                   E::kInvalidRequest, E::kInvalidRequest}));
  request.set_validate_only(true);
  EXPECT_TRUE(Decide(SeededView(*state), request).records.empty());
  state.Apply(decision.records);
  EXPECT_EQ(state->topics().size(), 2u);
}

TEST(DeleteTopics, CanBeSwitchedOff) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  Settings settings;
  settings.static_configs["delete.topic.enable"] = "false";
  admin_v1::DeleteTopicsRequest request;
  request.add_names("t");
  request.add_topic_ids(TestId(1).ToBytes());
  const auto decision = Decide(View{*state, settings}, request);
  EXPECT_TRUE(decision.records.empty());
  for (const auto& topic : decision.response.topics()) {
    EXPECT_EQ(topic.code(),
              static_cast<int>(ErrorCode::kTopicDeletionDisabled));
  }
  settings.static_configs["delete.topic.enable"] = "true";
  request.clear_topic_ids();
  EXPECT_EQ(Decide(View{*state, settings}, request).records.size(), 1u);
}

TEST(DeleteTopics, ByNameAndId) {
  State state;
  state.Broker(1);
  for (int i = 1; i <= 3; ++i) {
    state.Topic("t" + std::to_string(i), i).Partition(i, 0, {1}, {1}, 1);
  }
  admin_v1::DeleteTopicsRequest request;
  request.add_names("t1");
  request.add_names("nope");
  request.add_topic_ids(TestId(2).ToBytes());
  request.add_topic_ids("garbage");
  request.add_topic_ids(TestId(1).ToBytes());
  auto decision = Decide(View{*state, Settings()}, request);
  std::vector<int> codes;
  for (const auto& t : decision.response.topics()) codes.push_back(t.code());
  EXPECT_EQ(codes, (std::vector<int>{0, 3, 0, 100, 42}));
  state.Apply(decision.records);
  EXPECT_EQ(state->topics().size(), 1u);
}

TEST(CreatePartitions, OnlyGrows) {
  State state;
  state.Broker(1).Broker(2).Topic("t", 1).Partition(1, 0, {1, 2}, {1, 2}, 1);
  auto decide = [&](const std::string& name, int count,
                    std::vector<Ids> assignment) {
    admin_v1::CreatePartitionsRequest r;
    auto* t = r.add_topics();
    t->set_name(name);
    t->set_count(count);
    for (const Ids& ids : assignment) {
      t->add_assignment()->mutable_broker_ids()->Add(ids.begin(), ids.end());
    }
    return Decide(SeededView(*state), r);
  };
  auto code = [&](auto&&... args) {
    return static_cast<ErrorCode>(decide(args...).response.topics(0).code());
  };
  using A = std::vector<Ids>;
  EXPECT_EQ(code("x", 2, A{}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(code("t", 1, A{}), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(code("t", 0, A{}), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(code("t", 2000000000, A{}), ErrorCode::kPolicyViolation);
  EXPECT_EQ(code("t", 3, A{{1, 2}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(code("t", 2, A{{1}}), ErrorCode::kInvalidReplicaAssignment);
  state.Apply(decide("t", 3, {{2, 1}, {1, 2}}).records);
  EXPECT_EQ(state.P("t", 1).leader, 2);
  state.Apply(decide("t", 5, {}).records);
  EXPECT_EQ(state->FindTopic("t")->partitions.size(), 5u);
  EXPECT_EQ(state.P("t", 4).replicas.size(), 2u);
}

// ---- C-20.

TEST(Placement, RacksDifferAndLeadersAreEven) {
  State state;
  for (NodeId id = 0; id < 9; ++id) {
    state.Broker(id, false, "rack" + std::to_string(id / 3));
  }
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto placed = PlaceReplicas(*state, 36, 3, Seeded(seed).below);
    ASSERT_TRUE(placed);
    std::map<NodeId, int> leaders, replicas;
    for (const Ids& ids : *placed) {
      std::set<int> racks;
      for (NodeId id : ids) {
        racks.insert(id / 3);
        ++replicas[id];
      }
      EXPECT_EQ(racks.size(), 3u);
      ++leaders[ids[0]];
    }
    for (NodeId id = 0; id < 9; ++id) {
      EXPECT_EQ(leaders[id], 4) << "broker " << id << " seed " << seed;
      EXPECT_NEAR(replicas[id], 12, 4) << "broker " << id;
    }
  }
}

TEST(Placement, FencedNeverFirstAndLeavingNever) {
  State state;
  state.Broker(1).Broker(2, true).Broker(3, false, "", true).Broker(4);
  auto placed = PlaceReplicas(*state, 20, 3, Seeded().below);
  ASSERT_TRUE(placed);
  for (const Ids& ids : *placed) {
    EXPECT_NE(ids[0], 2);
    EXPECT_EQ(ids[2], 2) << "fenced ones last";
    EXPECT_EQ(std::set<NodeId>(ids.begin(), ids.end()),
              (std::set<NodeId>{1, 2, 4}));
  }
  EXPECT_FALSE(PlaceReplicas(*state, 1, 4, Seeded().below));
}

TEST(Placement, UnevenRacksNeverRepeatABroker) {
  State state;
  state.Broker(1, false, "a").Broker(2, false, "b").Broker(3, false, "b");
  state.Broker(4, true, "c").Broker(5, false, "b");
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto placed = PlaceReplicas(*state, 15, 4, Seeded(seed).below);
    ASSERT_TRUE(placed);
    for (const Ids& ids : *placed) {
      EXPECT_EQ(std::set<NodeId>(ids.begin(), ids.end()).size(), 4u);
    }
  }
}

// ---- Configurations.

struct ConfigCase {
  const char* name;
  int type;
  const char* resource;
  const char* key;
  admin_v1::ConfigOp op;
  const char* value;
  ErrorCode code;
  const char* stored;  // nullptr: none
};

class AlterConfig : public ::testing::TestWithParam<ConfigCase> {};

TEST_P(AlterConfig, Decide) {
  const ConfigCase& c = GetParam();
  State state;
  state.Level(metadata::kMovesLevel);
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  state.Config("t", "cleanup.policy", "delete");
  admin_v1::AlterConfigsRequest request;
  auto* r = request.add_resources();
  r->mutable_resource()->set_type(c.type);
  r->mutable_resource()->set_name(c.resource);
  auto* change = r->add_changes();
  change->set_key(c.key);
  change->set_op(c.op);
  change->set_value(c.value);
  auto decision = Decide(View{*state, Settings()}, request);
  EXPECT_EQ(decision.response.resources(0).code(), static_cast<int>(c.code))
      << decision.response.resources(0).message();
  state.Apply(decision.records);
  if (c.code != ErrorCode::kNone) {
    EXPECT_TRUE(decision.records.empty());
    return;
  }
  const auto* stored = state->FindConfigs(
      {static_cast<metadata::ResourceType>(c.type), c.resource});
  if (c.stored == nullptr) {
    EXPECT_TRUE(stored == nullptr || !stored->contains(c.key));
  } else {
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ(stored->at(c.key), c.stored);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rules, AlterConfig,
    ::testing::Values(
        ConfigCase{"Set", 2, "t", "retention.ms", admin_v1::SET, "5",
                   ErrorCode::kNone, "5"},
        ConfigCase{"Delete", 2, "t", "cleanup.policy", admin_v1::DELETE, "",
                   ErrorCode::kNone, nullptr},
        ConfigCase{"Append", 2, "t", "cleanup.policy", admin_v1::APPEND,
                   "compact", ErrorCode::kNone, "delete,compact"},
        ConfigCase{"AppendTwice", 2, "t", "cleanup.policy", admin_v1::APPEND,
                   "compact,compact,delete", ErrorCode::kNone,
                   "delete,compact"},
        ConfigCase{"WithoutEffect", 2, "t", "segment.jitter.ms", admin_v1::SET,
                   "5", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"WithoutEffectForBrokers", 4, "", "log.roll.jitter.ms",
                   admin_v1::SET, "5", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"DefaultOfOneWithoutEffect", 2, "t", "segment.jitter.ms",
                   admin_v1::SET, "0", ErrorCode::kNone, "0"},
        ConfigCase{"AppendPresent", 2, "t", "cleanup.policy", admin_v1::APPEND,
                   "delete", ErrorCode::kNone, "delete"},
        ConfigCase{"Subtract", 2, "t", "cleanup.policy", admin_v1::SUBTRACT,
                   "delete", ErrorCode::kNone, ""},
        ConfigCase{"AppendToANumber", 2, "t", "retention.ms", admin_v1::APPEND,
                   "5", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"UnknownKey", 2, "t", "retention.mss", admin_v1::SET, "5",
                   ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"BadValue", 2, "t", "retention.ms", admin_v1::SET, "-2",
                   ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"UnknownTopic", 2, "x", "retention.ms", admin_v1::SET, "5",
                   ErrorCode::kUnknownTopicOrPartition, nullptr},
        ConfigCase{"AllBrokers", 4, "", "log.retention.ms", admin_v1::SET, "5",
                   ErrorCode::kNone, "5"},
        ConfigCase{"OneBroker", 4, "1", "log.retention.ms", admin_v1::SET, "5",
                   ErrorCode::kNone, "5"},
        ConfigCase{"UnknownBroker", 4, "7", "log.retention.ms", admin_v1::SET,
                   "5", ErrorCode::kBrokerIdNotRegistered, nullptr},
        ConfigCase{"BrokerNotANumber", 4, "x", "log.retention.ms",
                   admin_v1::SET, "5", ErrorCode::kInvalidRequest, nullptr},
        ConfigCase{"Group", 32, "g", "consumer.session.timeout.ms",
                   admin_v1::SET, "45000", ErrorCode::kNone, "45000"},
        ConfigCase{"GroupWithoutEffect", 32, "g", "consumer.session.timeout.ms",
                   admin_v1::SET, "50000", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"GroupUnknownKey", 32, "g", "foo", admin_v1::SET, "5",
                   ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"AllGroups", 32, "", "consumer.session.timeout.ms",
                   admin_v1::SET, "45000", ErrorCode::kInvalidRequest, nullptr},
        ConfigCase{"ClientMetrics", 16, "m", "interval.ms", admin_v1::SET,
                   "500", ErrorCode::kNone, "500"},
        ConfigCase{"ClientMetricsOfAll", 16, "m", "metrics", admin_v1::SET, "*",
                   ErrorCode::kNone, "*"},
        ConfigCase{"ClientMetricsTooOften", 16, "m", "interval.ms",
                   admin_v1::SET, "5", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"ClientMetricsMatch", 16, "m", "match", admin_v1::SET,
                   "client_id=a.*, client_source_port=1", ErrorCode::kNone,
                   "client_id=a.*, client_source_port=1"},
        ConfigCase{"ClientMetricsMatchOfNothing", 16, "m", "match",
                   admin_v1::SET, "color=red", ErrorCode::kInvalidConfig,
                   nullptr},
        ConfigCase{"ClientMetricsMatchNoPattern", 16, "m", "match",
                   admin_v1::SET, "client_id=(", ErrorCode::kInvalidConfig,
                   nullptr},
        ConfigCase{"ClientMetricsWithoutName", 16, "", "metrics", admin_v1::SET,
                   "*", ErrorCode::kInvalidRequest, nullptr},
        ConfigCase{"Throttle", 4, "1", "leader.replication.throttled.rate",
                   admin_v1::SET, "5", ErrorCode::kNone, "5"},
        ConfigCase{"NoThrottleToDelete", 4, "1",
                   "leader.replication.throttled.rate", admin_v1::DELETE, "",
                   ErrorCode::kNone, nullptr},
        ConfigCase{"Throttled", 2, "t",
                   "follower.replication.throttled.replicas", admin_v1::APPEND,
                   "0:1,1:2", ErrorCode::kNone, "0:1,1:2"},
        ConfigCase{"ThrottledIsNoList", 2, "t",
                   "follower.replication.throttled.replicas", admin_v1::SET,
                   "0:1,2", ErrorCode::kInvalidConfig, nullptr},
        ConfigCase{"MovesBetweenDirectories", 4, "1",
                   "replica.alter.log.dirs.io.max.bytes.per.second",
                   admin_v1::SET, "5", ErrorCode::kNone, "5"},
        ConfigCase{"UnknownType", 258, "t", "retention.ms", admin_v1::SET, "5",
                   ErrorCode::kInvalidRequest, nullptr}),
    [](const auto& info) { return info.param.name; });

// 4,681 times "delete," is a legal list, and with "compact" behind it a string
// that no Kafka answer can carry.
TEST(AlterConfigs, ValuesHaveALimitAndListsEachElementOnce) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  std::string list;
  for (int i = 0; i < 4681; ++i) list += "delete,";
  admin_v1::AlterConfigsRequest request;
  auto* r = request.add_resources();
  r->mutable_resource()->set_type(2);
  r->mutable_resource()->set_name("t");
  auto* change = r->add_changes();
  change->set_key("cleanup.policy");
  for (const std::string& value : {list, std::string(1 << 20, 'x')}) {
    change->set_value(value);
    auto decision = Decide(View{*state, Settings()}, request);
    EXPECT_EQ(decision.response.resources(0).code(),
              static_cast<int>(ErrorCode::kInvalidConfig));
    EXPECT_LT(decision.response.resources(0).message().size(), 1000u);
    EXPECT_TRUE(decision.records.empty());
    EXPECT_FALSE(CheckTopicConfigs({{"cleanup.policy", value}}));
  }
  change->set_op(admin_v1::APPEND);
  change->set_value(list + "compact");
  auto decision = Decide(View{*state, Settings()}, request);
  ASSERT_EQ(decision.records.size(), 1u);
  EXPECT_EQ(decision.records[0].set_config().value(), "delete,compact");
  // A name that is none is not sent back whole either.
  change->set_key(std::string(1 << 20, 'k'));
  auto unknown = Decide(View{*state, Settings()}, request);
  EXPECT_LT(unknown.response.resources(0).message().size(), 1000u);
}

TEST(AlterConfigs, AResourceIsChangedWholeOrNotAtAll) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  admin_v1::AlterConfigsRequest request;
  auto* r = request.add_resources();
  r->mutable_resource()->set_type(2);
  r->mutable_resource()->set_name("t");
  for (const char* value : {"5", "bad"}) {
    auto* change = r->add_changes();
    change->set_key(std::string(value) == "5" ? "retention.ms"
                                              : "segment.bytes");
    change->set_value(value);
  }
  EXPECT_TRUE(Decide(View{*state, Settings()}, request).records.empty());
  r->mutable_changes(1)->set_value("1000000");
  EXPECT_EQ(Decide(View{*state, Settings()}, request).records.size(), 2u);
  r->mutable_changes(1)->set_key("retention.ms");
  EXPECT_TRUE(Decide(View{*state, Settings()}, request).records.empty())
      << "twice";
}

TEST(Describe, CountsAndSources) {
  State state;
  state.Broker(1).Broker(2, true).Topic("t", 1);
  state.Partition(1, 0, {1, 2}, {1}, 1).Partition(1, 1, {2, 1}, {2}, kNoNode);
  state.Config("t", "retention.ms", "5");
  auto cluster =
      Describe(View{*state, Settings()}, admin_v1::DescribeClusterRequest());
  EXPECT_EQ(cluster.offline_partitions(), 1);
  EXPECT_EQ(cluster.under_replicated_partitions(), 2);
  EXPECT_EQ(cluster.brokers(0).leaders(), 1);
  EXPECT_EQ(cluster.brokers(0).replicas(), 2);
  admin_v1::DescribeConfigsRequest request;
  request.add_resources()->set_type(2);
  request.mutable_resources(0)->set_name("t");
  auto configs = Describe(View{*state, Settings()}, request);
  for (const auto& entry : configs.resources(0).entries()) {
    EXPECT_EQ(entry.source(), entry.key() == "retention.ms"
                                  ? "DYNAMIC_TOPIC_CONFIG"
                                  : "DEFAULT_CONFIG");
  }
}

// D-16
TEST(Describe, AnswersWhatIsNamedOftenOnce) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  admin_v1::DescribeTopicsRequest topics;
  admin_v1::DescribeConfigsRequest configs;
  for (int i = 0; i < 100; ++i) {
    topics.add_names(i % 2 ? "t" : "unknown");
    configs.add_resources()->set_type(2);
    configs.mutable_resources(i)->set_name(i % 2 ? "t" : "unknown");
  }
  EXPECT_EQ(Describe(View{*state, Settings()}, topics).topics_size(), 2);
  EXPECT_EQ(Describe(View{*state, Settings()}, configs).resources_size(), 2);
}

TEST(AlterConfigs, ReplaceDeletesWhatIsNotNamed) {
  State state;
  state.Broker(1).Topic("t", 1).Partition(1, 0, {1}, {1}, 1);
  state.Config("t", "cleanup.policy", "compact").Config("t", "segment.ms", "7");
  admin_v1::AlterConfigsRequest request;
  auto* changes = request.add_resources();
  changes->mutable_resource()->set_type(2);
  changes->mutable_resource()->set_name("t");
  changes->set_replace(true);
  auto* change = changes->add_changes();
  change->set_key("retention.ms");
  change->set_value("5000");
  state.Apply(Decide(View{*state, Settings()}, request).records);
  const metadata::Resource topic{metadata::ResourceType::kTopic, "t"};
  EXPECT_EQ(*state->FindConfigs(topic),
            (metadata::Configs{{"retention.ms", "5000"}}));
  // Refused whole: nothing is deleted either.
  change->set_value("x");
  EXPECT_TRUE(Decide(View{*state, Settings()}, request).records.empty());
  changes->clear_changes();
  state.Apply(Decide(View{*state, Settings()}, request).records);
  EXPECT_EQ(state->FindConfigs(topic), nullptr);
}

TEST(AlterConfigs, GroupsThatHaveSettingsAreBounded) {
  State state;
  admin_v1::AlterConfigsRequest request;
  const auto ask = [&](const std::string& group) {
    request.clear_resources();
    auto* changes = request.add_resources();
    changes->mutable_resource()->set_type(32);
    changes->mutable_resource()->set_name(group);
    changes->add_changes()->set_key("consumer.session.timeout.ms");
    changes->mutable_changes(0)->set_value("45000");
    auto decision = Decide(View{*state, Settings()}, request);
    return static_cast<ErrorCode>(decision.response.resources(0).code());
  };
  EXPECT_EQ(ask("g"), ErrorCode::kUnsupportedVersion) << "below its level";
  state.Level(metadata::kMovesLevel);
  EXPECT_EQ(ask("g"), ErrorCode::kNone);
  EXPECT_EQ(ask(std::string(2000, 'g')), ErrorCode::kInvalidRequest);
  Records all;
  for (int i = 0; i < 10'000; ++i) {
    auto* set = all.emplace_back().mutable_set_config();
    set->set_type(record_v1::GROUP);
    set->set_name("g" + std::to_string(i));
    set->set_key("consumer.session.timeout.ms");
    set->set_value("45000");
  }
  state.Apply(all);
  EXPECT_EQ(ask("more"), ErrorCode::kPolicyViolation);
  EXPECT_EQ(ask("g7"), ErrorCode::kNone);
}

TEST(ListConfigResources, OfTheTypesAskedFor) {
  State state;
  state.Level(metadata::kMovesLevel);
  state.Broker(1).Broker(2, true);
  state.Topic("t", 1).Partition(1, 0, {1}, {1}, 1).Topic("u", 2);
  record_v1::Record group;
  group.mutable_set_config()->set_type(record_v1::GROUP);
  group.mutable_set_config()->set_name("g");
  group.mutable_set_config()->set_key("k");
  group.mutable_set_config()->set_value("v");
  state.Apply({group});
  const auto names = [&](std::vector<int> types) {
    admin_v1::ListConfigResourcesRequest request;
    for (int type : types) request.add_types(type);
    std::string out;
    const auto response = Describe(View{*state, Settings()}, request);
    for (const auto& resource : response.resources()) {
      out += std::to_string(resource.type()) + resource.name() + " ";
    }
    return out;
  };
  EXPECT_EQ(names({}), "2t 2u 41 42 32g ");
  EXPECT_EQ(names({32, 16}), "32g ");
  EXPECT_EQ(names({2}), "2t 2u ");
  EXPECT_EQ(names({7}), "");
}

// D-20b: "007" would be kept where nobody looks.
TEST(AlterConfigs, ABrokerHasOneName) {
  State state;
  state.Broker(7);
  for (const auto& [name, code] :
       {std::pair<std::string, ErrorCode>{"7", ErrorCode::kNone},
        {"007", ErrorCode::kInvalidRequest},
        {"-7", ErrorCode::kBrokerIdNotRegistered},
        {"-0", ErrorCode::kInvalidRequest}}) {
    admin_v1::AlterConfigsRequest request;
    auto* changes = request.add_resources();
    changes->mutable_resource()->set_type(4);
    changes->mutable_resource()->set_name(name);
    auto* change = changes->add_changes();
    change->set_key("log.retention.ms");
    change->set_value("5000");
    auto decision = Decide(View{*state, Settings()}, request);
    EXPECT_EQ(static_cast<ErrorCode>(decision.response.resources(0).code()),
              code)
        << name << " " << decision.response.resources(0).message();
  }
}

}  // namespace
}  // namespace tidemark::controller
