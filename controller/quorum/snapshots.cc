#include "controller/quorum/snapshots.h"

#include <glog/logging.h>

#include <algorithm>
#include <string>
#include <utility>

#include "controller/quorum/stop.h"

namespace tidemark::quorum {
namespace {

// Of an entry beside its data.
constexpr uint64_t kEntryOverheadBytes = 32;
constexpr raft::LogIndex kCompactSlice = 4096;

}  // namespace

Snapshots::Snapshots(const Options& options, Executor& executor,
                     Executor& background, StateMachine& machine, Disk& disk,
                     raft::Raft& core)
    : options_(options),
      executor_(executor),
      background_(background),
      machine_(machine),
      disk_(disk),
      core_(core),
      self_(std::make_shared<Snapshots*>(this)) {}

void Snapshots::Load(raft::Snapshot snapshot, std::function<void()> loaded) {
  index_ = snapshot.last.index;
  applied_bytes_ = 0;
  ++loads_;
  if (read_ && read_last_ == snapshot.last)
    return Loaded(loads_, std::exchange(read_, nullptr), loaded);
  background_.Post([weak = std::weak_ptr(self_), &executor = executor_,
                    &machine = machine_, data = std::move(snapshot.data),
                    offset = static_cast<MetadataOffset>(index_), load = loads_,
                    loaded = std::move(loaded)] {
    auto read = machine.ReadSnapshot(data, offset);
    if (!read)
      StopForGood("the snapshot at offset " + std::to_string(offset) +
                  " does not load: " + read.error().message);
    auto install = std::make_shared<StateMachine::Install>(std::move(*read));
    executor.Post([weak, install, load, loaded] {
      if (auto self = weak.lock()) (*self)->Loaded(load, install, loaded);
    });
  });
}

void Snapshots::Check(raft::SnapshotCheck snapshot,
                      std::function<void(Status)> checked) {
  background_.Post([weak = std::weak_ptr(self_), &executor = executor_,
                    &machine = machine_, last = snapshot.last,
                    data = std::move(snapshot.data), check = ++checks_,
                    checked = std::move(checked)] {
    auto read =
        machine.ReadSnapshot(data, static_cast<MetadataOffset>(last.index));
    Install install;
    if (read)
      install = std::make_shared<StateMachine::Install>(std::move(*read));
    const Status status = read ? Status() : Fail(read.error());
    executor.Post([weak, install, last, check, status, checked] {
      auto self = weak.lock();
      if (!self) return;
      if (check == (*self)->checks_) {
        (*self)->read_ = install;
        (*self)->read_last_ = last;
      }
      checked(status);
    });
  });
}

void Snapshots::Loaded(uint64_t load, const Install& install,
                       const std::function<void()>& loaded) {
  if (load == loads_) {
    (*install)();
    loaded();
  }
  // What it has replaced, or would have, may be large.
  background_.Post([install] { *install = nullptr; });
}

void Snapshots::Count(const std::vector<raft::Entry>& entries) {
  for (const raft::Entry& entry : entries)
    applied_bytes_ += entry.data.size() + kEntryOverheadBytes;
}

void Snapshots::MaybeTake(raft::LogPosition applied) {
  if (taking_ || applied.index == index_) return;
  // One that joins and has the log from its beginning does not know yet who
  // formed the quorum then; whoever gets its snapshot must.
  if (!core_.log().MembersAt(applied.index)) return;
  const bool asked = machine_.WantsSnapshot();
  if (!asked && applied_bytes_ < options_.snapshot_every_bytes &&
      applied.index - index_ < options_.snapshot_every_entries)
    return;
  taking_ = true;
  applied_bytes_ = 0;
  const raft::LogIndex slack = asked ? 0 : options_.snapshot_slack_entries;
  const raft::LogIndex compact_to =
      applied.index > slack ? applied.index - slack : 0;
  const Instant began = executor_.Now();
  disk_.SaveSnapshot(
      applied, MembersAt(applied.index), machine_.TakeSnapshot(), compact_to,
      [weak = std::weak_ptr(self_), applied, compact_to, began](size_t bytes) {
        if (auto self = weak.lock())
          (*self)->Saved(applied, compact_to, began, bytes);
      });
}

// A list of ids is in the configuration, not in the log.
raft::MembersPtr Snapshots::MembersAt(raft::LogIndex index) const {
  raft::MembersPtr members = core_.log().MembersAt(index);
  return members && members->IsAgreed() ? members : nullptr;
}

void Snapshots::Saved(raft::LogPosition last, raft::LogIndex compact_to,
                      Instant began, size_t bytes) {
  taking_ = false;
  bytes_ = bytes;
  times_.Add(executor_.Now() - began);
  LOG(INFO) << "took snapshot offset=" << last.index << " bytes=" << bytes;
  index_ = std::max(index_, last.index);
  Compact(compact_to);
}

// A hundred thousand entries take longer than a turn should.
void Snapshots::Compact(raft::LogIndex to) {
  const raft::LogIndex base = core_.log().base().index;
  core_.Compact(std::min(to, base + kCompactSlice));
  if (base + kCompactSlice >= to) return;
  executor_.Post([weak = std::weak_ptr(self_), to] {
    if (auto self = weak.lock()) (*self)->Compact(to);
  });
}

}  // namespace tidemark::quorum
