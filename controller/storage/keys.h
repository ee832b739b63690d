#pragma once

#include <rocksdb/slice.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How the controller's storage names and packs its rows. Numbers are fixed
// width; in keys big-endian, so that RocksDB's byte order is theirs.
//
//   column family  key             value
//   raft_log       index (8, BE)   term (8, LE), data; with the highest bit of
//                                  the term set the data are the members
//   raft_state     "format"        "1"; "2" once members are in the log
//                  "identity"      cluster id, '\n', node id, '\n', directory
//                  "hard_state"    term (8, LE), vote (4, LE)
//                  "vote_disk"     the same, directory id (16): where they
//                  agree
//                                  the vote is that disk's
//                  "members"       of the quorum that this one began with
//                  "peer/" + id    directory id (16): of the other voters, as
//                                  first seen
//                  "base"          index (8, LE), term (8, LE): the last entry
//                                  compacted away
//   snapshot       "meta"          index (8, LE), term (8, LE), bytes (8, LE),
//                                  members, if any were agreed on
//                  index, n (8+4)  part n of the data of the snapshot
namespace tidemark::storage {

inline rocksdb::Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}

inline void AppendFixed(std::string* to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    to->push_back(static_cast<char>(value >> (8 * i)));
}

// Takes a little-endian number off the front; nullopt when too short.
inline std::optional<uint64_t> TakeFixed(std::string_view* from, int bytes) {
  if (from->size() < static_cast<size_t>(bytes)) return std::nullopt;
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>((*from)[i])) << (8 * i);
  from->remove_prefix(bytes);
  return value;
}

inline std::string OrderedKey(uint64_t value, int bytes = 8) {
  std::string key;
  for (int i = bytes - 1; i >= 0; --i)
    key.push_back(static_cast<char>(value >> (8 * i)));
  return key;
}

inline uint64_t FromOrderedKey(std::string_view key) {
  uint64_t value = 0;
  for (char byte : key) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace tidemark::storage
