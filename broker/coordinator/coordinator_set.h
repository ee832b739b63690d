#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "broker/coordinator/internal_topic.h"
#include "broker/coordinator/runtime/coordinator.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::coordinator {

// The coordinators of one internal topic that this broker serves, one for each
// partition that it leads. Any thread; every `done` runs once, on the executor
// of a partition or, when nothing is led here, at once on the caller's thread.
template <Machine M>
class CoordinatorSet {
 public:
  using Ptr = std::shared_ptr<Coordinator<M>>;
  using Make = std::function<Ptr(const TopicPartition&)>;

  // All arguments outlive it. `make`: on the partition's executor.
  CoordinatorSet(std::string topic, ImageHolder& metadata, Make make)
      : topic_(std::move(topic)), metadata_(metadata), make_(std::move(make)) {}

  // Of the partition that `key` belongs to, whether it is active or not.
  // nullptr: it was never led here.
  Ptr Find(std::string_view key) const {
    const metadata::ImagePtr image = metadata_.Get();
    const metadata::TopicImage* topic = image->FindTopic(topic_);
    if (topic == nullptr || topic->partitions.size() == 0) return nullptr;
    return FindPartition(
        PartitionOf(key, static_cast<int32_t>(topic->partitions.size())));
  }
  Ptr FindPartition(PartitionIndex partition) const {
    std::lock_guard lock(mutex_);
    const auto it = partitions_.find(partition);
    return it == partitions_.end() ? nullptr : it->second;
  }
  std::map<PartitionIndex, Ptr> All() const {
    std::lock_guard lock(mutex_);
    return partitions_;
  }

  template <class Request>
  void Submit(std::string_view key, Request request,
              Done<typename Request::Answer> done) {
    Ptr partition = Find(key);
    if (!partition) return Refuse<Request>(done);
    partition->executor().Post(
        [partition, request = std::move(request), done = std::move(done)] {
          partition->Submit(request, done);
        });
  }
  template <class Query>
  void Read(std::string_view key, Query query,
            Done<typename Query::Answer> done) {
    Ptr partition = Find(key);
    if (!partition) return Refuse<Query>(done);
    partition->executor().Post(
        [partition, query = std::move(query), done = std::move(done)] {
          done(partition->Read(query));
        });
  }
  // `merge(all, part)` for every partition that is served; one that is loading
  // makes all of it kCoordinatorLoadInProgress.
  template <class Query>
  void ReadAll(
      Query query,
      std::function<void(typename Query::Answer&, typename Query::Answer)>
          merge,
      Done<typename Query::Answer> done);

  // For a LeadershipListener.
  void OnLeader(const TopicPartition& partition, LeaderEpoch epoch) {
    Ptr coordinator;
    {
      std::lock_guard lock(mutex_);
      Ptr& slot = partitions_[partition.partition];
      if (!slot) slot = make_(partition);
      coordinator = slot;
    }
    coordinator->Lead(epoch);
  }
  void OnNotLeader(const TopicPartition& partition, LeaderEpoch epoch) {
    if (Ptr coordinator = FindPartition(partition.partition)) {
      coordinator->Resign(epoch);
    }
  }
  // The topic was deleted. Leader epochs of one made anew begin again at 0, so
  // nothing of the old one may stay. On the shards, behind what they have
  // announced of it, and before what they will announce of its successor.
  void Forget() {
    for (const auto& [index, coordinator] : All()) {
      coordinator->executor().Post([this, index = index, coordinator] {
        coordinator->Resign(std::numeric_limits<LeaderEpoch>::max());
        std::lock_guard lock(mutex_);
        partitions_.erase(index);
      });
    }
  }

 private:
  template <class Request>
  void Refuse(const Done<typename Request::Answer>& done) {
    typename Request::Answer refused;
    refused.Fail(ErrorCode::kNotCoordinator);
    done(std::move(refused));
  }

  const std::string topic_;
  ImageHolder& metadata_;
  const Make make_;
  mutable std::mutex mutex_;
  // Ever led here. Inactive ones stay: they are empty.
  std::map<PartitionIndex, Ptr> partitions_;  // guarded by mutex_
};

template <Machine M>
template <class Query>
void CoordinatorSet<M>::ReadAll(
    Query query,
    std::function<void(typename Query::Answer&, typename Query::Answer)> merge,
    Done<typename Query::Answer> done) {
  using Answer = typename Query::Answer;
  struct Gather {
    std::mutex mutex;
    Answer all;
    bool loading = false;
    size_t left = 0;
  };
  const auto partitions = All();
  if (partitions.empty()) return done({});
  auto gather = std::make_shared<Gather>();
  gather->left = partitions.size();
  for (const auto& [index, partition] : partitions) {
    partition->executor().Post(
        [gather, partition = partition, query, merge, done] {
          Answer part = partition->Read(query);
          std::unique_lock lock(gather->mutex);
          if (part.error == ErrorCode::kNone) {
            merge(gather->all, std::move(part));
          } else if (part.error == ErrorCode::kCoordinatorLoadInProgress) {
            gather->loading = true;
          }
          if (--gather->left > 0) return;
          if (gather->loading) {
            gather->all.Fail(ErrorCode::kCoordinatorLoadInProgress);
          }
          lock.unlock();
          done(std::move(gather->all));
        });
  }
}

}  // namespace tidemark::coordinator
