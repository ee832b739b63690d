#pragma once

#include <functional>
#include <memory>

#include "common/base/payload.h"
#include "common/io/file.h"
#include "common/record/batch_checker.h"

namespace tidemark::log {

// Whole batches of a log, one after the other in one segment file: found, but
// not read. Holds the file open, so what retention removes meanwhile can still
// be read; what is cut off and written again in between is noticed.
struct LogSlice {
  std::shared_ptr<const io::File> file;
  uint64_t position = 0;
  size_t size = 0;
  Offset from = 0;  // of the first batch
  Offset next = 0;  // behind the last one
};

// Reads a slice and checks every batch of it. What has been given out before a
// batch turns out to be wrong cannot be taken back, but the last byte of the
// slice is only ever given when all before it is right: in a frame of a known
// length, what is corrupt is never served.
class SliceReader final : public ByteSource {
 public:
  // Told where the first wrong batch begins, at or behind that offset, on the
  // thread that reads. May be empty.
  using Corrupt = std::function<void(Offset, const Error&)>;

  SliceReader(LogSlice slice, Corrupt corrupt)
      : slice_(std::move(slice)), corrupt_(std::move(corrupt)) {}

  size_t size() const override { return slice_.size; }
  size_t left() const override { return slice_.size - done_; }
  Result<std::optional<size_t>> Read(char* to, size_t count,
                                     bool may_wait) override;

 private:
  Status Check(std::string_view piece);

  const LogSlice slice_;
  const Corrupt corrupt_;
  record::BatchChecker checker_;
  size_t done_ = 0;
};

}  // namespace tidemark::log
