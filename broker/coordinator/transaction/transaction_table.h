#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/coordinator/machine/coordinator_memory.h"
#include "broker/coordinator/machine/machine.h"
#include "broker/coordinator/transaction/requests.h"
#include "broker/coordinator/transaction/transaction_config.h"
#include "broker/coordinator/transaction/transaction_records.h"
#include "broker/coordinator/transaction/transitions.h"

namespace tidemark::coordinator {

// All transactional ids of one __transaction_state partition: the Machine
// (machine/machine.h) of the transaction coordinator.
//
//   Empty --AddPartitions--> Ongoing --EndTxn--> Prepare(Commit|Abort)
//   --markers written--> Complete(Commit|Abort) --AddPartitions--> Ongoing
//
// An id with a write under way, or whose markers are under way, is busy: who
// asks of it waits, and is told to come again (CONCURRENT_TRANSACTIONS) only
// when that takes longer than patience_ms. Kafka tells at once, and its clients
// sleep.
//
// A transaction that is older than its timeout is aborted in a newer epoch,
// which fences its producer; ids that nobody has used for long are forgotten.
//
// One owner; no clock, no randomness, no I/O.
class TransactionTable {
 public:
  using Record = TransactionRecord;
  using Response = TransactionResponse;
  using Decision = DecisionOf<Record, Response, std::monostate>;
  using Cursor = std::optional<std::string>;  // the last id; nullopt: none yet

  // `memory` bounds what it takes; nullptr: nothing does.
  explicit TransactionTable(TransactionConfig config,
                            std::shared_ptr<CoordinatorMemory> memory = nullptr)
      : config_(config), share_(std::move(memory)) {}

  static Result<LogRecord> Encode(const Record& record) {
    return EncodeTransactionRecord(record);
  }
  static Result<std::optional<Record>> Decode(
      std::string_view key, std::optional<std::string_view> value) {
    return DecodeTransactionRecord(key, value);
  }

  Decision Decide(const InitProducerRequest& request, const Context& context);
  Decision Decide(const AddPartitionsRequest& request, const Context& context);
  Decision Decide(const EndTransactionRequest& request, const Context& context);
  Decision Decide(const MarkersWrittenRequest& request, const Context& context);

  TransactionDescription Read(const DescribeTransactionRequest& request) const;
  ListTransactionsResult Read(const ListTransactionsQuery& query) const;

  Decision Settled(const Decision& decision, bool committed, Moment at);
  std::optional<Instant> NextDeadline() const;
  std::vector<Decision> OnTimer(Moment at);
  std::vector<Decision> OnImage(const ImageDelta&) { return {}; }

  void Clear();
  void Apply(const Record& record, const RecordMeta& meta);
  void Activate(Moment at);

  bool Snapshot(Cursor& cursor, size_t bytes, std::vector<Record>* out) const;
  size_t live_bytes() const { return live_bytes_; }

  // The markers that are to be written from now on; each once, and again after
  // a load. MarkersWritten answers them.
  std::vector<MarkerTask> TakeEffects() { return std::exchange(markers_, {}); }

  size_t size() const { return entries_.size(); }

 private:
  using Request = std::variant<InitProducerRequest, AddPartitionsRequest,
                               EndTransactionRequest>;
  struct Waiting {
    Request request;
    Ticket ticket = 0;
    Instant deadline;
  };
  struct Entry {
    std::optional<StoredTransaction> stored;
    // The rest is soft.
    bool writing = false;
    EpochBefore before;
    bool markers_written = false;
    // A write of ours has failed; it is not tried again before.
    std::optional<Instant> retry;
    std::deque<Waiting> waiting;  // in the order they came
    std::optional<Instant> wakeup;

    bool busy() const {
      return writing || (stored && IsPrepared(stored->state));
    }
    const StoredTransaction* now() const { return stored ? &*stored : nullptr; }
  };

  template <class R>
  Decision DecideOrWait(const R& request, const Context& context);
  Transition<InitProducerResult> Judge(Entry& entry,
                                       const InitProducerRequest& request,
                                       int64_t wall_ms);
  Transition<AddPartitionsResult> Judge(Entry& entry,
                                        const AddPartitionsRequest& request,
                                        int64_t wall_ms);
  Transition<EndTransactionResult> Judge(Entry& entry,
                                         const EndTransactionRequest& request,
                                         int64_t wall_ms);
  // False: it is to wait.
  template <class R>
  bool TryDecide(const std::string& id, Entry& entry, const R& request,
                 Ticket ticket, Moment at, Decision* out);
  void Wait(Entry& entry, Waiting waiting, Decision* out);
  // Those that waited for the entry, as far as it lets them.
  void ServeWaiting(const std::string& id, Entry& entry, Moment at,
                    Decision* out);
  void GiveUpWaiting(Entry& entry, Instant now, Decision* out);
  void Write(const std::string& id, Entry& entry,
             std::optional<StoredTransaction> value, Decision* out);
  // What follows from the state that is stored now.
  void GoOn(const std::string& id, Entry& entry, Moment at, Decision* out);
  // What the table writes of its own accord: the end of a transaction that has
  // timed out, and what a failed write has left undone.
  void ActAlone(const std::string& id, Entry& entry, Moment at, Decision* out);
  bool IsTimedOut(const Entry& entry, Moment at) const;
  void Schedule(const std::string& id, Entry& entry, Moment at);
  void DisposeIfUnknown(const std::string& id);
  void Count(const std::string& id, const StoredTransaction& value, bool added);
  void Expire(Moment at, std::vector<Decision>* out);

  const TransactionConfig config_;
  std::map<std::string, Entry> entries_;
  size_t live_bytes_ = 0;  // EncodedBytes of all that is replicated
  size_t footprint_ = 0;   // of the same, in memory
  CoordinatorMemory::Share share_;
  std::set<std::pair<Instant, std::string>> wakeups_;
  std::optional<Instant> next_expiry_;
  std::vector<MarkerTask> markers_;
};

}  // namespace tidemark::coordinator
