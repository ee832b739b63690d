#include "controller/service/ledger.h"

#include <gtest/gtest.h>

#include "tests/unit/controller/service/fakes.h"

namespace tidemark::controller {
namespace {

// A ledger is all that the log moves.
struct Machine final : quorum::StateMachine {
  void Apply(std::span<const quorum::Committed> entries) override {
    for (auto& answer : ledger.Apply(entries)) answer();
  }
  Result<Install> ReadSnapshot(SharedBytes, MetadataOffset) override {
    return [] {};
  }
  std::shared_ptr<const quorum::FrozenState> TakeSnapshot() override {
    return nullptr;
  }
  void BecomeActive(uint64_t) override {}
  void Resign() override { ledger.Resign(); }
  Ledger ledger;
};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() : quorum_(1, &machine_) {
    ledger_.Attach(&quorum_);
    quorum_.Elect(1);
  }

  static record_v1::Record Topic(int n) {
    record_v1::Record record;
    record.mutable_add_topic()->set_name("t" + std::to_string(n));
    record.mutable_add_topic()->set_topic_id(TestUuid(n).ToBytes());
    return record;
  }
  static record_v1::Record Partition(int topic, int index) {
    record_v1::Record record;
    auto* add = record.mutable_add_partition();
    add->set_topic_id(TestUuid(topic).ToBytes());
    add->set_partition(index);
    add->add_replicas(1);
    add->add_isr(1);
    add->set_leader(1);
    return record;
  }
  using Outcome = std::shared_ptr<std::vector<Result<MetadataOffset>>>;
  Outcome Commit(Records records) {
    auto outcome = std::make_shared<std::vector<Result<MetadataOffset>>>();
    ledger_.Commit(std::move(records), [outcome](Result<MetadataOffset> r) {
      outcome->push_back(std::move(r));
    });
    return outcome;
  }
  static ErrorCode CodeOf(const Outcome& outcome) {
    EXPECT_EQ(outcome->size(), 1u) << "each is answered once";
    if (outcome->empty() || outcome->front()) return ErrorCode::kNone;
    return outcome->front().error().code;
  }
  bool Pending(int n) {
    return ledger_.pending()->FindTopic("t" + std::to_string(n)) != nullptr;
  }
  bool Committed(int n) {
    return ledger_.committed()->FindTopic("t" + std::to_string(n)) != nullptr;
  }

  Machine machine_;
  Ledger& ledger_ = machine_.ledger;
  FakeQuorum quorum_;
};

TEST_F(LedgerTest, WhatIsProposedIsPendingUntilItIsCommitted) {
  quorum_.hold = true;
  auto first = Commit({Topic(1)});
  auto second = Commit({Topic(2)});
  auto saw_them = Commit({});
  EXPECT_TRUE(Pending(1) && Pending(2));
  EXPECT_FALSE(Committed(1));
  quorum_.CommitOne();
  EXPECT_TRUE(Committed(1) && !Committed(2) && Pending(2));
  EXPECT_EQ(first->at(0).value(), 2);
  EXPECT_TRUE(second->empty() && saw_them->empty());
  quorum_.CommitOne();
  EXPECT_EQ(second->at(0).value(), 3);
  EXPECT_EQ(saw_them->at(0).value(), 3);
  EXPECT_EQ(Commit({})->at(0).value(), 3) << "at once: nothing is on its way";
}

TEST_F(LedgerTest, WhatDoesNotApplyIsNotProposed) {
  quorum_.hold = true;
  auto bad = Commit({Topic(1), Partition(2, 0)});
  EXPECT_EQ(CodeOf(bad), ErrorCode::kUnknownServerError);
  EXPECT_FALSE(Pending(1)) << "all of a decision or nothing";
  quorum_.CommitAll();
  EXPECT_FALSE(Committed(1));
}

// What follows a refused proposal was decided on it.
TEST_F(LedgerTest, AfterARefusalNothingIsDecidedUntilTheRestIsKnown) {
  quorum_.hold = true;
  auto refused = Commit({Topic(1)});
  auto rests_on_it = Commit({Topic(2)});
  quorum_.FailOne(ErrorCode::kMessageTooLarge);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kMessageTooLarge);
  EXPECT_TRUE(ledger_.draining());
  EXPECT_TRUE(!Pending(1) && Pending(2));
  EXPECT_EQ(CodeOf(Commit({Topic(3)})), ErrorCode::kNotController);
  quorum_.CommitAll();
  EXPECT_EQ(CodeOf(rests_on_it), ErrorCode::kNone);
  EXPECT_FALSE(ledger_.draining());
  EXPECT_TRUE(!Committed(1) && Committed(2));
  quorum_.hold = false;
  EXPECT_EQ(CodeOf(Commit({Topic(1)})), ErrorCode::kNone);
}

// An entry of the log that is not the next of the own ones comes in between.
TEST_F(LedgerTest, AnEntryOfAnotherIsPutUnderWhatIsPending) {
  quorum_.hold = true;
  auto own = Commit({Topic(1)});
  record_v1::RecordBatch other;
  *other.add_records() = Topic(9);
  quorum_.ApplyEntry(2, other.SerializeAsString());
  EXPECT_TRUE(Committed(9) && !Committed(1));
  EXPECT_TRUE(Pending(9) && Pending(1));
  EXPECT_TRUE(own->empty());
}

TEST_F(LedgerTest, OfALongDecisionAPartMayBeCommitted) {
  quorum_.hold = true;
  Records records{Topic(1)};
  for (int i = 0; i < 15'000; ++i) records.push_back(Partition(1, i));
  auto outcome = Commit(std::move(records));
  quorum_.CommitOne();
  EXPECT_TRUE(outcome->empty()) << "the rest is on its way";
  EXPECT_TRUE(Committed(1));
  quorum_.FailOne(ErrorCode::kNotController);
  EXPECT_EQ(CodeOf(outcome), quorum::kOutcomeUnknown);
}

TEST_F(LedgerTest, WhoResignsAnswersEachOnceAndForgetsAll) {
  quorum_.hold = true;
  std::vector<Outcome> outcomes;
  for (int i = 1; i <= 1000; ++i) outcomes.push_back(Commit({Topic(i)}));
  auto saw_them = Commit({});
  quorum_.Depose(2, /*commit=*/true);
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(CodeOf(outcome), quorum::kOutcomeUnknown);
  }
  EXPECT_EQ(CodeOf(saw_them), ErrorCode::kNotController)
      << "it changes nothing itself";
  EXPECT_TRUE(Committed(1000)) << "the next leader had them";
  EXPECT_EQ(ledger_.pending(), ledger_.committed());
}

}  // namespace
}  // namespace tidemark::controller
