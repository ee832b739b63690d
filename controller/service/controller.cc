#include "controller/service/controller.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>

#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"
#include "common/rpc/status_map.h"
#include "controller/metadata/config_decisions.h"
#include "controller/metadata/describe.h"
#include "controller/metadata/directory_decisions.h"

namespace tidemark::controller {
namespace {

using metadata::ApplyBatch;
using metadata::ImagePtr;

constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr size_t kElectionsPerRound = 1000;
// What one request may name: an answer is made on the thread that also sends
// the heartbeats of the quorum.
constexpr int kMaxDescribed = 2000;

tl::unexpected<Error> TooManyDescribed() {
  return Fail(ErrorCode::kPolicyViolation,
              "one request may name " + std::to_string(kMaxDescribed) +
                  ": ask for the rest in another, or name none for all");
}

record_v1::RecordBatch Parse(std::string_view data) {
  record_v1::RecordBatch batch;
  CHECK(batch.ParseFromArray(data.data(), static_cast<int>(data.size())))
      << "a log entry is not a record batch";
  return batch;
}

// Zero, which no broker is registered with, where it says none.
Uuid IncarnationOf(const rpc_v1::SubscribeRequest& request) {
  return Uuid::FromBytes(request.incarnation_id()).value_or(Uuid());
}

// Of what a broker says about others: a row each, at most.
std::set<NodeId> KnownOf(const google::protobuf::RepeatedField<int32_t>& ids,
                         const Image& image) {
  std::set<NodeId> known;
  const int most = static_cast<int>(image.brokers().size());
  for (int i = 0; i < std::min(ids.size(), most); ++i) {
    if (image.FindBroker(ids[i]) != nullptr) known.insert(ids[i]);
  }
  return known;
}

// What a record takes in a batch, at most.
size_t BatchBytes(const record_v1::Record& record) {
  constexpr size_t kTagAndLength = 1 + 5;
  return record.ByteSizeLong() + kTagAndLength;
}

// Where the batch that begins with records[from] ends: of as many as one entry
// of the log may have. By its bytes one is only ended in front of a record that
// says something by itself, as what happens to a broker does: half of a topic
// is none.
size_t EndOfBatch(const Records& records, size_t from) {
  // With the answer to remember, which goes with what it is about.
  const size_t end = std::min(records.size(), from + kMaxRecordsPerBatch + 1);
  size_t bytes = BatchBytes(records[from]);
  for (size_t to = from + 1; to < end; ++to) {
    bytes += BatchBytes(records[to]);
    const bool by_itself = records[to].has_change_partition() ||
                           records[to].has_change_broker() ||
                           records[to].has_register_broker() ||
                           records[to].has_unregister_broker();
    if (bytes > quorum::kMaxEntryBytes && by_itself) return to;
  }
  return end;
}

// Not a crash, and no reason to start again: another release is to be run.
void StopIfNewer(const Error& error) {
  if (error.code != ErrorCode::kUnsupportedVersion) return;
  constexpr int kExitConfig = 78;  // EX_CONFIG; systemd leaves it at that
  LOG(ERROR) << "controller: stopping, the metadata are of a newer release: "
             << error.message;
  google::FlushLogFiles(google::GLOG_INFO);
  _exit(kExitConfig);
}

// With one builder: a tail of many entries copies each part of the image once.
// `*level`: raised to what the entries need.
ImagePtr ApplyCommitted(ImagePtr base,
                        std::span<const quorum::Committed> entries,
                        int16_t* level) {
  metadata::ImageBuilder builder(std::move(base));
  for (const quorum::Committed& entry : entries) {
    const record_v1::RecordBatch batch = Parse(entry.data);
    if (Status applied = builder.Apply(batch, entry.offset); !applied) {
      StopIfNewer(applied.error());
      LOG(FATAL) << "a committed entry contradicts the metadata: "
                 << applied.error().message;
    }
    *level = std::max(*level, HighestLevel(batch));
  }
  return builder.Build(entries.back().offset, nullptr);
}

}  // namespace

Controller::Controller(ControllerOptions options, Executor* executor,
                       Randomness random)
    : options_(std::move(options)),
      executor_(executor),
      random_(std::move(random)),
      committed_(std::make_shared<metadata::Image>()),
      pending_(committed_),
      liveness_(options_.liveness) {}

Error Controller::NotActive() const {
  std::string message = "this is not the active controller";
  NodeId leader = quorum_->leader();
  if (leader != kNoNode && leader != options_.self) {
    if (auto voter = quorum_->FindVoter(leader)) {
      message +=
          "; " + rpc::FormatActiveHint({voter->id, voter->host, voter->port});
    }
  }
  return {ErrorCode::kNotController, std::move(message)};
}

Error Controller::OutcomeUnknown() const {
  Error error = NotActive();
  error.code = quorum::kOutcomeUnknown;
  error.message += "; whether the change was made is unknown";
  return error;
}

// ---- The log.

void Controller::Apply(std::span<const quorum::Committed> entries) {
  std::vector<std::pair<MetadataOffset, std::vector<Done>>> answers;
  for (const quorum::Committed& entry : entries) {
    feed_.Append(entry.offset, entry.data);
  }
  for (; !entries.empty() && !in_flight_.empty();
       entries = entries.subspan(1)) {
    auto done = ApplyOne(entries[0]);
    if (!done.empty()) answers.emplace_back(entries[0].offset, std::move(done));
  }
  if (!entries.empty()) {
    committed_ = ApplyCommitted(committed_, entries, &level_since_snapshot_);
  }
  if (in_flight_.empty()) {
    pending_ = committed_;
    draining_ = false;
  }
  // Brokers first: they wait for new leaders.
  feed_.Flush();
  for (auto& [offset, done] : answers) {
    for (Done& each : done) each(offset);
  }
}

std::vector<Controller::Done> Controller::ApplyOne(
    const quorum::Committed& entry) {
  bool own = !in_flight_.empty() && in_flight_.front().data == entry.data;
  if (own && !draining_ && in_flight_.front().offset == entry.offset) {
    committed_ = in_flight_.front().image;
    level_since_snapshot_ =
        std::max(level_since_snapshot_, in_flight_.front().level);
  } else {
    committed_ =
        ApplyCommitted(committed_, {&entry, 1}, &level_since_snapshot_);
  }
  std::vector<Done> done;
  bool as_expected = own && in_flight_.front().offset == entry.offset;
  if (own) {
    done = std::move(in_flight_.front().done);
    in_flight_.pop_front();
  }
  if (!as_expected && !in_flight_.empty()) RebuildPending();
  return done;
}

void Controller::RebuildPending() {
  pending_ = committed_;
  for (InFlight& entry : in_flight_) {
    entry.offset = pending_->offset() + 1;
    auto next = ApplyBatch(pending_, Parse(entry.data), entry.offset, nullptr);
    if (next) pending_ = *next;
    entry.image = pending_;
  }
}

std::function<void()> Controller::ReadSnapshot(SharedBytes data,
                                               MetadataOffset offset) {
  auto image = metadata::FromRecords(Parse(data.view()), offset);
  if (!image) StopIfNewer(image.error());
  LOG_IF(FATAL, !image) << "the metadata snapshot at offset=" << offset
                        << " does not load: " << image.error().message;
  // Keeps what it replaces: to drop it takes long.
  return [this, offset, other = *image, replaced = ImagePtr()]() mutable {
    replaced = std::exchange(committed_, other);
    pending_ = committed_;
    level_since_snapshot_ = metadata::kBaseLevel;
    feed_.Reset(offset);
  };
}

std::shared_ptr<const quorum::FrozenState> Controller::TakeSnapshot() {
  level_under_snapshot_ = LevelOnDisk();
  level_since_snapshot_ = metadata::kBaseLevel;
  snapshot_taken_at_ = committed_->offset();
  struct Frozen final : quorum::FrozenState {
    explicit Frozen(ImagePtr image) : image(std::move(image)) {}
    void Write(const Part& part) const override {
      metadata::WriteSnapshot(*image, part);
    }
    const ImagePtr image;
  };
  return std::make_shared<Frozen>(committed_);
}

void Controller::BecomeActive(uint64_t term) {
  if (stopping_) return;
  active_ = true;
  draining_ = false;
  term_ = term;
  ++generation_;
  ++counters_.became_active;
  pending_ = committed_;
  Instant now = executor_->Now();
  liveness_.Start(*committed_, now);
  said_.clear();
  feed_.Open(static_cast<int64_t>(term));
  last_commit_ = now;
  next_keep_alive_ = now + options_.keep_alive;
  next_balance_ = now + options_.balance_interval;
  next_unclean_ = now + options_.unclean_interval;
  LOG(INFO) << "controller: active epoch=" << term
            << " committed=" << committed_->offset();
  Tick(generation_);
}

void Controller::Resign() {
  if (!active_) return;
  active_ = false;
  ++generation_;
  pending_ = committed_;
  LOG(INFO) << "controller: no longer active epoch=" << term_;
  FailInFlight();
  feed_.Close(NotActive());
}

void Controller::Stop() {
  stopping_ = true;
  Resign();
}

void Controller::FailInFlight() {
  ++failures_;
  Error error = OutcomeUnknown();
  for (InFlight& entry : std::exchange(in_flight_, {})) {
    for (Done& done : entry.done) done(Fail(error));
  }
}

void Controller::Commit(Records records, Done done) {
  if (!active_ || draining_) return done(Fail(NotActive()));
  if (records.empty()) {
    if (in_flight_.empty()) return done(committed_->offset());
    in_flight_.back().done.push_back(
        [this, done = std::move(done)](Result<MetadataOffset> offset) {
          // Whatever becomes of what it saw, it changes nothing itself.
          done(offset ? offset : Fail(NotActive()));
        });
    return;
  }
  if (Status allowed = CheckLevels(records, *pending_); !allowed) {
    return done(Fail(allowed.error()));
  }
  done = AndNoteUnclean(records, std::move(done));
  // Applied first, all of them: what would not apply is never proposed.
  std::vector<InFlight> entries;
  ImagePtr image = pending_;
  MetadataOffset last = std::max(quorum_->status().last, image->offset());
  for (size_t from = 0; from < records.size();) {
    const size_t to = EndOfBatch(records, from);
    record_v1::RecordBatch batch;
    for (; from < to; ++from) {
      batch.mutable_records()->Add(std::move(records[from]));
    }
    auto next = ApplyBatch(image, batch, ++last, nullptr);
    if (!next) {
      LOG(ERROR) << "controller: decision dropped: " << next.error().message;
      return done(Fail(ErrorCode::kUnknownServerError,
                       "the controller decided what it may not"));
    }
    image = *next;
    entries.push_back({++next_id_,
                       last,
                       batch.SerializeAsString(),
                       image,
                       HighestLevel(batch),
                       {}});
  }
  if (entries.size() > 1) {
    // Of more than one entry the first may be committed alone.
    done = [this, done = std::move(done)](Result<MetadataOffset> offset) {
      done(offset ? offset : Fail(OutcomeUnknown()));
    };
  }
  entries.back().done.push_back(std::move(done));
  last_commit_ = executor_->Now();
  uint64_t failures = failures_;
  for (InFlight& entry : entries) {
    if (failures != failures_) {
      // Refused at once, and so is the rest.
      for (Done& each : entry.done) each(Fail(NotActive()));
      continue;
    }
    pending_ = entry.image;
    Propose(std::move(entry));
  }
}

void Controller::Propose(InFlight entry) {
  std::string data = entry.data;
  uint64_t id = entry.id;
  in_flight_.push_back(std::move(entry));
  quorum_->Propose(std::move(data), [this, generation = generation_,
                                     id](Result<MetadataOffset> result) {
    if (!result) ProposalFailed(generation, id, result.error());
  });
}

void Controller::ProposalFailed(uint64_t generation, uint64_t id,
                                const Error& error) {
  if (generation != generation_) return;
  ++failures_;
  auto found =
      std::find_if(in_flight_.begin(), in_flight_.end(),
                   [&](const InFlight& entry) { return entry.id == id; });
  if (found == in_flight_.end()) return;
  // What was decided after it rests on it and may still commit: wait for
  // that, and decide nothing new before.
  std::vector<Done> done = std::move(found->done);
  in_flight_.erase(found);
  draining_ = !in_flight_.empty();
  if (draining_) {
    RebuildPending();
  } else {
    pending_ = committed_;
  }
  // Too large, for instance: trying again would not help.
  Error answer = error;
  if (error.code == ErrorCode::kNotController) answer = NotActive();
  if (error.code == quorum::kOutcomeUnknown) answer = OutcomeUnknown();
  for (Done& each : done) each(Fail(answer));
}

template <class Response>
void Controller::Answer(Decision<Response> decision, Reply<Response> reply) {
  Commit(std::move(decision.records),
         [response = std::move(decision.response),
          reply = std::move(reply)](Result<MetadataOffset> offset) {
           if (offset) return reply(response);
           reply(Fail(offset.error()));
         });
}

template <class Request, class Response, class Decide>
void Controller::AnswerOnce(const Request& request, Reply<Response> reply,
                            const Decide& decide) {
  if (!active_) return reply(Fail(NotActive()));
  const std::string call(Response::descriptor()->full_name());
  const auto id = Uuid::FromBytes(request.request_id());
  if (!request.request_id().empty() && (!id || id->IsZero())) {
    return reply(Fail(ErrorCode::kInvalidRequest,
                      "a request id is 16 bytes, not all of them zero"));
  }
  if (const auto* known = id ? pending_->requests().Find(*id) : nullptr) {
    Decision<Response> again;
    if (known->call != call || !again.response.ParseFromString(known->answer)) {
      return reply(Fail(ErrorCode::kInvalidRequest,
                        "the request id was that of another call"));
    }
    return Answer(std::move(again), std::move(reply));
  }
  Result<Decision<Response>> decision = decide();
  if (!decision) return reply(Fail(decision.error()));
  if (id && !decision->records.empty()) {
    auto* answer = decision->records.emplace_back().mutable_answer_request();
    answer->set_request_id(request.request_id());
    answer->set_call(call);
    answer->set_answer(decision->response.SerializeAsString());
    answer->set_time_ms(executor_->WallMs());
  }
  Answer(std::move(*decision), std::move(reply));
}

Controller::Done Controller::AndNoteUnclean(const Records& records, Done done) {
  std::vector<std::string> elections;
  for (const record_v1::Record& record : records) {
    const record_v1::ChangePartition& change = record.change_partition();
    if (change.recovery() != record_v1::RECOVERING) continue;
    auto id = Uuid::FromBytes(change.topic_id());
    const auto* topic = id ? pending_->FindTopic(*id) : nullptr;
    elections.push_back("leader=" + std::to_string(change.leader()) +
                        " partition=" + (topic ? topic->name : "?") + "-" +
                        std::to_string(change.partition()));
  }
  if (elections.empty()) return done;
  return [this, elections, done](Result<MetadataOffset> offset) {
    if (offset) counters_.unclean_elections += elections.size();
    for (size_t i = 0; offset && i < elections.size(); ++i) {
      LOG(ERROR) << "controller: UNCLEAN ELECTION of " << elections[i]
                 << ": no replica with all acknowledged records is left, and "
                    "those that this one has not got are lost";
    }
    done(offset);
  };
}

template <class Response>
void Controller::Read(Reply<Response> reply, std::function<Response()> make) {
  if (!active_) return reply(Fail(NotActive()));
  quorum_->ReadIndex(
      [this, reply = std::move(reply), make = std::move(make)](Status status) {
        if (!status) return reply(Fail(NotActive()));
        reply(make());
      });
}

// ---- Brokers.

void Controller::LogOffline(const Records& records) const {
  for (const record_v1::Record& record : records) {
    for (const auto& offline : record.change_broker().offline_directories()) {
      LOG(ERROR) << "controller: broker=" << record.change_broker().broker_id()
                 << " cannot use directory=" << offline.path() << " reason=\""
                 << offline.reason()
                 << "\", moving partitions=" << records.size() - 1;
    }
  }
}

std::string Controller::LostBy(const rpc_v1::RegisterRequest& request) const {
  size_t lost = 0, last = 0;
  const NodeId id = request.broker_id();
  const metadata::TopicsImage& topics = pending_->topics();
  topics.ForEach(topics.Of(id).replicas, [&](const TopicImage&, PartitionIndex,
                                             const PartitionImage& partition) {
    if (!IsLost(partition, request)) return true;
    ++lost;
    last += partition.isr.size() == 1 && partition.isr[0] == id;
    return true;
  });
  if (lost == 0) return "";
  return "controller: broker=" + std::to_string(id) +
         " comes back without the directories of replicas=" +
         std::to_string(lost) + "; of partitions=" + std::to_string(last) +
         " it was the last in sync: these have no leader until it comes with "
         "its old disk or an unclean election is ordered";
}

bool Controller::BeingRegistered(NodeId broker) const {
  const BrokerImage* now = committed_->FindBroker(broker);
  const BrokerImage* next = pending_->FindBroker(broker);
  return next != nullptr && (now == nullptr || now->epoch != next->epoch);
}

void Controller::Register(const rpc_v1::RegisterRequest& request,
                          Reply<rpc_v1::RegisterResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  NodeId id = request.broker_id();
  auto decision = DecideRegister(*pending_, request,
                                 liveness_.HasSession(id, executor_->Now()),
                                 options_.settings);
  if (decision.response.error().code() != 0) return reply(decision.response);
  // Those that are registered, and a few that have been.
  if (said_.size() > 2 * pending_->brokers().size() + 16) {
    std::erase_if(said_, [&](const auto& said) {
      return pending_->FindBroker(said.first) == nullptr;
    });
  }
  said_[id] = {*Uuid::FromBytes(request.incarnation_id()),
               ReadFeatures(request.features())};
  auto finish =
      [this, id, incarnation = request.incarnation_id(), lost = LostBy(request),
       reply = std::move(reply)](Result<rpc_v1::RegisterResponse> response) {
        if (!response) return reply(std::move(response));
        LOG_IF(ERROR, !lost.empty()) << lost;
        const BrokerImage* broker = committed_->FindBroker(id);
        // Another incarnation came right behind, or the broker was removed.
        if (broker == nullptr || broker->incarnation.ToBytes() != incarnation) {
          response->mutable_error()->set_code(
              static_cast<int32_t>(ErrorCode::kDuplicateBrokerRegistration));
          response->mutable_error()->set_message("registered again meanwhile");
          return reply(std::move(response));
        }
        liveness_.Contact(*broker, 0, executor_->Now());
        response->set_broker_epoch(broker->epoch);
        LOG(INFO) << "controller: registered broker=" << id
                  << " epoch=" << broker->epoch << " fenced=" << broker->fenced;
        reply(std::move(response));
      };
  Answer<rpc_v1::RegisterResponse>(std::move(decision), std::move(finish));
}

void Controller::Heartbeat(const rpc_v1::HeartbeatRequest& request,
                           Reply<rpc_v1::HeartbeatResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  NodeId id = request.broker_id();
  const BrokerImage* broker = pending_->FindBroker(id);
  if (broker != nullptr && broker->epoch == request.broker_epoch()) {
    liveness_.Contact(*broker, request.metadata_offset(), executor_->Now());
    said_[id] = {broker->incarnation, ReadFeatures(request.features())};
    liveness_.Report(id, KnownOf(request.refusing_brokers(), *pending_),
                     KnownOf(request.silent_brokers(), *pending_));
    if (request.refusing_brokers_size() + request.silent_brokers_size() > 0) {
      FenceLost();
      broker = pending_->FindBroker(id);
    }
  }
  HeartbeatFacts facts{liveness_.Connected(id),
                       liveness_.ShutdownSeenByAll(*pending_, id)};
  auto decision = DecideHeartbeat(*pending_, request, facts, options_.settings);
  if (decision.response.error().code() != 0) return reply(decision.response);
  const bool was_fenced = broker->fenced;
  const bool starts_shutdown = request.want_shut_down() && !was_fenced &&
                               !broker->in_controlled_shutdown;
  const bool now_fenced = decision.response.fenced();
  auto changes = std::make_shared<Records>();
  if (starts_shutdown || was_fenced != now_fenced ||
      request.offline_directory_ids_size() > 0) {
    *changes = decision.records;
  }
  Commit(
      std::move(decision.records),
      [=, this, response = std::move(decision.response),
       reply = std::move(reply)](Result<MetadataOffset> offset) {
        if (!offset) return reply(Fail(offset.error()));
        LogOffline(*changes);
        if (starts_shutdown) {
          LOG(INFO) << "controller: broker=" << id << " shuts down, moving its "
                    << changes->size() - 1 << " partitions";
          liveness_.SetShutdownOffset(id, *offset);
        } else if (was_fenced != now_fenced) {
          LOG(INFO) << "controller: broker=" << id
                    << (now_fenced ? " fenced at its own wish" : " unfenced");
        }
        reply(response);
      });
}

void Controller::AlterPartition(const rpc_v1::AlterPartitionRequest& request,
                                Reply<rpc_v1::AlterPartitionResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  Answer(DecideAlterPartition(*pending_, request, options_.settings),
         std::move(reply));
}

void Controller::AssignReplicas(const rpc_v1::AssignReplicasRequest& request,
                                Reply<rpc_v1::AssignReplicasResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  if (request.replicas_size() > static_cast<int>(kMaxRecordsPerBatch)) {
    return reply(Fail(ErrorCode::kPolicyViolation,
                      "too many replicas in one request: send fewer"));
  }
  const auto lost = std::count_if(
      request.replicas().begin(), request.replicas().end(),
      [](const auto& replica) { return replica.log_was_missing(); });
  if (lost > 0) {
    LOG(WARNING) << "controller: broker=" << request.broker_id()
                 << " has lost the logs of replicas=" << lost;
  }
  Answer(DecideAssignReplicas(*pending_, request, options_.settings),
         std::move(reply));
}

void Controller::AllocateProducerIds(
    const rpc_v1::AllocateProducerIdsRequest& request,
    Reply<rpc_v1::AllocateProducerIdsResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  Answer(DecideAllocateProducerIds(*pending_, request), std::move(reply));
}

Status Controller::Subscribe(const rpc_v1::SubscribeRequest& request,
                             std::shared_ptr<FeedSink> sink) {
  if (!active_) return Fail(NotActive());
  if (request.cluster_id() != options_.settings.cluster_id) {
    return Fail(ErrorCode::kInconsistentClusterId,
                "broker is of cluster " + request.cluster_id() +
                    ", controllers are of " + options_.settings.cluster_id);
  }
  feed_.Subscribe(std::move(sink), request.next_offset(), *committed_);
  liveness_.FeedOpened(request.broker_id(), IncarnationOf(request),
                       executor_->Now());
  return {};
}

void Controller::FeedEnded(const rpc_v1::SubscribeRequest& request,
                           const FeedSink* sink) {
  feed_.Unsubscribe(sink);
  liveness_.FeedClosed(request.broker_id(), IncarnationOf(request),
                       executor_->Now());
  if (!active_) return;
  FenceLost();  // another one may have seen it before
  executor_->PostAfter(options_.liveness.reconnect_grace,
                       [this, generation = generation_] {
                         if (generation == generation_) FenceLost();
                       });
}

// ---- Operators.

void Controller::CreateTopics(const admin_v1::CreateTopicsRequest& request,
                              Reply<admin_v1::CreateTopicsResponse> reply) {
  AnswerOnce(request, std::move(reply), [&] {
    return DecideCreateTopics(*pending_, request, options_.settings, random_);
  });
}

void Controller::DeleteTopics(const admin_v1::DeleteTopicsRequest& request,
                              Reply<admin_v1::DeleteTopicsResponse> reply) {
  AnswerOnce(request, std::move(reply),
             [&] { return DecideDeleteTopics(*pending_, request); });
}

void Controller::CreatePartitions(
    const admin_v1::CreatePartitionsRequest& request,
    Reply<admin_v1::CreatePartitionsResponse> reply) {
  AnswerOnce(request, std::move(reply), [&] {
    return DecideCreatePartitions(*pending_, request, random_);
  });
}

void Controller::AlterConfigs(const admin_v1::AlterConfigsRequest& request,
                              Reply<admin_v1::AlterConfigsResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  // What was just allowed may be needed now.
  next_unclean_ = executor_->Now();
  AnswerOnce(request, std::move(reply),
             [&] { return DecideAlterConfigs(*pending_, request); });
}

void Controller::ElectLeaders(const admin_v1::ElectLeadersRequest& request,
                              Reply<admin_v1::ElectLeadersResponse> reply) {
  AnswerOnce(request, std::move(reply), [&] {
    return DecideElectLeaders(*pending_, request, options_.settings);
  });
}

void Controller::UnregisterBroker(
    const admin_v1::UnregisterBrokerRequest& request,
    Reply<admin_v1::UnregisterBrokerResponse> reply) {
  using Decided = Result<Decision<admin_v1::UnregisterBrokerResponse>>;
  AnswerOnce(request, std::move(reply), [&]() -> Decided {
    if (BeingRegistered(request.broker_id())) {
      // As if there was no controller yet: it is asked again in a moment.
      return Fail(ErrorCode::kNotController,
                  "the broker is registering right now: try again");
    }
    LOG(INFO) << "controller: unregistering broker=" << request.broker_id();
    return DecideUnregister(*pending_, request, options_.settings);
  });
}

void Controller::DescribeFeatures(
    const admin_v1::DescribeFeaturesRequest&,
    Reply<admin_v1::DescribeFeaturesResponse> reply) {
  Read<admin_v1::DescribeFeaturesResponse>(std::move(reply), [this] {
    return controller::DescribeFeatures(*committed_, Facts());
  });
}

void Controller::UpdateFeatures(const admin_v1::UpdateFeaturesRequest& request,
                                Reply<admin_v1::UpdateFeaturesResponse> reply) {
  if (request.updates_size() > static_cast<int>(kMaxFeatures)) {
    return reply(Fail(
        ErrorCode::kPolicyViolation,
        "one request may name " + std::to_string(kMaxFeatures) + " features"));
  }
  AnswerOnce(request, std::move(reply),
             [&] { return DecideUpdateFeatures(*pending_, Facts(), request); });
}

void Controller::DescribeTopics(const admin_v1::DescribeTopicsRequest& request,
                                Reply<admin_v1::DescribeTopicsResponse> reply) {
  if (request.names_size() > kMaxDescribed) return reply(TooManyDescribed());
  Read<admin_v1::DescribeTopicsResponse>(std::move(reply), [this, request] {
    return controller::DescribeTopics(*committed_, request);
  });
}

void Controller::DescribeConfigs(
    const admin_v1::DescribeConfigsRequest& request,
    Reply<admin_v1::DescribeConfigsResponse> reply) {
  if (request.resources_size() > kMaxDescribed) {
    return reply(TooManyDescribed());
  }
  Read<admin_v1::DescribeConfigsResponse>(std::move(reply), [this, request] {
    return controller::DescribeConfigs(*committed_, request, options_.settings);
  });
}

void Controller::DescribeCluster(
    const admin_v1::DescribeClusterRequest&,
    Reply<admin_v1::DescribeClusterResponse> reply) {
  Read<admin_v1::DescribeClusterResponse>(std::move(reply), [this] {
    auto out = controller::DescribeCluster(*committed_, options_.settings);
    out.set_active_controller(options_.self);
    return out;
  });
}

void Controller::DescribeQuorum(const admin_v1::DescribeQuorumRequest&,
                                Reply<admin_v1::DescribeQuorumResponse> reply) {
  Read<admin_v1::DescribeQuorumResponse>(std::move(reply),
                                         [this] { return QuorumSeenHere(); });
}

// ---- Time.

void Controller::Tick(uint64_t generation) {
  if (generation != generation_) return;
  FenceLost();
  BringFeatures();
  RunPeriodic(executor_->Now());
  executor_->PostAfter(kTick, [this, generation] { Tick(generation); });
}

void Controller::FenceLost() {
  for (NodeId id : liveness_.Lost(*pending_, executor_->Now())) {
    if (draining_ || BeingRegistered(id)) continue;
    Records records = DecideFence(*pending_, id, options_.settings);
    const std::string why = liveness_.WhyLost(id, executor_->Now());
    const size_t changed = records.size() - 1;
    Commit(std::move(records), [=, this](Result<MetadataOffset> offset) {
      if (!offset) return;
      ++counters_.fenced_lost;
      LOG(INFO) << "controller: broker=" << id << " lost (" << why
                << "), fenced; partitions changed=" << changed;
    });
  }
}

void Controller::RunPeriodic(Instant now) {
  if (now >= next_keep_alive_) {
    next_keep_alive_ = now + options_.keep_alive;
    feed_.KeepAlive();
  }
  Records records;
  if (now >= next_unclean_) {
    next_unclean_ = now + options_.unclean_interval;
    records =
        DecideUncleanLeaders(*pending_, options_.settings, kElectionsPerRound);
    if (records.empty()) {
      records = DecideEligibleLeaders(*pending_, options_.settings,
                                      kElectionsPerRound);
    }
  } else if (options_.balance_leaders && now >= next_balance_) {
    records = DecidePreferredLeaders(*pending_, options_.settings,
                                     kElectionsPerRound);
    // A full round: there is more to move.
    bool more = records.size() == kElectionsPerRound;
    next_balance_ = more ? now : now + options_.balance_interval;
  } else if (now - last_commit_ >= options_.max_idle) {
    records.emplace_back().mutable_no_op();
  }
  if (!records.empty()) {
    Commit(std::move(records), [](Result<MetadataOffset>) {});
  }
}

}  // namespace tidemark::controller
