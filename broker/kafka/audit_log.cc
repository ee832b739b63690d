#include "broker/kafka/audit_log.h"

#include <ctime>
#include <utility>

#include "common/kafka/printer.h"

namespace tidemark::server {
namespace {

// "2026-01-31T23:59:59.999Z"
std::string TimeOf(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t length =
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(text, length);
  const std::string fraction = std::to_string(1000 + ms % 1000);
  return out + '.' + fraction.substr(1) + 'Z';
}

}  // namespace

void AuditLog::Note(const AuditEntry& entry) {
  const int64_t now_ms = clock_.WallMs();
  uint64_t missing = 0;
  if (!entry.allowed && !Admit(now_ms, &missing)) return;
  std::string line = "time=" + TimeOf(now_ms);
  if (missing > 0) line += " denials_not_written=" + std::to_string(missing);
  line += entry.allowed ? " outcome=allowed" : " outcome=denied";
  line += " principal=" + kafka::Quoted(entry.principal);
  line += " host=" + std::string(entry.host);
  line += " operation=" + std::string(Name(entry.operation));
  line += " resource=" + std::string(Name(entry.resource));
  line += " name=" + kafka::Quoted(entry.name);
  line += " request=" + std::string(entry.request);
  line += " client_id=" + kafka::Quoted(entry.client_id);
  line += " rule=" + kafka::Quoted(entry.rule());
  sink_(std::move(line));
}

bool AuditLog::Admit(int64_t now_ms, uint64_t* missing) {
  std::lock_guard lock(mutex_);
  if (now_ms / 1000 != second_) {
    second_ = now_ms / 1000;
    denials_ = 0;
  }
  if (denials_ == kDenialsPerSecond) {
    ++missing_;
    return false;
  }
  ++denials_;
  *missing = std::exchange(missing_, 0);
  return true;
}

}  // namespace tidemark::server
