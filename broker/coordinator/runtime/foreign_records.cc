#include "broker/coordinator/runtime/foreign_records.h"

namespace tidemark::coordinator {

void ForeignRecords::Clear() {
  values_.clear();
  bytes_ = 0;
}

void ForeignRecords::Keep(std::string_view key,
                          std::optional<std::string_view> value) {
  if (const auto it = values_.find(key); it != values_.end()) {
    bytes_ -= it->first.size() + it->second.size();
    values_.erase(it);
  }
  if (!value) return;
  bytes_ += key.size() + value->size();
  values_.emplace(key, *value);
}

bool ForeignRecords::Next(std::optional<std::string>& after, size_t bytes,
                          std::vector<LogRecord>* out) const {
  auto it = after ? values_.upper_bound(*after) : values_.begin();
  for (size_t taken = 0; it != values_.end() && taken < bytes; ++it) {
    taken += it->first.size() + it->second.size();
    out->push_back({it->first, it->second});
    after = it->first;
  }
  return it != values_.end();
}

}  // namespace tidemark::coordinator
