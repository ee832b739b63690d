#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "common/base/error_code.h"
#include "common/base/ids.h"
#include "common/record/batch_header.h"

namespace tidemark::replication {

// Batches of idempotent producers that were refused with nothing wrong about
// them: there was no leader here, or too few replicas.
//
// A producer has up to five batches under way. Those behind a refused one
// arrive before it can know, and by then the partition may take batches again.
// To the log they are out of order; but that ends some producers for good
// (librdkafka before 2.3 when an earlier answer had been lost on the way, as
// when a broker dies), although all they have to do is what the answer before
// asks for: send both again, in order. Where the log does not know the producer
// yet they would be its first, and the refused one never got in. So a batch
// behind a refused one is refused alike.
//
// The one before may have been refused by the leader before, too: librdkafka
// asks the new leader with the next batch while the refused one still waits to
// be sent again. So the first gap that a new leader sees of a producer is taken
// for such a one.
//
// A plain value of bounded size; forgets the oldest. One thread.
class RefusedBatches {
 public:
  static constexpr size_t kGeneration = 4096;

  // `batch` was refused with `error`, upon which its producer sends it again.
  void Add(const TopicPartition& partition, const record::BatchHeader& batch,
           ErrorCode error);
  // For a batch that is out of order, or of a producer the log does not know:
  // the error of the one right before it, if that was refused here, or may have
  // been elsewhere since this is a `new_leader`. Once for each in a leader
  // epoch, for the one before may have been given up.
  std::optional<ErrorCode> Excuse(const TopicPartition& partition,
                                  const record::BatchHeader& batch,
                                  LeaderEpoch leader_epoch, bool new_leader);

  size_t size() const { return young_.size() + old_.size(); }

 private:
  using Key = std::pair<TopicPartition, ProducerId>;
  // The last of a row of batches that were refused one after the other.
  struct Refusal {
    ProducerEpoch epoch = -1;
    int32_t last_sequence = -1;
    ErrorCode error = ErrorCode::kNone;
    LeaderEpoch excused_in = -1;  // the leader epoch that excused the last one
  };

  Refusal* Find(const Key& key);

  std::map<Key, Refusal> young_, old_;
};

}  // namespace tidemark::replication
