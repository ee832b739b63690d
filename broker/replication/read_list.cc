#include "broker/replication/read_list.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

ReadList::~ReadList() {
  for (auto* entries : {&ready_, &resting_}) {
    for (ReadEntry& entry : *entries) {
      if (entry.watched != nullptr) entry.watched->Unwatch(entry);
    }
  }
}

void ReadList::ReadCommitted(bool only) {
  if (std::exchange(read_committed_, only) == only) return;
  while (!resting_.empty()) MarkReady(resting_.front());
}

Offset ReadList::LimitAt(const Partition& partition) const {
  if (follower_) return partition.log().end_offset();
  return read_committed_ ? partition.last_stable_offset()
                         : partition.high_watermark();
}

void ReadList::Ask(FetchedPartition* tag, ReadItem item) {
  if (const auto it = by_tag_.find(tag); it != by_tag_.end()) {
    ReadEntry& entry = *it->second;
    if (entry.item.fetch_offset != item.fetch_offset) {
      EndWarming(entry);
      entry.cold = false;
      entry.tries = {};
    }
    entry.item = std::move(item);
    return MarkReady(entry);
  }
  ready_.emplace_back();
  ReadEntry& entry = ready_.back();
  entry.tag = tag;
  entry.item = std::move(item);
  entry.list = this;
  entry.self = std::prev(ready_.end());
  by_tag_.emplace(tag, &entry);
}

void ReadList::Forget(FetchedPartition* tag) {
  const auto it = by_tag_.find(tag);
  if (it == by_tag_.end()) return;
  ReadEntry& entry = *it->second;
  by_tag_.erase(it);
  if (entry.watched != nullptr) entry.watched->Unwatch(entry);
  EndWarming(entry);
  (entry.ready ? ready_ : resting_).erase(entry.self);
}

void ReadList::Keep(ReadEntry& entry) {
  ready_.splice(ready_.end(), entry.ready ? ready_ : resting_, entry.self);
  entry.ready = true;
}

void ReadList::Rest(ReadEntry& entry) {
  if (!entry.ready) return;
  entry.ready = false;
  resting_.splice(resting_.end(), ready_, entry.self);
}

void ReadList::MarkReady(ReadEntry& entry) {
  if (!entry.ready) Keep(entry);
}

std::weak_ptr<const void> ReadList::BeginWarming(ReadEntry& entry) {
  EndWarming(entry);
  entry.warming = std::make_shared<char>();
  ++warming_;
  return entry.warming;
}

void ReadList::EndWarming(ReadEntry& entry) {
  if (entry.warming == nullptr) return;
  entry.warming = nullptr;
  --warming_;
}

Readers::~Readers() { WakeAll(); }

void Readers::Watch(ReadEntry& entry, Offset limit,
                    const Partition& partition) {
  entry.limit = limit;
  entry.committed = partition.high_watermark();
  entry.bytes = entry.list->follower() ? partition.appended_bytes()
                                       : partition.committed_bytes();
  // What is committed but not stable is not counted by itself: enough for a
  // look, once it is.
  if (entry.list->read_committed() && limit < partition.high_watermark()) {
    entry.bytes = 0;
  }
  if (entry.watched == this) return;
  if (entry.watched != nullptr) entry.watched->Unwatch(entry);
  entry.watched = this;
  entries_.push_back(&entry);
}

void Readers::Unwatch(ReadEntry& entry) {
  entry.watched = nullptr;
  std::erase(entries_, &entry);
}

void Readers::Moved(const Partition& partition) {
  for (ReadEntry* entry : entries_) {
    entry->list->MarkReady(*entry);
    const bool follower = entry->list->follower();
    const Offset limit = entry->list->LimitAt(partition);
    if (entry->item.wants_committed &&
        partition.high_watermark() > entry->committed) {
      entry->committed = partition.high_watermark();
      if (const auto waiter = entry->list->waiter()) waiter->Wake();
    }
    if (limit <= entry->limit) continue;
    const uint64_t bytes =
        follower ? partition.appended_bytes() : partition.committed_bytes();
    // At least one: records from before this process count for nothing.
    const auto grown =
        std::max<int64_t>(static_cast<int64_t>(bytes - entry->bytes), 1);
    entry->limit = limit;
    entry->bytes = bytes;
    if (const auto waiter = entry->list->waiter()) waiter->Grown(grown);
  }
}

void Readers::MarkReady() {
  for (ReadEntry* entry : entries_) entry->list->MarkReady(*entry);
}

void Readers::WakeAll() {
  for (ReadEntry* entry : std::exchange(entries_, {})) {
    entry->watched = nullptr;
    entry->list->MarkReady(*entry);
    if (const auto waiter = entry->list->waiter()) waiter->Wake();
  }
}

}  // namespace tidemark::replication
