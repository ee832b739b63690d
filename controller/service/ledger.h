#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/metadata/image.h"
#include "controller/metadata/decision.h"
#include "controller/quorum/quorum.h"

namespace tidemark::controller {

// What the log says, and what the active controller has added to it.
//
// Two images: `committed` is what the log says, and all that anyone outside is
// told; `pending` adds what this node has proposed, so that a decision never
// contradicts one still on its way. A committed entry that does not apply ends
// the process, on every controller alike (KAFKA-14275).
//
// Owned by the controller; one thread, the quorum's executor.
class Ledger {
 public:
  // With the offset of the last record. kNotController: nothing has changed,
  // and nothing will. quorum::kOutcomeUnknown.
  using Done = std::function<void(Result<MetadataOffset>)>;

  Ledger();
  // Before anything else; outlives the ledger's last call.
  void Attach(quorum::Quorum* quorum) { quorum_ = quorum; }

  const metadata::ImagePtr& committed() const { return committed_; }
  const metadata::ImagePtr& pending() const { return pending_; }
  // A proposal was refused while this node leads: nothing is decided before the
  // outcome of the others is known.
  bool draining() const { return draining_; }
  bool idle() const { return in_flight_.empty(); }

  // Entries of the log. What is returned answers those whose changes they are:
  // to be called once everybody else has been told of them.
  [[nodiscard]] std::vector<std::function<void()>> Apply(
      std::span<const quorum::Committed> entries);
  // Returns what it replaces: to drop it takes long.
  metadata::ImagePtr Load(metadata::ImagePtr image);

  // As StateMachine: an entry before what was loaded.
  void StillInLog(std::string_view data);

  // The committed image, of which a snapshot is made.
  metadata::ImagePtr Freeze();
  // The log has records that the cluster's level does not allow any more: a
  // release that does not know them cannot read it before a snapshot.
  bool WantsSnapshot() const;
  // The level of metadata.version that a release must support to start from
  // this controller's disk.
  int16_t LevelOnDisk() const;

  // Proposes, in order, and calls `done` when all is committed. Without
  // records: when all that is on its way is, since the decision saw it. What
  // does not apply is not proposed (kUnknownServerError), nor what the
  // cluster's level does not allow (kUnsupportedVersion).
  void Commit(Records records, Done done);
  // This node is not active any more: forgets what it has proposed, and answers
  // quorum::kOutcomeUnknown.
  void Resign();

 private:
  struct InFlight {
    uint64_t id;
    MetadataOffset offset;  // expected
    std::string data;
    metadata::ImagePtr image;  // after it
    int16_t level;             // that its records need
    std::vector<Done> done;
  };
  Result<std::vector<InFlight>> Prepare(Records records);
  void AfterAllInFlight(Done done);
  void Propose(InFlight entry);
  void Refused(uint64_t generation, uint64_t id, const Error& error);
  std::vector<Done> ApplyOne(const quorum::Committed& entry);
  void RebuildPending();

  quorum::Quorum* quorum_ = nullptr;
  metadata::ImagePtr committed_, pending_;
  std::deque<InFlight> in_flight_;
  bool draining_ = false;
  uint64_t generation_ = 0;  // of leadership; older callbacks say nothing
  uint64_t next_id_ = 0;
  uint64_t failures_ = 0;  // proposals that failed

  // Of applied records, and of those that the log still has behind the snapshot
  // that was loaded; metadata::kBaseLevel when one is taken. What that one
  // covers is on disk until it is stored.
  int16_t level_since_snapshot_ = metadata::kBaseLevel;
  int16_t level_under_snapshot_ = metadata::kBaseLevel;
  MetadataOffset snapshot_taken_at_ = 0;
};

// The records of one entry of the log, or of a snapshot. kKafkaStorageError for
// what is none: it came from a disk or from a peer.
Result<record_v1::RecordBatch> ParseEntry(std::string_view data);

// The level of metadata.version that all of a batch needs.
int16_t HighestLevel(const record_v1::RecordBatch& batch);

// Where the metadata are of a newer release, or are none, the process ends, in
// order and with what to do: to start it again would not help.
void StopIfUnreadable(const Error& error);

}  // namespace tidemark::controller
