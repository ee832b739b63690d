#include "tests/sim/cluster/transactor.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/record/batch_builder.h"

namespace tidemark::sim {

using replication::ProduceItem;
using replication::ProduceOutcome;
using std::chrono::milliseconds;

namespace {

constexpr Duration kTurn = milliseconds(10);
constexpr Duration kRequestTimeout = milliseconds(1500);
constexpr int kMostRounds = 3;

}  // namespace

Transactor::Transactor(ClientSide& side, TransactorOptions options)
    : side_(side),
      options_(std::move(options)),
      self_(400 + options_.id),
      producer_(1000 + options_.id) {
  side_.history.AddProducer(options_.id, true);
  for (const auto& partition : options_.partitions) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->partition = partition;
  }
}

void Transactor::Start() {
  side_.executor.Post([this] { Turn(); });
}

std::string Transactor::Describe() const {
  if (state_ == State::kIdle && finishing_) return "";
  std::string text = " transactor " + std::to_string(options_.id) + " epoch " +
                     std::to_string(epoch_) +
                     (state_ == State::kEnding ? " ends" : " writes") + " in";
  for (const auto& partition : holds_) text += " " + ToString(partition);
  return text;
}

Connection& Transactor::LinkTo(NodeId broker) {
  auto& link = links_[broker];
  if (link == nullptr || link->failed()) link = side_.Connect(self_, broker);
  return *link;
}

void Transactor::Turn() {
  switch (state_) {
    case State::kIdle:
      if (!finishing_ && side_.scheduler.Chance(300)) Begin();
      break;
    case State::kWriting: {
      bool left = false;
      for (const auto& stream : streams_) {
        left |= !stream->batches.empty();
        if (side_.scheduler.Now() < stream->not_before) continue;
        for (Batch& batch : stream->batches) {
          if (!batch.in_flight) Send(*stream, batch);
        }
      }
      if (left && side_.scheduler.Now() >= give_up_) {
        Decide(false);
      } else if (!left) {
        Decide(side_.scheduler.Chance(600));
      }
      break;
    }
    case State::kEnding:
      WriteMarkers();
      break;
  }
  side_.executor.PostAfter(kTurn, [this] { Turn(); });
}

void Transactor::Begin() {
  state_ = State::kWriting;
  give_up_ = side_.scheduler.Now() +
             side_.scheduler.Between(milliseconds(100), milliseconds(3000));
  for (const auto& stream : streams_) {
    stream->first = stream->next;
    if (!holds_.empty() && side_.scheduler.Chance(500)) continue;
    holds_.insert(stream->partition);
    const auto batches = 1 + side_.scheduler.Below(3);
    for (int64_t i = 0; i < batches; ++i) {
      Batch& batch = stream->batches.emplace_back();
      batch.first = stream->next;
      batch.count = 1 + static_cast<int>(side_.scheduler.Below(3));
      batch.sequence = stream->sequence;
      record::BatchOptions options;
      options.producer_id = producer_;
      options.producer_epoch = epoch_;
      options.base_sequence = batch.sequence;
      options.transactional = true;
      record::BatchBuilder builder(options);
      for (int r = 0; r < batch.count; ++r) {
        builder.Add(side_.scheduler.WallMs(), std::nullopt,
                    ValueOf({options_.id, batch.first + r}, 10));
      }
      batch.bytes = SharedBytes(builder.Build());
      stream->next += batch.count;
      stream->sequence += batch.count;
      side_.history.Made(stream->partition, {options_.id, stream->next - 1});
    }
  }
}

bool Transactor::Holds(ProducerEpoch epoch,
                       const TopicPartition& partition) const {
  return state_ == State::kWriting && epoch == epoch_ &&
         holds_.contains(partition);
}

void Transactor::Produce(BrokerProcess& process, SimExecutor& on,
                         ProduceItem item, ProducerEpoch epoch, int rounds,
                         std::function<void(ProduceOutcome)> done) {
  process.core().replicas().Produce(
      {item}, -1, kRequestTimeout, on,
      [this, &process, &on, item, epoch, rounds,
       done = std::move(done)](std::vector<ProduceOutcome> outcomes) {
        ProduceOutcome& outcome = outcomes.at(0);
        if (outcome.verify == 0 || rounds == 0) return done(outcome);
        // To the coordinator, and back again.
        const uint64_t guard = outcome.verify;
        on.PostAfter(side_.network.Delay(), [this, &process, &on, item, epoch,
                                             rounds, guard, done] {
          const bool holds = Holds(epoch, item.partition);
          on.PostAfter(
              side_.scheduler.Below(3) * side_.network.Delay(),
              [this, &process, &on, item, epoch, rounds, guard, done, holds] {
                if (!holds) {
                  ProduceOutcome refused;
                  refused.error = ErrorCode::kInvalidTxnState;
                  return done(refused);
                }
                ProduceItem again = item;
                again.verified = guard;
                Produce(process, on, again, epoch, rounds - 1, done);
              });
        });
      });
}

void Transactor::Send(Stream& stream, Batch& batch) {
  const NodeId leader = side_.LeaderOf(stream.partition);
  if (leader < 0) return;
  batch.in_flight = true;
  LinkTo(leader).Send(
      kRequestTimeout + milliseconds(500),
      [this, &stream, epoch = epoch_, first = batch.first,
       item = ProduceItem{stream.partition, batch.bytes}](
          BrokerProcess& process, SimExecutor& on,
          const std::shared_ptr<Cancellation>&,
          const Connection::Reply& reply) {
        Produce(process, on, item, epoch, kMostRounds,
                [this, &stream, epoch, first, reply](ProduceOutcome outcome) {
                  reply([this, &stream, epoch, first, outcome] {
                    Answered(stream, epoch, first, outcome);
                  });
                });
      },
      [this, &stream, epoch = epoch_, first = batch.first] {
        Failed(stream, epoch, first, ErrorCode::kNetworkException);
      });
}

void Transactor::Answered(Stream& stream, ProducerEpoch epoch, int64_t first,
                          const ProduceOutcome& outcome) {
  const bool repeated = outcome.error == ErrorCode::kDuplicateSequenceNumber;
  if (outcome.error != ErrorCode::kNone && !repeated) {
    return Failed(stream, epoch, first, outcome.error);
  }
  // Also of a transaction that was given up: it stands there.
  const auto batch = std::ranges::find(stream.batches, first, &Batch::first);
  if (epoch != epoch_ || batch == stream.batches.end()) return;
  for (int i = 0; i < batch->count; ++i) {
    const Written written{options_.id, batch->first + i};
    if (repeated) {
      side_.history.AcknowledgedSomewhere(stream.partition, written);
    } else {
      side_.history.Acknowledged(stream.partition, outcome.base_offset + i,
                                 written);
    }
  }
  stream.batches.erase(batch);
}

void Transactor::Failed(Stream& stream, ProducerEpoch epoch, int64_t first,
                        ErrorCode error) {
  const auto batch = std::ranges::find(stream.batches, first, &Batch::first);
  if (epoch != epoch_ || batch == stream.batches.end()) return;
  LOG(INFO) << "client: transactor " << options_.id << " epoch " << epoch << " "
            << ToString(stream.partition) << " record " << first
            << " failed: " << ErrorName(error);
  batch->in_flight = false;
  stream.not_before =
      side_.scheduler.Now() +
      side_.scheduler.Between(milliseconds(5), milliseconds(60));
}

void Transactor::Decide(bool commit) {
  LOG(INFO) << "client: transactor " << options_.id << " epoch " << epoch_
            << (commit ? " commits" : " aborts");
  state_ = State::kEnding;
  commit_ = commit;
  for (const auto& stream : streams_) {
    stream->batches.clear();
    if (!commit) continue;
    side_.history.Decided(stream->partition, options_.id, stream->first,
                          stream->next);
  }
  WriteMarkers();
}

void Transactor::WriteMarkers() {
  for (const auto& partition : holds_) {
    if (!marking_.contains(partition)) WriteMarker(partition);
  }
  if (!holds_.empty()) return;
  epoch_ = static_cast<ProducerEpoch>(epoch_ + (options_.version >= 2 ? 1 : 2));
  for (const auto& stream : streams_) stream->sequence = 0;
  state_ = State::kIdle;
}

void Transactor::WriteMarker(const TopicPartition& partition) {
  const NodeId leader = side_.LeaderOf(partition);
  if (leader < 0) return;
  marking_.insert(partition);
  replication::MarkerItem item{
      partition, producer_, static_cast<ProducerEpoch>(epoch_ + 1),
      commit_,   0,         options_.version};
  LinkTo(leader).Send(
      kRequestTimeout + milliseconds(500),
      [this, item, epoch = epoch_](BrokerProcess& process, SimExecutor& on,
                                   const std::shared_ptr<Cancellation>&,
                                   const Connection::Reply& reply) {
        process.core().replicas().AppendMarkers(
            {item}, kRequestTimeout, on,
            [this, epoch, partition = item.partition,
             reply](std::vector<ErrorCode> errors) {
              reply([this, epoch, partition, error = errors.at(0)] {
                Marked(epoch, partition, error);
              });
            });
      },
      [this, epoch = epoch_, partition] {
        Marked(epoch, partition, ErrorCode::kNetworkException);
      });
}

void Transactor::Marked(ProducerEpoch epoch, const TopicPartition& partition,
                        ErrorCode error) {
  if (epoch != epoch_ || state_ != State::kEnding) return;
  marking_.erase(partition);
  if (error == ErrorCode::kNone) {
    holds_.erase(partition);
  } else if (error == ErrorCode::kInvalidProducerEpoch ||
             error == ErrorCode::kTransactionCoordinatorFenced) {
    side_.history.Fail(
        "the marker of transactor " + std::to_string(options_.id) + " epoch " +
        std::to_string(epoch) + " was refused by " + ToString(partition) +
        ": " + std::string(ErrorName(error)));
  }
}

}  // namespace tidemark::sim
