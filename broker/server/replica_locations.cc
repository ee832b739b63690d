#include "broker/server/replica_locations.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::server {
namespace {

constexpr size_t kMaxReplicas = 2000;  // of one request
constexpr Duration kPauseAfterFailure = std::chrono::milliseconds(100);

// The partition of this very topic; nullptr when there is none.
const metadata::PartitionImage* FindRow(const metadata::Image& image,
                                        const Uuid& topic_id,
                                        PartitionIndex partition) {
  const metadata::TopicImage* topic = image.FindTopic(topic_id);
  if (topic == nullptr || partition < 0 ||
      static_cast<size_t>(partition) >= topic->partitions.size()) {
    return nullptr;
  }
  return topic->partitions[partition].get();
}

}  // namespace

ReplicaLocations::ReplicaLocations(NodeId self,
                                   std::map<std::string, Uuid> directories,
                                   const ImageHolder& metadata,
                                   ControllerClient& controller,
                                   Executor& executor)
    : self_(self),
      directories_(std::move(directories)),
      metadata_(metadata),
      controller_(controller),
      executor_(executor) {}

void ReplicaLocations::SetFirstImage(const metadata::Image& image) {
  std::lock_guard lock(mutex_);
  for (const auto& [name, topic] : image.topics()) {
    first_[topic->id] = topic->partitions.size();
  }
}

bool ReplicaLocations::WasThereBefore(const Uuid& topic_id,
                                      PartitionIndex partition) const {
  std::lock_guard lock(mutex_);
  const auto it = first_.find(topic_id);
  return it != first_.end() && static_cast<size_t>(partition) < it->second;
}

bool ReplicaLocations::IsCountedOn(const Uuid& topic_id,
                                   PartitionIndex partition,
                                   const metadata::PartitionImage* row) const {
  // A partition nothing has ever happened to has nothing to lose: every life of
  // a broker that was in sync has changed it.
  if (row == nullptr || row->partition_epoch == 0) return false;
  if (std::ranges::count(row->isr, self_) == 0 &&
      std::ranges::count(row->elr, self_) == 0) {
    return false;
  }
  return WasThereBefore(topic_id, partition) &&
         !(row->leader == self_ && row->recovering);
}

std::optional<Uuid> ReplicaLocations::CountedOn(
    const TopicPartition& partition) const {
  const metadata::ImagePtr image = metadata_.Get();
  const metadata::TopicImage* topic = image->FindTopic(partition.topic);
  if (topic == nullptr) return std::nullopt;
  const auto* row = FindRow(*image, topic->id, partition.partition);
  if (!IsCountedOn(topic->id, partition.partition, row)) return std::nullopt;
  return topic->id;
}

Status ReplicaLocations::MayStartOver(const TopicPartition& partition,
                                      const Uuid& topic_id, Loss loss) {
  const metadata::ImagePtr image = metadata_.Get();
  const auto* row = FindRow(*image, topic_id, partition.partition);
  if (!IsCountedOn(topic_id, partition.partition, row)) return {};
  const char* what = loss == Loss::kGone         ? "gone"
                     : loss == Loss::kOutOfSight ? "out of sight"
                                                 : "shorter than it was";
  LOG(ERROR) << "the log of an in-sync replica is " << what
             << " partition=" << ToString(partition)
             << " leader=" << row->leader
             << " leader_epoch=" << row->leader_epoch
             << ": it neither leads nor counts until it has fetched anew";
  if (loss != Loss::kOutOfSight) {
    Submit({topic_id, partition.partition},
           {directories_.begin()->second, true});
  }
  return Fail(ErrorCode::kKafkaStorageError,
              std::string("its log is ") + what +
                  ", and it is in sync by the metadata");
}

void ReplicaLocations::Damaged(const TopicPartition& partition,
                               const Uuid& topic_id) {
  const metadata::ImagePtr image = metadata_.Get();
  const auto* row = FindRow(*image, topic_id, partition.partition);
  if (row == nullptr || directories_.empty()) return;
  // Nobody has anything better.
  if (row->leader == self_ || row->isr == std::vector<NodeId>{self_}) return;
  const Uuid known = row->DirectoryOf(self_);
  const bool here = std::ranges::any_of(
      directories_, [&](const auto& entry) { return entry.second == known; });
  LOG(ERROR) << "the log of a replica is damaged partition="
             << ToString(partition) << " leader=" << row->leader
             << " leader_epoch=" << row->leader_epoch
             << ": it does not count until it has fetched anew";
  Submit({topic_id, partition.partition},
         {here ? known : directories_.begin()->second, true});
}

void ReplicaLocations::Opened(const TopicPartition& partition,
                              const Uuid& topic_id, const std::string& path) {
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return;
  const metadata::ImagePtr image = metadata_.Get();
  const auto* row = FindRow(*image, topic_id, partition.partition);
  if (row != nullptr && row->DirectoryOf(self_) == directory->second) return;
  Submit({topic_id, partition.partition}, {directory->second, false});
}

void ReplicaLocations::Moved(const TopicPartition& partition,
                             const Uuid& topic_id, const std::string& path) {
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return;
  Submit({topic_id, partition.partition}, {directory->second, false});
}

void ReplicaLocations::Submit(Key key, Report report) {
  executor_.Post([this, key, report] {
    waiting_[key] = report;
    // From a turn of its own: the others of this image come first.
    executor_.Post([this] { Send(); });
  });
}

void ReplicaLocations::Send() {
  if (busy_ || waiting_.empty()) return;
  busy_ = true;
  controller::v1::AssignReplicasRequest request;
  while (!waiting_.empty() && in_flight_.size() < kMaxReplicas) {
    auto node = waiting_.extract(waiting_.begin());
    auto* replica = request.add_replicas();
    replica->set_topic_id(node.key().first.ToBytes());
    replica->set_partition(node.key().second);
    replica->set_directory_id(node.mapped().directory.ToBytes());
    replica->set_log_was_missing(node.mapped().missing);
    in_flight_.insert(std::move(node));
  }
  controller_.AssignReplicas(
      std::move(request),
      [this](Result<controller::v1::AssignReplicasResponse> response) {
        const bool answered = response && response->error().code() == 0;
        executor_.Post([this, answered] { Done(answered); });
      });
}

void ReplicaLocations::Done(bool answered) {
  auto sent = std::exchange(in_flight_, {});
  if (answered) {
    busy_ = false;
    return Send();
  }
  // Whether it happened is unknown; the same again does no harm. What was
  // reported meanwhile is newer.
  waiting_.merge(sent);
  executor_.PostAfter(kPauseAfterFailure, [this] {
    busy_ = false;
    Send();
  });
}

}  // namespace tidemark::server
