#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/persistent_map.h"
#include "common/base/persistent_vector.h"
#include "common/base/uuid.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// The directory of a replica whose log is lost: no directory is called so.
inline constexpr Uuid kLostDirectory = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct PartitionImage {
  std::vector<NodeId> replicas;  // preference order; [0] is preferred leader
  std::vector<NodeId> isr;       // subset of replicas, never empty
  // Replicas outside of the ISR that have all that was ever committed
  // (KIP-966): in sync when the ISR fell below min.insync.replicas, since when
  // nothing has been committed, nor may be as long as there are any.
  std::vector<NodeId> elr;
  NodeId leader = kNoNode;  // in isr, or none
  LeaderEpoch leader_epoch = 0;
  PartitionEpoch partition_epoch = 0;
  bool recovering = false;  // the leader was elected uncleanly
  // While the partition moves (KIP-455), both among the replicas: those that
  // are to come, and those that go when all that are to stay are in sync.
  std::vector<NodeId> adding, removing;
  // The log directory of each replica, in their order; empty: none is known.
  std::vector<Uuid> directories;

  // Zero when unknown, or when it is no replica.
  Uuid DirectoryOf(NodeId replica) const;
  bool moving() const { return !adding.empty() || !removing.empty(); }
  // The replicas there will be when it has moved.
  std::vector<NodeId> Target() const;
  // The replicas there were before it moved.
  std::vector<NodeId> Original() const;

  bool operator==(const PartitionImage&) const = default;
};
using PartitionPtr = std::shared_ptr<const PartitionImage>;

struct TopicImage {
  std::string name;
  Uuid id;
  // Dense from 0. Unchanged partitions are shared between images.
  PersistentVector<PartitionPtr> partitions;

  // nullptr when there is none.
  const PartitionImage* Find(PartitionIndex partition) const;
};
using TopicPtr = std::shared_ptr<const TopicImage>;

struct PartitionKey {
  Uuid topic;
  PartitionIndex partition = 0;
  auto operator<=>(const PartitionKey&) const = default;
};
using PartitionSet = PersistentSet<PartitionKey>;

// What partitions have to do with one broker. Whom it leads and where it is in
// sync is told by its replicas, which are hardly more; so a change of an ISR
// moves only a count.
struct BrokerPartitions {
  PartitionSet replicas;
  int32_t leads = 0;
  int32_t in_sync = 0;   // partitions that have it in the ISR
  int32_t eligible = 0;  // in the eligible leader replicas

  bool operator==(const BrokerPartitions&) const = default;
};

// What changed between two images, for publishers and metrics.
struct TopicsDelta {
  std::set<std::string> changed_topics;  // created, or some partition changed
  // Deleted (also when created anew under the same name).
  std::map<Uuid, TopicPtr> deleted_topics;
};

// Names that differ only in '.' and '_' give one metric name, so only one of
// them may exist: the form they share.
std::string CollisionForm(std::string_view name);

// The topics, with their partitions, and what is asked of them all. A value
// that shares what did not change with its copies; a record costs O(log n).
class TopicsImage {
 public:
  // By name, in order: entries {name, TopicPtr}.
  class Iterator;
  Iterator begin() const;
  Iterator end() const;
  size_t size() const { return by_id_.size(); }
  const TopicImage* Find(const std::string& name) const;
  const TopicImage* Find(const Uuid& id) const;
  // The name of a topic whose collision form is that of `name`; nullptr when
  // there is none.
  const std::string* FindColliding(const std::string& name) const;

  int64_t partitions() const { return partitions_; }
  // Replicas are out of sync, of those that are not still to come.
  int64_t under_replicated() const { return under_replicated_; }
  const PartitionSet& leaderless() const { return leaderless_; }
  // Led by another than the first replica, or by none.
  const PartitionSet& not_preferred() const { return not_preferred_; }
  // With eligible leader replicas.
  const PartitionSet& with_eligible() const { return with_eligible_; }
  // That are being moved to other brokers.
  const PartitionSet& moving() const { return moving_; }
  const BrokerPartitions& Of(NodeId broker) const;

  // Calls visit(topic, index, partition) for each of one of these sets, in the
  // order of topic ids, as long as it returns true.
  template <class Visit>
  void ForEach(const PartitionSet& set, const Visit& visit) const {
    ForEachFrom(set, PartitionKey{}, visit);
  }
  // Those from `first` on.
  template <class Visit>
  void ForEachFrom(const PartitionSet& set, const PartitionKey& first,
                   const Visit& visit) const {
    const TopicImage* topic = nullptr;
    for (auto at = set.lower_bound(first); at != set.end(); ++at) {
      const PartitionKey& key = at->first;
      if (topic == nullptr || topic->id != key.topic) topic = Find(key.topic);
      if (!visit(*topic, key.partition, *topic->Find(key.partition))) return;
    }
  }

  Status Apply(const v1::AddTopic& record, TopicsDelta* delta);
  // `base`: what the delta is counted from. A topic that it did not have was
  // never seen by anyone, and is not reported.
  Status Apply(const v1::RemoveTopic& record, const TopicsImage& base,
               TopicsDelta* delta);
  Status Apply(const v1::AddPartition& record, TopicsDelta* delta);
  Status Apply(const v1::ChangePartition& record, TopicsDelta* delta);
  // In the order of ids, which is that of the largest indexes.
  void ToRecords(const RecordSink& sink) const;
  // What is absent from `to` counts as deleted.
  friend void Difference(const TopicsImage& from, const TopicsImage& to,
                         TopicsDelta* delta);

 private:
  // The indexes, from what was (null: nothing) to what is.
  void Index(const PartitionKey& key, const PartitionImage* was,
             const PartitionImage* now);
  void IndexBroker(NodeId broker, const PartitionKey& key,
                   const PartitionImage* was, const PartitionImage* now);

  // Names are long, and seldom change: they are not copied with a partition.
  using Names = PersistentMap<std::string, Uuid>;
  Names names_;
  PersistentMap<Uuid, TopicPtr> by_id_;
  // Of names with a '.': collision form and name. Others are their own form.
  PersistentSet<std::pair<std::string, std::string>> dotted_;
  PersistentMap<NodeId, BrokerPartitions> by_broker_;
  PartitionSet leaderless_, not_preferred_, with_eligible_, moving_;
  int64_t partitions_ = 0, under_replicated_ = 0;
};

// Of use while the image is, unchanged.
class TopicsImage::Iterator {
 public:
  std::pair<const std::string&, const TopicPtr&> operator*() const {
    return {at_->first, *image_->by_id_.Find(at_->second)};
  }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  bool operator==(const Iterator& other) const { return at_ == other.at_; }

 private:
  friend class TopicsImage;
  Iterator(const TopicsImage* image, Names::Iterator at)
      : image_(image), at_(at) {}

  const TopicsImage* image_;
  Names::Iterator at_;
};

inline TopicsImage::Iterator TopicsImage::begin() const {
  return {this, names_.begin()};
}
inline TopicsImage::Iterator TopicsImage::end() const {
  return {this, names_.end()};
}

}  // namespace tidemark::metadata
