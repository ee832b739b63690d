#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/persistent_map.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// What a request that changed something was answered.
struct RequestAnswer {
  Uuid request_id;
  std::string call;    // name of the answer's message
  std::string answer;  // that message
  int64_t time_ms = 0;
  bool operator==(const RequestAnswer&) const = default;
};

// Answers for those who ask again because the first answer was lost (C-26).
// The newest, by number, bytes and the time that their records name: every
// controller forgets the same ones.
class RequestsImage {
 public:
  static constexpr size_t kMaxRequests = 2'000;
  static constexpr size_t kMaxBytes = 4 << 20;
  static constexpr int64_t kMaxAgeMs = 10 * 60 * 1000;

  // nullptr when it is not known, or not any more.
  const RequestAnswer* Find(const Uuid& request_id) const;
  size_t size() const { return by_id_.size(); }

  Status Apply(const v1::AnswerRequest& record);
  void ToRecords(const RecordSink& sink) const;
  // Nobody is told what differs.
  bool operator==(const RequestsImage& other) const;

 private:
  using AnswerPtr = std::shared_ptr<const RequestAnswer>;
  void ForgetOldest();

  PersistentMap<uint64_t, AnswerPtr> in_order_;
  PersistentMap<Uuid, AnswerPtr> by_id_;
  uint64_t next_ = 0;
  size_t bytes_ = 0;
};

}  // namespace tidemark::metadata
