#include "broker/replication/fetch_operation.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

namespace {

constexpr int16_t kFirstWithTopicIds = 13;
constexpr int16_t kFirstWithHints = 16;
constexpr int16_t kFirstWithStorageError = 6;
constexpr int8_t kReadCommitted = 1;
// What a fetch waits for when memory is short: a batch of default producers.
constexpr size_t kLeastRead = 1024 * 1024 + 64 * 1024;

}  // namespace

FetchOperation::FetchOperation(FetchService& service, FetchCall call,
                               kafka::FetchRequest request,
                               FetchService::Done done)
    : service_(service),
      call_(std::move(call)),
      request_(std::move(request)),
      done_(std::move(done)) {}

void FetchOperation::Start() {
  reader_.replica = call_.version >= 15 ? request_.replica_state.replica_id
                                        : request_.replica_id;
  reader_.broker_epoch = request_.replica_state.replica_epoch;
  reader_.id = call_.connection_id;
  const Instant now = call_.on->Now();
  deadline_ =
      now + std::chrono::milliseconds(std::max(request_.max_wait_ms, 0));
  max_bytes_ = static_cast<size_t>(std::max(request_.max_bytes, 0));
  if (!reader_.IsFollower()) {
    max_bytes_ =
        std::min(max_bytes_, static_cast<size_t>(service_.options_.max_bytes));
  }
  min_bytes_ = std::min(static_cast<size_t>(std::max(request_.min_bytes, 0)),
                        max_bytes_);
  auto begun = service_.sessions_.Begin(
      request_, call_.version >= kFirstWithTopicIds, reader_.IsFollower(), now);
  if (!begun) return AnswerError(begun.error().code);
  session_ = begun->session;
  incremental_ = begun->incremental;
  CollectParts();
  Read();
}

void FetchOperation::CollectParts() {
  if (session_ == nullptr) {
    for (auto& topic : request_.topics) {
      for (auto& asked : topic.partitions) {
        FetchedPartition partition;
        partition.topic = topic.topic;
        partition.topic_id = topic.topic_id;
        partition.asked = asked;
        own_.push_back(std::move(partition));
      }
    }
  }
  auto& partitions = session_ == nullptr ? own_ : session_->partitions();
  const metadata::ImagePtr image = service_.metadata_.Get();
  const bool by_id = call_.version >= kFirstWithTopicIds;
  parts_.reserve(partitions.size());
  by_shard_.resize(service_.replicas_.shard_count());
  for (auto it = partitions.begin(); it != partitions.end(); ++it) {
    Part part;
    part.partition = it;
    ReadItem& item = part.item;
    item.partition = {it->topic, it->asked.partition};
    if (by_id) {
      item.topic_id = it->topic_id;
      const metadata::TopicImage* topic = image->FindTopic(it->topic_id);
      part.known = topic != nullptr;
      if (part.known) item.partition.topic = topic->name;
    }
    item.current_leader_epoch = it->asked.current_leader_epoch;
    item.fetch_offset = it->asked.fetch_offset;
    item.last_fetched_epoch = it->asked.last_fetched_epoch;
    item.flushed_offset = it->asked.flushed_offset;
    item.max_bytes = it->asked.partition_max_bytes;
    if (part.known) {
      by_shard_[service_.replicas_.ShardIndexOf(item.partition)].push_back(
          parts_.size());
    } else {
      part.answer.error = ErrorCode::kUnknownTopicId;
    }
    parts_.push_back(std::move(part));
  }
}

// Memory for what one round may read, or else for a little of it, for which
// the fetch waits: then Read runs again when it is there.
bool FetchOperation::TakeMemory() {
  if (call_.memory == nullptr || reader_.IsFollower()) return true;
  if (call_.memory->IsWaiting()) return false;
  if (taken_ > 0) return true;
  size_t wanted = 0;
  for (const Part& part : parts_) {
    wanted += static_cast<size_t>(std::max(part.item.max_bytes, 0));
  }
  wanted = std::min(wanted, max_bytes_);
  if (wanted == 0) return true;
  for (const size_t bytes : {wanted, std::min(wanted, kLeastRead)}) {
    taken_ = bytes;
    if (call_.memory->Take(bytes)) return true;
  }
  // Keeps the operation until then, or until the connection gives up waiting.
  call_.memory->TakeLater(taken_, *call_.on, [self = shared_from_this()] {
    if (!self->finished_ && !self->reading_) self->Read();
  });
  return false;
}

void FetchOperation::KeepMemoryFor(size_t bytes) {
  if (call_.memory == nullptr) return;
  if (bytes > taken_) {
    call_.memory->Charge(bytes - taken_);
  } else {
    call_.memory->Give(taken_ - bytes);
  }
  taken_ = 0;
}

void FetchOperation::Read() {
  if (!TakeMemory()) return;
  reading_ = true;
  woken_ = false;
  ++round_;
  const bool any_unknown = std::any_of(parts_.begin(), parts_.end(),
                                       [](const Part& p) { return !p.known; });
  const bool may_wait = min_bytes_ > 0 && !any_unknown &&
                        call_.on->Now() < deadline_ && !parts_.empty();
  waiter_.reset();
  if (may_wait) {
    waiter_ = std::make_shared<FetchWaiter>(
        *call_.on, static_cast<int64_t>(min_bytes_),
        [weak = weak_from_this(), round = round_] {
          if (const auto self = weak.lock()) self->Woken(round);
        });
  }
  size_t shards = 0;
  for (const auto& indexes : by_shard_) shards += indexes.empty() ? 0 : 1;
  if (shards == 0) return ReadDone();
  // Shards read at the same time, each within its share of the answer.
  const size_t readable = taken_ > 0 ? taken_ : max_bytes_;
  const size_t budget = std::max<size_t>(readable / shards, 1);
  reads_left_ = shards;
  for (size_t s = 0; s < by_shard_.size(); ++s) {
    if (by_shard_[s].empty()) continue;
    ReplicaShard& shard = service_.replicas_.shard(s);
    shard.executor().Post([self = shared_from_this(), &shard, s, budget,
                           waiter = waiter_] {
      const auto& indexes = self->by_shard_[s];
      std::vector<const ReadItem*> items;
      items.reserve(indexes.size());
      for (const size_t i : indexes) items.push_back(&self->parts_[i].item);
      auto answers =
          shard.Read(self->reader_, items, budget, self->min_bytes_, waiter);
      for (size_t i = 0; i < indexes.size(); ++i) {
        self->parts_[indexes[i]].answer = std::move(answers[i]);
      }
      if (self->reads_left_.fetch_sub(1) == 1) {
        self->call_.on->Post([self] { self->ReadDone(); });
      }
    });
  }
}

void FetchOperation::ReadDone() {
  reading_ = false;
  size_t bytes = 0;
  bool at_once = waiter_ == nullptr;
  for (const Part& part : parts_) {
    bytes += part.answer.records.size();
    at_once |= part.answer.error != ErrorCode::kNone ||
               part.answer.diverging.has_value();
  }
  // A bounded read cannot find more than its bound.
  const size_t enough = taken_ > 0 ? std::min(min_bytes_, taken_) : min_bytes_;
  if (at_once || bytes >= enough || call_.on->Now() >= deadline_) {
    KeepMemoryFor(bytes);
    return Finish();
  }
  KeepMemoryFor(0);
  if (woken_) return Read();
  // What was read is read again: holding it would pin the bytes.
  for (Part& part : parts_) part.answer.records = SharedBytes();
  if (timer_set_) return;
  timer_set_ = true;
  call_.on->PostAfter(deadline_ - call_.on->Now(), [self = shared_from_this()] {
    if (self->finished_ || self->reading_) return;
    self->Read();
  });
}

void FetchOperation::Woken(uint64_t round) {
  if (finished_ || round != round_) return;
  if (reading_) {
    woken_ = true;
  } else {
    Read();
  }
}

kafka::FetchResponse::PartitionData FetchOperation::DataOf(
    Part& part, const metadata::Image& image,
    std::vector<NodeId>* leaders) const {
  FetchAnswer& answer = part.answer;
  kafka::FetchResponse::PartitionData data;
  data.partition_index = part.item.partition.partition;
  ErrorCode error = answer.error;
  if (error == ErrorCode::kKafkaStorageError &&
      call_.version < kFirstWithStorageError) {
    error = ErrorCode::kNotLeaderOrFollower;
  }
  data.error_code = static_cast<int16_t>(error);
  data.high_watermark = answer.high_watermark;
  data.last_stable_offset = answer.high_watermark;
  data.log_start_offset = answer.log_start_offset;
  if (answer.diverging) {
    data.diverging_epoch = {answer.diverging->epoch,
                            answer.diverging->end_offset};
  }
  if (request_.isolation_level == kReadCommitted) {
    data.aborted_transactions.emplace();
  }
  data.records = std::move(answer.records);
  if (call_.version >= kFirstWithHints &&
      (error == ErrorCode::kNotLeaderOrFollower ||
       error == ErrorCode::kFencedLeaderEpoch)) {
    const auto* row = image.FindPartition(part.item.partition.topic,
                                          part.item.partition.partition);
    if (row != nullptr) {
      data.current_leader = {row->leader, row->leader_epoch};
      if (row->leader >= 0) leaders->push_back(row->leader);
    }
  }
  return data;
}

void FetchOperation::Finish() {
  finished_ = true;
  waiter_.reset();
  const metadata::ImagePtr image = service_.metadata_.Get();
  kafka::FetchResponse response;
  response.session_id = session_ == nullptr ? 0 : session_->id();
  std::vector<NodeId> leaders;
  for (Part& part : parts_) {
    auto data = DataOf(part, *image, &leaders);
    const FetchedPartition& asked = *part.partition;
    const std::string topic = asked.topic;
    const Uuid topic_id = asked.topic_id;
    if (session_ != nullptr) {
      const bool changed = session_->Tell(part.partition, data);
      if (incremental_ && !changed) continue;
    }
    if (response.responses.empty() ||
        response.responses.back().topic != topic ||
        response.responses.back().topic_id != topic_id) {
      response.responses.push_back({topic, topic_id, {}});
    }
    response.responses.back().partitions.push_back(std::move(data));
  }
  std::sort(leaders.begin(), leaders.end());
  leaders.erase(std::unique(leaders.begin(), leaders.end()), leaders.end());
  for (const NodeId id : leaders) {
    const auto* broker = image->FindBroker(id);
    const auto* endpoint =
        broker == nullptr ? nullptr : broker->FindEndpoint(call_.listener);
    if (endpoint == nullptr) continue;
    kafka::FetchResponse::NodeEndpoint node;
    node.node_id = id;
    node.host = endpoint->host;
    node.port = endpoint->port;
    if (!broker->rack.empty()) node.rack = broker->rack;
    response.node_endpoints.push_back(std::move(node));
  }
  if (session_ != nullptr) service_.sessions_.Release(session_);
  session_.reset();
  parts_.clear();
  own_.clear();
  done_(std::move(response));
  done_ = nullptr;
}

void FetchOperation::AnswerError(ErrorCode error) {
  finished_ = true;
  kafka::FetchResponse response;
  response.error_code = static_cast<int16_t>(error);
  done_(std::move(response));
}

}  // namespace tidemark::replication
