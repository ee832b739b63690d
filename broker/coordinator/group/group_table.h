#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/coordinator/group/group.h"
#include "broker/coordinator/group/group_records.h"
#include "broker/coordinator/group/open_transactions.h"
#include "broker/coordinator/machine/coordinator_memory.h"

namespace tidemark::coordinator {

// Where a snapshot of all groups has come to.
struct GroupCursor {
  std::optional<std::string> group_id;      // nullopt: before the first
  std::optional<TopicPartition> partition;  // nullopt: at the group's metadata
};

// All groups of one __consumer_offsets partition: the Machine
// (machine/machine.h) of the group coordinator. `Decide`s return what to write
// and whom to answer and touch soft state only; Apply alone changes what the
// log keeps. One owner; no clock, no randomness, no I/O.
class GroupTable {
 public:
  using Record = GroupRecord;
  using Decision = coordinator::Decision;
  using Cursor = GroupCursor;

  // `memory` bounds what it takes; nullptr: nothing does.
  explicit GroupTable(GroupConfig config,
                      std::shared_ptr<CoordinatorMemory> memory = nullptr)
      : config_(config), share_(std::move(memory)) {}

  static Result<LogRecord> Encode(const GroupRecord& record) {
    return EncodeGroupRecord(record);
  }
  static Result<std::optional<GroupRecord>> Decode(
      std::string_view key, std::optional<std::string_view> value) {
    return DecodeGroupRecord(key, value);
  }

  Decision Decide(const JoinRequest& request, const Context& context);
  Decision Decide(const SyncRequest& request, const Context& context);
  Decision Decide(const HeartbeatRequest& request, const Context& context);
  Decision Decide(const LeaveRequest& request, const Context& context);
  Decision Decide(const CommitRequest& request, const Context& context);
  Decision Decide(const TxnCommitRequest& request, const Context& context);
  Decision Decide(const DeleteRequest& request, const Context& context);
  Decision Decide(const DeleteOffsetsRequest& request, const Context& context);

  FetchResult Read(const FetchRequest& request) const;
  GroupDescription Read(const DescribeRequest& request) const;
  ListResult Read(const ListRequest& request) const;

  Decision Settled(const Decision& decision, bool committed, Moment at);

  std::optional<Instant> NextDeadline() const;
  // One decision for each group that was due.
  std::vector<Decision> OnTimer(Moment at);
  // Tombstones for offsets of deleted topics.
  std::vector<Decision> OnImage(const ImageDelta& delta) const;
  // One decision for each group that has something to forget. From Activate on
  // OnTimer sees to it, every offsets.retention.check.interval.ms.
  std::vector<Decision> Expire(int64_t wall_ms) const;

  void Clear();
  void Apply(const GroupRecord& record, const RecordMeta& meta);
  // Whatever epoch it has: the log takes no marker that is older than the
  // records, and a newer one ends them as well (KIP-890). Of an offset of the
  // transaction and the one that is there the record that was written last
  // counts, whichever was visible first (kafka
  // OffsetMetadataManager.replayEndTransactionMarker).
  void ApplyMarker(const Marker& marker);
  void Activate(Moment at);

  bool Snapshot(GroupCursor& cursor, size_t bytes,
                std::vector<GroupRecord>* out) const;
  size_t live_bytes() const { return live_bytes_; }
  std::optional<Offset> OldestOpenOffset() const { return open_.oldest(); }

  // About what all of it takes in memory.
  size_t footprint() const {
    return soft_ + replicated_ + open_.footprint() + in_flight_;
  }

  const std::map<std::string, Group>& groups() const { return groups_; }

 private:
  Group* Find(const std::string& group_id);
  const Group* Find(const std::string& group_id) const;
  Step NewStep(Moment at) const { return {config_, at, {}}; }
  // Ends a decision about a group: wake-up time, pending writes, disposal.
  Decision Finish(const std::string& group_id, Step step);
  void Reschedule(const Group& group);
  void Unschedule(const std::string& group_id);
  void StartExpiryInterval(Moment at);
  void DisposeIfDone(const std::string& group_id);
  template <class Request>
  Decision DecideCommit(const Request& request, const Context& context,
                        void (*commit)(Group&, const Request&, Ticket, Step&));
  template <class Request>
  bool HasRoomFor(const Request& request);
  Group& FindOrAdd(const std::string& group_id);
  void Pend(const OffsetRecord& record, const RecordMeta& meta);
  void DropOpen(Group& group, const TopicPartition& partition);
  // Makes it visible.
  void Settle(Group& group, const TopicPartition& partition,
              CommittedOffset value);
  // Applies to what is live, and counts.
  template <class R>
  void Store(Group& group, const R& record);
  void CountSoft(Group& group);
  void Publish() { share_.Set(footprint()); }

  const GroupConfig config_;
  std::map<std::string, Group> groups_;
  size_t live_bytes_ = 0;  // EncodedBytes of all that is replicated
  OpenTransactions open_;  // replicated
  // Footprints: of soft and replicated state and of records being written.
  size_t soft_ = 0;
  size_t replicated_ = 0;
  size_t in_flight_ = 0;
  CoordinatorMemory::Share share_;
  std::optional<Instant> next_expiry_;
  // Wake-up times: never later than the group's next deadline, but perhaps
  // earlier (heartbeats do not move them).
  std::map<std::string, Instant> wakeups_;
  std::set<std::pair<Instant, std::string>> wakeup_order_;
};

const std::string& GroupIdOf(const GroupRecord& record);

}  // namespace tidemark::coordinator
