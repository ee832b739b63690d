#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// Transactions that are about to begin at one partition, and whose coordinators
// are being asked whether they hold it (KIP-890): a batch that comes after the
// end of its transaction would open one that nobody ends.
//
// A guard stands for one such question. It dies with whatever makes the answer
// to it worthless, above all a marker: what the coordinator has said before
// that does not count for what is appended behind it. Guards are unique in the
// process, so that none is taken for another.
//
// The lowest sequence of those that have asked is known, so that a batch whose
// answer comes sooner does not overtake the one in front of it, which the log
// would then not take any more.
//
// Of bounded size: the oldest questions are forgotten, and asked again. One
// thread.
class Verifications {
 public:
  static constexpr size_t kMost = 4096;

  // REQUIRES: ProducerState::BeginsTransaction(batch). nullopt: `verified` is
  // its guard, the batch may be appended. A value: that is the guard, and its
  // coordinator is to be asked.
  // kNotEnoughReplicas: it is verified, but one in front of it is not; upon
  // that a producer sends both again, in order. Kafka's
  // OUT_OF_ORDER_SEQUENCE_NUMBER ends some for good (RefusedBatches).
  Result<std::optional<uint64_t>> Check(const record::BatchHeader& batch,
                                        uint64_t verified, int64_t now_ms);
  // Whether any of the producer asks.
  bool Knows(ProducerId producer) const;
  // Something of the producer was appended.
  void Forget(ProducerId producer);
  void Expire(int64_t now_ms, int64_t expiration_ms);
  void Clear();

  bool empty() const { return asked_.empty(); }
  size_t size() const { return asked_.size(); }

 private:
  using Key = std::pair<ProducerId, ProducerEpoch>;
  struct Question {
    uint64_t guard = 0;
    int32_t lowest_sequence = -1;
    int64_t asked_ms = -1;
  };
  using Asked = std::map<Key, Question>;

  Asked::iterator Erase(Asked::iterator question);
  Question& Ask(const record::BatchHeader& batch, int64_t now_ms);

  Asked asked_;
  std::map<uint64_t, Key> by_age_;
};

}  // namespace tidemark::log
