#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"

// What a coordinator is made of: a pure state machine whose facts are the
// records of one log partition. runtime/coordinator.h keeps it on the log and
// owns what all of them need: callers, time-outs, timers, loading, snapshots.
// Plain values; any thread.
namespace tidemark::coordinator {

// Names one waiting caller. Unique within a coordinator.
using Ticket = uint64_t;

// When something is decided.
struct Moment {
  Instant now;          // timers
  int64_t wall_ms = 0;  // timestamps in records
};

// Who asks, and when.
struct Context {
  Ticket ticket = 0;
  Moment at;
};

// A record as the log has it. No value: a tombstone. `written_at`: it says
// again, in a snapshot, what a record at that offset said.
struct LogRecord {
  std::string key;
  std::optional<std::string> value;
  std::optional<Offset> written_at = std::nullopt;
};

// Whose transaction records belong to. `verified`: the guard with which it may
// begin in the log (ReplicaManager::BeginVerification).
struct Producer {
  ProducerId id = -1;
  ProducerEpoch epoch = -1;
  uint64_t verified = 0;
  bool operator==(const Producer&) const = default;
};

// Where a record lies, or lay when it was written first
// (LogRecord::written_at). Without a producer: written by the coordinator
// itself.
struct RecordMeta {
  Offset offset = -1;
  int64_t timestamp_ms = -1;
  ProducerId producer_id = -1;
  ProducerEpoch producer_epoch = -1;
  bool transactional = false;
};

// The end of a producer's transaction in the log (a control batch).
struct Marker {
  RecordMeta meta;
  bool committed = false;
};

// The end of a producer's transaction, as its coordinator decided it.
// `coordinator_epoch`: of that coordinator.
struct TransactionEnd {
  ProducerId producer_id = -1;
  ProducerEpoch producer_epoch = -1;
  bool committed = false;
  int32_t coordinator_epoch = -1;
  // From 2 on `producer_epoch` is one above that of the transaction (KIP-890).
  int8_t transaction_version = 0;
};

// What a change of the cluster's metadata means to coordinators.
struct ImageDelta {
  std::set<std::string> deleted_topics;
};

template <class Response>
struct AnswerOf {
  Ticket ticket = 0;
  Response response;
};

// What a machine asks for: append `records` as one write and send `answers`
// when they are committed (at once when there are none). If the write fails
// every answer carries the error instead. `sequel`: what the machine wants to
// be reminded of when its write has ended; it means nothing without records.
// `producer`: all of the records are a part of this producer's transaction.
template <class Record, class Response, class Sequel>
struct DecisionOf {
  std::vector<Record> records;
  std::vector<AnswerOf<Response>> answers;
  std::optional<Sequel> sequel;
  std::optional<Producer> producer;

  // `result`: one of Response's alternatives.
  template <class Result>
  void Reply(Ticket ticket, Result result) {
    answers.emplace_back(ticket, std::move(result));
  }
};

// A machine M. Only Apply and ApplyMarker change what the log keeps; everything
// else a machine has is soft and lost when another broker takes over. A
// decision's records are applied when they are committed, so what is read is
// never taken back; what a later decision must know of a write under way is
// soft state, which Settled ends.
//
//   Decide(request, context)  one overload a kind of request; the request type
//                             names the `Answer` that its caller waits for,
//                             one of M::Response's alternatives
//   Read(query)               an `Answer` at once, of committed state
//   Settled(decision, committed, at)
//                             once for every decision with records, in order
//   OnTimer(at), NextDeadline()
//                             OnTimer has nothing to do before NextDeadline;
//                             it may come in vain
//   OnImage(delta)            while a log loads, when it has
//   Clear, Apply..., Activate a load; Activate starts the soft state
//   Snapshot(cursor, bytes, out)
//                             the next of the records that replicated state
//                             could be made of, about so many bytes of them,
//                             and whether more follow; every fact that is true
//                             from the first call to the last comes once, in
//                             an order that outlives changes in between
//   live_bytes()              about as many as they all take in the log
//
// Only a machine with transactions has:
//
//   ApplyMarker(marker)       the transaction of the marker's producer, if one
//                             is open, ends. Records that Apply was given with
//                             meta.transactional are facts from then on, or
//                             never; until then Snapshot and live_bytes leave
//                             them out. Snapshot gives the facts that a marker
//                             may yet replace with where they were written, if
//                             it matters which is newer
//   OldestOpenOffset()        of all transactions that are open, the offset of
//                             the first record that is still needed; nullopt:
//                             none is open
//
//   TakeEffects()             only a machine that wants more than its log has
//                             it: what it has come to want, a vector, each once
//
// Decode: nullopt for a kind of record that only a newer version knows; such
// records are kept. kCorruptMessage: the log is not readable.
template <class M>
concept Machine = requires(M m, const M& c, const typename M::Record& record,
                           typename M::Decision& decision,
                           typename M::Cursor& cursor,
                           std::vector<typename M::Record>& out) {
  { M::Encode(record) } -> std::same_as<Result<LogRecord>>;
  {
    M::Decode(std::string_view(), std::optional<std::string_view>())
    } -> std::same_as<Result<std::optional<typename M::Record>>>;
  {m.Clear()};
  {m.Apply(record, RecordMeta())};
  {m.Activate(Moment())};
  { m.Settled(decision, true, Moment()) } -> std::same_as<typename M::Decision>;
  { c.NextDeadline() } -> std::same_as<std::optional<Instant>>;
  { m.OnTimer(Moment()) } -> std::same_as<std::vector<typename M::Decision>>;
  {
    m.OnImage(ImageDelta())
    } -> std::same_as<std::vector<typename M::Decision>>;
  { c.Snapshot(cursor, size_t{}, &out) } -> std::same_as<bool>;
  { c.live_bytes() } -> std::same_as<size_t>;
};

}  // namespace tidemark::coordinator
