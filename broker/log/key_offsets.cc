#include "broker/log/key_offsets.h"

#include <algorithm>

namespace tidemark::log {

Result<KeyOffsets> KeyOffsets::Make(size_t bytes, double load_factor,
                                    KeyHash::Secret secret) {
  KeyOffsets made;
  made.secret_ = secret;
  made.slot_count_ = std::max<size_t>(bytes / sizeof(Slot), 2);
  // Also where that is no number.
  load_factor = std::max(0.05, std::min(0.95, load_factor));
  made.capacity_ = std::clamp<size_t>(
      static_cast<size_t>(static_cast<double>(made.slot_count_) * load_factor),
      1, made.slot_count_ - 1);
  made.slots_.reset(
      static_cast<Slot*>(std::calloc(made.slot_count_, sizeof(Slot))));
  if (made.slots_ == nullptr) {
    return Fail(ErrorCode::kOutOfSpace,
                "no memory for a map of " + std::to_string(bytes) + " bytes");
  }
  return made;
}

size_t KeyOffsets::SlotOf(const KeyHash& hash) const {
  size_t at = hash.low % slot_count_;
  while (slots_[at].next != 0 && slots_[at].key != hash) {
    if (++at == slot_count_) at = 0;
  }
  return at;
}

bool KeyOffsets::Put(std::string_view key, Offset offset) {
  const KeyHash hash = KeyHash::Of(key, secret_);
  Slot& slot = slots_[SlotOf(hash)];
  if (slot.next == 0) {
    if (size_ == capacity_) return false;
    ++size_;
    slot.key = hash;
  }
  slot.next = static_cast<uint64_t>(offset) + 1;
  return true;
}

std::optional<Offset> KeyOffsets::Find(std::string_view key) const {
  if (size_ == 0) return std::nullopt;
  const Slot& slot = slots_[SlotOf(KeyHash::Of(key, secret_))];
  if (slot.next == 0) return std::nullopt;
  return static_cast<Offset>(slot.next - 1);
}

}  // namespace tidemark::log
