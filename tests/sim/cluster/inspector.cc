#include "tests/sim/cluster/inspector.h"

#include <algorithm>
#include <iterator>

#include "broker/log/segment.h"
#include "common/record/batch_reader.h"

namespace tidemark::sim {

void Inspector::Fail(const At& at, const std::string& what) {
  history_.Fail(ToString(at.name) + " on " +
                std::to_string(at.process.machine().id()) + ": " + what);
}

void Inspector::Look(BrokerProcess& process, size_t shard) {
  if (history_.failure() || !process.running()) return;
  auto& replicas = process.core().replicas();
  for (auto& [name, state] : partitions_) {
    if (replicas.ShardIndexOf(name) != shard) continue;
    replication::Partition* partition = replicas.shard(shard).Find(name);
    if (partition == nullptr || partition->away() || partition->failed()) {
      continue;
    }
    LookAt({name, state, process, *partition});
  }
}

void Inspector::LookAt(const At& at) {
  Replica& replica = at.state.replicas[at.process.machine().id()];
  if (replica.process != &at.process) {
    replica = Replica();
    replica.process = &at.process;
  }
  CheckOffsets(at);
  if (!at.state.loose) {
    at.state.end = std::max(at.state.end, at.partition.high_watermark());
    CheckMember(at);
    CheckLatest(at);
  }
  if (replica.epoch != at.partition.leader_epoch()) {
    replica.epoch = at.partition.leader_epoch();
    replica.led = false;
  }
  Read(at, replica);
  if (at.partition.IsLeader() && !std::exchange(replica.led, true)) {
    CheckNewLeader(at, replica);
  }
}

void Inspector::CheckOffsets(const At& at) {
  const log::Log& log = at.partition.log();
  const Offset high_watermark = at.partition.high_watermark();
  const Offset start = log.start_offset(), end = log.end_offset();
  if (0 <= start && start <= high_watermark && high_watermark <= end &&
      start <= log.flushed_offset() && log.flushed_offset() <= end) {
    return;
  }
  Fail(at, "B-01 broken: start " + std::to_string(start) + ", flushed " +
               std::to_string(log.flushed_offset()) + ", high watermark " +
               std::to_string(high_watermark) + ", end " + std::to_string(end));
}

void Inspector::CheckMember(const At& at) {
  const auto image = controllers_.image();
  const NodeId id = at.process.machine().id();
  const auto* broker = image->FindBroker(id);
  const auto* row = image->FindPartition(at.name.topic, at.name.partition);
  // The one that is registered, not another process that it knows nothing of.
  if (row == nullptr || broker == nullptr ||
      broker->incarnation != at.process.incarnation() ||
      std::find(row->isr.begin(), row->isr.end(), id) == row->isr.end()) {
    return;
  }
  const log::Log& log = at.partition.log();
  if (log.flushed_offset() >= at.state.end) return;
  Fail(at, "in the ISR, and ends at " + std::to_string(log.end_offset()) +
               ", for good at " + std::to_string(log.flushed_offset()) +
               ", committed is up to " + std::to_string(at.state.end));
}

void Inspector::CheckLatest(const At& at) {
  if (!at.partition.IsLeader()) return;
  const auto latest = at.partition.FindOffset(-1, -1);
  if (!latest) return;
  const LeaderEpoch epoch = at.partition.leader_epoch();
  State& state = at.state;
  if (epoch >= state.told_epoch && latest->offset < state.told) {
    Fail(at, "the latest offset went back from " + std::to_string(state.told) +
                 " in epoch " + std::to_string(state.told_epoch) + " to " +
                 std::to_string(latest->offset) + " in epoch " +
                 std::to_string(epoch));
  }
  if (latest->offset > state.told) {
    state.told = latest->offset;
    state.told_epoch = epoch;
  }
}

// All that it has was just read, and what is below its high watermark was
// checked.
void Inspector::CheckNewLeader(const At& at, Replica& replica) {
  if (replica.next < at.partition.log().end_offset()) {
    replica.led = false;  // it cannot be read now
    return;
  }
  auto committed = at.state.committed.lower_bound(
      std::max(replica.checked, at.partition.log().start_offset()));
  for (; committed != at.state.committed.end(); ++committed) {
    const auto& [offset, expected] = *committed;
    // One that learns late of its election may miss what the next has
    // committed.
    if (expected.in >= at.partition.leader_epoch()) continue;
    const auto own = replica.above.find(offset);
    if (own != replica.above.end() && own->second == expected.record) continue;
    return Fail(at, "leads epoch " +
                        std::to_string(at.partition.leader_epoch()) +
                        " without " + expected.record.value + " at " +
                        std::to_string(offset));
  }
}

// --- what is on disk

void Inspector::Read(const At& at, Replica& replica) {
  log::Log& log = at.partition.log();
  const Offset start = log.start_offset(), end = log.end_offset();
  // What it no longer has, be it removed or never committed.
  replica.above.erase(replica.above.begin(), replica.above.lower_bound(start));
  if (end < replica.next || replica.next < start) {
    // It was cut, or begins later: all that is not committed is read again.
    replica.above.erase(replica.above.lower_bound(end), replica.above.end());
    replica.checked = std::clamp(replica.checked, Offset{-1}, end);
    replica.next = replica.segment = -1;
  }
  while (replica.next < end && ReadSegment(at, replica)) {
  }
  const Offset committed = at.partition.high_watermark();
  auto& above = replica.above;
  while (!above.empty() && above.begin()->first < committed) {
    if (above.begin()->first >= replica.checked && !at.state.loose) {
      Commit(at, above.begin()->first, above.begin()->second);
    }
    above.erase(above.begin());
  }
  replica.checked = std::max(
      replica.checked, std::min(committed, std::max<Offset>(replica.next, 0)));
}

// The one that the log begins in; others may be about to be removed.
Offset Inspector::FirstSegment(const At& at) {
  const log::Log& log = at.partition.log();
  const auto names = at.process.machine().disk().List(log.dir());
  Offset first = 0;
  for (const auto& name : names.value_or(std::vector<std::string>())) {
    const auto base = log::ParseSegmentFileName(name, ".log");
    if (base && *base <= log.start_offset()) first = *base;
  }
  return first;
}

bool Inspector::ReadSegment(const At& at, Replica& replica) {
  SimDisk& disk = at.process.machine().disk();
  const auto path = [&](Offset base) {
    return at.partition.log().dir() + "/" + log::SegmentFileName(base, ".log");
  };
  if (replica.next < 0) {
    replica.next = FirstSegment(at);
    replica.last_epoch = -1;
  }
  if (disk.Exists(path(replica.next))) {
    replica.segment = replica.next;
    replica.position = 0;
  }
  const auto file = disk.Open(path(replica.segment), false);
  if (!file) {
    replica.next = replica.segment = -1;
    return false;
  }
  const uint64_t size = (*file)->Size().value_or(0);
  if (size <= replica.position) return false;
  std::string bytes(size - replica.position, '\0');
  const auto read =
      (*file)->ReadAt(replica.position, bytes.data(), bytes.size());
  if (!read) return false;
  bytes.resize(*read);
  record::BatchIterator batches(bytes);
  bool any = false;
  while (replica.next < at.partition.log().end_offset()) {
    const auto batch = batches.Next();
    if (!batch || !*batch) break;
    if (!TakeBatch(at, replica, (*batch)->bytes)) return false;
    any = true;
  }
  return any;
}

// False: it is damaged, which others notice.
bool Inspector::TakeBatch(const At& at, Replica& replica,
                          std::string_view batch) {
  const auto header = record::ParseAndVerifyBatch(batch);
  if (!header) return false;
  (void)record::ForEachRecord(
      batch, [&](const record::Record& found) -> Status {
        Record record{header->leader_epoch,
                      std::string(found.value.value_or("null"))};
        // Markers are all alike.
        if (header->IsControl()) {
          record.value = "marker at " + std::to_string(found.offset);
        }
        CheckNamed(at, replica, found.offset, record);
        replica.last_epoch = record.epoch;
        if (found.offset >= replica.checked) {
          replica.above[found.offset] = std::move(record);
        }
        return {};
      });
  replica.position += batch.size();
  replica.next = header->NextOffset();
  return true;
}

void Inspector::CheckNamed(const At& at, Replica& replica, Offset offset,
                           const Record& record) {
  // In front of where a log starts is nothing: what still lies there was
  // deleted before a leader that starts there could tell that it is another.
  if (offset <= at.partition.log().start_offset()) replica.last_epoch = -1;
  const auto [it, added] = at.state.named.try_emplace(
      {offset, record.epoch}, record.value, replica.last_epoch);
  auto& [value, before] = it->second;
  if (before < 0) before = replica.last_epoch;
  if (value == record.value &&
      (before == replica.last_epoch || replica.last_epoch < 0)) {
    return;
  }
  Fail(at, "B-16 broken at " + std::to_string(offset) + " in epoch " +
               std::to_string(record.epoch) + ": " + record.value +
               " behind epoch " + std::to_string(replica.last_epoch) +
               ", elsewhere " + value + " behind epoch " +
               std::to_string(before));
}

void Inspector::Commit(const At& at, Offset offset, const Record& record) {
  State& state = at.state;
  const auto [it, added] = state.committed.try_emplace(
      offset, Committed{record, at.partition.leader_epoch()});
  if (!added) {
    if (it->second.record == record) return;
    return Fail(at, "two records at " + std::to_string(offset) + ": " +
                        record.value + " of epoch " +
                        std::to_string(record.epoch) + " and elsewhere " +
                        it->second.record.value + " of epoch " +
                        std::to_string(it->second.record.epoch));
  }
  ++committed_;
  if (state.alike) return;
  const auto [place, once] = state.places.emplace(record.value, offset);
  if (once) return;
  Fail(at, "twice: " + record.value + " at " + std::to_string(place->second) +
               " and " + std::to_string(offset));
}

void Inspector::Rewind(const TopicPartition& partition, Offset from) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return;
  State& state = found->second;
  state.committed.erase(state.committed.lower_bound(from),
                        state.committed.end());
  std::erase_if(state.places,
                [&](const auto& each) { return each.second >= from; });
  state.end = std::min(state.end, from);
  state.told = state.told_epoch = -1;
  for (auto& [node, replica] : state.replicas) {
    replica.checked = std::min(replica.checked, from);
    // What was committed is above again.
    replica.above.clear();
    replica.next = replica.segment = -1;
  }
}

}  // namespace tidemark::sim
