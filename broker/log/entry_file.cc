#include "broker/log/entry_file.h"

#include <glog/logging.h>

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

Result<std::string> EntryFile::Reader::At(size_t index) const {
  const EntryFile& all = *entries_;
  CHECK_LT(index, all.count());
  if (index >= all.on_disk_) {
    return all.tail_.substr((index - all.on_disk_) * all.entry_size_,
                            all.entry_size_);
  }
  std::string entry(all.entry_size_, '\0');
  TM_ASSIGN_OR_RETURN(
      size_t read,
      file_->ReadAt(index * all.entry_size_, entry.data(), all.entry_size_));
  if (read != all.entry_size_) {
    return Fail(ErrorCode::kKafkaStorageError,
                all.path_ + " is shorter than it was when opened");
  }
  return entry;
}

Result<EntryFile::Reader> EntryFile::OpenReader() const {
  Reader reader;
  reader.entries_ = this;
  if (on_disk_ > 0) {
    TM_ASSIGN_OR_RETURN(reader.file_, fs_->Open(path_, false));
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
