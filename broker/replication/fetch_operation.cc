#include "broker/replication/fetch_operation.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/dispatch.h"

namespace tidemark::replication {

namespace {

constexpr int16_t kFirstFromFollowers = 11;
constexpr int16_t kFirstWithTopicIds = 13;
constexpr int16_t kFirstWithHints = 16;
constexpr int16_t kFirstWithStorageError = 6;
constexpr int16_t kFirstWithTopLevelError = 7;
constexpr int8_t kReadCommitted = 1;
// What a fetch waits for when memory is short: a batch of default producers.
constexpr size_t kLeastRead = 1024 * 1024 + 64 * 1024;
// A fetch that will not wait for records waits that long for a disk or for
// memory: it would have to come back for what it might have had.
constexpr Duration kPatience = std::chrono::seconds(1);

size_t AtLeastZero(int32_t value) {
  return static_cast<size_t>(std::max(value, 0));
}

}  // namespace

FetchOperation::FetchOperation(FetchService& service, FetchCall call,
                               kafka::FetchRequest request,
                               FetchService::Done done)
    : service_(service),
      call_(std::move(call)),
      request_(std::move(request)),
      done_(std::move(done)),
      shards_(service.replicas_.shard_count()) {}

void FetchOperation::Start() {
  reader_.replica = call_.version >= 15 ? request_.replica_state.replica_id
                                        : request_.replica_id;
  reader_.broker_epoch = request_.replica_state.replica_epoch;
  reader_.read_committed =
      !reader_.IsFollower() && request_.isolation_level == kReadCommitted;
  // Who has no rack is sent to no follower, and would take what one has not got
  // for records that are gone.
  reader_.from_any =
      call_.version >= kFirstFromFollowers && !request_.rack_id.empty();
  if (reader_.from_any && service_.options_.rack_aware) {
    reader_.rack = request_.rack_id;
    reader_.listener = call_.listener;
  }
  if (const ErrorCode refused = CheckReader(); refused != ErrorCode::kNone) {
    return AnswerError(refused);
  }
  if (reader_.IsFollower() && request_.ends_wait.session_id != 0) {
    const auto waits = service_.sessions_.Hurry(request_.ends_wait);
    if (waits != nullptr) waits->Hurry();
  }
  const Instant now = call_.on->Now();
  const FetchService::Options& options = service_.options_;
  deadline_ =
      now + std::min<Duration>(
                std::chrono::milliseconds(std::max(request_.max_wait_ms, 0)),
                options.max_wait);
  max_bytes_ =
      std::min(AtLeastZero(request_.max_bytes), AtLeastZero(options.max_bytes));
  min_bytes_ = std::min(AtLeastZero(request_.min_bytes), max_bytes_);
  auto begun = service_.sessions_.Begin(
      request_, call_.version >= kFirstWithTopicIds, reader_.IsFollower(), now);
  if (!begun) return AnswerError(begun.error().code);
  session_ = begun->session;
  incremental_ = begun->incremental;
  hurry_ = begun->hurried;
  if (reader_.IsFollower() && session_->id() != 0) {
    service_.sessions_.UsedBy(*session_, weak_from_this());
  }
  Ask(session_->Update(request_));
  Read();
}

// Only brokers follow, and ours say who they are and what they have on disk:
// anyone else could move high watermarks past records that no follower has.
ErrorCode FetchOperation::CheckReader() const {
  if (!reader_.IsFollower()) return ErrorCode::kNone;
  if (reader_.broker_epoch < 0) return ErrorCode::kClusterAuthorizationFailed;
  for (const auto& topic : request_.topics) {
    for (const auto& asked : topic.partitions) {
      if (asked.flushed_offset < 0) {
        return ErrorCode::kClusterAuthorizationFailed;
      }
    }
  }
  const auto* broker = service_.metadata_.Get()->FindBroker(reader_.replica);
  // One that this broker has not heard of yet, or one that is newer.
  if (broker == nullptr || reader_.broker_epoch > broker->epoch) {
    return ErrorCode::kBrokerIdNotRegistered;
  }
  return reader_.broker_epoch < broker->epoch ? ErrorCode::kStaleBrokerEpoch
                                              : ErrorCode::kNone;
}

void FetchOperation::Ask(FetchSession::Changes changes) {
  const metadata::ImagePtr image = service_.metadata_.Get();
  parts_.reserve(changes.asked.size());
  for (const auto& partition : changes.forgotten) {
    if (partition->shard == FetchedPartition::kNone) continue;
    shards_[partition->shard].call.forgotten.push_back(partition.get());
  }
  forgotten_ = std::move(changes.forgotten);
  for (FetchedPartition* partition : changes.asked) {
    AskShard(*partition, *image);
  }
  if (call_.may_read) {
    rules_ = image->acls().state();
    if (session_->SortBy(call_.asker, rules_)) SortAnew(*image);
    for (FetchedPartition* partition : session_->refused()) Refuse(*partition);
  }
  for (FetchedPartition* partition :
       std::vector(session_->unknown().begin(), session_->unknown().end())) {
    if (partition->part == FetchedPartition::kNone) {
      AskShard(*partition, *image);
    }
  }
}

// A topic that is not known by its id is nobody's to read.
bool FetchOperation::MayRead(FetchedPartition& partition,
                             const metadata::Image& image) const {
  if (!call_.may_read) return true;
  if (call_.version >= kFirstWithTopicIds) {
    const metadata::TopicImage* topic = image.FindTopic(partition.topic_id);
    if (topic == nullptr) return true;
    partition.topic = topic->name;
  }
  return call_.may_read(image, partition.topic);
}

void FetchOperation::Refuse(FetchedPartition& partition) {
  if (partition.shard != FetchedPartition::kNone) {
    shards_[partition.shard].call.forgotten.push_back(&partition);
    partition.shard = FetchedPartition::kNone;
  }
  session_->unknown().erase(&partition);
  session_->refused().insert(&partition);
  FetchAnswer refused;
  refused.error = ErrorCode::kTopicAuthorizationFailed;
  Take(&partition, std::move(refused));
}

// The rules have changed, or somebody else speaks for the session.
void FetchOperation::SortAnew(const metadata::Image& image) {
  for (FetchedPartition* partition : session_->all()) {
    const bool refused = session_->refused().contains(partition);
    if (MayRead(*partition, image) != refused) continue;
    if (refused) {
      AskShard(*partition, image);
    } else {
      Refuse(*partition);
    }
  }
}

void FetchOperation::AskShard(FetchedPartition& partition,
                              const metadata::Image& image) {
  ReadItem item;
  partition.part = FetchedPartition::kNone;
  if (!MayRead(partition, image)) return Refuse(partition);
  session_->refused().erase(&partition);
  item.partition = {partition.topic, partition.asked.partition};
  if (!incremental_) Take(&partition, FetchAnswer());
  if (call_.version >= kFirstWithTopicIds) {
    item.topic_id = partition.topic_id;
    const metadata::TopicImage* topic = image.FindTopic(partition.topic_id);
    if (topic == nullptr && partition.shard == FetchedPartition::kNone) {
      FetchAnswer unknown;
      unknown.error = ErrorCode::kUnknownTopicId;
      session_->unknown().insert(&partition);
      return Take(&partition, std::move(unknown));
    }
    if (topic != nullptr) partition.topic = topic->name;
    session_->unknown().erase(&partition);
    item.partition.topic = partition.topic;
  }
  item.current_leader_epoch = partition.asked.current_leader_epoch;
  item.fetch_offset = partition.asked.fetch_offset;
  item.last_fetched_epoch = partition.asked.last_fetched_epoch;
  item.flushed_offset = partition.asked.flushed_offset;
  item.log_start_offset = partition.asked.log_start_offset;
  item.wants_committed =
      reader_.IsFollower() && partition.asked.wants_committed;
  item.forgotten = partition.asked.forgotten;
  item.max_bytes = partition.asked.partition_max_bytes;
  if (partition.shard == FetchedPartition::kNone) {
    partition.shard = service_.replicas_.ShardIndexOf(item.partition);
  }
  shards_[partition.shard].call.asked.push_back({&partition, std::move(item)});
}

// Memory for what one round may read, or else for a little of it, for which
// the fetch waits: then Read runs again when it is there, or at the deadline.
bool FetchOperation::TakeMemory() {
  if (call_.memory == nullptr || reader_.IsFollower()) return true;
  if (hurry_ && call_.memory->IsWaiting()) {
    call_.memory->StopWaiting();
    taken_ = 0;
    reads_nothing_ = true;
    return true;
  }
  if (call_.memory->IsWaiting()) return false;
  if (taken_ > 0) return true;
  const size_t wanted = std::min(session_->most_bytes(), max_bytes_);
  if (wanted == 0) return true;
  for (const size_t bytes : {wanted, std::min(wanted, kLeastRead)}) {
    taken_ = bytes;
    if (call_.memory->Take(bytes)) return true;
  }
  if (hurry_) {
    taken_ = 0;
    reads_nothing_ = true;
    return true;
  }
  call_.memory->TakeLater(taken_, *call_.on, [self = shared_from_this()] {
    if (!self->finished_ && !self->reading_) self->Read();
  });
  if (!waits_until_ && call_.on->Now() >= deadline_)
    deadline_ = call_.on->Now() + kPatience;
  Wait();
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
  waiter_.reset();
  // One visit is all there is to a fetch that will not wait and has no session.
  const bool may_wait =
      min_bytes_ > 0 && !hurry_ && call_.on->Now() < deadline_;
  const bool kept = session_->id() != 0 || may_wait || round_ > 1;
  if (may_wait) {
    waiter_ = std::make_shared<FetchWaiter>(
        *call_.on, static_cast<int64_t>(min_bytes_),
        [weak = weak_from_this(), round = round_] {
          if (const auto self = weak.lock()) self->Woken(round);
        });
  }
  size_t shards = 0;
  for (ShardRead& shard : shards_) {
    shard.wanted |= incremental_ || !shard.call.asked.empty() ||
                    !shard.call.forgotten.empty();
    shards += shard.wanted ? 1 : 0;
  }
  if (shards == 0) return ReadDone();
  reads_left_ = shards + 1;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (!shards_[i].wanted) continue;
    ReadCall& call = shards_[i].call;
    call.reader = reader_;
    call.list = kept ? session_->UseList() : 0;
    // Shards read at the same time, each within its share of the answer.
    call.budget =
        reads_nothing_
            ? 0
            : std::max<size_t>((taken_ > 0 ? taken_ : max_bytes_) / shards, 1);
    call.waiter = waiter_;
    ReadShard(i);
  }
  if (reads_left_.fetch_sub(1) == 1) ReadDone();
}

void FetchOperation::ReadShard(size_t index) {
  ReplicaShard& shard = service_.replicas_.shard(index);
  if (&shard.executor() == call_.on && call_.on == current_executor) {
    shards_[index].answers =
        shard.read().Read(std::exchange(shards_[index].call, ReadCall()));
    reads_left_.fetch_sub(1);
    return;
  }
  shard.executor().Post([self = shared_from_this(), &shard, index] {
    ShardRead& read = self->shards_[index];
    read.answers = shard.read().Read(std::exchange(read.call, ReadCall()));
    if (self->reads_left_.fetch_sub(1) == 1) {
      self->call_.on->Post([self] { self->ReadDone(); });
    }
  });
}

void FetchOperation::Take(FetchedPartition* partition, FetchAnswer answer) {
  if (partition->part == FetchedPartition::kNone) {
    partition->part = parts_.size();
    parts_.push_back({partition, {}});
  }
  parts_[partition->part].answer = std::move(answer);
}

void FetchOperation::ReadDone() {
  reading_ = false;
  for (ShardRead& shard : shards_) {
    for (ReadAnswer& read : std::exchange(shard.answers, {})) {
      Take(read.tag, std::move(read.answer));
    }
  }
  forgotten_.clear();
  size_t bytes = 0, in_memory = 0;
  bool at_once = hurry_, cold = false;
  for (const Part& part : parts_) {
    cold |= part.answer.cold;
    bytes += part.answer.records.size();
    in_memory += part.answer.records.memory();
    at_once |= part.answer.error != ErrorCode::kNone ||
               part.answer.diverging.has_value() ||
               part.answer.preferred != kNoNode || IsNews(part);
  }
  if (waiter_ == nullptr && !at_once) {
    // A follower that is not to wait has other partitions that cannot.
    const bool patient = !reader_.IsFollower() || session_->id() == 0;
    if (cold && bytes == 0 && patient && BePatient()) return Read();
    at_once = true;
  }
  // A bounded read cannot find more than its bound.
  const size_t enough = taken_ > 0 ? std::min(min_bytes_, taken_) : min_bytes_;
  if (at_once || bytes >= enough || call_.on->Now() >= deadline_) {
    KeepMemoryFor(in_memory);
    return Finish();
  }
  KeepMemoryFor(0);
  if (woken_) return Read();
  // What was found is still ready and is read again: holding it would pin it.
  for (Part& part : parts_) {
    part.answer.records = Payload();
    part.answer.aborted.clear();
  }
  Wait();
}

// A deletion waits until followers have heard of it, and their consumers wait
// for what is committed.
bool FetchOperation::IsNews(const Part& part) const {
  const FetchedPartition& told = *part.partition;
  if (!reader_.IsFollower() || !told.told) return false;
  return part.answer.log_start_offset > told.log_start_offset ||
         part.answer.keep_start > told.keep_start ||
         (told.asked.wants_committed &&
          part.answer.high_watermark > told.high_watermark);
}

// Nothing was found because nothing was in memory. Once: a fetch that waits as
// long as it may comes again.
bool FetchOperation::BePatient() {
  if (std::exchange(patient_, true)) return false;
  KeepMemoryFor(0);
  deadline_ = std::max(deadline_, call_.on->Now() + kPatience);
  min_bytes_ = std::max<size_t>(min_bytes_, 1);
  if (session_->id() != 0) return true;
  // Its list was not kept.
  const metadata::ImagePtr image = service_.metadata_.Get();
  for (Part& part : std::exchange(parts_, {}))
    AskShard(*part.partition, *image);
  return true;
}

void FetchOperation::Wait() {
  if (waits_until_) return;
  if (call_.cancellation != nullptr) {
    if (call_.cancellation->cancelled()) return TimeUp();
    call_.cancellation->Listen([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->TimeUp();
    });
  }
  waits_until_ = service_.DeadlinesOf(*call_.on).Add(
      deadline_, [self = shared_from_this()] { self->TimeUp(); });
}

void FetchOperation::Woken(uint64_t round) {
  if (finished_ || round != round_) return;
  if (reading_) {
    woken_ = true;
  } else {
    Read();
  }
}

void FetchOperation::Hurry() {
  call_.on->Post([self = shared_from_this()] { self->TimeUp(); });
}

void FetchOperation::TimeUp() {
  if (finished_) return;
  hurry_ = true;
  if (!reading_) Read();
}

kafka::FetchResponse::PartitionData FetchOperation::DataOf(
    Part& part, const metadata::Image& image,
    std::vector<NodeId>* leaders) const {
  FetchAnswer& answer = part.answer;
  kafka::FetchResponse::PartitionData data;
  data.partition_index = part.partition->asked.partition;
  ErrorCode error = answer.error;
  if (error == ErrorCode::kKafkaStorageError &&
      call_.version < kFirstWithStorageError) {
    error = ErrorCode::kNotLeaderOrFollower;
  }
  data.error_code = static_cast<int16_t>(error);
  data.high_watermark = answer.high_watermark;
  data.last_stable_offset = answer.last_stable_offset;
  data.log_start_offset = answer.log_start_offset;
  data.keep_start = answer.keep_start;
  if (answer.begin_anew) {
    data.begin_anew = {answer.begin_anew->below, answer.begin_anew->id};
  }
  if (answer.preferred != kNoNode) {
    data.preferred_read_replica = answer.preferred;
  }
  if (answer.diverging) {
    data.diverging_epoch = {answer.diverging->epoch,
                            answer.diverging->end_offset};
  }
  if (request_.isolation_level == kReadCommitted) {
    auto& aborted = data.aborted_transactions.emplace();
    aborted.reserve(answer.aborted.size());
    for (const auto& transaction : answer.aborted) {
      aborted.push_back({transaction.producer_id, transaction.first_offset});
    }
  }
  data.records = std::move(answer.records);
  if (call_.version >= kFirstWithHints &&
      (error == ErrorCode::kNotLeaderOrFollower ||
       error == ErrorCode::kFencedLeaderEpoch)) {
    const auto* row = image.FindPartition(part.partition->topic,
                                          part.partition->asked.partition);
    // An isolated leader does not send its clients to itself.
    if (row != nullptr && row->leader != service_.replicas_.self()) {
      data.current_leader = {row->leader, row->leader_epoch};
      if (row->leader >= 0) leaders->push_back(row->leader);
    }
  }
  return data;
}

void FetchOperation::AddHints(const metadata::Image& image,
                              std::vector<NodeId> leaders,
                              kafka::FetchResponse* response) const {
  std::sort(leaders.begin(), leaders.end());
  leaders.erase(std::unique(leaders.begin(), leaders.end()), leaders.end());
  for (const NodeId id : leaders) {
    const auto* broker = image.FindBroker(id);
    const auto* endpoint =
        broker == nullptr ? nullptr : broker->FindEndpoint(call_.listener);
    if (endpoint == nullptr) continue;
    kafka::FetchResponse::NodeEndpoint node;
    node.node_id = id;
    node.host = endpoint->host;
    node.port = endpoint->port;
    if (!broker->rack.empty()) node.rack = broker->rack;
    response->node_endpoints.push_back(std::move(node));
  }
}

void FetchOperation::Finish() {
  const metadata::ImagePtr image = service_.metadata_.Get();
  // What was read while it waited may be read no more.
  const bool changed = call_.may_read && image->acls().state() != rules_;
  kafka::FetchResponse response;
  response.session_id = session_->id();
  std::vector<NodeId> leaders;
  // A topic's partitions go together, whichever shard has answered.
  std::map<std::pair<Uuid, std::string>, size_t> topics;
  const bool by_id = call_.version >= kFirstWithTopicIds;
  for (Part& part : parts_) {
    FetchedPartition& partition = *part.partition;
    partition.part = FetchedPartition::kNone;
    if (changed && !MayRead(partition, *image)) {
      part.answer = FetchAnswer();
      part.answer.error = ErrorCode::kTopicAuthorizationFailed;
    }
    auto data = DataOf(part, *image, &leaders);
    if (!partition.Tell(data) && incremental_) continue;
    const auto [it, added] = topics.try_emplace(
        {partition.topic_id, by_id ? std::string() : partition.topic},
        response.responses.size());
    if (added) {
      response.responses.push_back({partition.topic, partition.topic_id, {}});
    }
    response.responses[it->second].partitions.push_back(std::move(data));
  }
  AddHints(*image, std::move(leaders), &response);
  End();
  done_(std::move(response));
  done_ = nullptr;
}

void FetchOperation::AnswerError(ErrorCode error) {
  kafka::FetchResponse response;
  response.error_code = static_cast<int16_t>(error);
  if (call_.version < kFirstWithTopLevelError) {
    for (const auto& topic : request_.topics) {
      auto& refused =
          response.responses.emplace_back(topic.topic, topic.topic_id);
      for (const auto& asked : topic.partitions) {
        kafka::FetchResponse::PartitionData data;
        data.partition_index = asked.partition;
        data.error_code = static_cast<int16_t>(error);
        data.high_watermark = -1;
        refused.partitions.push_back(std::move(data));
      }
    }
  }
  End();
  done_(std::move(response));
  done_ = nullptr;
}

// Lets go of everything but the answer.
void FetchOperation::End() {
  finished_ = true;
  waiter_.reset();
  parts_.clear();
  if (call_.cancellation != nullptr) call_.cancellation->Forget();
  if (waits_until_) service_.DeadlinesOf(*call_.on).Cancel(*waits_until_);
  if (session_ != nullptr) service_.sessions_.Release(session_);
  session_.reset();
}

}  // namespace tidemark::replication
