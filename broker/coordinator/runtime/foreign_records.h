#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator/machine/machine.h"

namespace tidemark::coordinator {

// The newest records of kinds that this version does not know (a newer broker
// coordinated here before): a snapshot writes them again as they are, so that
// trimming the log takes nothing from that broker. Pure; one owner.
class ForeignRecords {
 public:
  void Clear();
  void Keep(std::string_view key, std::optional<std::string_view> value);

  // Adds about `bytes` of those behind `after` (nullopt: from the first) to
  // `out` and moves it; false when they were the last.
  bool Next(std::optional<std::string>& after, size_t bytes,
            std::vector<LogRecord>* out) const;
  size_t bytes() const { return bytes_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  size_t bytes_ = 0;
};

}  // namespace tidemark::coordinator
