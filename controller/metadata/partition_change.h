#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "common/metadata/image.h"
#include "controller/metadata/view.h"

namespace tidemark::controller {

using metadata::BrokerImage;
using metadata::Image;
using metadata::PartitionImage;
using metadata::TopicImage;

// Which brokers may lead or be in sync: registered, not fenced, not shutting
// down (C-10).
class Eligibility {
 public:
  explicit Eligibility(const View& view);
  // As if these brokers were already out.
  static Eligibility Without(const View& view,
                             const std::vector<NodeId>& brokers);
  // As if the broker were already in.
  static Eligibility With(const View& view, NodeId broker);

  // As if these directories of the broker were offline.
  Eligibility& WithoutDirectories(NodeId broker, std::vector<Uuid> directories);

  bool operator()(NodeId broker) const;
  // Whether the replica's log is where the metadata say: in a directory that
  // its broker has registered and can use. Not so after a disk was replaced,
  // and then the replica, however long it was in sync, is worth nothing (B-30).
  // A replica whose directory nobody has told is trusted.
  bool HasLog(const PartitionImage& partition, NodeId replica) const;
  const Image& image() const { return image_; }

 private:
  const Image& image_;
  std::vector<NodeId> out_;  // sorted
  NodeId in_ = kNoNode;
  NodeId offline_of_ = kNoNode;
  std::vector<Uuid> offline_;
};

enum class Election {
  kOnline,     // keep the leader if it can stay, else the first valid replica
  kPreferred,  // the first replica if valid, else as kOnline
};

// The directory of a broker that has one only: it has no choice where it puts a
// log, so it need not say (KIP-858). Zero for all others.
Uuid OnlyDirectory(const Image& image, NodeId broker);

// One partition's next state, by the rules C-10 to C-14. The ISR is never
// empty: its last member stays in it even when it is gone or has lost its log.
// Who was in sync when the ISR fell below min.insync.replicas is an eligible
// leader replica (KIP-966): nothing has been committed without it. When nobody
// in the ISR can lead, one of them does, and nothing committed is lost; only
// when none of all these is there with its log the partition waits, unless an
// unclean election is allowed.
//
// A partition that moves (KIP-455) has moved with the first change after which
// all that are to stay are in sync (KAFKA-15665) and one of them can lead
// (C-19).
class PartitionChange {
 public:
  // All of them outlive it.
  PartitionChange(const TopicImage& topic, PartitionIndex index,
                  const Eligibility& eligible, const Settings& settings);
  PartitionChange(const TopicImage& topic, PartitionIndex index,
                  Eligibility&& eligible, const Settings& settings) = delete;

  // Other replicas from now on, of which some are to come and some to go. The
  // ISR may be empty after Build when none of them has been in sync and nobody
  // can lead: such a change must not be.
  PartitionChange& Replicas(std::vector<NodeId> replicas,
                            std::vector<NodeId> adding,
                            std::vector<NodeId> removing);
  // The ISR wanted; defaults to the present one.
  PartitionChange& Isr(std::vector<NodeId> isr);
  PartitionChange& WithoutIsrMember(NodeId broker);
  // The replica's log is gone, or a part of it: it is no eligible leader. If it
  // was in sync, a new leader epoch begins, also under the same leader, which
  // may hold a fetch from before that would bring the replica back.
  PartitionChange& LogLost(NodeId replica);
  PartitionChange& Kind(Election kind);
  // Called only if no replica is valid.
  PartitionChange& UncleanIf(std::function<bool()> allowed);
  PartitionChange& Recovered();
  // Where a replica's log is from now on.
  PartitionChange& Directory(NodeId replica, const Uuid& directory);

  // The record, or nothing when all stays as it is.
  std::optional<record_v1::Record> Build();
  // After Build: the outcome.
  const PartitionImage& next() const { return next_; }
  bool unclean() const { return unclean_; }

 private:
  bool CanLead(NodeId broker) const;
  bool ElectFrom(const std::vector<NodeId>& candidates);
  void Elect();
  bool FinishMove();
  void Write(record_v1::ChangePartition* change) const;
  size_t MinIsr() const;
  void SetElr();

  const TopicImage& topic_;
  PartitionIndex index_;
  const PartitionImage& old_;
  const Eligibility& eligible_;
  const Settings& settings_;
  PartitionImage next_;
  // Have all that is committed, whether in the next ISR or not.
  std::vector<NodeId> complete_;
  Election kind_ = Election::kOnline;
  std::function<bool()> unclean_allowed_;
  bool unclean_ = false;
  bool lost_ = false;  // the log of a member of the ISR
};

// unclean.leader.election.enable of a topic.
bool UncleanElectionEnabled(const Image& image, const std::string& topic,
                            const Settings& settings);

}  // namespace tidemark::controller
