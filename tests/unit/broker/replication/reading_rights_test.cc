// Consumers that may not read everything they ask for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker/replication/test_cluster.h"

namespace tidemark::replication {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr int16_t kDenied =
    static_cast<int16_t>(ErrorCode::kTopicAuthorizationFailed);

class ReadingRightsTest : public testing::Test {
 protected:
  ReadingRightsTest() {
    for (const char* topic : {"t", "u"}) {
      cluster_.CreateTopic(topic, 1, {1}, 1, {1});
      cluster_.Produce(1, {topic, 0}, "a");
    }
  }

  // A rule changes: what it says is `may`.
  void ChangeRules(std::set<std::string> may) {
    may_ = std::move(may);
    metadata::v1::Record record;
    auto* set = record.mutable_set_acl();
    set->set_id(TestUuid(static_cast<uint8_t>(++rules_)).ToBytes());
    set->set_resource_type(2);
    set->set_resource_name("rule-" + std::to_string(rules_));
    set->set_pattern_type(3);
    set->set_principal("User:a");
    set->set_host("*");
    set->set_operation(3);
    set->set_permission(3);
    cluster_.Commit({record});
    cluster_.executor.RunFor(milliseconds(1));
  }

  using Answer = std::optional<kafka::FetchResponse>;
  void Start(kafka::FetchRequest request, Answer* answer,
             const std::string& asker = "User:a", int16_t version = 12) {
    FetchCall call;
    call.version = version;
    call.listener = "PLAINTEXT";
    call.on = &cluster_.executor;
    call.asker = asker;
    call.may_read = [this](const metadata::Image&, const std::string& topic) {
      return may_.contains(topic);
    };
    cluster_.broker(1).fetch->Fetch(
        call, std::move(request),
        [answer](kafka::FetchResponse r) { *answer = std::move(r); });
  }
  kafka::FetchResponse Fetch(kafka::FetchRequest request,
                             const std::string& asker = "User:a",
                             int16_t version = 12) {
    Answer answer;
    Start(std::move(request), &answer, asker, version);
    while (!answer) cluster_.executor.RunFor(milliseconds(1));
    session_ = answer->session_id;
    return *answer;
  }

  kafka::FetchRequest Ask(std::vector<std::string> topics, bool by_id = false) {
    kafka::FetchRequest request;
    request.max_wait_ms = 50;
    request.min_bytes = 1;
    request.session_epoch = 0;
    for (const std::string& topic : topics) {
      kafka::FetchRequest::FetchPartition asked;
      asked.partition_max_bytes = 1 << 20;
      if (by_id) {
        request.topics.push_back(
            {"", cluster_.image().FindTopic(topic)->id, {asked}});
      } else {
        request.topics.push_back({topic, Uuid(), {asked}});
      }
    }
    return request;
  }
  // The next of the session.
  kafka::FetchRequest Next(std::vector<std::string> topics = {}) {
    kafka::FetchRequest request = Ask(std::move(topics));
    request.session_id = session_;
    request.session_epoch = ++epoch_;
    return request;
  }

  // What was said of each topic: an error, or whether there were records.
  static std::map<std::string, std::string> Said(
      const kafka::FetchResponse& response) {
    std::map<std::string, std::string> out;
    for (const auto& topic : response.responses) {
      for (const auto& data : topic.partitions) {
        out[topic.topic] = data.error_code == kDenied ? "denied"
                           : data.error_code != 0     ? "error"
                           : data.records->empty()    ? "nothing"
                                                      : "records";
      }
    }
    return out;
  }

  TestCluster cluster_{1};
  std::set<std::string> may_ = {"t", "u"};
  int rules_ = 0;
  int32_t session_ = 0, epoch_ = 0;
};

TEST_F(ReadingRightsTest, OnlyWhatMayBeReadIsRead) {
  may_ = {"t"};
  EXPECT_THAT(Said(Fetch(Ask({"t", "u", "none"}))),
              UnorderedElementsAre(Pair("t", "records"), Pair("u", "denied"),
                                   Pair("none", "denied")));
  EXPECT_THAT(Said(Fetch(Next())),
              UnorderedElementsAre(Pair("t", "records"), Pair("u", "denied"),
                                   Pair("none", "denied")))
      << "a session says so every time";
}

TEST_F(ReadingRightsTest, ByItsIdAsByItsName) {
  may_ = {"t"};
  EXPECT_THAT(Said(Fetch(Ask({"t", "u"}, true), "User:a", 13)),
              UnorderedElementsAre(Pair("t", "records"), Pair("u", "denied")));
}

TEST_F(ReadingRightsTest, WhatIsTakenAwayIsGoneWithTheNextFetch) {
  EXPECT_THAT(Said(Fetch(Ask({"t", "u"}))),
              UnorderedElementsAre(Pair("t", "records"), Pair("u", "records")));
  ASSERT_NE(session_, 0);
  ChangeRules({"t"});
  EXPECT_THAT(Said(Fetch(Next())),
              UnorderedElementsAre(Pair("t", "records"), Pair("u", "denied")));
  ChangeRules({"u"});
  EXPECT_THAT(Said(Fetch(Next())),
              UnorderedElementsAre(Pair("t", "denied"), Pair("u", "records")));
  ChangeRules({});
  EXPECT_THAT(Said(Fetch(Next())),
              UnorderedElementsAre(Pair("t", "denied"), Pair("u", "denied")));
}

TEST_F(ReadingRightsTest, ASessionThatAnotherUsesReadsWhatThatMay) {
  Fetch(Ask({"t", "u"}));
  may_ = {};  // of the other
  EXPECT_THAT(Said(Fetch(Next(), "User:b")),
              UnorderedElementsAre(Pair("t", "denied"), Pair("u", "denied")));
}

TEST_F(ReadingRightsTest, AFetchThatWaitsIsNotAnsweredWithWhatIsTakenAway) {
  kafka::FetchRequest request = Ask({"t"});
  request.topics[0].partitions[0].fetch_offset = 1;
  request.max_wait_ms = 1000;
  Answer answer;
  Start(request, &answer);
  cluster_.executor.RunFor(milliseconds(10));
  EXPECT_FALSE(answer);
  ChangeRules({});
  cluster_.Produce(1, kT0, "b");
  cluster_.executor.RunFor(milliseconds(10));
  ASSERT_TRUE(answer);
  EXPECT_THAT(Said(*answer), ElementsAre(Pair("t", "denied")));
}

TEST_F(ReadingRightsTest, WhatIsForgottenIsNotRefusedAnyMore) {
  may_ = {"t"};
  Fetch(Ask({"t", "u"}));
  kafka::FetchRequest request = Next();
  request.forgotten_topics_data.push_back({"u", Uuid(), {0}});
  EXPECT_THAT(Said(Fetch(request)), ElementsAre(Pair("t", "records")));
}

}  // namespace
}  // namespace tidemark::replication
