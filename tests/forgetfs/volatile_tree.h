#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

// A tree of files in memory that knows, for every file and directory, what a
// power cut would leave of it. The rules are those that POSIX guarantees and
// no more: what was written is there after fsync of the file; a name is there,
// or gone, after fsync of its directory; a file's fsync does not keep its name.
namespace tidemark::forgetfs {

constexpr size_t kSector = 512;

// What a folder of the root and all below it answers once its disk has begun to
// fail; files that are open or have lost their names fail with the rest.
struct Disk {
  bool writes_fail = false;  // and syncs, and whatever changes names
  bool reads_fail = false;
  bool syncs_hang = false;
};

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Entries = std::map<std::string, NodePtr>;

struct Node {
  bool directory = false;
  uint32_t mode = 0;
  uint64_t id = 0;
  int64_t modified_ns = 0;
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();

  // Now, and as of the last sync.
  std::string bytes, synced_bytes;
  Entries entries, synced_entries;
  std::set<size_t> dirty;  // sectors written since then

  void Write(size_t at, const char* from, size_t count);
  void Resize(size_t size);
  void Sync();
};

// What the cut does with what was not synced: every sector and every name is
// kept with this probability, independently, as a disk that reorders would.
struct Cut {
  std::mt19937_64 random;
  double keep = 0;
  bool Keeps();
};

// Forgets in `node` and everything below it.
void PowerCut(Node& node, Cut& cut);

}  // namespace tidemark::forgetfs
