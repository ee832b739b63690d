#include "broker/kafka/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace tidemark::server {
namespace {

constexpr size_t kStaging = 8 * 1024;
// Given on trust: what default clients send at most fits without a copy.
constexpr size_t kFirstBuffer = 1024 * 1024 + 64 * 1024;

int32_t LoadLength(const char* from) {
  const auto* byte = reinterpret_cast<const uint8_t*>(from);
  return static_cast<int32_t>(uint32_t{byte[0]} << 24 |
                              uint32_t{byte[1]} << 16 | uint32_t{byte[2]} << 8 |
                              uint32_t{byte[3]});
}

}  // namespace

std::span<char> FrameReader::Space() {
  into_frame_ = frame_ != nullptr && begin_ == end_;
  if (into_frame_) {
    if (received_ == capacity_ && capacity_ < length_) {
      const size_t larger = std::min(length_, capacity_ * 2);
      std::shared_ptr<char[]> grown(new char[larger]);
      std::memcpy(grown.get(), frame_.get(), received_);
      frame_ = std::move(grown);
      capacity_ = larger;
    }
    return {frame_.get() + received_, capacity_ - received_};
  }
  if (staging_ == nullptr) staging_.reset(new char[kStaging]);
  if (begin_ > 0) {
    std::memmove(staging_.get(), staging_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {staging_.get() + end_, kStaging - end_};
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
  const char* data = frame_.get();
  std::shared_ptr<const void> owner(std::move(frame_), data);
  frame_ = nullptr;
  return SharedBytes(std::move(owner), {data, length_});
}

Status FrameReader::StartFrame() {
  if (Staged().size() < sizeof(int32_t)) return {};
  const int32_t length = LoadLength(Staged().data());
  if (length < 0 || static_cast<size_t>(length) > max_frame_) {
    return Fail(ErrorCode::kInvalidRequest,
                "frame length " + std::to_string(length) +
                    " is not within 0 and socket.request.max.bytes (" +
                    std::to_string(max_frame_) + ")");
  }
  begin_ += sizeof(int32_t);
  length_ = static_cast<size_t>(length);
  capacity_ = std::min(length_, kFirstBuffer);
  received_ = 0;
  frame_.reset(new char[std::max<size_t>(capacity_, 1)]);
  return {};
}

void FrameReader::TakeStaged() {
  const size_t take = std::min(Staged().size(), length_ - received_);
  std::memcpy(frame_.get() + received_, Staged().data(), take);
  begin_ += take;
  received_ += take;
}

}  // namespace tidemark::server
