#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

#include "broker/log/key_hash.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::log {

// The last offset of each key of a part of a log (kafka SkimpyOffsetMap), in a
// bounded memory: 24 bytes a key. Keys are told apart by 128 bits of a hash
// with a secret of its own. One owner.
class KeyOffsets {
 public:
  // Of 24 bytes each; what is never used costs no memory.
  // kOutOfSpace: there is none.
  static Result<KeyOffsets> Make(size_t bytes, double load_factor,
                                 KeyHash::Secret secret);

  // False: another key does not fit. Nothing has changed then.
  bool Put(std::string_view key, Offset offset);
  std::optional<Offset> Find(std::string_view key) const;

  // Everything up to here is in it; -1: nothing.
  Offset latest() const { return latest_; }
  void SetLatest(Offset offset) { latest_ = offset; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  struct Slot {
    KeyHash key;
    uint64_t next = 0;  // the offset and one; 0: there is none
  };
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  // Where the key is or would be. REQUIRES: a slot is free.
  size_t SlotOf(const KeyHash& hash) const;

  KeyHash::Secret secret_;
  std::unique_ptr<Slot[], Free> slots_;
  size_t slot_count_ = 0;
  size_t capacity_ = 0;
  size_t size_ = 0;
  Offset latest_ = -1;
};

}  // namespace tidemark::log
