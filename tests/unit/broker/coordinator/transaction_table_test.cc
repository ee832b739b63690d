#include "broker/coordinator/transaction/transaction_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TopicPartition kA0{"a", 0};
const TopicPartition kA1{"a", 1};
const TopicPartition kB0{"b", 0};

// A table whose writes are committed when told to, and whose markers are
// written when told to.
class TransactionTableTest : public ::testing::Test {
 protected:
  explicit TransactionTableTest(
      std::shared_ptr<CoordinatorMemory> memory = nullptr)
      : table_(TransactionConfig{}, std::move(memory)) {
    table_.Activate(at_);
  }

  template <class Request>
  Ticket Ask(const Request& request) {
    const Ticket ticket = ++tickets_;
    Take(table_.Decide(request, Context{ticket, at_}));
    return ticket;
  }
  template <class Request>
  typename Request::Answer Do(const Request& request) {
    const Ticket ticket = Ask(request);
    CommitAll();
    return Get<typename Request::Answer>(ticket);
  }
  template <class Answer>
  Answer Get(Ticket ticket) {
    const auto it = answers_.find(ticket);
    EXPECT_NE(it, answers_.end()) << "no answer";
    if (it == answers_.end()) return {};
    return std::get<Answer>(it->second);
  }
  bool Answered(Ticket ticket) const { return answers_.contains(ticket); }

  void CommitAll() {
    while (!writes_.empty()) CommitOne(true);
  }
  void CommitOne(bool committed) {
    auto decision = std::move(writes_.front());
    writes_.pop_front();
    if (committed) {
      for (const auto& record : decision.records) {
        log_.push_back(record);
        table_.Apply(record, {});
      }
    }
    auto answers = std::exchange(decision.answers, {});
    auto next = table_.Settled(decision, committed, at_);
    for (auto& answer : answers) {
      if (!committed) {
        std::visit([](auto& a) { a.Fail(ErrorCode::kNotEnoughReplicas); },
                   answer.response);
      }
      answers_.emplace(answer.ticket, std::move(answer.response));
    }
    Take(std::move(next));
  }
  // The markers that are asked for are written.
  std::vector<MarkerTask> WriteMarkers() {
    auto tasks = table_.TakeEffects();
    for (const MarkerTask& task : tasks) {
      Do(MarkersWrittenRequest{task.transactional_id, task.producer_id,
                               task.epoch});
    }
    return tasks;
  }
  void Pass(int64_t ms) {
    at_.now += milliseconds(ms);
    at_.wall_ms += ms;
    if (const auto next = table_.NextDeadline(); next && *next <= at_.now) {
      for (auto& decision : table_.OnTimer(at_)) Take(std::move(decision));
    }
  }
  // Another coordinator reads the log.
  void Reload() {
    writes_.clear();
    table_.Clear();
    for (const auto& record : log_) {
      const auto encoded = TransactionTable::Encode(record);
      ASSERT_TRUE(encoded);
      const auto decoded =
          TransactionTable::Decode(encoded->key, encoded->value);
      ASSERT_TRUE(decoded && *decoded);
      EXPECT_EQ(**decoded, record);
      table_.Apply(**decoded, {});
    }
    table_.Activate(at_);
  }

  InitProducerResult Init(const std::string& id = "t", ProducerId producer = -1,
                          ProducerEpoch epoch = -1) {
    InitProducerRequest request{.transactional_id = id,
                                .timeout_ms = 60'000,
                                .producer_id = producer,
                                .epoch = epoch};
    auto result = Do(request);
    if (!result.wants_producer_id) return result;
    request.spare_producer_id = spare_++;
    return Do(request);
  }
  AddPartitionsRequest AddTo(const InitProducerResult& producer,
                             std::vector<TopicPartition> partitions,
                             bool verify = false, int16_t version = 0) {
    return {.transactional_id = "t",
            .producer_id = producer.producer_id,
            .epoch = producer.epoch,
            .partitions = std::move(partitions),
            .verify_only = verify,
            .client_version = version};
  }
  ErrorCode Add(const InitProducerResult& producer,
                std::vector<TopicPartition> partitions, int16_t version = 0) {
    const auto result =
        Do(AddTo(producer, std::move(partitions), false, version));
    return result.error;
  }
  EndTransactionRequest EndOf(ProducerId producer, ProducerEpoch epoch,
                              bool commit, int16_t version = 0) {
    return {.transactional_id = "t",
            .producer_id = producer,
            .epoch = epoch,
            .commit = commit,
            .client_version = version};
  }
  EndTransactionResult End(const InitProducerResult& producer, bool commit,
                           int16_t version = 0) {
    auto request = EndOf(producer.producer_id, producer.epoch, commit, version);
    auto result = Do(request);
    if (!result.wants_producer_id) return result;
    request.spare_producer_id = spare_++;
    return Do(request);
  }
  StoredTransaction Stored(const std::string& id = "t") {
    return table_.Read(DescribeTransactionRequest{id}).transaction;
  }

  Moment at_{Instant{} + std::chrono::hours(1), 1'000'000};
  TransactionTable table_;
  std::deque<TransactionTable::Decision> writes_;
  std::map<Ticket, TransactionResponse> answers_;
  std::vector<TransactionRecord> log_;
  Ticket tickets_ = 0;
  ProducerId spare_ = 100;

 private:
  void Take(TransactionTable::Decision decision) {
    if (!decision.records.empty()) {
      writes_.push_back(std::move(decision));
      return;
    }
    for (auto& answer : decision.answers) {
      answers_.emplace(answer.ticket, std::move(answer.response));
    }
  }
};

TEST_F(TransactionTableTest, ATransactionIsBegunEndedAndBegunAgain) {
  const auto first = Init();
  EXPECT_EQ(first.producer_id, 100);
  EXPECT_EQ(first.epoch, 0);
  EXPECT_EQ(Stored().state, TransactionState::kEmpty);
  EXPECT_EQ(Add(first, {kA0, kA1}), ErrorCode::kNone);
  EXPECT_EQ(Add(first, {kB0}), ErrorCode::kNone);
  EXPECT_EQ(Stored().state, TransactionState::kOngoing);
  EXPECT_EQ(End(first, true).error, ErrorCode::kNone);
  EXPECT_EQ(Stored().state, TransactionState::kPrepareCommit);
  const auto tasks = WriteMarkers();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_TRUE(tasks[0].commit);
  EXPECT_EQ(tasks[0].epoch, 0);
  EXPECT_THAT(tasks[0].partitions, ElementsAre(kA0, kA1, kB0));
  EXPECT_EQ(Stored().state, TransactionState::kCompleteCommit);
  EXPECT_THAT(Stored().partitions, IsEmpty());
  EXPECT_EQ(End(first, true).error, ErrorCode::kNone) << "once more";
  EXPECT_EQ(End(first, false).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(Add(first, {kA0}), ErrorCode::kNone);
  EXPECT_EQ(End(first, false).error, ErrorCode::kNone);
  EXPECT_FALSE(WriteMarkers().at(0).commit);
  EXPECT_EQ(Stored().state, TransactionState::kCompleteAbort);
}

TEST_F(TransactionTableTest, StrangersAndTheFencedAreRefused) {
  EXPECT_EQ(Add({.producer_id = 7, .epoch = 0}, {kA0}),
            ErrorCode::kInvalidProducerIdMapping);
  const auto first = Init();
  const auto second = Init();
  EXPECT_EQ(second.producer_id, first.producer_id);
  EXPECT_EQ(second.epoch, 1);
  EXPECT_EQ(Add(first, {kA0}), ErrorCode::kProducerFenced);
  EXPECT_EQ(End(first, true).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(End(first, true, 2).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(Add({.producer_id = 7, .epoch = 1}, {kA0}),
            ErrorCode::kInvalidProducerIdMapping);
  EXPECT_EQ(End(second, true).error, ErrorCode::kInvalidTxnState)
      << "nothing was begun";
  EXPECT_EQ(Init("t", first.producer_id, first.epoch).error,
            ErrorCode::kProducerFenced);
  EXPECT_EQ(Init("").error, ErrorCode::kInvalidRequest);
  for (const int32_t timeout : {0, -1, 900'001}) {
    EXPECT_EQ(
        Do(InitProducerRequest{.transactional_id = "t", .timeout_ms = timeout})
            .error,
        ErrorCode::kInvalidTransactionTimeout);
  }
  EXPECT_EQ(table_.size(), 1u) << "who is refused leaves nothing";
}

TEST_F(TransactionTableTest, WhoGoesOnGetsTheNextEpochOnce) {
  const auto first = Init();
  const auto next = Init("t", first.producer_id, first.epoch);
  EXPECT_EQ(next.epoch, 1);
  // The answer was lost.
  EXPECT_EQ(Init("t", first.producer_id, first.epoch).epoch, 1);
  EXPECT_EQ(Init("t", next.producer_id, next.epoch).epoch, 2);
  EXPECT_EQ(Init("t", first.producer_id, first.epoch).error,
            ErrorCode::kProducerFenced);
}

TEST_F(TransactionTableTest,
       ANewProducerWaitsForTheEndOfTheOldOnesTransaction) {
  const auto old = Init();
  Add(old, {kA0});
  const Ticket ask =
      Ask(InitProducerRequest{.transactional_id = "t", .timeout_ms = 60'000});
  CommitAll();
  EXPECT_FALSE(Answered(ask));
  EXPECT_EQ(Stored().state, TransactionState::kPrepareAbort);
  const Ticket end = Ask(EndOf(old.producer_id, old.epoch, true));
  const auto tasks = WriteMarkers();
  EXPECT_FALSE(tasks.at(0).commit);
  EXPECT_EQ(tasks.at(0).epoch, 1) << "fences what is still under way";
  const auto fresh = Get<InitProducerResult>(ask);
  EXPECT_EQ(fresh.error, ErrorCode::kNone);
  EXPECT_EQ(fresh.epoch, 2);
  EXPECT_EQ(fresh.producer_id, old.producer_id);
  EXPECT_EQ(Get<EndTransactionResult>(end).error, ErrorCode::kProducerFenced);
}

TEST_F(TransactionTableTest, TheFencedDoNotAbortTheirSuccessorsTransaction) {
  const auto old = Init();
  const auto now = Init();
  Add(now, {kA0});
  EXPECT_EQ(Init("t", old.producer_id, old.epoch).error,
            ErrorCode::kProducerFenced);
  EXPECT_EQ(Stored().state, TransactionState::kOngoing);
}

TEST_F(TransactionTableTest, OneThatIsBusyIsWaitedForButNotForLong) {
  const auto producer = Init();
  Add(producer, {kA0});
  End(producer, true);
  const Ticket add = Ask(AddTo(producer, {kB0}));
  const Ticket verify = Ask(AddTo(producer, {kB0}, true));
  EXPECT_FALSE(Answered(add));
  WriteMarkers();
  CommitAll();
  EXPECT_EQ(Get<AddPartitionsResult>(add).error, ErrorCode::kNone);
  EXPECT_THAT(Get<AddPartitionsResult>(verify).partitions,
              ElementsAre(ErrorCode::kNone));
  EXPECT_THAT(Stored().partitions, ElementsAre(kB0));
  End(producer, true);
  const Ticket late = Ask(AddTo(producer, {kA1}));
  Pass(999);
  EXPECT_FALSE(Answered(late));
  Pass(1);
  EXPECT_EQ(Get<AddPartitionsResult>(late).error,
            ErrorCode::kConcurrentTransactions);
  WriteMarkers();
  EXPECT_EQ(Stored().state, TransactionState::kCompleteCommit);
}

TEST_F(TransactionTableTest, WhileAWriteIsUnderWayNothingIsDecidedOnOldFacts) {
  const auto producer = Init();
  const Ticket add = Ask(AddTo(producer, {kA0}));
  const Ticket end = Ask(EndOf(producer.producer_id, producer.epoch, true));
  EXPECT_FALSE(Answered(end));
  CommitOne(true);
  EXPECT_EQ(Get<AddPartitionsResult>(add).error, ErrorCode::kNone);
  CommitOne(true);
  EXPECT_EQ(Get<EndTransactionResult>(end).error, ErrorCode::kNone);
  EXPECT_EQ(Stored().state, TransactionState::kPrepareCommit);
}

TEST_F(TransactionTableTest, AWriteThatFailsChangesNothing) {
  const auto producer = Init();
  const Ticket add = Ask(AddTo(producer, {kA0}));
  CommitOne(false);
  EXPECT_EQ(Get<AddPartitionsResult>(add).error, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(Stored().state, TransactionState::kEmpty);
  const Ticket init = Ask(InitProducerRequest{
      .transactional_id = "new", .timeout_ms = 1, .spare_producer_id = 9});
  CommitOne(false);
  EXPECT_EQ(Get<InitProducerResult>(init).error, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(table_.size(), 1u);
}

// Otherwise it would be asked for again and again, in no time.
TEST_F(TransactionTableTest, WhoWaitsForAnEndThatIsRefusedWaitsForAPause) {
  const auto one = Init();
  ASSERT_EQ(Add(one, {kA0}), ErrorCode::kNone);
  const Ticket waits =
      Ask(InitProducerRequest{.transactional_id = "t", .timeout_ms = 60'000});
  ASSERT_EQ(writes_.size(), 1u);
  CommitOne(false);
  EXPECT_THAT(writes_, IsEmpty());
  // Nor does another that asks meanwhile.
  const Ticket other =
      Ask(InitProducerRequest{.transactional_id = "t", .timeout_ms = 60'000});
  EXPECT_THAT(writes_, IsEmpty());
  Pass(99);
  EXPECT_THAT(writes_, IsEmpty());
  Pass(1);
  ASSERT_EQ(writes_.size(), 1u);
  CommitAll();
  WriteMarkers();
  CommitAll();
  EXPECT_EQ(Get<InitProducerResult>(waits).error, ErrorCode::kNone);
  EXPECT_EQ(Get<InitProducerResult>(other).error, ErrorCode::kNone);
  // And no longer than any.
  ASSERT_EQ(Add(Get<InitProducerResult>(other), {kA0}), ErrorCode::kNone);
  const Ticket late =
      Ask(InitProducerRequest{.transactional_id = "t", .timeout_ms = 60'000});
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(writes_.size(), 1u);
    CommitOne(false);
    Pass(100);
  }
  EXPECT_EQ(Get<InitProducerResult>(late).error,
            ErrorCode::kConcurrentTransactions);
  EXPECT_THAT(writes_, IsEmpty());
}

TEST_F(TransactionTableTest, AnEndThatCannotBeWrittenIsTriedAgainAfterAPause) {
  const auto producer = Init();
  Add(producer, {kA0});
  End(producer, true);
  const auto task = table_.TakeEffects().at(0);
  const MarkersWrittenRequest written{task.transactional_id, task.producer_id,
                                      task.epoch};
  Ask(written);
  CommitOne(false);
  EXPECT_TRUE(writes_.empty()) << "not at once";
  EXPECT_THAT(table_.TakeEffects(), IsEmpty()) << "the markers are there";
  Pass(100);
  ASSERT_EQ(writes_.size(), 1u);
  CommitAll();
  EXPECT_EQ(Stored().state, TransactionState::kCompleteCommit);
}

TEST_F(TransactionTableTest, OneThatTakesTooLongIsAbortedAndFenced) {
  const auto producer = Init();
  Add(producer, {kA0});
  Pass(59'999);
  EXPECT_TRUE(writes_.empty());
  Pass(1);
  CommitOne(false);
  EXPECT_TRUE(writes_.empty()) << "a failed write is not repeated at once";
  Pass(100);
  CommitAll();
  EXPECT_EQ(Stored().state, TransactionState::kPrepareAbort);
  EXPECT_EQ(WriteMarkers().at(0).epoch, 1);
  EXPECT_EQ(End(producer, true).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(Init("t", producer.producer_id, producer.epoch).error,
            ErrorCode::kProducerFenced);
  EXPECT_EQ(Init().epoch, 2);
}

TEST_F(TransactionTableTest, VerifyingTellsWhatATransactionHolds) {
  const auto producer = Init();
  Add(producer, {kA0});
  const auto result = Do(AddTo(producer, {kA0, kB0}, true));
  EXPECT_THAT(result.partitions,
              ElementsAre(ErrorCode::kNone, ErrorCode::kTransactionAbortable));
  EXPECT_THAT(Stored().partitions, ElementsAre(kA0));
  End(producer, true);
  WriteMarkers();
  EXPECT_THAT(Do(AddTo(producer, {kA0}, true)).partitions,
              ElementsAre(ErrorCode::kTransactionAbortable));
}

// transaction.version 2.
TEST_F(TransactionTableTest, EachTransactionHasAnEpoch) {
  auto producer = Init();
  EXPECT_EQ(Add(producer, {kA0}, 2), ErrorCode::kNone);
  const auto end = End(producer, true, 2);
  EXPECT_EQ(end.error, ErrorCode::kNone);
  EXPECT_EQ(end.producer_id, producer.producer_id);
  EXPECT_EQ(end.epoch, 1);
  const auto tasks = WriteMarkers();
  EXPECT_EQ(tasks.at(0).epoch, 1);
  EXPECT_EQ(tasks.at(0).client_version, 2);
  // The answer was lost.
  EXPECT_EQ(End(producer, true, 2).epoch, 1);
  EXPECT_EQ(End(producer, false, 2).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(Add(producer, {kA0}, 2), ErrorCode::kProducerFenced);
  // It cannot know whether anything was added, so it may abort.
  producer.epoch = 1;
  EXPECT_EQ(End(producer, true, 2).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(End(producer, false, 2).epoch, 2);
  EXPECT_THAT(table_.TakeEffects(), IsEmpty());
  EXPECT_EQ(Stored().state, TransactionState::kCompleteAbort);
  producer.epoch = 2;
  EXPECT_EQ(Add(producer, {kB0}, 2), ErrorCode::kNone);
  EXPECT_EQ(End(producer, false, 2).epoch, 3);
  const Ticket again =
      Ask(EndOf(producer.producer_id, producer.epoch, false, 2));
  EXPECT_FALSE(Answered(again)) << "its markers are under way";
  WriteMarkers();
  EXPECT_EQ(Get<EndTransactionResult>(again).epoch, 3);
}

TEST_F(TransactionTableTest, WhenEpochsAreUsedUpAnotherProducerIdTakesOver) {
  auto producer = Init();
  log_.back().value->epoch = kLastEpoch - 1;
  Reload();
  producer.epoch = kLastEpoch - 1;
  EXPECT_EQ(Add(producer, {kA0}, 2), ErrorCode::kNone);
  const auto end = End(producer, true, 2);
  EXPECT_EQ(end.error, ErrorCode::kNone);
  EXPECT_EQ(end.producer_id, 101);
  EXPECT_EQ(end.epoch, 0);
  const auto tasks = WriteMarkers();
  EXPECT_EQ(tasks.at(0).producer_id, 100);
  EXPECT_EQ(tasks.at(0).epoch, kLastEpoch);
  EXPECT_EQ(Stored().producer_id, 101);
  EXPECT_EQ(Stored().previous_producer_id, 100);
  const auto again = End(producer, true, 2);
  EXPECT_EQ(again.error, ErrorCode::kNone) << "the answer was lost";
  EXPECT_EQ(again.producer_id, 101);
  EXPECT_EQ(again.epoch, 0);
}

TEST_F(TransactionTableTest, AnExhaustedProducerIsGivenAnotherIdAtItsStart) {
  Init();
  log_.back().value->epoch = kLastEpoch - 1;
  Reload();
  const auto next = Init();
  EXPECT_EQ(next.producer_id, 101);
  EXPECT_EQ(next.epoch, 0);
  EXPECT_EQ(Init("t", 100, 3).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(Init("t", 100, kLastEpoch - 1).error, ErrorCode::kProducerFenced)
      << "it asked for nothing";
}

TEST_F(TransactionTableTest, ACoordinatorThatTakesOverGoesOnInEveryState) {
  const auto producer = Init();
  Reload();
  EXPECT_EQ(Add(producer, {kA0}), ErrorCode::kNone);
  Reload();
  EXPECT_THAT(table_.TakeEffects(), IsEmpty());
  EXPECT_EQ(End(producer, true).error, ErrorCode::kNone);
  Reload();
  const auto tasks = WriteMarkers();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_THAT(tasks[0].partitions, ElementsAre(kA0));
  EXPECT_EQ(Stored().state, TransactionState::kCompleteCommit);
  Reload();
  EXPECT_THAT(table_.TakeEffects(), IsEmpty());
  EXPECT_EQ(End(producer, true).error, ErrorCode::kNone);
  Add(producer, {kA0});
  Reload();
  Pass(60'000);
  CommitAll();
  EXPECT_EQ(WriteMarkers().size(), 1u) << "its timeout outlives a failover";
}

TEST_F(TransactionTableTest, IdsThatNobodyUsesAreForgotten) {
  const auto producer = Init();
  Add(producer, {kA0});
  End(producer, true);
  WriteMarkers();
  Init("young");
  Pass(TransactionConfig{}.transactional_id_expiration_ms - 1);
  CommitAll();
  EXPECT_EQ(table_.size(), 2u);
  Init("young");
  Pass(3'600'000);
  CommitAll();
  EXPECT_EQ(table_.size(), 1u);
  EXPECT_EQ(table_.Read(DescribeTransactionRequest{"t"}).error,
            ErrorCode::kTransactionalIdNotFound);
  Reload();
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(TransactionTableTest, ASnapshotSaysWhatTheLogSays) {
  for (int i = 0; i < 50; ++i) Init("id" + std::to_string(i));
  const auto producer = Init();
  Add(producer, {kA0, kB0});
  std::map<std::string, StoredTransaction> live, read;
  for (const auto& record : log_) {
    live[record.transactional_id] = *record.value;
  }
  TransactionTable::Cursor cursor;
  bool more = true;
  int parts = 0;
  while (more) {
    std::vector<TransactionRecord> part;
    more = table_.Snapshot(cursor, 300, &part);
    for (auto& record : part) read[record.transactional_id] = *record.value;
    ++parts;
  }
  EXPECT_EQ(read, live);
  EXPECT_GT(parts, 5);
  EXPECT_GT(table_.live_bytes(), 50u * 40);
}

class BoundedTransactionTableTest : public TransactionTableTest {
 protected:
  BoundedTransactionTableTest()
      : BoundedTransactionTableTest(
            std::make_shared<CoordinatorMemory>(20'000)) {}
  explicit BoundedTransactionTableTest(
      const std::shared_ptr<CoordinatorMemory>& memory)
      : TransactionTableTest(memory), memory_(memory) {}

  const std::shared_ptr<CoordinatorMemory> memory_;
};

TEST_F(BoundedTransactionTableTest, StrangersCannotMakeItGrowForEver) {
  int made = 0;
  while (made < 1'000 &&
         Init("id" + std::to_string(made)).error == ErrorCode::kNone) {
    ++made;
  }
  EXPECT_GT(made, 20);
  EXPECT_LT(made, 100);
  EXPECT_EQ(Init("another").error, ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(table_.size(), static_cast<size_t>(made));
  EXPECT_EQ(Init("id0").error, ErrorCode::kNone) << "who is known goes on";
  EXPECT_GT(memory_->used(), 18'000u);
  table_.Clear();
  EXPECT_EQ(memory_->used(), 0u);
}

TEST_F(TransactionTableTest, ListedByStateProducerAndAge) {
  const auto producer = Init();
  Init("other");
  Add(producer, {kA0});
  const auto names = [&](ListTransactionsQuery query) {
    query.now_ms = at_.wall_ms;
    std::vector<std::string> out;
    for (const auto& row : table_.Read(query).rows) {
      out.push_back(row.transactional_id);
    }
    return out;
  };
  EXPECT_THAT(names({}), ElementsAre("other", "t"));
  EXPECT_THAT(
      names({.states = {TransactionState::kOngoing}, .producer_ids = {}}),
      ElementsAre("t"));
  EXPECT_THAT(names({.states = {}, .producer_ids = {101}}),
              ElementsAre("other"));
  Pass(500);
  EXPECT_THAT(names({.states = {TransactionState::kOngoing},
                     .producer_ids = {},
                     .older_than_ms = 500}),
              IsEmpty());
  EXPECT_THAT(names({.states = {TransactionState::kOngoing},
                     .producer_ids = {},
                     .older_than_ms = 499}),
              ElementsAre("t"));
  EXPECT_THAT(
      names({.states = {},
             .producer_ids = {},
             .matches = [](const std::string& id) { return id.size() > 1; }}),
      ElementsAre("other"));
}

TEST(TransactionRecords, BytesThatAreNoneAreRefused) {
  TransactionRecord record{"id", StoredTransaction{.producer_id = 3}};
  auto encoded = *EncodeTransactionRecord(record);
  for (size_t size = 0; size < encoded.value->size(); ++size) {
    EXPECT_FALSE(
        DecodeTransactionRecord(encoded.key, encoded.value->substr(0, size)))
        << size;
  }
  EXPECT_FALSE(DecodeTransactionRecord("", std::nullopt));
  const auto tombstone = DecodeTransactionRecord(encoded.key, std::nullopt);
  ASSERT_TRUE(tombstone && *tombstone);
  EXPECT_FALSE((*tombstone)->value);
  std::string newer = encoded.key;
  newer[1] = 9;
  const auto unknown = DecodeTransactionRecord(newer, encoded.value);
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(*unknown) << "a kind that only a newer version knows";
}

}  // namespace
}  // namespace tidemark::coordinator
