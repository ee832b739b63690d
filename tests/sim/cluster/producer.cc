#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/record/batch_builder.h"
#include "tests/sim/cluster/client.h"

namespace tidemark::sim {

using replication::ProduceItem;
using replication::ProduceOutcome;
using std::chrono::milliseconds;

namespace {

constexpr int kMostInFlight = 5;
constexpr size_t kMostWaiting = 20;  // batches of a partition
constexpr Duration kRequestTimeout = milliseconds(1500);

}  // namespace

NodeId ClientSide::LeaderOf(const TopicPartition& partition) {
  const auto* row =
      controllers.image()->FindPartition(partition.topic, partition.partition);
  if (row == nullptr) return kNoNode;
  // Metadata may be old.
  if (scheduler.Chance(30)) {
    return row->replicas[static_cast<size_t>(
        scheduler.Below(static_cast<int64_t>(row->replicas.size())))];
  }
  return row->leader;
}

std::shared_ptr<Connection> ClientSide::Connect(NodeId self, NodeId broker) {
  return std::make_shared<Connection>(
      network, Connection::Caller{self, nullptr, &executor}, broker, peer);
}

Producer::Producer(ClientSide& side, ProducerOptions options)
    : side_(side), options_(std::move(options)), self_(200 + options_.id) {
  side_.history.AddProducer(options_.id, options_.idempotent);
  for (const auto& partition : options_.partitions) {
    streams_.push_back(std::make_unique<Stream>());
    streams_.back()->partition = partition;
  }
}

void Producer::Start() {
  side_.executor.Post([this] { Make(); });
}

void Producer::Abandon(const TopicPartition& partition) {
  if (!options_.idempotent) return;
  for (const auto& stream : streams_) {
    if (stream->partition != partition) continue;
    stream->abandoned = true;
    stream->batches.clear();
  }
}

std::string Producer::Describe() const {
  std::string text;
  for (const auto& stream : streams_) {
    if (stream->batches.empty()) continue;
    text += " producer " + std::to_string(options_.id) + " " +
            ToString(stream->partition) + ": " +
            std::to_string(stream->batches.size()) + " batches from record " +
            std::to_string(stream->batches.front().first) + ", last error " +
            std::string(ErrorName(stream->last_error)) + ", shown:" +
            side_.history.Around(stream->partition,
                                 {options_.id, stream->batches.front().first});
  }
  return text;
}

SharedBytes Producer::Build(const Batch& batch) const {
  record::BatchOptions options;
  if (options_.idempotent) {
    options.producer_id = options_.id + 1;
    options.producer_epoch = 0;
    options.base_sequence = batch.sequence;
  }
  record::BatchBuilder builder(options);
  for (int i = 0; i < batch.count; ++i) {
    const Written written{options_.id, batch.first + i};
    const auto padding = static_cast<size_t>(side_.scheduler.Below(120));
    builder.Add(side_.scheduler.WallMs(), std::nullopt,
                ValueOf(written, padding) + std::to_string(batch.attempt));
  }
  return SharedBytes(builder.Build());
}

void Producer::Make() {
  const int per_batch = 3;
  if (!finishing_) {
    Stream& stream = *streams_[static_cast<size_t>(
        side_.scheduler.Below(static_cast<int64_t>(streams_.size())))];
    if (stream.batches.size() < kMostWaiting && !stream.abandoned) {
      Batch batch;
      batch.first = stream.next;
      batch.count = 1 + static_cast<int>(side_.scheduler.Below(per_batch * 2));
      batch.sequence = stream.sequence;
      batch.bytes = Build(batch);
      stream.next += batch.count;
      stream.sequence += batch.count;
      side_.history.Made(stream.partition,
                         {options_.id, batch.first + batch.count - 1});
      stream.batches.push_back(std::move(batch));
    }
  }
  SendAll();
  const auto pause = std::chrono::microseconds(2'000'000 * per_batch /
                                               options_.records_per_second);
  side_.executor.PostAfter(side_.scheduler.Between(pause / 20, pause),
                           [this] { Make(); });
}

// The next batch of the partition that may go now.
Producer::Batch* Producer::NextOf(Stream& stream) {
  if (stream.batches.empty() || side_.scheduler.Now() < stream.not_before) {
    return nullptr;
  }
  if (stream.draining) {
    if (stream.in_flight > 0) return nullptr;
    stream.draining = false;
    stream.one_by_one = true;
  }
  // One at a time where nothing else keeps them in order, and, after an error,
  // until the first is acknowledged.
  const int most =
      options_.idempotent && !stream.one_by_one ? kMostInFlight : 1;
  if (stream.in_flight >= most) return nullptr;
  const auto next = std::ranges::find_if(
      stream.batches, [](const Batch& batch) { return !batch.in_flight; });
  if (next == stream.batches.end()) return nullptr;
  // What is sent again goes alone: a leader remembers five batches, and those
  // behind it may stand there already.
  if (next->sent && next != stream.batches.begin()) return nullptr;
  return &*next;
}

void Producer::SendAll() {
  std::map<NodeId, std::pair<Sent, std::vector<ProduceItem>>> requests;
  for (const auto& stream : streams_) {
    Batch* batch = NextOf(*stream);
    if (batch == nullptr) continue;
    // While anything is out, there: nothing may overtake it.
    const NodeId leader = stream->in_flight > 0
                              ? stream->broker
                              : side_.LeaderOf(stream->partition);
    if (leader < 0 || links_[leader].in_flight >= kMostInFlight) continue;
    auto& [sent, items] = requests[leader];
    sent.emplace_back(stream.get(), batch->first);
    if (batch->sent && !options_.idempotent) {
      ++batch->attempt;
      batch->bytes = Build(*batch);
    }
    items.push_back({stream->partition, batch->bytes});
    batch->in_flight = batch->sent = true;
    ++stream->in_flight;
    stream->broker = leader;
  }
  for (auto& [leader, request] : requests) {
    SendTo(leader, std::move(request.first), std::move(request.second));
  }
}

void Producer::SendTo(NodeId broker, Sent sent,
                      std::vector<ProduceItem> items) {
  Link& link = links_[broker];
  if (link.connection == nullptr || link.connection->failed()) {
    link.connection = side_.Connect(self_, broker);
  }
  ++link.in_flight;
  link.connection->Send(
      kRequestTimeout + milliseconds(500),
      [this, broker, sent, items = std::move(items), acks = options_.acks](
          BrokerProcess& process, SimExecutor& on,
          const std::shared_ptr<Cancellation>&,
          const Connection::Reply& reply) {
        process.core().replicas().Produce(
            items, acks, kRequestTimeout, on,
            [this, broker, sent, reply](std::vector<ProduceOutcome> outcomes) {
              reply([this, broker, sent, outcomes = std::move(outcomes)] {
                --links_[broker].in_flight;
                Answered(sent, outcomes);
              });
            });
      },
      [this, broker, sent] {
        --links_[broker].in_flight;
        Failed(sent);
      });
}

void Producer::Answered(const Sent& sent,
                        const std::vector<ProduceOutcome>& outcomes) {
  for (size_t i = 0; i < sent.size(); ++i) {
    Answered(*sent[i].first, sent[i].second, outcomes[i]);
  }
  SendAll();
}

void Producer::Answered(Stream& stream, int64_t first,
                        const ProduceOutcome& outcome) {
  const auto batch = std::ranges::find(stream.batches, first, &Batch::first);
  if (batch == stream.batches.end()) return;
  // It is there, and nobody knows where.
  const bool repeated = outcome.error == ErrorCode::kDuplicateSequenceNumber;
  if (outcome.error != ErrorCode::kNone && !repeated) {
    return FailedOne(stream, *batch, outcome.error);
  }
  for (int i = 0; options_.acks == -1 && i < batch->count; ++i) {
    const Written written{options_.id, batch->first + i};
    if (repeated) {
      side_.history.AcknowledgedSomewhere(stream.partition, written);
    } else {
      side_.history.Acknowledged(stream.partition, outcome.base_offset + i,
                                 written);
    }
  }
  LOG(INFO) << "client: producer " << options_.id << " "
            << ToString(stream.partition) << " records " << batch->first
            << " to " << batch->first + batch->count - 1 << " at "
            << outcome.base_offset;
  stream.one_by_one = false;
  --stream.in_flight;
  stream.batches.erase(batch);
}

void Producer::Failed(const Sent& sent) {
  for (const auto& [stream, first] : sent) {
    const auto batch = std::ranges::find(stream->batches, first, &Batch::first);
    if (batch == stream->batches.end()) continue;
    FailedOne(*stream, *batch, ErrorCode::kNetworkException);
  }
}

void Producer::FailedOne(Stream& stream, Batch& batch, ErrorCode error) {
  LOG(INFO) << "client: producer " << options_.id << " "
            << ToString(stream.partition) << " records " << batch.first
            << " to " << batch.first + batch.count - 1
            << " failed: " << ErrorName(error);
  batch.in_flight = false;
  --stream.in_flight;
  // Or, as Kafka's, while others are out.
  if (!options_.idempotent || side_.scheduler.Chance(500)) {
    stream.draining = true;
  }
  stream.last_error = error;
  stream.not_before =
      side_.scheduler.Now() +
      side_.scheduler.Between(milliseconds(5), milliseconds(60));
}

}  // namespace tidemark::sim
