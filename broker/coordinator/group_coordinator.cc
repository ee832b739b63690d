#include "broker/coordinator/group_coordinator.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <type_traits>
#include <utility>

#include "common/base/utf8.h"

namespace tidemark::coordinator {
namespace {

// Members get ids from us that must fit Kafka's strings.
constexpr size_t kMaxIdPrefix = 255;

int64_t IntOr(const BrokerConfig& config, std::string_view name,
              int64_t fallback) {
  const auto keys = config.raw().keys();
  const bool known =
      std::any_of(keys.begin(), keys.end(),
                  [&](const ConfigKey& key) { return key.name == name; });
  return known ? config.raw().GetInt(name) : fallback;
}

std::string NewMemberId(const JoinRequest& request) {
  const std::string& prefix =
      request.instance_id ? *request.instance_id : request.client_id;
  return std::string(CutUtf8(prefix, kMaxIdPrefix)) + "-" +
         ToString(Uuid::Random());
}

}  // namespace

GroupConfig GroupConfigFrom(const BrokerConfig& config) {
  GroupConfig out;
  const auto read = [&](auto& field, std::string_view name) {
    field = static_cast<std::remove_reference_t<decltype(field)>>(
        IntOr(config, name, field));
  };
  read(out.group_min_session_timeout_ms, "group.min.session.timeout.ms");
  read(out.group_max_session_timeout_ms, "group.max.session.timeout.ms");
  read(out.group_initial_rebalance_delay_ms,
       "group.initial.rebalance.delay.ms");
  read(out.group_max_size, "group.max.size");
  read(out.offset_metadata_max_bytes, "offset.metadata.max.bytes");
  // A longer one could not be written as a Kafka string.
  out.offset_metadata_max_bytes =
      std::min(out.offset_metadata_max_bytes, int32_t{INT16_MAX});
  constexpr int64_t kMinuteMs = 60'000;
  out.offsets_retention_ms =
      kMinuteMs * IntOr(config, "offsets.retention.minutes",
                        out.offsets_retention_ms / kMinuteMs);
  read(out.offsets_retention_check_interval_ms,
       "offsets.retention.check.interval.ms");
  read(out.offsets_commit_timeout_ms, "offsets.commit.timeout.ms");
  return out;
}

InternalTopicConfig OffsetsTopicConfig() {
  return {.name = kOffsetsTopic,
          .factor_setting = "offsets.topic.replication.factor"};
}

InternalTopicConfig OffsetsTopicConfigFrom(const BrokerConfig& config) {
  InternalTopicConfig out = OffsetsTopicConfig();
  out.partitions = static_cast<int32_t>(
      IntOr(config, "offsets.topic.num.partitions", out.partitions));
  out.replication_factor = static_cast<int16_t>(IntOr(
      config, "offsets.topic.replication.factor", out.replication_factor));
  out.segment_bytes =
      IntOr(config, "offsets.topic.segment.bytes", out.segment_bytes);
  return out;
}

SnapshotOptions SnapshotOptionsFrom(const BrokerConfig& config) {
  SnapshotOptions out;
  out.min_bytes =
      IntOr(config, "tidemark.coordinator.snapshot.min.bytes", out.min_bytes);
  out.dead_ratio =
      IntOr(config, "tidemark.coordinator.snapshot.dead.ratio", out.dead_ratio);
  return out;
}

GroupCoordinator::GroupCoordinator(const BrokerConfig& config,
                                   size_t memory_bytes, ImageHolder& metadata,
                                   ControllerClient& controller,
                                   replication::ReplicaManager& replicas)
    : GroupCoordinator(GroupConfigFrom(config), OffsetsTopicConfigFrom(config),
                       SnapshotOptionsFrom(config), memory_bytes, metadata,
                       controller, replicas) {}

GroupCoordinator::GroupCoordinator(const GroupConfig& groups,
                                   const InternalTopicConfig& topic,
                                   const SnapshotOptions& snapshots,
                                   size_t memory_bytes, ImageHolder& metadata,
                                   ControllerClient& controller,
                                   replication::ReplicaManager& replicas)
    : config_(groups),
      snapshots_(snapshots),
      metadata_(metadata),
      replicas_(replicas),
      topic_(topic, controller),
      memory_(std::make_shared<CoordinatorMemory>(memory_bytes)) {}

int32_t GroupCoordinator::PartitionCount(const metadata::Image& image) const {
  const metadata::TopicImage* topic = image.FindTopic(kOffsetsTopic);
  return topic ? static_cast<int32_t>(topic->partitions.size()) : 0;
}

namespace {

// Kafka's: who only asks may name the group that cannot be.
template <class Request>
constexpr bool TakesEmptyGroupId() {
  return std::is_same_v<Request, FetchRequest> ||
         std::is_same_v<Request, DescribeRequest>;
}

}  // namespace

Result<TopicPartition> GroupCoordinator::PartitionIn(
    const metadata::Image& image, const std::string& group_id) {
  const int32_t partitions = PartitionCount(image);
  if (partitions == 0) {
    topic_.Create(image);
    return Fail(ErrorCode::kCoordinatorNotAvailable,
                "The group coordinator is not available: "
                "__consumer_offsets is being created.");
  }
  return TopicPartition{kOffsetsTopic, PartitionOf(group_id, partitions)};
}

Result<TopicPartition> GroupCoordinator::OffsetsPartitionOf(
    const std::string& group_id) {
  return PartitionIn(*metadata_.Get(), group_id);
}

CoordinatorLocation GroupCoordinator::Locate(const std::string& group_id,
                                             const std::string& listener) {
  return LocateCoordinator(*metadata_.Get(), topic_, "group", group_id,
                           listener);
}

GroupCoordinator::PartitionPtr GroupCoordinator::Find(
    PartitionIndex partition) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  return it == partitions_.end() ? nullptr : it->second;
}

std::map<PartitionIndex, GroupCoordinator::PartitionPtr>
GroupCoordinator::All() {
  std::lock_guard lock(mutex_);
  return partitions_;
}

template <class Request>
GroupCoordinator::PartitionPtr GroupCoordinator::Route(
    const Request& request, const Done<typename Request::Answer>& done) {
  const auto refuse = [&done](ErrorCode error) {
    typename Request::Answer refused;
    refused.Fail(error);
    done(std::move(refused));
    return nullptr;
  };
  // Said alike by every broker, whoever coordinates the group that cannot be.
  if (request.group_id.empty() && !TakesEmptyGroupId<Request>()) {
    return refuse(ErrorCode::kInvalidGroupId);
  }
  const int32_t partitions = PartitionCount(*metadata_.Get());
  PartitionPtr partition = partitions > 0
                               ? Find(PartitionOf(request.group_id, partitions))
                               : nullptr;
  return partition ? partition : refuse(ErrorCode::kNotCoordinator);
}

template <class Request>
void GroupCoordinator::Submit(Request request,
                              Done<typename Request::Answer> done) {
  PartitionPtr partition = Route(request, done);
  if (!partition) return;
  partition->executor().Post(
      [partition, request = std::move(request), done = std::move(done)] {
        partition->Submit(request, done);
      });
}

template <class Request>
void GroupCoordinator::Read(Request request,
                            Done<typename Request::Answer> done) {
  PartitionPtr partition = Route(request, done);
  if (!partition) return;
  partition->executor().Post(
      [partition, request = std::move(request), done = std::move(done)] {
        done(partition->Read(request));
      });
}

void GroupCoordinator::Join(JoinRequest request, Done<JoinResult> done) {
  request.new_member_id = NewMemberId(request);
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::Sync(SyncRequest request, Done<SyncResult> done) {
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::Heartbeat(HeartbeatRequest request,
                                 Done<HeartbeatResult> done) {
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::Leave(LeaveRequest request, Done<LeaveResult> done) {
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::Commit(CommitRequest request, Done<CommitResult> done) {
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::CommitInTransaction(TxnCommitRequest request,
                                           Done<CommitResult> done) {
  Submit(std::move(request), std::move(done));
}

namespace {

// Who writes markers knows the errors of logs, not those of coordinators (kafka
// KafkaApis.handleWriteTxnMarkersRequest).
ErrorCode MarkerErrorOf(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kCoordinatorLoadInProgress:
      return ErrorCode::kNotLeaderOrFollower;
    default:
      return error;
  }
}

}  // namespace

void GroupCoordinator::EndTransaction(PartitionIndex offsets_partition,
                                      const TransactionEnd& end,
                                      std::function<void(ErrorCode)> done) {
  PartitionPtr partition = Find(offsets_partition);
  if (!partition) return done(ErrorCode::kNotLeaderOrFollower);
  partition->executor().Post([partition, end, done = std::move(done)] {
    partition->EndTransaction(
        end, [done](ErrorCode error) { done(MarkerErrorOf(error)); });
  });
}

void GroupCoordinator::Fetch(FetchRequest request, Done<FetchResult> done) {
  Read(std::move(request), std::move(done));
}

void GroupCoordinator::Delete(std::string group_id, Done<DeleteResult> done) {
  Submit(DeleteRequest{std::move(group_id)}, std::move(done));
}

void GroupCoordinator::DeleteOffsets(DeleteOffsetsRequest request,
                                     Done<DeleteOffsetsResult> done) {
  Submit(std::move(request), std::move(done));
}

void GroupCoordinator::Describe(std::string group_id,
                                Done<GroupDescription> done) {
  Read(DescribeRequest{std::move(group_id)}, std::move(done));
}

void GroupCoordinator::List(ListRequest request, Done<ListResult> done) {
  struct Gather {
    std::mutex mutex;
    ListResult result;
    size_t left = 0;
    Done<ListResult> done;
  };
  const auto partitions = All();
  if (partitions.empty()) return done({});
  auto gather = std::make_shared<Gather>();
  gather->left = partitions.size();
  gather->done = std::move(done);
  for (const auto& [index, partition] : partitions) {
    replicas_.ShardOf({kOffsetsTopic, index})
        .Post([gather, partition = partition, request] {
          ListResult part = partition->Read(request);
          std::unique_lock lock(gather->mutex);
          ListResult& all = gather->result;
          if (part.error == ErrorCode::kNone) {
            std::move(part.groups.begin(), part.groups.end(),
                      std::back_inserter(all.groups));
          } else if (part.error != ErrorCode::kNotCoordinator) {
            all.error = part.error;
          }
          if (--gather->left > 0) return;
          if (all.error != ErrorCode::kNone) all.groups.clear();
          lock.unlock();
          gather->done(std::move(all));
        });
  }
}

void GroupCoordinator::OnTopicsDeleted(const std::set<std::string>& topics) {
  if (topics.empty()) return;
  if (topics.contains(kOffsetsTopic)) ForgetPartitions();
  for (const auto& [index, partition] : All()) {
    replicas_.ShardOf({kOffsetsTopic, index})
        .Post(
            [partition = partition, topics] { partition->OnImage({topics}); });
  }
  RememberOrphans(topics);
}

// Of a partition that nobody leads now, its next leader forgets the topics;
// every broker remembers them for the case that it is the one.
void GroupCoordinator::RememberOrphans(const std::set<std::string>& topics) {
  const metadata::ImagePtr image = metadata_.Get();
  const metadata::TopicImage* offsets = image->FindTopic(kOffsetsTopic);
  if (offsets == nullptr) return;
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < offsets->partitions.size(); ++i) {
    const metadata::PartitionImage& row = *offsets->partitions[i];
    if (row.leader != kNoNode) continue;
    Orphan& orphan = orphans_[static_cast<PartitionIndex>(i)];
    if (orphan.epoch != row.leader_epoch) orphan = {row.leader_epoch, {}};
    orphan.deleted.insert(topics.begin(), topics.end());
  }
}

// Leader epochs of a topic made anew begin again at 0, so nothing of the old
// one may stay. On the shards, behind what they have announced of it, and
// before what they will announce of its successor.
void GroupCoordinator::ForgetPartitions() {
  PartitionIndex count = topic_.config().partitions;
  for (const auto& [index, partition] : All()) {
    count = std::max(count, index + 1);
  }
  for (PartitionIndex index = 0; index < count; ++index) {
    replicas_.ShardOf({kOffsetsTopic, index}).Post([this, index] {
      const PartitionPtr groups = Find(index);
      if (!groups) return;
      groups->Resign(std::numeric_limits<LeaderEpoch>::max());
      std::lock_guard lock(mutex_);
      partitions_.erase(index);
    });
  }
}

void GroupCoordinator::OnLeader(const TopicPartition& partition,
                                LeaderEpoch epoch) {
  PartitionPtr groups;
  std::set<std::string> deleted;
  {
    std::lock_guard lock(mutex_);
    // Another leader in between has seen to it, and clients may have committed
    // offsets of the topics' successors to it.
    if (auto orphan = orphans_.extract(partition.partition);
        orphan && orphan.mapped().epoch + 1 == epoch) {
      deleted = std::move(orphan.mapped().deleted);
    }
    PartitionPtr& slot = partitions_[partition.partition];
    if (!slot) {
      const CoordinatorOptions options{
          std::chrono::milliseconds(config_.offsets_commit_timeout_ms),
          snapshots_};
      slot = std::make_shared<GroupPartition>(partition, replicas_, options,
                                              GroupTable(config_, memory_));
    }
    groups = slot;
  }
  groups->Lead(epoch);
  if (!deleted.empty()) groups->OnImage({std::move(deleted)});
}

void GroupCoordinator::OnNotLeader(const TopicPartition& partition,
                                   LeaderEpoch epoch) {
  if (PartitionPtr groups = Find(partition.partition)) groups->Resign(epoch);
}

}  // namespace tidemark::coordinator
