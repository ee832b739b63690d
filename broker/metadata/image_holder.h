#pragma once

#include <mutex>
#include <utility>

#include "common/metadata/image.h"

namespace tidemark {

// The newest metadata image this broker has. Any thread; a reader keeps the
// image it took for as long as it likes.
class ImageHolder {
 public:
  metadata::ImagePtr Get() const {
    std::lock_guard lock(mutex_);
    return image_;
  }
  void Set(metadata::ImagePtr image) {
    std::lock_guard lock(mutex_);
    image_ = std::move(image);
  }

 private:
  mutable std::mutex mutex_;
  metadata::ImagePtr image_ = std::make_shared<const metadata::Image>();
};

}  // namespace tidemark
