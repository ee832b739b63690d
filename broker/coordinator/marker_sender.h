#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/coordinator/peer_calls.h"
#include "broker/coordinator/transaction/requests.h"
#include "broker/metadata/image_holder.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::coordinator {

// Brings the markers of ended transactions to the leaders of their partitions
// (WriteTxnMarkers), again and again until all have them or are gone. What is
// for one broker goes there in one request, of however many transactions; one
// is under way at a time, and what comes meanwhile goes with the next.
//
// Its public methods on any thread, the rest on the executor of the calls.
// Destroyed when that has stopped.
class MarkerSender {
 public:
  // Writes what this broker leads itself; answers on the executor.
  using WriteHere =
      std::function<void(std::vector<replication::MarkerItem>,
                         std::function<void(std::vector<ErrorCode>)>)>;
  // Of which partition of __transaction_state, led in which epoch.
  struct Job {
    PartitionIndex coordinator = -1;
    LeaderEpoch epoch = -1;
    MarkerTask task;
    std::function<void()> done;  // on the executor; not when it is dropped
  };

  MarkerSender(NodeId self, ImageHolder& metadata, PeerCalls& peers,
               WriteHere here)
      : self_(self),
        metadata_(metadata),
        peers_(peers),
        executor_(peers.executor()),
        here_(std::move(here)) {}

  // Takes the place of an earlier one of the same transactional id.
  void Send(Job job);
  // Those of that coordinator in older epochs are somebody else's now.
  void Drop(PartitionIndex coordinator, LeaderEpoch older_than);

 private:
  struct Open {
    Job job;
    size_t left = 0;  // partitions
    bool dropped = false;
  };
  // One partition of one transaction.
  struct Unit {
    std::shared_ptr<Open> of;
    TopicPartition partition;
    int attempts = 0;  // that have failed
  };
  struct Queue {
    std::deque<Unit> units;
    bool out = false;
  };
  using Key = std::pair<PartitionIndex, std::string>;

  void Start(Job job);
  void Enqueue(Unit unit);
  void Pump(NodeId broker);
  void Ask(NodeId broker, std::vector<Unit> units);
  void Answered(NodeId broker, const std::vector<Unit>& units,
                const std::vector<ErrorCode>& errors);
  void Later(std::vector<Unit> units);
  void Settle(const Unit& unit);

  const NodeId self_;
  ImageHolder& metadata_;
  PeerCalls& peers_;
  Executor& executor_;
  const WriteHere here_;
  std::map<Key, std::shared_ptr<Open>> open_;
  std::map<NodeId, Queue> queues_;
};

}  // namespace tidemark::coordinator
