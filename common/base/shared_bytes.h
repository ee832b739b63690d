#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark {

// An immutable run of bytes and a share in the buffer that holds it. Copying
// costs a reference count, never the bytes. Safe to pass between threads.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string owned) {
    auto buffer = std::make_shared<const std::string>(std::move(owned));
    view_ = *buffer;
    owner_ = std::move(buffer);
  }
  // `view` points into what `owner` keeps alive.
  SharedBytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  const char* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // A part of the same buffer. REQUIRES: from + count <= size().
  SharedBytes Slice(size_t from, size_t count) const {
    return SharedBytes(owner_, view_.substr(from, count));
  }

  bool operator==(const SharedBytes& other) const {
    return view_ == other.view_;
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace tidemark
