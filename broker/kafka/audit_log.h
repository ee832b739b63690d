#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/kafka/access.h"
#include "common/base/clock.h"

namespace tidemark::server {

// One decision of the authorizer that is worth a line.
struct AuditEntry {
  bool allowed = false;
  std::string_view principal, host, client_id;
  std::string_view request;  // name of the API
  AclOperation operation = AclOperation::kUnknown;
  AclResource resource = AclResource::kUnknown;
  std::string_view name;
  std::function<std::string()> rule;  // by which; asked when it is written
};

// Who was refused what, and what administrators were allowed to do: what
// Kafka's kafka.authorizer.logger has, as key=value lines. Names that clients
// choose are quoted. Any thread.
//
// A second has so many lines of denials and no more, whoever asks; the next
// one that has a line begins with how many are missing. Of what was allowed
// every line is written.
class AuditLog {
 public:
  static constexpr int kDenialsPerSecond = 100;

  // `sink` gets lines without their end, on any thread, and outlives nothing.
  using Sink = std::function<void(std::string line)>;
  AuditLog(Sink sink, const Clock& clock)
      : sink_(std::move(sink)), clock_(clock) {}

  void Note(const AuditEntry& entry);

 private:
  // Whether there is room for one more denial; `missing` of the second before.
  bool Admit(int64_t now_ms, uint64_t* missing);

  const Sink sink_;
  const Clock& clock_;
  std::mutex mutex_;
  int64_t second_ = 0;
  int denials_ = 0;       // in it
  uint64_t missing_ = 0;  // that were not written
};

}  // namespace tidemark::server
