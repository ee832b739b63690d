#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemark::tls {

// Whether files have changed. Waits for the disk; one thread at a time.
class FileWatch {
 public:
  // Looks at them; empty paths do not count.
  explicit FileWatch(std::vector<std::string> paths);
  // Since the last look.
  bool Changed();

 private:
  struct State {
    int64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;  // also its owner and mode
    uint64_t device = 0;
    bool operator==(const State&) const = default;
  };
  std::vector<State> Look() const;

  const std::vector<std::string> paths_;
  std::vector<State> seen_;
};

}  // namespace tidemark::tls
