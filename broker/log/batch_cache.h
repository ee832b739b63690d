#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/shared_bytes.h"

namespace tidemark::log {

// The newest batches that producers sent to the logs of one shard, as they are
// in the segments. Followers, and consumers at the end of a log, read them from
// here: without a system call, and nothing is to be checked that has not been
// to a disk.
//
// All logs share the memory; the oldest is forgotten first, whoever's it is.
// Bounded by `limit`, and by what answers under way hold on to: at most four
// times their size.
//
// On the shard's thread.
class BatchCache {
 public:
  explicit BatchCache(size_t limit) : limit_(limit) {}

  struct Place {
    uint64_t chunk = 0;
    size_t at = 0;
    size_t size = 0;
  };
  // Copies the two, one behind the other. nullopt: too much for the cache.
  std::optional<Place> Add(std::string_view head, std::string_view rest);
  bool Has(const Place& place) const { return place.chunk >= first_chunk_; }
  // From one place to another that is not before it. In one run when there is
  // nothing between them. REQUIRES: Has(first of them).
  SharedBytes Get(const Place* first, size_t count) const;

  // Of memory.
  size_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    std::shared_ptr<char[]> bytes;
    size_t capacity = 0;
    size_t used = 0;
  };
  const Chunk& ChunkOf(const Place& place) const {
    return chunks_[place.chunk - first_chunk_];
  }

  const size_t limit_;
  size_t bytes_ = 0;
  std::deque<Chunk> chunks_;
  uint64_t first_chunk_ = 0;  // number of chunks_.front()
};

// Those of one log, without gaps.
class NewestBatches {
 public:
  void Use(std::shared_ptr<BatchCache> cache) { cache_ = std::move(cache); }

  // A batch of [base, next) behind all before.
  void Add(Offset base, Offset next, std::string_view head,
           std::string_view rest);
  // Any thread that has the log.
  void Clear() {
    offsets_.clear();
    places_.clear();
  }
  // Those in front of `offset`: they have changed on disk.
  void ForgetBelow(Offset offset);
  // As Log::Read. nullopt: the batch of `from` is not here.
  std::optional<SharedBytes> Read(Offset from, Offset below, size_t max_bytes,
                                  bool at_least_one) const;

 private:
  struct Range {
    Offset base = 0;
    Offset next = 0;
  };
  std::shared_ptr<BatchCache> cache_;  // nullptr: nothing is kept
  std::vector<Range> offsets_;         // ascending
  std::vector<BatchCache::Place> places_;
};

}  // namespace tidemark::log
