#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/result.h"
#include "common/base/shared_bytes.h"

namespace tidemark {

// Bytes that lie elsewhere, on a disk, and are read once, from front to back,
// piece by piece. Used by one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Of all pieces together, from the start.
  virtual size_t size() const = 0;
  // Not read yet.
  virtual size_t left() const = 0;
  // The next bytes, at least one and at most `count`, which is not 0. nullopt:
  // they need the disk, and the caller's thread must not wait (`may_wait`).
  // An error: there will be no more. REQUIRES: left() > 0.
  virtual Result<std::optional<size_t>> Read(char* to, size_t count,
                                             bool may_wait) = 0;
};

// Bytes on their way to a socket: at hand, or read when their turn comes, so
// that a large answer to a slow reader does not lie in memory meanwhile.
// Copies share the source, which is read once.
class Payload {
 public:
  Payload() = default;
  Payload(SharedBytes bytes)  // NOLINT: bytes are the common case
      : bytes_(std::move(bytes)) {}
  explicit Payload(std::shared_ptr<ByteSource> source)
      : source_(std::move(source)) {}

  size_t size() const { return source_ ? source_->size() : bytes_.size(); }
  bool empty() const { return size() == 0; }
  // Of size(), what is in memory.
  size_t memory() const { return source_ ? 0 : bytes_.size(); }
  // nullptr: at hand.
  ByteSource* source() const { return source_.get(); }
  // REQUIRES: source() == nullptr.
  const SharedBytes& bytes() const { return bytes_; }
  // All of it, whatever that takes; blocking. Once.
  Result<SharedBytes> Load() const;

  bool operator==(const Payload&) const = default;

 private:
  SharedBytes bytes_;
  std::shared_ptr<ByteSource> source_;
};

}  // namespace tidemark
