#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/sim_disk.h"

// What a SimDisk holds: as its users see it, as it is on the platter, and the
// changes between. Of its own sources only.
namespace tidemark::sim {

struct ByteChange {
  bool truncate = false;
  uint64_t at = 0;  // or the new size
  std::string bytes;
};

inline void Apply(std::string& content, uint64_t at, std::string_view bytes) {
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
  std::memcpy(content.data() + at, bytes.data(), bytes.size());
}

inline void Apply(std::string& content, const ByteChange& change) {
  if (change.truncate) {
    content.resize(change.at);
  } else {
    Apply(content, change.at, change.bytes);
  }
}

struct SimDisk::Inode {
  std::string current;
  std::string durable;
  std::vector<ByteChange> unsynced;
  // What is in memory since the cache was dropped for the `cache`th time.
  uint64_t cache = 0;
  std::set<uint64_t> pages;
};

struct SimDisk::Node {
  std::shared_ptr<Inode> file;  // one of the two
  std::shared_ptr<Directory> directory;
};

struct SimDisk::Directory {
  struct EntryChange {
    std::string remove;  // empty: nothing
    std::string add;     // empty: nothing
    Node node;           // of `add`
  };
  std::map<std::string, Node> current;
  std::map<std::string, Node> durable;
  std::vector<EntryChange> unsynced;

  void Make(EntryChange change) {
    ApplyTo(current, change);
    unsynced.push_back(std::move(change));
  }
  static void ApplyTo(std::map<std::string, Node>& entries,
                      const EntryChange& change) {
    if (!change.remove.empty()) entries.erase(change.remove);
    if (!change.add.empty()) entries[change.add] = change.node;
  }
};

}  // namespace tidemark::sim
