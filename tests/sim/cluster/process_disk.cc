#include "tests/sim/cluster/process_disk.h"

#include <utility>

#include "common/base/may_wait.h"
#include "common/io/no_wait.h"

namespace tidemark::sim {

class ProcessDisk::OpenFile final : public io::File {
 public:
  OpenFile(ProcessDisk& disk, std::shared_ptr<io::File> file)
      : disk_(disk), file_(std::move(file)) {}

  Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const override {
    if (io::NoWait::Current() != nullptr) {
      if (disk_.IsCold()) {
        return io::NoWait::Miss(
            {shared_from_this(), at, count, nullptr, "a file"});
      }
      return file_->ReadAt(at, to, count);
    }
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kDisk));
    return file_->ReadAt(at, to, count);
  }
  Result<std::optional<size_t>> ReadCachedAt(uint64_t at, char* to,
                                             size_t count) const override {
    if (disk_.scheduler_.Chance(300)) return std::nullopt;
    return file_->ReadAt(at, to, count);
  }
  Status WriteAt(uint64_t at, std::string_view bytes) override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kMemory));
    return file_->WriteAt(at, bytes);
  }
  Status WriteAtV(uint64_t at,
                  std::span<const std::string_view> pieces) override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kMemory));
    return file_->WriteAtV(at, pieces);
  }
  Status Truncate(uint64_t size) override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kMemory));
    return file_->Truncate(size);
  }
  Result<uint64_t> Size() const override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kMemory));
    return file_->Size();
  }
  Status Reserve(uint64_t size) override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kMemory));
    return file_->Reserve(size);
  }
  Status Sync() override {
    TM_RETURN_IF_ERROR(disk_.Take(Kind::kSync));
    return file_->Sync();
  }

 private:
  ProcessDisk& disk_;
  const std::shared_ptr<io::File> file_;
};

Status ProcessDisk::Take(Kind kind) {
  if (kind == Kind::kNames || kind == Kind::kSync) AboutToWait("disk");
  if (kind == Kind::kSync) {
    scheduler_.Sleep(scheduler_.Chance(5)
                         ? scheduler_.Between(std::chrono::milliseconds(20),
                                              std::chrono::milliseconds(200))
                         : scheduler_.Between(std::chrono::microseconds(200),
                                              std::chrono::milliseconds(2)));
  } else if (kind == Kind::kDisk && scheduler_.Chance(20)) {
    scheduler_.Sleep(scheduler_.Between(std::chrono::milliseconds(1),
                                        std::chrono::milliseconds(50)));
  } else if (kind == Kind::kNames && scheduler_.Chance(50)) {
    // The file system is busy with its own journal.
    scheduler_.Sleep(scheduler_.Between(std::chrono::milliseconds(1),
                                        std::chrono::milliseconds(100)));
  } else if (scheduler_.Chance(100)) {
    // Mostly the page cache is as fast as memory; not always.
    scheduler_.Sleep(scheduler_.Between(std::chrono::microseconds(5),
                                        std::chrono::microseconds(300)));
  }
  if (!process_.dead) return {};
  return Fail(ErrorCode::kKafkaStorageError, "the process is dead");
}

// Now and then memory is so short that nothing stays.
bool ProcessDisk::IsCold() {
  const bool short_of_memory =
      scheduler_.Now().time_since_epoch() / std::chrono::seconds(5) % 4 == 0;
  return scheduler_.Chance(short_of_memory ? 900 : 100);
}

Result<std::shared_ptr<io::File>> ProcessDisk::Open(const std::string& path,
                                                    bool create) {
  if (io::NoWait::Current() == nullptr) {
    TM_RETURN_IF_ERROR(Take(Kind::kMemory));
  } else if (!create && IsCold()) {
    return io::NoWait::Miss({nullptr, 0, 0, this, path});
  }
  TM_ASSIGN_OR_RETURN(auto file, disk_.Open(path, create));
  return std::make_shared<OpenFile>(*this, std::move(file));
}

Status ProcessDisk::CreateDirectories(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kNames));
  return disk_.CreateDirectories(path);
}

Result<std::vector<std::string>> ProcessDisk::List(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kNames));
  return disk_.List(path);
}

bool ProcessDisk::Exists(const std::string& path) { return disk_.Exists(path); }

Status ProcessDisk::Remove(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kNames));
  return disk_.Remove(path);
}

Status ProcessDisk::RemoveAll(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kNames));
  return disk_.RemoveAll(path);
}

Status ProcessDisk::Rename(const std::string& from, const std::string& to) {
  TM_RETURN_IF_ERROR(Take(Kind::kNames));
  return disk_.Rename(from, to);
}

Status ProcessDisk::SyncDirectory(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kSync));
  return disk_.SyncDirectory(path);
}

Result<io::DiskSpace> ProcessDisk::Space(const std::string& path) {
  TM_RETURN_IF_ERROR(Take(Kind::kMemory));
  return disk_.Space(path);
}

}  // namespace tidemark::sim
