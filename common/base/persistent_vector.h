#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace tidemark {

// A vector whose copies share what they have in common: chunks of 32 elements.
// A copy, Set and push_back cost n / 32, plus 32 copies of elements; for the
// partitions of one topic, of which there are tens, seldom thousands. The
// elements themselves never change. Threads: as a std::vector each; vectors
// that share chunks may be used by different threads.
template <class T>
class PersistentVector {
 public:
  class Iterator;
  using value_type = T;
  using const_iterator = Iterator;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // REQUIRES: i < size().
  const T& operator[](size_t i) const {
    return (*chunks_[i / kChunk])[i % kChunk];
  }
  Iterator begin() const { return Iterator(this, 0); }
  Iterator end() const { return Iterator(this, size_); }

  // REQUIRES: i < size().
  void Set(size_t i, T value) {
    auto copy = std::make_shared<Chunk>(*chunks_[i / kChunk]);
    (*copy)[i % kChunk] = std::move(value);
    chunks_[i / kChunk] = std::move(copy);
  }
  void push_back(T value) {
    auto last = std::make_shared<Chunk>();
    if (size_ % kChunk == 0) {
      chunks_.emplace_back();
    } else {
      last->reserve(chunks_.back()->size() + 1);
      *last = *chunks_.back();
    }
    last->push_back(std::move(value));
    chunks_.back() = std::move(last);
    ++size_;
  }

 private:
  static constexpr size_t kChunk = 32;
  using Chunk = std::vector<T>;

  std::vector<std::shared_ptr<const Chunk>> chunks_;  // all full but the last
  size_t size_ = 0;
};

template <class T>
class PersistentVector<T>::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = const T*;
  using reference = const T&;

  Iterator() = default;
  reference operator*() const { return (*vector_)[at_]; }
  pointer operator->() const { return &(*vector_)[at_]; }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  Iterator operator++(int) { return Iterator(vector_, at_++); }
  bool operator==(const Iterator& other) const = default;

 private:
  friend class PersistentVector;
  Iterator(const PersistentVector* vector, size_t at)
      : vector_(vector), at_(at) {}

  const PersistentVector* vector_ = nullptr;
  size_t at_ = 0;
};

}  // namespace tidemark
