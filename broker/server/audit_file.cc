#include "broker/server/audit_file.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/io/event_loop.h"

namespace tidemark::server {
namespace {

int OpenFile(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

}  // namespace

Result<std::unique_ptr<AuditFile>> AuditFile::Open(std::string path) {
  const int file = OpenFile(path);
  struct stat found {};
  if (file < 0 || fstat(file, &found) != 0) {
    const std::string why = std::strerror(errno);
    if (file >= 0) close(file);
    return Fail(ErrorCode::kKafkaStorageError,
                "cannot open the audit log " + path + ": " + why);
  }
  return std::unique_ptr<AuditFile>(
      new AuditFile(std::move(path), file, found.st_size));
}

AuditFile::AuditFile(std::string path, int file, int64_t bytes)
    : path_(std::move(path)),
      file_(file),
      bytes_(bytes),
      thread_(std::make_unique<io::EventLoop>("audit")) {}

AuditFile::~AuditFile() {
  thread_.reset();
  if (file_ >= 0) close(file_);
}

void AuditFile::Write(std::string line) {
  if (waiting_.fetch_add(1) >= kMaxWaiting) {
    waiting_.fetch_sub(1);
    LOG_EVERY_T(ERROR, 10) << "the audit log is too slow: lines are dropped";
    return;
  }
  thread_->Post([this, line = std::move(line) + '\n'] {
    waiting_.fetch_sub(1);
    Append(line);
  });
}

void AuditFile::Append(const std::string& line) {
  if (bytes_ >= kMaxBytes) Rotate();
  const ssize_t written =
      file_ < 0 ? -1 : write(file_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    LOG_EVERY_T(ERROR, 10) << "cannot write the audit log " << path_ << ": "
                           << std::strerror(errno);
  }
  if (written > 0) bytes_ += written;
}

void AuditFile::Rotate() {
  const auto name = [this](int n) { return path_ + "." + std::to_string(n); };
  for (int n = kKept - 1; n > 0; --n) {
    std::rename(name(n).c_str(), name(n + 1).c_str());
  }
  std::rename(path_.c_str(), name(1).c_str());
  if (file_ >= 0) close(file_);
  file_ = OpenFile(path_);
  bytes_ = 0;
}

}  // namespace tidemark::server
