#include "tests/forgetfs/volatile_tree.h"

#include <algorithm>
#include <cstring>

namespace tidemark::forgetfs {
namespace {

void ForgetBytes(Node& node, Cut& cut) {
  const std::string now = std::move(node.bytes);
  node.bytes = node.synced_bytes;
  // A cut through a file that shrank shows the old size or the new one.
  if (now.size() < node.bytes.size() && cut.Keeps()) {
    node.bytes.resize(now.size());
  }
  for (const size_t sector : node.dirty) {
    const size_t at = sector * kSector;
    if (at >= now.size() || !cut.Keeps()) continue;
    const size_t end = std::min(now.size(), at + kSector);
    if (node.bytes.size() < end) node.bytes.resize(end);
    std::memcpy(node.bytes.data() + at, now.data() + at, end - at);
  }
  node.Sync();
}

void ForgetNames(Node& node, Cut& cut) {
  Entries left = node.synced_entries;
  std::set<std::string> changed;
  for (const auto& [name, child] : node.entries) {
    const auto it = left.find(name);
    if (it == left.end() || it->second != child) changed.insert(name);
  }
  for (const auto& [name, child] : node.synced_entries) {
    if (!node.entries.contains(name)) changed.insert(name);
  }
  for (const std::string& name : changed) {
    if (!cut.Keeps()) continue;
    const auto it = node.entries.find(name);
    if (it == node.entries.end()) {
      left.erase(name);
    } else {
      left[name] = it->second;
    }
  }
  node.entries = std::move(left);
  node.Sync();
}

}  // namespace

void Node::Write(size_t at, const char* from, size_t count) {
  if (count == 0) return;
  if (bytes.size() < at + count) Resize(at + count);
  std::memcpy(bytes.data() + at, from, count);
  for (size_t s = at / kSector; s <= (at + count - 1) / kSector; ++s) {
    dirty.insert(s);
  }
}

void Node::Resize(size_t size) {
  const size_t before = bytes.size();
  bytes.resize(size);
  if (size <= before) return;
  // The zeros of a growing file are written too.
  for (size_t s = before / kSector; s <= (size - 1) / kSector; ++s) {
    dirty.insert(s);
  }
}

void Node::Sync() {
  if (directory) {
    synced_entries = entries;
    return;
  }
  synced_bytes.resize(bytes.size());
  if (dirty.size() * kSector * 2 > bytes.size()) {
    synced_bytes = bytes;
  } else {
    for (const size_t sector : dirty) {
      const size_t at = sector * kSector;
      if (at >= bytes.size()) break;
      std::memcpy(synced_bytes.data() + at, bytes.data() + at,
                  std::min(kSector, bytes.size() - at));
    }
  }
  dirty.clear();
}

bool Cut::Keeps() {
  return std::uniform_real_distribution<double>(0, 1)(random) < keep;
}

void PowerCut(Node& node, Cut& cut) {
  if (!node.directory) return ForgetBytes(node, cut);
  ForgetNames(node, cut);
  for (auto& [name, child] : node.entries) PowerCut(*child, cut);
}

}  // namespace tidemark::forgetfs
