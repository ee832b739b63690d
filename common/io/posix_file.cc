#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>

#include "common/base/may_wait.h"
#include "common/io/file.h"
#include "common/io/no_wait.h"
#include "common/io/resources.h"

namespace tidemark::io {
namespace {

tl::unexpected<Error> Failed(std::string_view what, const std::string& path,
                             int error) {
  std::string message = std::string(what) + " " + path + ": " +
                        std::system_category().message(error);
  if (error == ENOSPC || error == EDQUOT) {
    message += " (free space on this disk or lower the topics' retention)";
  } else if (error == EMFILE || error == ENFILE) {
    message += " (raise the limit of open files: LimitNOFILE or ulimit -n)";
  } else if (error == EACCES || error == EROFS || error == EPERM) {
    message +=
        " (the process needs to own this directory and be able to"
        " write to it)";
  }
  return Fail(CodeOfErrno(error), std::move(message));
}

// Descriptors on nothing, given up one by one when there is no other; and how
// many files may be open, these included. Any thread.
class DescriptorReserve {
 public:
  void Fill(size_t count, size_t most_files) {
    std::lock_guard lock(mutex_);
    wanted_ = std::min(count, most_files);
    most_files_ = most_files;
    FillLocked();
  }
  // Open() for a file that stays open; CloseFile is its end.
  int OpenFile(const char* path, int flags, bool cached) {
    if (files_.fetch_add(1) + 1 > WithoutReserve() && !MakeRoom()) {
      --files_;
      errno = EMFILE;
      return -1;
    }
    const int fd = Open(path, flags, cached);
    if (fd < 0) --files_;
    return fd;
  }
  void CloseFile(int fd) {
    --files_;
    Close(fd);
  }
  // open(2) with one of them in need. `cached`: EAGAIN where the way there is
  // not in memory.
  int Open(const char* path, int flags, bool cached = false) {
    while (true) {
      const int fd = cached ? OpenCached(path, flags | O_CLOEXEC)
                            : ::open(path, flags | O_CLOEXEC, 0644);
      if (fd >= 0) return fd;
      if (errno == EINTR) continue;
      if ((errno != EMFILE && errno != ENFILE) || !GiveUpOne()) return -1;
    }
  }
  // close(2); what was given up is taken back first.
  void Close(int fd) {
    ::close(fd);
    if (short_.load(std::memory_order_relaxed)) {
      std::lock_guard lock(mutex_);
      FillLocked();
    }
  }

 private:
  static int OpenCached(const char* path, int flags) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags);
    how.resolve = RESOLVE_CACHED;
    const auto fd = static_cast<int>(
        ::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
    // Kernels before 5.12, and sandboxes that know no openat2.
    const bool unknown =
        fd < 0 && (errno == ENOSYS || errno == EINVAL || errno == EPERM);
    return unknown ? ::open(path, flags, 0644) : fd;
  }
  size_t WithoutReserve() const { return most_files_ - wanted_; }
  // For all files there are and are about to be, out of the reserve.
  bool MakeRoom() {
    std::lock_guard lock(mutex_);
    while (files_ + held_.size() > most_files_ && !held_.empty()) {
      ::close(held_.back());
      held_.pop_back();
      short_ = true;
    }
    return files_ <= most_files_;
  }
  void FillLocked() {
    while (held_.size() < wanted_ && files_ + held_.size() < most_files_) {
      const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (fd < 0) break;
      held_.push_back(fd);
    }
    short_ = held_.size() < wanted_;
  }
  bool GiveUpOne() {
    const int error = errno;
    std::lock_guard lock(mutex_);
    errno = error;
    if (held_.empty()) return false;
    ::close(held_.back());
    held_.pop_back();
    short_ = true;
    return true;
  }

  std::mutex mutex_;
  std::vector<int> held_;
  std::atomic<size_t> wanted_ = 0;
  std::atomic<size_t> most_files_ = SIZE_MAX;
  std::atomic<size_t> files_ = 0;
  std::atomic<bool> short_ = false;
};

DescriptorReserve& Descriptors() {
  static DescriptorReserve* const reserve = new DescriptorReserve();
  return *reserve;
}

std::atomic<bool> a_sync_has_failed = false;

// Whatever ran out, the dirty pages are gone.
tl::unexpected<Error> SyncFailed(std::string_view what, const std::string& path,
                                 int error) {
  a_sync_has_failed = true;
  auto failed = Failed(what, path, error);
  failed.value().code = ErrorCode::kKafkaStorageError;
  return failed;
}

constexpr uint64_t kPage = 4096;

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { Descriptors().CloseFile(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const override {
    return NoWait::Current() == nullptr ? ReadWaiting(at, to, count)
                                        : ReadInMemory(at, to, count);
  }

  Result<size_t> ReadWaiting(uint64_t at, char* to, size_t count) const {
    size_t done = 0;
    while (done < count) {
      ssize_t n =
          ::pread(fd_, to + done, count - done, static_cast<off_t>(at + done));
      if (n < 0) {
        if (errno == EINTR) continue;
        return Failed("cannot read", path_, errno);
      }
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<size_t> ReadInMemory(uint64_t at, char* to, size_t count) const {
    size_t done = 0;
    while (done < count) {
      TM_ASSIGN_OR_RETURN(const auto n,
                          ReadCachedAt(at + done, to + done, count - done));
      if (!n) {
        return NoWait::Miss(
            {shared_from_this(), at + done, count - done, nullptr, path_});
      }
      if (*n == 0) break;
      done += *n;
    }
    return done;
  }

  Result<std::optional<size_t>> ReadCachedAt(uint64_t at, char* to,
                                             size_t count) const override {
    iovec io{to, count};
    while (true) {
      const ssize_t n =
          ::preadv2(fd_, &io, 1, static_cast<off_t>(at), RWF_NOWAIT);
      if (n > 0 || count == 0) return static_cast<size_t>(n);
      if (n == 0) return AtEnd(at);
      if (errno == EAGAIN) return std::nullopt;
      // A file system that cannot tell.
      if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)
        return ReadWaiting(at, to, count);
      if (errno != EINTR) return Failed("cannot read", path_, errno);
    }
  }

  // Linux before 5.11 may say 0 for what is not in memory (preadv2(2), BUGS).
  Result<std::optional<size_t>> AtEnd(uint64_t at) const {
    TM_ASSIGN_OR_RETURN(const uint64_t size, Size());
    return at < size ? std::nullopt : std::optional<size_t>(0);
  }

  Result<size_t> ReadOnceAt(uint64_t at, char* to,
                            size_t count) const override {
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM);
    // Before: asking with RWF_NOWAIT would begin to read what is not there.
    const std::vector<unsigned char> resident = ResidentPages(at, count);
    TM_ASSIGN_OR_RETURN(const size_t read, ReadAt(at, to, count));
    const uint64_t first = at / kPage;
    for (size_t i = 0; i < resident.size();) {
      size_t end = i;
      while (end < resident.size() && (resident[end] & 1) == 0) ++end;
      if (end > i) {
        ::posix_fadvise(fd_, static_cast<off_t>((first + i) * kPage),
                        static_cast<off_t>((end - i) * kPage),
                        POSIX_FADV_DONTNEED);
      }
      i = end + 1;
    }
    return read;
  }

  Status WriteAt(uint64_t at, std::string_view bytes) override {
    if (direct_) bytes = Aligned(bytes);
    while (!bytes.empty()) {
      ssize_t n =
          ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (n < 0) {
        if (errno == EINTR) continue;
        // A file system that said it could, or a part of a block.
        if (errno == EINVAL && direct_ && UseCache()) continue;
        return Failed("cannot write", path_, errno);
      }
      bytes.remove_prefix(static_cast<size_t>(n));
      at += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status WriteAtV(uint64_t at,
                  std::span<const std::string_view> pieces) override {
    constexpr size_t kMax = 16;
    std::array<iovec, kMax> io;
    while (!pieces.empty()) {
      size_t count = std::min(pieces.size(), kMax);
      for (size_t i = 0; i < count; ++i) {
        io[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
      }
      ssize_t n = ::pwritev(fd_, io.data(), static_cast<int>(count),
                            static_cast<off_t>(at));
      if (n < 0) {
        if (errno == EINTR) continue;
        return Failed("cannot write", path_, errno);
      }
      size_t left = static_cast<size_t>(n);
      at += left;
      while (!pieces.empty() && left >= pieces.front().size()) {
        left -= pieces.front().size();
        pieces = pieces.subspan(1);
      }
      if (left > 0) {
        // A short write ended inside this piece: finish it alone.
        std::string_view rest = pieces.front().substr(left);
        TM_RETURN_IF_ERROR(WriteAt(at, rest));
        at += rest.size();
        pieces = pieces.subspan(1);
      }
    }
    return {};
  }

  Status Truncate(uint64_t size) override {
    while (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) return Failed("cannot truncate", path_, errno);
    }
    return {};
  }

  Result<uint64_t> Size() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return Failed("cannot stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

  Status Reserve(uint64_t size) override {
    int failed;
    do {
      failed = ::posix_fallocate(fd_, 0, static_cast<off_t>(size));
    } while (failed == EINTR);
    if (failed != 0) return Failed("cannot reserve space for", path_, failed);
    return {};
  }

  void BypassCache() override {
    const int flags = ::fcntl(fd_, F_GETFL);
    direct_ = flags >= 0 && ::fcntl(fd_, F_SETFL, flags | O_DIRECT) == 0;
  }

  Status Sync() override {
    AboutToWait("sync");
    if (::fdatasync(fd_) != 0) {
      return SyncFailed("cannot sync", path_, errno);
    }
    return {};
  }

 private:
  // Of the pages from the one at `at` on, as mincore(2) says; empty: unknown.
  std::vector<unsigned char> ResidentPages(uint64_t at, size_t count) const {
    const uint64_t begin = at / kPage * kPage;
    const size_t size = at + count - begin;
    if (count == 0) return {};
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_,
                                static_cast<off_t>(begin));
    if (mapped == MAP_FAILED) return {};
    std::vector<unsigned char> pages((size + kPage - 1) / kPage);
    if (::mincore(mapped, size, pages.data()) != 0) pages.clear();
    ::munmap(mapped, size);
    return pages;
  }

  struct Release {
    void operator()(char* block) const { std::free(block); }
  };

  // The bytes where the system can take them from.
  std::string_view Aligned(std::string_view bytes) {
    if (reinterpret_cast<uintptr_t>(bytes.data()) % kBlock == 0) return bytes;
    if (bytes.size() > aligned_size_) {
      const size_t size = (bytes.size() + kBlock - 1) / kBlock * kBlock;
      aligned_.reset(static_cast<char*>(std::aligned_alloc(kBlock, size)));
      aligned_size_ = aligned_ ? size : 0;
      if (!aligned_) return bytes;  // then it goes through the cache
    }
    std::memcpy(aligned_.get(), bytes.data(), bytes.size());
    return {aligned_.get(), bytes.size()};
  }

  bool UseCache() {
    direct_ = false;
    const int flags = ::fcntl(fd_, F_GETFL);
    return flags >= 0 && ::fcntl(fd_, F_SETFL, flags & ~O_DIRECT) == 0;
  }

  int fd_;
  bool direct_ = false;
  std::unique_ptr<char, Release> aligned_;
  size_t aligned_size_ = 0;
  std::string path_;
};

class Posix final : public FileSystem {
 public:
  Result<std::shared_ptr<File>> Open(const std::string& path,
                                     bool create) override {
    const bool cached = NoWait::Current() != nullptr && !create;
    const int fd = Descriptors().OpenFile(
        path.c_str(), O_RDWR | (create ? O_CREAT : 0), cached);
    if (fd < 0 && cached && errno == EAGAIN) {
      return NoWait::Miss({nullptr, 0, 0, this, path});
    }
    if (fd < 0) return Failed("cannot open", path, errno);
    return std::make_shared<PosixFile>(fd, path);
  }

  Status CreateDirectories(const std::string& path) override {
    AboutToWait("make a directory");
    // Mostly its parent is there.
    if (::mkdir(path.c_str(), 0777) == 0) return {};
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return Failed("cannot create directory", path, error.value());
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    AboutToWait("list a directory");
    const int fd = Descriptors().Open(path.c_str(), O_RDONLY | O_DIRECTORY);
    DIR* dir = fd < 0 ? nullptr : ::fdopendir(fd);
    if (dir == nullptr) {
      const int error = errno;
      if (fd >= 0) Descriptors().Close(fd);
      return Failed("cannot list", path, error);
    }
    std::vector<std::string> names;
    errno = 0;
    while (dirent* entry = ::readdir(dir)) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    int error = errno;
    ::closedir(dir);
    if (error != 0) return Failed("cannot list", path, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool Exists(const std::string& path) override {
    struct stat info;
    return ::stat(path.c_str(), &info) == 0;
  }

  Status Remove(const std::string& path) override {
    AboutToWait("remove a file");
    if (std::remove(path.c_str()) != 0) {
      return Failed("cannot remove", path, errno);
    }
    return {};
  }

  Status RemoveAll(const std::string& path) override {
    AboutToWait("remove a directory");
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return Failed("cannot remove", path, error.value());
    return {};
  }

  Status Rename(const std::string& from, const std::string& to) override {
    AboutToWait("rename");
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return Failed("cannot rename " + from + " to", to, errno);
    }
    return {};
  }

  Status SyncDirectory(const std::string& path) override {
    AboutToWait("sync a directory");
    const int fd = Descriptors().Open(path.c_str(), O_RDONLY | O_DIRECTORY);
    if (fd < 0) return Failed("cannot open directory", path, errno);
    int failed = ::fsync(fd) != 0 ? errno : 0;
    Descriptors().Close(fd);
    if (failed != 0) return SyncFailed("cannot sync directory", path, failed);
    return {};
  }

  Result<DiskSpace> Space(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) {
      return Failed("cannot stat", path, errno);
    }
    return DiskSpace{uint64_t{info.f_bavail} * info.f_frsize,
                     uint64_t{info.f_blocks} * info.f_frsize};
  }

  bool HasFailedToSync() const override { return a_sync_has_failed; }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static Posix posix;
  return posix;
}

void ReserveDescriptors(size_t count, size_t most_files) {
  Descriptors().Fill(count, most_files);
}

}  // namespace tidemark::io
