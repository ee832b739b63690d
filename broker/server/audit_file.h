#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace tidemark::io {
class EventLoop;
}

namespace tidemark::server {

// A file that lines are appended to by a thread of its own, so that nobody
// waits for a disk. At kMaxBytes it is renamed to "<path>.1", and those before
// it move on, to "<path>.4" at most.
class AuditFile {
 public:
  static constexpr int64_t kMaxBytes = int64_t{64} << 20;
  static constexpr int kKept = 4;
  // Lines that wait to be written; more are dropped, and the log says so.
  static constexpr int kMaxWaiting = 10'000;

  // Readable by its owner and group. Error kKafkaStorageError.
  static Result<std::unique_ptr<AuditFile>> Open(std::string path);
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Any thread.
  void Write(std::string line);

 private:
  AuditFile(std::string path, int file, int64_t bytes);
  void Append(const std::string& line);
  void Rotate();

  const std::string path_;
  // On the thread.
  int file_;
  int64_t bytes_;
  std::atomic<int> waiting_ = 0;
  std::unique_ptr<io::EventLoop> thread_;
};

}  // namespace tidemark::server
