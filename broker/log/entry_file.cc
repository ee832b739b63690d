#include "broker/log/entry_file.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::log {
namespace {

constexpr size_t kTailBytes = 1024;

}  // namespace

Status EntryFile::Load() {
  tail_.clear();
  last_.clear();
  on_disk_ = 0;
  if (!fs_->Exists(path_)) return {};
  TM_ASSIGN_OR_RETURN(auto file, fs_->Open(path_, false));
  TM_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  if (size % entry_size_ != 0) {
    return Fail(ErrorCode::kCorruptMessage,
                path_ + ": size " + std::to_string(size) +
                    " is no multiple of " + std::to_string(entry_size_));
  }
  on_disk_ = size / entry_size_;
  if (on_disk_ > 0) {
    TM_ASSIGN_OR_RETURN(last_, At(on_disk_ - 1));
  }
  return {};
}

Status EntryFile::Append(std::string_view entry) {
  CHECK_EQ(entry.size(), entry_size_);
  tail_ += entry;
  last_ = entry;
  if (tail_.size() < kTailBytes) return {};
  const Status flushed = Flush();
  return !flushed && io::IsShortage(flushed.error()) ? Status() : flushed;
}

Result<std::string> EntryFile::Reader::Read(size_t first, size_t count) const {
  const EntryFile& all = *entries_;
  CHECK_LE(first, all.count());
  CHECK_LE(count, all.count() - first);
  const size_t size = all.entry_size_;
  const size_t on_disk =
      first < all.on_disk_ ? std::min(count, all.on_disk_ - first) : 0;
  std::string entries(on_disk * size, '\0');
  if (on_disk > 0) {
    TM_ASSIGN_OR_RETURN(
        const size_t read,
        file_->ReadAt(first * size, entries.data(), entries.size()));
    if (read != entries.size()) {
      return Fail(ErrorCode::kKafkaStorageError,
                  all.path_ + " is shorter than it was when opened");
    }
  }
  if (on_disk == count) return entries;
  return entries + all.tail_.substr((first + on_disk - all.on_disk_) * size,
                                    (count - on_disk) * size);
}

Result<EntryFile::Reader> EntryFile::OpenReader() const {
  Reader reader;
  reader.entries_ = this;
  if (on_disk_ > 0) {
    auto file = fs_->Open(path_, false);
    if (!file && !other_.empty() && !fs_->Exists(path_)) {
      file = fs_->Open(other_, false);
    }
    TM_ASSIGN_OR_RETURN(reader.file_, std::move(file));
  }
  return reader;
}

Result<std::string> EntryFile::At(size_t index) const {
  TM_ASSIGN_OR_RETURN(auto reader, OpenReader());
  return reader.At(index);
}

Status EntryFile::Truncate(size_t count) {
  if (count >= this->count()) return {};
  std::string last;
  if (count > 0) {
    TM_ASSIGN_OR_RETURN(last, At(count - 1));
  }
  if (count >= on_disk_) {
    tail_.resize((count - on_disk_) * entry_size_);
  } else {
    TM_ASSIGN_OR_RETURN(auto file, fs_->Open(path_, true));
    TM_RETURN_IF_ERROR(file->Truncate(count * entry_size_));
    tail_.clear();
    on_disk_ = count;
  }
  last_ = std::move(last);
  return {};
}

Status EntryFile::Flush() {
  if (tail_.empty()) return {};
  TM_RETURN_IF_ERROR(FlushAndOpen());
  return {};
}

Result<std::shared_ptr<io::File>> EntryFile::FlushAndOpen() {
  TM_ASSIGN_OR_RETURN(auto file, fs_->Open(path_, true));
  if (!tail_.empty()) {
    TM_RETURN_IF_ERROR(file->WriteAt(on_disk_ * entry_size_, tail_));
    on_disk_ += tail_.size() / entry_size_;
    tail_.clear();
    tail_.shrink_to_fit();
  }
  return file;
}

Status EntryFile::Remove() {
  tail_.clear();
  last_.clear();
  on_disk_ = 0;
  if (!fs_->Exists(path_)) return {};
  return fs_->Remove(path_);
}

}  // namespace tidemark::log
