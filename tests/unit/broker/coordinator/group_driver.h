#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "broker/coordinator/group/group_table.h"
#include "broker/coordinator/machine/machine.h"

namespace tidemark::coordinator {

// Runs commands of tests/data/groups/*.txt against a GroupTable and prints
// what it answers and writes. Time stands still but for `advance`.
//
//   config initial_delay=0 retention=1000 max_size=2
//   join client=a [member= instance= protocols=range:m1;rr:m2 type=consumer
//        session=10000 rebalance=60000 v=5]
//   sync member= gen= [instance= assign=id:x;id:y type= name=]
//   heartbeat member= gen= [instance=]
//   leave members=id;id;@instance
//   commit [member= gen= instance=] offsets=topic-0:5[:metadata];...
//   txn producer= [epoch= member= gen= instance=] offsets=...   TxnOffsetCommit
//   end producer= [epoch= abort=1]      a transaction's marker is committed
//   fetch [offsets=topic-0;... stable=1]         delete   describe
//   list [states=a;b types=a]           advance ms=
//   expire                              forget topics=a;b
//   hold          writes stay unsettled    settle [fail=1]  ends them; a marker
//                 waits for those in front of it
//   failover      a new coordinator loads the log, encoded and decoded
//
// group=g everywhere; generated ids are client-1, client-2, ...
class GroupDriver {
 public:
  GroupDriver() : table_(config_) {}

  std::string Run(const std::string& line);

  const GroupTable& table() const { return table_; }
  size_t unsettled() const { return unsettled_.size(); }
  // The table that a fresh coordinator gets from the log.
  GroupTable Replay() const;
  size_t waiting() const { return waiting_.size(); }
  int64_t now_ms() const { return now_ms_; }

 private:
  using Args = std::map<std::string, std::string>;

  void Execute(const std::string& verb, const Args& args);
  void Join(const Args& args);
  void Sync(const Args& args);
  void Leave(const Args& args);
  void Commit(const Args& args);
  void CommitInTransaction(const Args& args);
  void EndTransaction(const Args& args);
  void Fetch(const Args& args);
  void Describe(const Args& args);
  void List(const Args& args);
  void Advance(int64_t ms);
  void Failover();
  void Settle(bool committed);

  Ticket NewTicket();
  // Where the next record lies, written by the producer if there is one.
  RecordMeta NextMeta(const std::optional<Producer>& producer) const;
  void Take(Decision decision);
  void Enqueue(Decision decision, std::optional<Marker> marker);
  void SettleDecision(Decision decision, bool committed);
  void Print(const std::string& line) { out_ += line + "\n"; }
  void PrintAnswer(const Answer& answer, ErrorCode error);
  Moment Now() const;

  GroupConfig config_;
  GroupTable table_;
  int64_t now_ms_ = 0;
  Ticket tickets_ = 0;
  int next_id_ = 0;
  std::map<Ticket, std::string> waiting_;
  bool hold_ = false;
  // A decision or a marker.
  struct Write {
    Decision decision;
    std::optional<Marker> marker;
  };
  std::deque<Write> unsettled_;
  struct Logged {
    LogRecord record;
    RecordMeta meta;
    std::optional<Marker> marker;
  };
  std::vector<Logged> log_;
  std::string out_;
};

}  // namespace tidemark::coordinator
