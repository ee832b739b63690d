#include "tests/sim/cluster/application.h"

#include <glog/logging.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "broker/coordinator/internal_topic.h"
#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/add_offsets_to_txn.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/end_txn.h"
#include "common/kafka/messages/init_producer_id.h"
#include "common/kafka/messages/offset_fetch.h"
#include "common/kafka/messages/produce.h"
#include "common/kafka/messages/txn_offset_commit.h"
#include "common/record/batch_builder.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kPatience = seconds(12);  // with one transaction
constexpr int kProduceTimeoutMs = 1500;
constexpr int kPartitionsOfTransactions = 3;
constexpr int kPartitionsOfOffsets = 2;

// Upon these a client asks again; all others end it.
bool IsPassing(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kConcurrentTransactions:
    case ErrorCode::kUnstableOffsetCommit:
    case ErrorCode::kNetworkException:
      return true;
    default:
      return false;
  }
}

TopicPartition TransactionsOf(const std::string& id) {
  return {coordinator::kTransactionsTopic,
          coordinator::PartitionOf(id, kPartitionsOfTransactions)};
}

TopicPartition OffsetsOf(const std::string& group) {
  return {coordinator::kOffsetsTopic,
          coordinator::PartitionOf(group, kPartitionsOfOffsets)};
}

}  // namespace

std::optional<Offset> Application::AskOffset(KafkaClient& client) const {
  const Source& source = options_.source;
  const auto leads = [this, where = OffsetsOf(source.group)] {
    const auto* row =
        side_.controllers.image()->FindPartition(where.topic, where.partition);
    return std::pair{row->leader, row->leader_epoch};
  };
  const auto before = leads();
  const NodeId broker = before.first;
  if (broker < 0) return std::nullopt;
  kafka::OffsetFetchRequest request{.group_id = source.group,
                                    .require_stable = true};
  request.topics = {{{.name = source.partition.topic,
                      .partition_indexes = {source.partition.partition}}}};
  const Offset floor = history_.CommittedFloor(source);
  const auto answer =
      client.Call(broker, server::HandleOffsetFetch, 7, request);
  // One that was replaced, and has not heard of it since it was paused, tells
  // what was, as Kafka's does. Such an answer is none.
  if (!answer || answer->error_code != 0 || leads() != before) {
    return std::nullopt;
  }
  const auto& told = answer->topics.at(0).partitions.at(0);
  if (told.error_code != 0) return std::nullopt;
  const Offset offset = std::max<Offset>(told.committed_offset, 0);
  history_.ShownOffset(source, floor, offset);
  return offset;
}

// One thread, from InitProducerId to whatever ends it.
class Application::Instance {
 public:
  Instance(Application& of, int number)
      : of_(of),
        side_(of.side_),
        new_protocol_(of.side_.scheduler.Chance(600)),
        name_("application " + std::to_string(of.options_.id) + "." +
              std::to_string(number)),
        client_(of.side_, 400 + of.options_.id) {}

  void Run() {
    Tell(new_protocol_ ? "begins" : "begins, of the old protocol");
    if (!InitProducer(-1, -1) || !FindPosition()) return Tell("gives up");
    while (!of_.finishing_ && GoOn()) {
    }
    Tell("ends");
  }

 private:
  struct Batch {
    std::vector<Offset> offsets;  // of the source
    SharedBytes bytes;
    bool done = false;
  };
  struct Output {
    TopicPartition partition;
    std::deque<Batch> batches;
  };

  void Tell(const std::string& what) const {
    LOG(INFO) << "client: " << name_ << " id " << producer_ << " epoch "
              << epoch_ << " " << what;
  }
  bool Chance(int per_mille) { return side_.scheduler.Chance(per_mille); }
  void Pause() {
    side_.scheduler.Sleep(
        side_.scheduler.Between(milliseconds(5), milliseconds(60)));
  }
  bool Late() const {
    return side_.scheduler.Now() >= deadline_ || side_.stopping;
  }
  // Asks until there is an answer that is more than a passing error; kNone: all
  // is well. kRequestTimedOut: it takes too long.
  template <class Request, class Response, class ErrorOf>
  ErrorCode Ask(const TopicPartition& where, Handler<Request, Response> handler,
                int16_t version, const Request& request, Response* response,
                ErrorOf error_of) {
    while (!Late()) {
      const NodeId broker = side_.LeaderOf(where);
      if (broker >= 0) {
        // Of the old protocol nothing may come late but what cannot hurt.
        auto answer =
            client_.Call(broker, handler, version, request, new_protocol_);
        if (answer) {
          const ErrorCode error = error_of(*answer);
          *response = std::move(*answer);
          if (!IsPassing(error)) return error;
        }
      }
      Pause();
    }
    return ErrorCode::kRequestTimedOut;
  }

  bool InitProducer(ProducerId producer, ProducerEpoch epoch);
  bool FindPosition();
  // One transaction; whether another may follow.
  bool GoOn();
  // Aborts it while its batches are on their way.
  bool Abandon();
  void MakeOutputs();
  SharedBytes Build(const std::vector<Offset>& offsets, int32_t sequence);
  bool AddAll();
  void Produce();
  bool SendOutputs();
  bool CommitOffsets();
  bool End(bool commit);

  Application& of_;
  ClientSide& side_;
  const bool new_protocol_;
  const std::string name_;
  KafkaClient client_;
  Instant deadline_{};

  ProducerId producer_ = -1;
  ProducerEpoch epoch_ = -1;
  std::map<TopicPartition, int32_t> sequences_;  // of the epoch
  Offset position_ = 0;
  int attempt_ = 0;
  Offset to_ = 0;
  std::vector<Output> outputs_;
  bool refused_ = false;  // one of them, for good
};

bool Application::Instance::InitProducer(ProducerId producer,
                                         ProducerEpoch epoch) {
  deadline_ = side_.scheduler.Now() + kPatience;
  kafka::InitProducerIdRequest request{
      .transactional_id = of_.transactional_id(),
      .transaction_timeout_ms =
          static_cast<int32_t>(1000 + side_.scheduler.Below(3000)),
      .producer_id = producer,
      .producer_epoch = epoch};
  kafka::InitProducerIdResponse response;
  const ErrorCode error =
      Ask(TransactionsOf(of_.transactional_id()), server::HandleInitProducerId,
          4, request, &response, [](const auto& answer) {
            return static_cast<ErrorCode>(answer.error_code);
          });
  if (error != ErrorCode::kNone) {
    Tell("has no epoch: " + std::string(ErrorName(error)));
    return false;
  }
  producer_ = response.producer_id;
  epoch_ = response.producer_epoch;
  sequences_.clear();
  client_.ForgetDoubt();
  return true;
}

bool Application::Instance::FindPosition() {
  deadline_ = side_.scheduler.Now() + kPatience;
  while (!Late()) {
    if (const auto offset = of_.AskOffset(client_)) {
      position_ = *offset;
      return true;
    }
    Pause();
  }
  return false;
}

SharedBytes Application::Instance::Build(const std::vector<Offset>& offsets,
                                         int32_t sequence) {
  record::BatchOptions options;
  options.producer_id = producer_;
  options.producer_epoch = epoch_;
  options.base_sequence = sequence;
  options.transactional = true;
  record::BatchBuilder builder(options);
  for (const Offset offset : offsets) {
    builder.Add(side_.scheduler.WallMs(), std::nullopt,
                ValueOf({attempt_, offset}, 10));
  }
  return SharedBytes(builder.Build());
}

// One record for each offset of the source, in one or two batches a partition.
void Application::Instance::MakeOutputs() {
  to_ = position_ + 1 + side_.scheduler.Below(6);
  attempt_ = of_.history_.Begin(of_.source(), position_, to_);
  outputs_.clear();
  const auto& all = of_.options_.outputs;
  std::map<TopicPartition, std::vector<Offset>> chosen;
  for (Offset offset = position_; offset < to_; ++offset) {
    const auto& partition = all[static_cast<size_t>(
        side_.scheduler.Below(static_cast<int64_t>(all.size())))];
    of_.history_.Make(attempt_, offset, partition);
    chosen[partition].push_back(offset);
  }
  for (const auto& [partition, offsets] : chosen) {
    Output& output = outputs_.emplace_back();
    output.partition = partition;
    int32_t& sequence = sequences_[partition];
    const size_t half = Chance(500) ? offsets.size() / 2 : 0;
    for (const auto& [from, end] :
         {std::pair{size_t{0}, half}, std::pair{half, offsets.size()}}) {
      if (from == end) continue;
      Batch& batch = output.batches.emplace_back();
      batch.offsets.assign(offsets.begin() + static_cast<ptrdiff_t>(from),
                           offsets.begin() + static_cast<ptrdiff_t>(end));
      batch.bytes = Build(batch.offsets, sequence);
      sequence += static_cast<int32_t>(batch.offsets.size());
    }
  }
}

bool Application::Instance::GoOn() {
  deadline_ = side_.scheduler.Now() + kPatience;
  MakeOutputs();
  Tell("attempts " + std::to_string(attempt_) + " from " +
       std::to_string(position_) + " to " + std::to_string(to_));
  if (!new_protocol_ && !AddAll()) return false;
  if (Chance(80)) return Abandon();
  if (!SendOutputs()) return false;
  if (Chance(30)) {
    Tell("falls asleep");
    side_.scheduler.Sleep(
        side_.scheduler.Between(milliseconds(500), seconds(5)));
  }
  if (!CommitOffsets()) return false;
  if (Chance(30)) {
    Tell("vanishes");
    return false;
  }
  const bool commit = Chance(750);
  if (!End(commit)) return false;
  if (commit) position_ = to_;
  if (!new_protocol_ && client_.in_doubt()) {
    return InitProducer(producer_, epoch_);
  }
  if (Chance(300)) Pause();
  return true;
}

bool Application::Instance::Abandon() {
  Tell("has changed its mind");
  Produce();
  side_.scheduler.Sleep(
      side_.scheduler.Between(Duration::zero(), milliseconds(6)));
  // Also of all batches the answer is awaited.
  if (!End(false)) return false;
  if (new_protocol_) return true;
  const bool all = std::ranges::all_of(outputs_, [](const Output& output) {
    return std::ranges::all_of(output.batches, &Batch::done);
  });
  // Otherwise a sequence is missing that never comes.
  return (all && !client_.in_doubt()) || InitProducer(producer_, epoch_);
}

bool Application::Instance::AddAll() {
  kafka::AddPartitionsToTxnRequest add;
  add.v3_and_below_transactional_id = of_.transactional_id();
  add.v3_and_below_producer_id = producer_;
  add.v3_and_below_producer_epoch = epoch_;
  for (const Output& output : outputs_) {
    auto& topics = add.v3_and_below_topics;
    if (topics.empty()) topics.push_back({output.partition.topic, {}});
    topics.back().partitions.push_back(output.partition.partition);
  }
  kafka::AddPartitionsToTxnResponse added;
  const TopicPartition where = TransactionsOf(of_.transactional_id());
  ErrorCode error =
      Ask(where, server::HandleAddPartitionsToTxn, 3, add, &added,
          [](const auto& answer) {
            for (const auto& topic : answer.results_by_topic_v3_and_below) {
              for (const auto& partition : topic.results_by_partition) {
                if (partition.partition_error_code != 0) {
                  return static_cast<ErrorCode>(partition.partition_error_code);
                }
              }
            }
            return ErrorCode::kNone;
          });
  if (error == ErrorCode::kNone) {
    kafka::AddOffsetsToTxnRequest offsets{
        .transactional_id = of_.transactional_id(),
        .producer_id = producer_,
        .producer_epoch = epoch_,
        .group_id = of_.source().group};
    kafka::AddOffsetsToTxnResponse answer;
    error = Ask(where, server::HandleAddOffsetsToTxn, 3, offsets, &answer,
                [](const auto& told) {
                  return static_cast<ErrorCode>(told.error_code);
                });
  }
  if (error == ErrorCode::kNone) return true;
  Tell("cannot add partitions: " + std::string(ErrorName(error)));
  return false;
}

// All that is left, of all partitions at once.
void Application::Instance::Produce() {
  const int16_t version = new_protocol_ ? 12 : 11;
  for (Output& output : outputs_) {
    const NodeId broker = side_.LeaderOf(output.partition);
    if (broker < 0) continue;
    for (Batch& batch : output.batches) {
      if (batch.done) continue;
      kafka::ProduceRequest request{.transactional_id = of_.transactional_id(),
                                    .acks = -1,
                                    .timeout_ms = kProduceTimeoutMs};
      request.topic_data = {
          {.name = output.partition.topic,
           .partition_data = {
               {.index = output.partition.partition, .records = batch.bytes}}}};
      client_.Send<kafka::ProduceRequest, kafka::ProduceResponse>(
          broker, server::HandleProduce, version, request, true,
          [this, &batch,
           &output](std::optional<kafka::ProduceResponse> response) {
            if (!response) return;
            const auto& told =
                response->responses.at(0).partition_responses.at(0);
            const auto error = static_cast<ErrorCode>(told.error_code);
            const bool repeated = error == ErrorCode::kDuplicateSequenceNumber;
            if (error != ErrorCode::kNone && !repeated) {
              if (IsPassing(error)) return;
              Tell("cannot write to " + ToString(output.partition) + ": " +
                   std::string(ErrorName(error)));
              refused_ = true;
              return;
            }
            batch.done = true;
            Offset at = told.base_offset;
            for (const Offset offset : batch.offsets) {
              const Written written{attempt_, offset};
              if (repeated) {
                side_.history.AcknowledgedSomewhere(output.partition, written);
              } else {
                side_.history.Acknowledged(output.partition, at++, written);
              }
            }
          });
    }
  }
}

bool Application::Instance::SendOutputs() {
  while (true) {
    Produce();
    client_.Await();
    if (refused_) return false;
    const bool all = std::ranges::all_of(outputs_, [](const Output& output) {
      return std::ranges::all_of(output.batches, &Batch::done);
    });
    if (all) return true;
    if (Late()) return false;
    Pause();
  }
}

bool Application::Instance::CommitOffsets() {
  const Source& source = of_.source();
  kafka::TxnOffsetCommitRequest request{
      .transactional_id = of_.transactional_id(),
      .group_id = source.group,
      .producer_id = producer_,
      .producer_epoch = epoch_};
  request.topics = {
      {.name = source.partition.topic,
       .partitions = {{.partition_index = source.partition.partition,
                       .committed_offset = to_}}}};
  kafka::TxnOffsetCommitResponse response;
  const ErrorCode error =
      Ask(OffsetsOf(source.group), server::HandleTxnOffsetCommit,
          new_protocol_ ? 5 : 4, request, &response, [](const auto& answer) {
            return static_cast<ErrorCode>(
                answer.topics.at(0).partitions.at(0).error_code);
          });
  if (error == ErrorCode::kNone) return true;
  Tell("cannot commit offsets: " + std::string(ErrorName(error)));
  return false;
}

bool Application::Instance::End(bool commit) {
  kafka::EndTxnRequest request{.transactional_id = of_.transactional_id(),
                               .producer_id = producer_,
                               .producer_epoch = epoch_,
                               .committed = commit};
  if (commit) of_.history_.AsksToCommit(attempt_);
  kafka::EndTxnResponse response;
  const ErrorCode error =
      Ask(TransactionsOf(of_.transactional_id()), server::HandleEndTxn,
          new_protocol_ ? 5 : 4, request, &response, [](const auto& answer) {
            return static_cast<ErrorCode>(answer.error_code);
          });
  if (error != ErrorCode::kNone) {
    Tell("cannot end attempt " + std::to_string(attempt_) + ": " +
         std::string(ErrorName(error)));
    return false;
  }
  Tell((commit ? "has committed " : "has aborted ") + std::to_string(attempt_));
  if (commit) {
    of_.history_.ToldCommitted(attempt_);
  } else {
    of_.history_.ToldAborted(attempt_);
  }
  if (new_protocol_) {
    producer_ = response.producer_id;
    epoch_ = response.producer_epoch;
    sequences_.clear();
  }
  return true;
}

// --- who they are

void Application::Start() {
  supervised_ = true;
  side_.scheduler.Detach(
      side_.scheduler.Spawn("supervisor", nullptr, [this] { Supervise(); }));
}

void Application::Launch() {
  ++running_;
  side_.scheduler.Detach(side_.scheduler.Spawn("application", nullptr,
                                               [this, number = ++instances_] {
                                                 Instance(*this, number).Run();
                                                 --running_;
                                               }));
}

void Application::Supervise() {
  Scheduler& scheduler = side_.scheduler;
  while (!finishing_ && !side_.stopping) {
    if (running_ == 0 || (running_ < 3 && scheduler.Chance(15))) Launch();
    scheduler.Sleep(scheduler.Between(milliseconds(5), milliseconds(300)));
  }
  while (running_ > 0) scheduler.Sleep(milliseconds(20));
  supervised_ = false;
}

std::string Application::Describe() const {
  if (!supervised_) return "";
  return " application " + std::to_string(options_.id) + " has " +
         std::to_string(running_) + " instances";
}

}  // namespace tidemark::sim
