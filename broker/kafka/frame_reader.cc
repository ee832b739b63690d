#include "broker/kafka/frame_reader.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "common/kafka/api_key.h"

namespace tidemark::server {
namespace {

constexpr size_t kStaging = 8 * 1024;
// Address space given on trust, so that what default clients send at most
// needs no copy; memory is what is written to.
constexpr size_t kFirstBuffer = 1024 * 1024 + 64 * 1024;
// The least that is taken from the budget at a time.
constexpr size_t kStep = 64 * 1024;

int32_t LoadLength(const char* from) {
  const auto* byte = reinterpret_cast<const uint8_t*>(from);
  return static_cast<int32_t>(uint32_t{byte[0]} << 24 |
                              uint32_t{byte[1]} << 16 | uint32_t{byte[2]} << 8 |
                              uint32_t{byte[3]});
}

}  // namespace

// Grows in place or by moving pages where the allocator can.
struct FrameReader::Buffer {
  explicit Buffer(MemoryBudget::Lease taken) : lease(std::move(taken)) {}
  Buffer(const Buffer&) = delete;
  ~Buffer() { std::free(data); }

  void Grow(size_t to) {
    void* grown = std::realloc(data, std::max<size_t>(to, 1));
    if (grown == nullptr) throw std::bad_alloc();
    data = static_cast<char*>(grown);
    capacity = to;
  }

  char* data = nullptr;
  size_t capacity = 0;
  MemoryBudget::Lease lease;
};

std::span<char> FrameReader::Space() {
  into_frame_ = frame_ != nullptr && begin_ == end_;
  if (into_frame_) {
    if (!Reserve()) return {};
    return {frame_->data + received_,
            std::min(reserved_, frame_->capacity) - received_};
  }
  if (staging_ == nullptr) staging_.reset(new char[kStaging]);
  if (begin_ > 0) {
    std::memmove(staging_.get(), staging_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {staging_.get() + end_, kStaging - end_};
}

bool FrameReader::Reserve() {
  if (needed_ > 0) {
    if (!asked_ || frame_->lease.IsWaiting()) return false;
    reserved_ += std::exchange(needed_, 0);
    asked_ = false;
  }
  if (received_ == reserved_) {
    const size_t more =
        std::min(length_ - reserved_, std::max(kStep, received_));
    if (!frame_->lease.Take(more)) {
      needed_ = more;
      return false;
    }
    reserved_ += more;
  }
  if (received_ == frame_->capacity) {
    frame_->Grow(std::min(length_, frame_->capacity * 2));
  }
  return true;
}

void FrameReader::WhenFree(Executor& on, std::function<void()> ready) {
  if (asked_) return;
  asked_ = true;
  frame_->lease.TakeLater(needed_, on, std::move(ready));
}

void FrameReader::Filled(size_t count) {
  if (into_frame_) {
    received_ += count;
  } else {
    end_ += count;
  }
}

Result<std::optional<SharedBytes>> FrameReader::Next() {
  if (frame_ == nullptr) TM_RETURN_IF_ERROR(StartFrame());
  if (frame_ == nullptr) return std::nullopt;
  TakeStaged();
  if (received_ < length_) return std::nullopt;
  const char* data = frame_->data;
  std::shared_ptr<const void> owner = std::move(frame_);
  frame_ = nullptr;
  return SharedBytes(std::move(owner), {data, length_});
}

Status FrameReader::StartFrame() {
  // With the API's key, where there is one: it says whether to wait.
  constexpr size_t kPrefix = sizeof(int32_t) + sizeof(int16_t);
  if (Staged().size() < sizeof(int32_t)) return {};
  const int32_t length = LoadLength(Staged().data());
  if (length < 0 || static_cast<size_t>(length) > max_frame_) {
    return Fail(ErrorCode::kInvalidRequest,
                "frame length " + std::to_string(length) +
                    " is not within 0 and " + std::to_string(max_frame_) +
                    " (socket.request.max.bytes, or before authentication "
                    "sasl.server.max.receive.size)");
  }
  if (length >= 2 && Staged().size() < kPrefix) return {};
  static_assert(static_cast<int16_t>(kafka::ApiKey::kFetch) == 1);
  const bool is_fetch =
      known_ && length >= 2 && Staged()[4] == 0 && Staged()[5] == 1;
  begin_ += sizeof(int32_t);
  length_ = static_cast<size_t>(length);
  received_ = 0;
  frame_ = std::make_shared<Buffer>(budget_->NewLease());
  frame_->Grow(std::min(length_, kFirstBuffer));
  // What was received already is in memory; only the rest can wait.
  const bool waits = length_ > (is_fetch ? kFetchNeverWaits : kNeverWaits);
  reserved_ = waits ? std::min(length_, kStaging) : length_;
  frame_->lease.Charge(reserved_);
  return {};
}

void FrameReader::TakeStaged() {
  const size_t take = std::min(Staged().size(), length_ - received_);
  std::memcpy(frame_->data + received_, Staged().data(), take);
  begin_ += take;
  received_ += take;
}

}  // namespace tidemark::server
