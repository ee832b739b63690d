// What a log knows of transactions: which are open, what is stable, and which
// batches may begin one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/log/producer_state.h"
#include "broker/log/verifications.h"
#include "common/record/big_endian.h"
#include "common/record/crc32c.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using record::TransactionMarker;
using enum record::ControlRecordType;
using testing::ElementsAre;
using testing::Optional;
using testing::UnorderedElementsAre;

record::BatchHeader Header(const std::string& batch, Offset base = 0) {
  auto header = *record::ParseBatchHeader(batch);
  header.base_offset = base;
  return header;
}

// A producer's part of a log, batch by batch.
class ProducersTest : public testing::Test {
 protected:
  void Data(ProducerId id, int32_t sequence, int count = 1,
            ProducerEpoch epoch = 0) {
    const auto batch = Batch(count, kNow, Transactional(id, sequence, epoch));
    state_.Apply(Header(batch, end_));
    end_ += count;
  }
  std::optional<AbortedTransaction> End(ProducerId id, bool commit,
                                        ProducerEpoch epoch = 0,
                                        int32_t coordinator = 0) {
    return state_.ApplyMarker(
        Header(Marker(id, commit, epoch, coordinator), end_++),
        {commit ? kCommit : kAbort, coordinator});
  }
  ErrorCode Code(const std::string& batch) const {
    const auto checked = state_.Check(Header(batch));
    return checked ? ErrorCode::kNone : checked.error().code;
  }
  ErrorCode CodeOfMarker(ProducerEpoch epoch, int32_t coordinator,
                         int8_t version) const {
    const auto checked = state_.CheckMarker(Header(Marker(1, true, epoch)),
                                            {kCommit, coordinator}, version);
    return checked ? ErrorCode::kNone : checked.error().code;
  }

  ProducerState state_;
  Offset end_ = 0;
};

TEST_F(ProducersTest, NothingIsStableBehindTheFirstOpenTransaction) {
  EXPECT_EQ(state_.LastStableOffset(77), 77);
  Data(1, 0, 2);  // 0, 1
  Data(2, 0);     // 2
  Data(1, 2);     // 3
  EXPECT_EQ(state_.LastStableOffset(4), 0);
  End(1, true);  // 4
  EXPECT_EQ(state_.LastStableOffset(4), 0) << "the marker is not committed";
  state_.Committed(4);
  EXPECT_EQ(state_.LastStableOffset(4), 0);
  EXPECT_EQ(state_.LastStableOffset(5), 2);
  state_.Committed(5);
  EXPECT_EQ(state_.LastStableOffset(5), 2);
  End(2, true);  // 5
  EXPECT_EQ(state_.LastStableOffset(5), 2);
  EXPECT_EQ(state_.LastStableOffset(6), 6);
  // One that ends nothing.
  End(1, true);
  EXPECT_EQ(state_.LastStableOffset(6), 6);
  EXPECT_EQ(state_.LastStableOffset(7), 7);
}

TEST_F(ProducersTest, AnAbortedTransactionKnowsWhatWasStableAtItsMarker) {
  Data(1, 0);                     // 0
  Data(2, 0);                     // 1
  EXPECT_FALSE(End(1, true, 0));  // 2
  Data(1, 1);                     // 3
  EXPECT_THAT(End(1, false),      // 4
              Optional(AbortedTransaction{1, 3, 4, 1}));
  Data(1, 2);                 // 5
  EXPECT_THAT(End(2, false),  // 6
              Optional(AbortedTransaction{2, 1, 6, 5}));
  EXPECT_THAT(End(1, false),  // 7
              Optional(AbortedTransaction{1, 5, 7, 8}));
  EXPECT_FALSE(End(1, false)) << "there is none";
}

TEST_F(ProducersTest, ABatchIsOfTheTransactionThatIsOpenOrRefused) {
  EXPECT_EQ(Code(Batch(1, kNow, Idempotent(1, 0))), ErrorCode::kNone);
  Data(1, 0);
  EXPECT_EQ(Code(Batch(1, kNow, Idempotent(1, 1))),
            ErrorCode::kInvalidTxnState);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, 1))), ErrorCode::kNone);
  EXPECT_EQ(Code(Batch(1, kNow, Idempotent(2, 0))), ErrorCode::kNone);
  End(1, true);
  EXPECT_EQ(Code(Batch(1, kNow, Idempotent(1, 1))), ErrorCode::kNone);
}

TEST_F(ProducersTest, AMarkerFencesTheEpochsBeforeItsOwn) {
  Data(1, 0, 1, 4);
  EXPECT_EQ(CodeOfMarker(4, 0, 0), ErrorCode::kNone);
  EXPECT_EQ(CodeOfMarker(3, 0, 0), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(CodeOfMarker(5, 0, 2), ErrorCode::kNone);
  EXPECT_EQ(CodeOfMarker(4, 0, 2), ErrorCode::kInvalidProducerEpoch)
      << "it would end the transaction behind its own";
  End(1, true, 5, 7);
  EXPECT_EQ(CodeOfMarker(5, 7, 2), ErrorCode::kNone) << "it was written before";
  EXPECT_EQ(CodeOfMarker(5, 6, 2), ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(CodeOfMarker(6, 8, 2), ErrorCode::kNone);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, 1, 4))),
            ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, 1, 5))),
            ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, 0, 5))), ErrorCode::kNone);
  Data(1, 0, 1, 5);
  EXPECT_EQ(CodeOfMarker(5, 7, 2), ErrorCode::kInvalidProducerEpoch);
}

TEST_F(ProducersTest, SequencesGoOnBehindAMarkerOfTheSameEpoch) {
  Data(1, 0, 3);
  End(1, true);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, 3))), ErrorCode::kNone);
  const auto again = state_.Check(Header(Batch(3, kNow, Transactional(1, 0))));
  ASSERT_TRUE(again && *again);
  EXPECT_EQ((*again)->first_offset, 0);
}

// A group's offsets have no sequences.
TEST_F(ProducersTest, OffsetsOpenATransactionToo) {
  Data(1, -1);
  Data(1, -1, 2);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, -1))), ErrorCode::kNone);
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, -1, 1))), ErrorCode::kNone);
  EXPECT_EQ(state_.LastStableOffset(end_), 0);
  EXPECT_TRUE(End(1, false, 1));
  EXPECT_EQ(Code(Batch(1, kNow, Transactional(1, -1))),
            ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(state_.LastStableOffset(end_), end_);
}

TEST_F(ProducersTest, WhatIsOpenIsNotForgotten) {
  Data(1, 0);
  Data(2, 0);
  End(2, true);
  state_.Expire(kNow + 1000, 1000);
  EXPECT_TRUE(state_.producers().contains(1));
  EXPECT_FALSE(state_.producers().contains(2));
  End(1, true);
  state_.Expire(kNow + 1000, 1000);
  EXPECT_TRUE(state_.empty());
}

TEST_F(ProducersTest, ASnapshotHasTheFieldsOfKafkas) {
  Data(1, 0, 3, 2);
  Data(2, 0, 1, 3);
  End(2, true, 4, 9);
  const std::string bytes = state_.EncodeSnapshot();
  ASSERT_EQ(bytes.size(), 10u + 2 * 46u);
  const char* one = bytes.data() + 10;
  EXPECT_EQ(record::LoadBigEndian<int32_t>(one + 34), -1);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(one + 38), 0);
  const char* two = one + 46;
  EXPECT_EQ(record::LoadBigEndian<int16_t>(two + 8), 4);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(two + 10), -1);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(two + 14), -1);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(two + 22), 0);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(two + 26), kNow);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(two + 34), 9);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(two + 38), -1);
  ProducerState loaded;
  ASSERT_TRUE(loaded.LoadSnapshot(bytes, end_));
  EXPECT_EQ(loaded.EncodeSnapshot(), bytes);
  EXPECT_EQ(loaded.LastStableOffset(end_), 0);
  EXPECT_FALSE(loaded.TruncateTo(end_ - 1)) << "the marker may be cut";
  EXPECT_TRUE(loaded.TruncateTo(end_));
  EXPECT_THAT(loaded.Active(),
              testing::UnorderedElementsAreArray(state_.Active()));
  EXPECT_THAT(loaded.Active(),
              UnorderedElementsAre(ActiveProducer{1, 2, 2, kNow + 2, -1, 0},
                                   ActiveProducer{2, 4, -1, kNow, 9, -1}));
}

TEST_F(ProducersTest, AProducerIsInASnapshotOnce) {
  Data(1, 0);
  std::string bytes = state_.EncodeSnapshot();
  bytes += bytes.substr(10);
  record::StoreBigEndian(int32_t{2}, bytes.data() + 6);
  record::StoreBigEndian(record::Crc32c(std::string_view(bytes).substr(6)),
                         bytes.data() + 2);
  EXPECT_FALSE(state_.LoadSnapshot(bytes));
  EXPECT_EQ(state_.LastStableOffset(9), 9);
}

// --- verification

class VerificationsTest : public testing::Test {
 protected:
  // 0: it may be appended.
  uint64_t Check(int32_t sequence, uint64_t verified = 0,
                 ProducerEpoch epoch = 0, ProducerId id = 1) {
    auto guard =
        asked_.Check(Header(Batch(1, kNow, Transactional(id, sequence, epoch))),
                     verified, now_ms_);
    EXPECT_TRUE(guard);
    return guard ? guard->value_or(0) : 0;
  }
  int64_t now_ms_ = kNow;
  Verifications asked_;
};

TEST_F(VerificationsTest, AGuardCountsUntilSomethingIsAppended) {
  const uint64_t guard = Check(0);
  EXPECT_NE(guard, 0u);
  EXPECT_EQ(Check(0), guard);
  EXPECT_EQ(Check(0, guard), 0u);
  EXPECT_EQ(Check(0, guard + 1), guard);
  const uint64_t other = Check(0, guard, 1);
  EXPECT_NE(other, guard) << "another epoch";
  EXPECT_TRUE(asked_.Knows(1));
  EXPECT_FALSE(asked_.Knows(2));
  asked_.Forget(1);
  EXPECT_FALSE(asked_.Knows(1));
  const uint64_t again = Check(0, guard);
  EXPECT_NE(again, 0u);
  EXPECT_NE(again, guard);
  asked_.Clear();
  EXPECT_NE(Check(0, again), 0u);
}

TEST_F(VerificationsTest, NobodyOvertakesTheLowestSequence) {
  const uint64_t guard = Check(INT32_MAX);
  EXPECT_EQ(Check(0), guard) << "behind it: sequences wrap";
  const auto overtaking =
      asked_.Check(Header(Batch(1, kNow, Transactional(1, 0))), guard, now_ms_);
  ASSERT_FALSE(overtaking);
  EXPECT_EQ(overtaking.error().code, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Check(INT32_MAX - 1), guard);
  EXPECT_FALSE(asked_.Check(Header(Batch(1, kNow, Transactional(1, INT32_MAX))),
                            guard, now_ms_));
  EXPECT_EQ(Check(INT32_MAX - 1, guard), 0u);
}

TEST_F(VerificationsTest, QuestionsAreBoundedAndExpire) {
  const uint64_t first = Check(0);
  for (ProducerId id = 2; id <= ProducerId{Verifications::kMost}; ++id) {
    Check(0, 0, 0, id);
  }
  EXPECT_EQ(asked_.size(), Verifications::kMost);
  EXPECT_EQ(Check(0, first), 0u);
  Check(0, 0, 0, 1 << 20);
  EXPECT_EQ(asked_.size(), Verifications::kMost);
  EXPECT_NE(Check(0, first), 0u) << "the oldest had to go";
  now_ms_ += 10;
  const uint64_t young = Check(0, 0, 0, 77777);
  asked_.Expire(now_ms_ + 5, 10);
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(Check(0, young, 0, 77777), 0u);
}

// --- the log

class TransactionsTest : public LogTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Open()); }
  Result<AppendInfo> Data(ProducerId id, int32_t sequence,
                          uint64_t verified = 0, ProducerEpoch epoch = 0,
                          int count = 1) {
    return log_->AppendAsLeader(
        Batch(count, kNow, Transactional(id, sequence, epoch)), 0, kNow,
        {.verified = verified});
  }
  // A group's offsets, which have no sequence.
  Result<AppendInfo> Offsets(ProducerId id, uint64_t verified = 0,
                             ProducerEpoch epoch = 0) {
    return log_->AppendFromCoordinator(
        Batch(1, kNow, Transactional(id, -1, epoch)), 0, kNow,
        {.verified = verified});
  }
  uint64_t Guard(ProducerId id, ProducerEpoch epoch = 0) {
    const auto guard = log_->BeginVerification(id, epoch, kNow);
    EXPECT_TRUE(guard);
    return guard.value_or(0);
  }
  // As a client and its coordinator would.
  Offset Verified(ProducerId id, int32_t sequence, ProducerEpoch epoch = 0,
                  int count = 1) {
    auto info = Data(id, sequence, 0, epoch, count);
    if (info && info->verify != 0) {
      info = Data(id, sequence, info->verify, epoch, count);
    }
    EXPECT_TRUE(info && info->verify == 0);
    return info ? info->first_offset : -1;
  }
  ErrorCode End(ProducerId id, bool commit, ProducerEpoch epoch = 0,
                int8_t version = 0, int32_t coordinator = 0) {
    const auto info = log_->AppendFromCoordinator(
        Marker(id, commit, epoch, coordinator), 0, kNow, {.version = version});
    return info ? ErrorCode::kNone : info.error().code;
  }
  Offset Stable() const { return log_->LastStableOffset(log_->end_offset()); }
};

TEST_F(TransactionsTest, TheFirstBatchOfATransactionIsVerified) {
  const auto asks = Data(1, 0);
  ASSERT_TRUE(asks);
  ASSERT_NE(asks->verify, 0u);
  EXPECT_EQ(log_->end_offset(), 0);
  EXPECT_TRUE(log_->KnowsProducer(1));
  EXPECT_EQ(Data(1, 0, asks->verify)->first_offset, 0);
  EXPECT_EQ(Data(1, 1)->first_offset, 1) << "the others are not";
  EXPECT_EQ(Stable(), 0);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  EXPECT_EQ(Stable(), 3);
  EXPECT_TRUE(Data(1, 1)->duplicate) << "of the transaction that has ended";
  EXPECT_NE(Data(1, 2, asks->verify)->verify, 0u) << "the next one";
}

// F76: what comes behind the end of its transaction would open one for good.
TEST_F(TransactionsTest, AMarkerVoidsWhatWasVerifiedBeforeIt) {
  const uint64_t guard = Data(1, 0)->verify;
  EXPECT_EQ(End(1, false), ErrorCode::kNone) << "nothing was there yet";
  const auto late = Data(1, 0, guard);
  ASSERT_TRUE(late);
  EXPECT_NE(late->verify, 0u);
  EXPECT_NE(late->verify, guard);
  EXPECT_EQ(log_->end_offset(), 1);
  EXPECT_EQ(Stable(), 1);
}

// Whoever else appends in transactions may come too late as well.
TEST_F(TransactionsTest, OffsetsAreVerifiedLikeAnyOther) {
  EXPECT_NE(Offsets(1)->verify, 0u);
  EXPECT_EQ(log_->end_offset(), 0);
  const uint64_t guard = Guard(1);
  ASSERT_NE(guard, 0u);
  EXPECT_EQ(Guard(1), guard);
  EXPECT_EQ(Offsets(1, guard)->first_offset, 0);
  EXPECT_EQ(Guard(1), 0u) << "it is open";
  EXPECT_EQ(Offsets(1)->first_offset, 1);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  const uint64_t next = Guard(1);
  ASSERT_NE(next, 0u) << "a transaction of the same epoch";
  EXPECT_NE(next, guard);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  EXPECT_NE(Offsets(1, next)->verify, 0u) << "a marker came first";
  EXPECT_EQ(Stable(), 4);
  EXPECT_NE(Guard(1, 1), 0u);
  EXPECT_EQ(End(1, true, 2), ErrorCode::kNone);
  EXPECT_EQ(log_->BeginVerification(1, 1, kNow).error().code,
            ErrorCode::kInvalidProducerEpoch);
}

// KIP-890: its epoch is as young as its transaction, so a batch in front of it
// is missing, not forgotten.
TEST_F(TransactionsTest, ANewProducerOfVersion2BeginsWithSequence0) {
  const auto data = [&](int32_t sequence, uint64_t verified, int8_t version) {
    return log_->AppendAsLeader(Batch(1, kNow, Transactional(1, sequence)), 0,
                                kNow,
                                {.verified = verified, .version = version});
  };
  const uint64_t guard = data(5, 0, 2)->verify;
  ASSERT_NE(guard, 0u);
  EXPECT_EQ(data(5, guard, 2).error().code,
            ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(log_->end_offset(), 0);
  EXPECT_EQ(data(0, guard, 2)->first_offset, 0);
  EXPECT_EQ(data(1, 0, 2)->first_offset, 1);
  // Older ones may have been forgotten.
  const auto old = [&](uint64_t verified) {
    return log_->AppendAsLeader(Batch(1, kNow, Transactional(2, 5)), 0, kNow,
                                {.verified = verified});
  };
  EXPECT_EQ(old(old(0)->verify)->first_offset, 2);
}

TEST_F(TransactionsTest, ANewLeaderEpochVoidsIt) {
  const uint64_t guard = Data(1, 0)->verify;
  ASSERT_TRUE(log_->AssignEpoch(1, 0));
  const auto info = log_->AppendAsLeader(Batch(1, kNow, Transactional(1, 0)), 1,
                                         kNow, {.verified = guard});
  EXPECT_NE(info->verify, 0u);
}

TEST_F(TransactionsTest, FirstBatchesDoNotOvertakeEachOther) {
  const uint64_t guard = Data(1, 0)->verify;
  EXPECT_EQ(Data(1, 1)->verify, guard);
  EXPECT_EQ(Data(1, 1, guard).error().code, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Data(1, 0, guard)->first_offset, 0);
  EXPECT_EQ(Data(1, 1, guard)->first_offset, 1);
}

TEST_F(TransactionsTest, NobodyIsAskedWhereThatIsNotWanted) {
  options_.config.verifies_transactions = false;
  log_->UpdateConfig(options_.config);
  EXPECT_EQ(Data(1, 0)->first_offset, 0);
  // Of version 2 the question is what adds the partition to the transaction.
  const auto adds = log_->AppendAsLeader(Batch(1, kNow, Transactional(2, 0)), 0,
                                         kNow, {.version = 2});
  EXPECT_NE(adds->verify, 0u);
}

TEST_F(TransactionsTest, MarkersAreChecked) {
  Verified(1, 0, 3);
  EXPECT_EQ(End(1, true, 2), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(End(1, true, 3, 2), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(End(1, true, 4, 2, 5), ErrorCode::kNone);
  EXPECT_EQ(End(1, true, 4, 2, 4), ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(Data(1, 1, 0, 3).error().code, ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(log_->end_offset(), 2);
  record::BatchOptions control = Transactional(1, -1);
  control.control = true;
  const auto nonsense =
      log_->AppendFromCoordinator(Batch(1, kNow, control), 0, kNow);
  EXPECT_EQ(nonsense.error().code, ErrorCode::kInvalidRecord);
}

TEST_F(TransactionsTest, SurvivesStopsAndPowerCuts) {
  Verified(1, 0);
  Verified(2, 0);
  EXPECT_EQ(End(2, false, 0, 0, 3), ErrorCode::kNone);
  Verified(2, 1);
  Flush();
  const auto before = *log_->ActiveProducers();
  Reopen();
  EXPECT_THAT(*log_->ActiveProducers(),
              testing::UnorderedElementsAreArray(before));
  EXPECT_EQ(Stable(), 0);
  EXPECT_EQ(Data(1, 1)->first_offset, 4) << "it is still open";
  Flush();
  CrashAndReopen();
  EXPECT_EQ(Stable(), 0);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  EXPECT_EQ(Stable(), 3);
  EXPECT_EQ(End(2, true, 0, 0, 2), ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(End(2, true, 0, 0, 3), ErrorCode::kNone);
  EXPECT_EQ(Stable(), 7);
}

TEST_F(TransactionsTest, ACutOpensAgainWhatEndedBehindIt) {
  Verified(1, 0);                             // 0
  Verified(2, 0);                             // 1
  EXPECT_EQ(End(1, true), ErrorCode::kNone);  // 2
  EXPECT_EQ(End(2, true), ErrorCode::kNone);  // 3
  Flush();
  ASSERT_TRUE(log_->TruncateTo(3));
  EXPECT_EQ(log_->LastStableOffset(2), 0) << "the marker is not committed";
  EXPECT_EQ(log_->LastStableOffset(3), 1);
  EXPECT_EQ(Data(2, 1)->first_offset, 3);
  ASSERT_TRUE(log_->TruncateTo(1));
  EXPECT_EQ(Stable(), 0);
  EXPECT_NE(Data(2, 0)->verify, 0u) << "this has not begun";
}

// What a snapshot does not tell.
TEST_F(TransactionsTest, ACutKeepsWhatIsNotSettled) {
  options_.config.segment_bytes = 300;
  log_->UpdateConfig(options_.config);
  Verified(1, 0);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  for (int i = 0; i < 5; ++i) Verified(2, i);
  EXPECT_GT(CountFiles(".snapshot"), 1u);
  Flush();
  ASSERT_TRUE(log_->TruncateTo(6));
  EXPECT_EQ(log_->LastStableOffset(1), 0);
  EXPECT_EQ(log_->LastStableOffset(2), 2);
}

TEST_F(TransactionsTest, AFollowerKnowsTheSame) {
  std::string fetched;
  Verified(1, 0);
  Verified(2, 0);
  EXPECT_EQ(End(1, false, 1, 2, 4), ErrorCode::kNone);
  Verified(1, 0, 1);
  const auto producers = *log_->ActiveProducers();
  fetched = ReadAll();
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(0));
  EXPECT_EQ(Stable(), 0);
  ASSERT_TRUE(log_->AppendAsFollower(fetched));
  EXPECT_EQ(log_->LastStableOffset(4), 1);
  EXPECT_THAT(*log_->ActiveProducers(),
              testing::UnorderedElementsAreArray(producers));
}

TEST_F(TransactionsTest, TheStartOfTheLogIsStable) {
  Verified(1, 0, 0, 3);
  Flush();
  ASSERT_TRUE(log_->AdvanceStartOffset(2));
  EXPECT_EQ(Stable(), 2);
  EXPECT_EQ(End(1, true), ErrorCode::kNone);
  EXPECT_EQ(Stable(), 4);
}

}  // namespace
}  // namespace tidemark::log
