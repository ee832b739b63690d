#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/replication/partition.h"
#include "tests/sim/cluster/controllers.h"
#include "tests/sim/cluster/history.h"
#include "tests/sim/cluster/machine.h"

namespace tidemark::sim {

// Looks into every broker after everything that one of its shards does, and
// fails the history when a replica is what it must not be, whether any client
// notices or not. Takes no time and no chance: a seed's run is the same with
// and without it.
//
// - B-01: 0 <= start <= high watermark <= end, start <= flushed <= end.
// - What lies below any high watermark ever is one record for ever, on every
//   replica (B-03, B-05), and what was sent once stands there once (B-26).
// - Whoever may be elected next, each member of the ISR, has on its disk all
//   that is committed, at every moment (B-02, B-04, B-12): a cut too deep
//   mostly heals before anybody leads with it, and only a power cut at the
//   right time shows what was not synced.
// - Who leads a new epoch has what was committed in earlier ones (B-04).
// - What leaders tell consumers to be the latest offset never goes back under
//   the same or a later epoch, whoever asks (B-06).
// - An offset and an epoch name one record and all in front of it, on all
//   replicas there ever were, committed or not (B-16).
class Inspector {
 public:
  Inspector(Controllers& controllers, History& history)
      : controllers_(controllers), history_(history) {}

  // From now on. These only: a topic that is made anew under its name is
  // another one. `loose`: what is committed may be lost. `alike`: records that
  // say the same are not one record that stands there twice.
  void Watch(const TopicPartition& partition, bool loose, bool alike) {
    partitions_[partition].loose = loose;
    partitions_[partition].alike = alike;
  }
  // Where what is committed ends.
  Offset EndOfCommitted(const TopicPartition& partition) const {
    const auto found = partitions_.find(partition);
    return found == partitions_.end() ? 0 : found->second.end;
  }
  // By a shard of the broker, between two of its tasks.
  void Look(BrokerProcess& process, size_t shard);
  // What is committed from `from` on may be lost, by what was done.
  void Rewind(const TopicPartition& partition, Offset from);

  // Records found below a high watermark, each once.
  uint64_t committed() const { return committed_; }

 private:
  struct Record {
    LeaderEpoch epoch = -1;
    std::string value;
    bool operator==(const Record&) const = default;
  };
  using Records = std::map<Offset, Record>;
  // One replica, as long as its process lives.
  struct Replica {
    const BrokerProcess* process = nullptr;
    LeaderEpoch epoch = -1;
    bool led = false;     // this epoch, and was looked at as its leader
    Offset checked = -1;  // below, it is what is committed
    Records above;        // from there on, as far as it was read
    // Where to go on: in this segment, and there.
    Offset segment = 0, next = 0;
    uint64_t position = 0;
    LeaderEpoch last_epoch = -1;  // of the record in front of `next`
  };
  struct Committed {
    Record record;
    LeaderEpoch in = -1;  // of the first to show it
  };
  struct State {
    bool loose = false;
    bool alike = false;
    std::map<NodeId, Replica> replicas;
    std::map<Offset, Committed> committed;
    Offset end = 0;  // of what is committed
    std::map<std::string, Offset> places;
    // By offset and epoch: the record, and the epoch of the one in front.
    std::map<std::pair<Offset, LeaderEpoch>,
             std::pair<std::string, LeaderEpoch>>
        named;
    LeaderEpoch told_epoch = -1;
    Offset told = -1;
  };
  struct At {  // what is being looked at
    const TopicPartition& name;
    State& state;
    BrokerProcess& process;
    replication::Partition& partition;
  };

  void Fail(const At& at, const std::string& what);
  void LookAt(const At& at);
  void CheckOffsets(const At& at);
  void CheckMember(const At& at);
  void CheckLatest(const At& at);
  void CheckNewLeader(const At& at, Replica& replica);
  void Read(const At& at, Replica& replica);
  static Offset FirstSegment(const At& at);
  // False: there is no more to be read now.
  bool ReadSegment(const At& at, Replica& replica);
  bool TakeBatch(const At& at, Replica& replica, std::string_view batch);
  void CheckNamed(const At& at, Replica& replica, Offset offset,
                  const Record& record);
  void Commit(const At& at, Offset offset, const Record& record);

  Controllers& controllers_;
  History& history_;
  std::map<TopicPartition, State> partitions_;
  uint64_t committed_ = 0;
};

}  // namespace tidemark::sim
