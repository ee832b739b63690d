#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "broker/replication/fetch_service.h"

namespace tidemark::replication {

// One Fetch from arrival to answer: reads on every shard concerned, and while
// there is too little, waits at them and reads what has moved.
//
// On the executor of its call; a shard that runs on it too is called directly.
// Kept alive by its deadline and the reads that are out.
class FetchOperation : public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(FetchService& service, FetchCall call,
                 kafka::FetchRequest request, FetchService::Done done);

  void Start();
  // Answers with what there is, now. Any thread.
  void Hurry();

 private:
  // One partition's newest answer.
  struct Part {
    FetchedPartition* partition = nullptr;
    FetchAnswer answer;
  };
  // What one shard is asked, and says.
  struct ShardRead {
    bool wanted = false;
    ReadCall call;
    std::vector<ReadAnswer> answers;
  };

  ErrorCode CheckReader() const;
  void Ask(FetchSession::Changes changes);
  void AskShard(FetchedPartition& partition, const metadata::Image& image);
  bool MayRead(FetchedPartition& partition, const metadata::Image& image) const;
  void Refuse(FetchedPartition& partition);
  void SortAnew(const metadata::Image& image);
  bool TakeMemory();
  void KeepMemoryFor(size_t bytes);
  void Read();
  void ReadShard(size_t index);
  void ReadDone();
  bool BePatient();
  bool IsNews(const Part& part) const;
  void Take(FetchedPartition* partition, FetchAnswer answer);
  void Wait();
  void Woken(uint64_t round);
  void TimeUp();
  void Finish();
  void AnswerError(ErrorCode error);
  void End();
  void AddHints(const metadata::Image& image, std::vector<NodeId> leaders,
                kafka::FetchResponse* response) const;
  kafka::FetchResponse::PartitionData DataOf(
      Part& part, const metadata::Image& image,
      std::vector<NodeId>* leaders) const;

  FetchService& service_;
  const FetchCall call_;
  const kafka::FetchRequest request_;
  FetchService::Done done_;

  Reader reader_;
  Instant deadline_;
  size_t min_bytes_ = 0;
  size_t max_bytes_ = 0;
  size_t taken_ = 0;  // of the memory, for what is being read
  std::shared_ptr<FetchSession> session_;
  std::shared_ptr<const void> rules_;  // by which it was let read
  bool incremental_ = false;
  // Told to the shards with the first read, and kept that long.
  std::vector<std::unique_ptr<FetchedPartition>> forgotten_;
  std::vector<Part> parts_;
  std::vector<ShardRead> shards_;

  uint64_t round_ = 0;
  bool reading_ = false;
  bool woken_ = false;  // while reading
  bool hurry_ = false;  // answer with what there is
  bool patient_ = false;
  bool reads_nothing_ = false;  // there is no memory for it
  bool finished_ = false;
  std::atomic<size_t> reads_left_{0};
  std::shared_ptr<FetchWaiter> waiter_;
  // Its entry owns what waits.
  std::optional<DeadlineQueue::Key> waits_until_;
};

}  // namespace tidemark::replication
