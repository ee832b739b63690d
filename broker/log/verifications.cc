#include "broker/log/verifications.h"

#include <atomic>

#include "broker/log/producer_state.h"

namespace tidemark::log {
namespace {

uint64_t NewGuard() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Sequences wrap: whether `sequence` lies in front of `other`.
bool IsBefore(int32_t sequence, int32_t other) {
  return sequence != other &&
         SequencesBetween(sequence, other) <= ProducerState::kMostBefore;
}

}  // namespace

Verifications::Asked::iterator Verifications::Erase(Asked::iterator question) {
  by_age_.erase(question->second.guard);
  return asked_.erase(question);
}

Verifications::Question& Verifications::Ask(const record::BatchHeader& batch,
                                            int64_t now_ms) {
  const Key key{batch.producer_id, batch.producer_epoch};
  auto found = asked_.find(key);
  if (found == asked_.end()) {
    if (asked_.size() >= kMost) Erase(asked_.find(by_age_.begin()->second));
    const uint64_t guard = NewGuard();
    by_age_.emplace(guard, key);
    found = asked_.emplace(key, Question{guard, batch.base_sequence}).first;
  }
  Question& question = found->second;
  question.asked_ms = now_ms;
  if (IsBefore(batch.base_sequence, question.lowest_sequence)) {
    question.lowest_sequence = batch.base_sequence;
  }
  return question;
}

Result<std::optional<uint64_t>> Verifications::Check(
    const record::BatchHeader& batch, uint64_t verified, int64_t now_ms) {
  const auto found = asked_.find({batch.producer_id, batch.producer_epoch});
  if (found == asked_.end() || found->second.guard != verified) {
    return Ask(batch, now_ms).guard;
  }
  if (IsBefore(found->second.lowest_sequence, batch.base_sequence)) {
    return Fail(ErrorCode::kNotEnoughReplicas,
                "a batch in front of it is still being verified");
  }
  return std::nullopt;
}

bool Verifications::Knows(ProducerId producer) const {
  const auto first = asked_.lower_bound({producer, INT16_MIN});
  return first != asked_.end() && first->first.first == producer;
}

void Verifications::Forget(ProducerId producer) {
  auto at = asked_.lower_bound({producer, INT16_MIN});
  while (at != asked_.end() && at->first.first == producer) at = Erase(at);
}

void Verifications::Expire(int64_t now_ms, int64_t expiration_ms) {
  for (auto at = asked_.begin(); at != asked_.end();) {
    at = at->second.asked_ms <= now_ms - expiration_ms ? Erase(at)
                                                       : std::next(at);
  }
}

void Verifications::Clear() {
  asked_.clear();
  by_age_.clear();
}

}  // namespace tidemark::log
