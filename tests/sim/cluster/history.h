#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace tidemark::sim {

// A record of the simulation: the `number`-th that `producer` made for its
// partition. Its value says so.
struct Written {
  int producer = 0;
  int64_t number = 0;
  bool operator==(const Written&) const = default;
};
std::string ValueOf(const Written& written, size_t padding);
std::optional<Written> ParseValue(std::string_view value);

// What clients have been told, and whether it can be true. One failure, the
// first, is kept.
//
// - An offset holds one record for ever, whoever shows it (B-03, B-05).
// - What was acknowledged to acks=all stands where it was said to stand, as
//   long as it is above the start of the log (B-24).
// - No record is shown that was never sent; none of an idempotent producer
//   twice, and these in the order they were made in (B-26).
// - The latest offset does not go back under the same or a later leader (B-06).
class History {
 public:
  void AddProducer(int producer, bool idempotent) {
    idempotent_[producer] = idempotent;
  }
  // Of this partition all that was told may be lost, by elections of replicas
  // that do not have it: checked is only that each record was sent, and that an
  // offset of an epoch is one record.
  void MayLose(const TopicPartition& partition) {
    logs_[partition].loose = true;
  }
  bool IsLoose(const TopicPartition& partition) {
    return logs_[partition].loose;
  }
  // Before it is sent for the first time.
  void Made(const TopicPartition& partition, const Written& written);
  void Acknowledged(const TopicPartition& partition, Offset offset,
                    const Written& written);
  // As a repetition of what the leader no longer remembers.
  void AcknowledgedSomewhere(const TopicPartition& partition,
                             const Written& written);
  // A consumer has seen it.
  void Shown(const TopicPartition& partition, Offset offset, LeaderEpoch epoch,
             const Written& written);
  // What `consumer` was told, who waits for an answer before it asks again.
  void Latest(int consumer, const TopicPartition& partition, LeaderEpoch epoch,
              Offset latest);

  // What consumers have seen of an idempotent producer, around one record.
  std::string Around(const TopicPartition& partition, const Written& written);
  // One after the last offset that anybody was told of.
  Offset Committed(const TopicPartition& partition);
  // What was told of `from` and above need not be true any more. Whether
  // anything was acknowledged there.
  bool Rewind(const TopicPartition& partition, Offset from);
  // How many records.
  uint64_t AcknowledgedOf(const TopicPartition& partition) {
    return logs_[partition].acknowledgements;
  }

  // Everything acknowledged from `start` on has been shown. What was
  // acknowledged somewhere stands between its neighbours, or where nobody has
  // looked.
  void CheckComplete(const TopicPartition& partition, Offset start, Offset end);

  void Fail(const std::string& what) {
    if (!failure_) failure_ = what;
  }
  const std::optional<std::string>& failure() const { return failure_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t shown() const { return shown_; }

 private:
  struct Log {
    bool loose = false;
    std::map<std::pair<Offset, LeaderEpoch>, Written> loose_shown;
    uint64_t acknowledgements = 0;
    std::map<int, int64_t> made;  // by producer: how many
    std::map<Offset, Written> acknowledged;
    std::map<int, std::set<int64_t>> somewhere;  // by producer
    std::map<Offset, std::pair<LeaderEpoch, Written>> shown;
    // Of idempotent producers.
    std::map<int, std::map<int64_t, Offset>> where;
    std::map<int, std::pair<LeaderEpoch, Offset>> told;  // by consumer
  };
  void CheckSomewhere(const TopicPartition& partition, const Log& log,
                      const Written& written, Offset end);
  void CheckMade(const TopicPartition& partition, const Log& log, Offset offset,
                 const Written& written);
  void ShownLoosely(const TopicPartition& partition, Log& log, Offset offset,
                    LeaderEpoch epoch, const Written& written);
  void CheckOrder(const TopicPartition& partition, Log& log, Offset offset,
                  const Written& written);

  std::map<TopicPartition, Log> logs_;
  std::map<int, bool> idempotent_;
  std::optional<std::string> failure_;
  uint64_t acknowledged_ = 0;
  uint64_t shown_ = 0;
};

}  // namespace tidemark::sim
