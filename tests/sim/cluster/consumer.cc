#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/record/batch_reader.h"
#include "tests/sim/cluster/client.h"

namespace tidemark::sim {

using std::chrono::milliseconds;

namespace {

constexpr Duration kLimit = std::chrono::seconds(2);
constexpr int32_t kMaxWaitMs = 200;

// What lies on the broker's disk until it is sent.
bool LoadAll(kafka::FetchResponse* response) {
  for (auto& topic : response->responses) {
    for (auto& data : topic.partitions) {
      if (!data.records || data.records->source() == nullptr) continue;
      auto bytes = data.records->Load();
      if (!bytes) return false;
      data.records = Payload(std::move(*bytes));
    }
  }
  return true;
}

// What Kafka's consumers make of an answer's aborted transactions.
class AbortedFilter {
 public:
  explicit AbortedFilter(const kafka::FetchResponse::PartitionData& data) {
    if (!data.aborted_transactions) return;
    for (const auto& one : *data.aborted_transactions) {
      to_come_.emplace(one.first_offset, one.producer_id);
    }
  }
  // A marker, or of a transaction that was aborted.
  bool Skips(const record::BatchView& batch) {
    const record::BatchHeader& header = batch.header;
    while (!to_come_.empty() &&
           to_come_.begin()->first <= header.LastOffset()) {
      aborted_.insert(to_come_.begin()->second);
      to_come_.erase(to_come_.begin());
    }
    if (const auto marker = log::MarkerIn(header, batch.bytes)) {
      if (marker->type == record::ControlRecordType::kAbort) {
        aborted_.erase(header.producer_id);
      }
      return true;
    }
    return header.IsTransactional() && aborted_.contains(header.producer_id);
  }

 private:
  std::multimap<Offset, ProducerId> to_come_;
  std::set<ProducerId> aborted_;
};

}  // namespace

Consumer::Consumer(ClientSide& side, int id,
                   std::vector<TopicPartition> partitions, bool again,
                   bool read_committed)
    : side_(side),
      self_(300 + id),
      again_(again),
      read_committed_(read_committed) {
  for (const auto& partition : partitions) positions_[partition] = 0;
}

void Consumer::Start() {
  side_.executor.Post([this] { Poll(); });
}

void Consumer::PollAfter(Duration delay) {
  side_.executor.PostAfter(delay, [this] { Poll(); });
}

// One thing at a time, so that what it is told comes in an order.
void Consumer::Poll() {
  if (again_ && side_.scheduler.Chance(5)) {
    for (auto& [partition, position] : positions_) position = 0;
  }
  std::map<NodeId, std::vector<TopicPartition>> led;
  for (const auto& [partition, position] : positions_) {
    const NodeId leader = side_.LeaderOf(partition);
    if (leader >= 0) led[leader].push_back(partition);
  }
  if (led.empty()) return PollAfter(milliseconds(50));
  auto chosen = std::next(
      led.begin(), side_.scheduler.Below(static_cast<int64_t>(led.size())));
  if (side_.scheduler.Chance(200)) return AskLatest(chosen->second.front());
  Fetch(chosen->first, std::move(chosen->second));
}

void Consumer::Fetch(NodeId broker, std::vector<TopicPartition> partitions) {
  kafka::FetchRequest request;
  request.max_wait_ms = kMaxWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 1 << 20;
  request.isolation_level = read_committed_ ? 1 : 0;
  for (const auto& partition : partitions) {
    const auto* topic = side_.controllers.image()->FindTopic(partition.topic);
    if (topic == nullptr) continue;
    auto& asked = request.topics.emplace_back();
    asked.topic_id = topic->id;
    asked.topic = partition.topic;
    auto& from = asked.partitions.emplace_back();
    from.partition = partition.partition;
    from.fetch_offset = positions_[partition];
    from.partition_max_bytes = 1 << 17;
  }
  auto& link = links_[broker];
  if (link == nullptr || link->failed()) link = side_.Connect(self_, broker);
  link->Send(
      kLimit,
      [this, request = std::move(request)](
          BrokerProcess& process, SimExecutor& on,
          const std::shared_ptr<Cancellation>& cancellation,
          const Connection::Reply& reply) {
        replication::FetchCall call;
        call.version = kafka::FetchRequest::kMaxVersion;
        call.listener = "PLAINTEXT";
        call.on = &on;
        call.cancellation = cancellation;
        process.core().fetch().Fetch(
            call, request, [this, reply, &on](kafka::FetchResponse response) {
              // The socket takes it when it can.
              on.PostAfter(
                  side_.scheduler.Below(2) * side_.network.Delay(),
                  [this, reply, response = std::move(response)]() mutable {
                    const bool whole = LoadAll(&response);
                    reply([this, whole, response = std::move(response)] {
                      // An answer that breaks off is none.
                      if (!whole) return PollAfter(milliseconds(20));
                      Fetched(response);
                    });
                  });
            });
      },
      [this] { PollAfter(milliseconds(20)); });
}

void Consumer::Fetched(const kafka::FetchResponse& response) {
  bool anything = false;
  for (const auto& topic : response.responses) {
    const auto* known = side_.controllers.image()->FindTopic(topic.topic_id);
    if (known == nullptr) continue;
    for (const auto& data : topic.partitions) {
      const TopicPartition partition{known->name, data.partition_index};
      const Offset before = positions_[partition];
      Take(partition, data);
      anything |= positions_[partition] != before;
    }
  }
  PollAfter(anything ? Duration::zero() : milliseconds(5));
}

void Consumer::Take(const TopicPartition& partition,
                    const kafka::FetchResponse::PartitionData& data) {
  Offset& position = positions_[partition];
  const auto error = static_cast<ErrorCode>(data.error_code);
  if (error == ErrorCode::kOffsetOutOfRange) {
    // Retention was faster, or the log ends earlier now.
    position = side_.history.IsLoose(partition)
                   ? data.log_start_offset
                   : std::max(position, data.log_start_offset);
    return;
  }
  if (error != ErrorCode::kNone || !data.records) return;
  const Offset limit =
      read_committed_ ? data.last_stable_offset : data.high_watermark;
  AbortedFilter aborted(data);
  record::BatchIterator batches(data.records->bytes().view());
  while (true) {
    const auto batch = batches.Next();
    if (!batch) {
      return side_.history.Fail("a consumer was sent no batch: " +
                                ToString(batch.error()));
    }
    if (!batch->has_value()) break;
    const auto& view = **batch;
    if (const auto intact = record::ParseAndVerifyBatch(view.bytes); !intact) {
      return side_.history.Fail("a consumer was sent bad bytes: " +
                                ToString(intact.error()));
    }
    if (view.header.NextOffset() > limit) {
      return side_.history.Fail("a consumer of " + ToString(partition) +
                                " was sent offset " +
                                std::to_string(view.header.LastOffset()) +
                                " above " + std::to_string(limit));
    }
    if (read_committed_ && aborted.Skips(view)) {
      position = std::max(position, view.header.NextOffset());
      continue;
    }
    const Status read = record::ForEachRecord(
        view.bytes, [&](const record::Record& record) -> Status {
          if (record.offset < position) return {};
          const auto written = ParseValue(record.value.value_or(""));
          if (!written) {
            return Fail(ErrorCode::kInvalidRecord,
                        std::string(record.value.value_or("null")));
          }
          side_.history.Shown(partition, record.offset,
                              view.header.leader_epoch, *written);
          if (read_committed_) {
            side_.transactions.Shown(partition, record.offset, *written);
          }
          position = record.offset + 1;
          return {};
        });
    if (!read) side_.history.Fail("never sent: " + ToString(read.error()));
  }
}

void Consumer::AskLatest(const TopicPartition& partition) {
  const NodeId broker = side_.LeaderOf(partition);
  if (broker < 0) return PollAfter(milliseconds(10));
  auto& link = links_[broker];
  if (link == nullptr || link->failed()) link = side_.Connect(self_, broker);
  replication::OffsetQuery query;
  query.partition = partition;
  query.timestamp = -1;
  query.read_committed = read_committed_;
  link->Send(
      kLimit,
      [this, partition, query](BrokerProcess& process, SimExecutor& on,
                               const std::shared_ptr<Cancellation>& asker,
                               const Connection::Reply& reply) {
        process.core().fetch().FindOffsets(
            {query}, on, asker,
            [this, partition,
             reply](std::vector<Result<log::TimestampedOffset>> answers) {
              reply([this, partition, answer = answers.at(0)] {
                if (answer) {
                  side_.history.Latest(self_, partition, answer->epoch,
                                       answer->offset);
                }
                PollAfter(milliseconds(1));
              });
            });
      },
      [this] { PollAfter(milliseconds(20)); });
}

}  // namespace tidemark::sim
