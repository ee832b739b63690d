#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <vector>

#include "broker/replication/fetch_service.h"

namespace tidemark::replication {

// One Fetch from arrival to answer: reads on every shard concerned, and while
// there is too little, waits at them and reads again.
//
// On the executor of its call, except for the parts posted to shards. Kept
// alive by its timer and by the reads that are out.
class FetchOperation : public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(FetchService& service, FetchCall call,
                 kafka::FetchRequest request, FetchService::Done done);

  void Start();

 private:
  struct Part {
    std::list<FetchedPartition>::iterator partition;
    ReadItem item;
    FetchAnswer answer;
    bool known = true;  // its topic id has a name
  };

  void CollectParts();
  bool TakeMemory();
  void KeepMemoryFor(size_t bytes);
  void Read();
  void ReadDone();
  void Woken(uint64_t round);
  void Finish();
  void AnswerError(ErrorCode error);
  kafka::FetchResponse::PartitionData DataOf(
      Part& part, const metadata::Image& image,
      std::vector<NodeId>* leaders) const;

  FetchService& service_;
  const FetchCall call_;
  kafka::FetchRequest request_;
  FetchService::Done done_;

  Reader reader_;
  Instant deadline_;
  size_t min_bytes_ = 0;
  size_t max_bytes_ = 0;
  size_t taken_ = 0;  // of the memory, for what is being read
  std::shared_ptr<FetchSession> session_;
  bool incremental_ = false;
  std::list<FetchedPartition> own_;  // without a session
  std::vector<Part> parts_;
  std::vector<std::vector<size_t>> by_shard_;  // indexes into parts_

  uint64_t round_ = 0;
  bool reading_ = false;
  bool woken_ = false;  // while reading
  bool timer_set_ = false;
  bool finished_ = false;
  std::atomic<size_t> reads_left_{0};
  std::shared_ptr<FetchWaiter> waiter_;
};

}  // namespace tidemark::replication
