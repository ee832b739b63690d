#include "tests/sim/cluster/history.h"

#include <charconv>
#include <iterator>
#include <utility>

namespace tidemark::sim {

namespace {

std::string Name(const Written& written) {
  return "record " + std::to_string(written.number) + " of producer " +
         std::to_string(written.producer);
}

std::string Place(const TopicPartition& partition, Offset offset) {
  return ToString(partition) + " at " + std::to_string(offset);
}

}  // namespace

std::string ValueOf(const Written& written, size_t padding) {
  return std::to_string(written.producer) + ":" +
         std::to_string(written.number) + ":" + std::string(padding, '.');
}

std::optional<Written> ParseValue(std::string_view value) {
  Written written;
  const char* end = value.data() + value.size();
  auto first = std::from_chars(value.data(), end, written.producer);
  if (first.ec != std::errc() || first.ptr == end) return std::nullopt;
  auto second = std::from_chars(first.ptr + 1, end, written.number);
  if (second.ec != std::errc() || second.ptr == end) return std::nullopt;
  return written;
}

void History::Made(const TopicPartition& partition, const Written& written) {
  int64_t& made = logs_[partition].made[written.producer];
  made = std::max(made, written.number + 1);
}

void History::Acknowledged(const TopicPartition& partition, Offset offset,
                           const Written& written) {
  ++acknowledged_;
  Log& log = logs_[partition];
  ++log.acknowledgements;
  if (log.loose) return;
  const auto [it, added] = log.acknowledged.emplace(offset, written);
  if (it->second != written) {
    return Fail("acknowledged twice: " + Name(it->second) + " and " +
                Name(written) + " in " + Place(partition, offset));
  }
  const auto shown = log.shown.find(offset);
  if (shown != log.shown.end() && shown->second.second != written) {
    Fail("acknowledged " + Name(written) + " in " + Place(partition, offset) +
         " where " + Name(shown->second.second) + " stands");
  }
}

void History::AcknowledgedSomewhere(const TopicPartition& partition,
                                    const Written& written) {
  ++acknowledged_;
  Log& log = logs_[partition];
  ++log.acknowledgements;
  log.somewhere[written.producer].insert(written.number);
}

void History::Shown(const TopicPartition& partition, Offset offset,
                    LeaderEpoch epoch, const Written& written) {
  Log& log = logs_[partition];
  CheckMade(partition, log, offset, written);
  if (log.loose) return ShownLoosely(partition, log, offset, epoch, written);
  const auto [it, added] = log.shown.emplace(offset, std::pair{epoch, written});
  if (!added) {
    if (it->second != std::pair{epoch, written}) {
      Fail("two records in " + Place(partition, offset) + ": " +
           Name(it->second.second) + " of epoch " +
           std::to_string(it->second.first) + " and " + Name(written) +
           " of epoch " + std::to_string(epoch));
    }
    return;
  }
  ++shown_;
  const auto acknowledged = log.acknowledged.find(offset);
  if (acknowledged != log.acknowledged.end() &&
      acknowledged->second != written) {
    return Fail("lost: " + Name(acknowledged->second) + ", acknowledged, and " +
                Name(written) + " stands in " + Place(partition, offset));
  }
  if (idempotent_[written.producer]) {
    CheckOrder(partition, log, offset, written);
  }
}

void History::CheckMade(const TopicPartition& partition, const Log& log,
                        Offset offset, const Written& written) {
  const auto made = log.made.find(written.producer);
  if (made != log.made.end() && written.number < made->second) return;
  Fail("never sent: " + Name(written) + " in " + Place(partition, offset));
}

void History::ShownLoosely(const TopicPartition& partition, Log& log,
                           Offset offset, LeaderEpoch epoch,
                           const Written& written) {
  const auto [it, added] =
      log.loose_shown.try_emplace({offset, epoch}, written);
  if (it->second == written) return;
  Fail("two records of epoch " + std::to_string(epoch) + " in " +
       Place(partition, offset) + ": " + Name(it->second) + " and " +
       Name(written));
}

void History::CheckOrder(const TopicPartition& partition, Log& log,
                         Offset offset, const Written& written) {
  auto& where = log.where[written.producer];
  const auto [it, once] = where.emplace(written.number, offset);
  if (!once) {
    return Fail("twice: " + Name(written) + " in " +
                Place(partition, it->second) + " and " +
                std::to_string(offset));
  }
  const bool after = it == where.begin() || std::prev(it)->second < offset;
  const bool before =
      std::next(it) == where.end() || offset < std::next(it)->second;
  if (!after || !before) {
    Fail("out of order: " + Name(written) + " in " + Place(partition, offset));
  }
}

void History::Latest(int consumer, const TopicPartition& partition,
                     LeaderEpoch epoch, Offset latest) {
  if (IsLoose(partition)) return;
  auto& [told_epoch, told] =
      logs_[partition].told.try_emplace(consumer, -1, -1).first->second;
  if (epoch < told_epoch) return;
  if (latest < told) {
    return Fail("the latest offset of " + ToString(partition) +
                " went back from " + std::to_string(told) + " in epoch " +
                std::to_string(told_epoch) + " to " + std::to_string(latest) +
                " in epoch " + std::to_string(epoch));
  }
  told = latest;
  told_epoch = epoch;
}

Offset History::Committed(const TopicPartition& partition) {
  const Log& log = logs_[partition];
  Offset committed = 0;
  if (!log.acknowledged.empty()) {
    committed = log.acknowledged.rbegin()->first + 1;
  }
  if (!log.shown.empty()) {
    committed = std::max(committed, log.shown.rbegin()->first + 1);
  }
  return committed;
}

// Consumers do not see what retention removes before they come by.
void History::CheckSomewhere(const TopicPartition& partition, const Log& log,
                             const Written& written, Offset end) {
  const auto producer = log.where.find(written.producer);
  if (producer == log.where.end()) return;
  const auto& where = producer->second;
  const auto next = where.lower_bound(written.number);
  if (next != where.end() && next->first == written.number) return;
  const Offset from = next == where.begin() ? 0 : std::prev(next)->second;
  const Offset to = next == where.end() ? end : next->second;
  for (Offset at = from; at < to; ++at) {
    if (!log.shown.contains(at)) return;
  }
  Fail("lost: " + Name(written) + ", acknowledged as a repetition, between " +
       Place(partition, from) + " and " + std::to_string(to));
}

bool History::Rewind(const TopicPartition& partition, Offset from) {
  Log& log = logs_[partition];
  const auto lost = log.acknowledged.lower_bound(from);
  const bool any = lost != log.acknowledged.end();
  log.acknowledged.erase(lost, log.acknowledged.end());
  log.somewhere.clear();
  log.shown.erase(log.shown.lower_bound(from), log.shown.end());
  for (auto& [producer, where] : log.where) {
    std::erase_if(where, [&](const auto& each) { return each.second >= from; });
  }
  log.told.clear();
  return any;
}

std::string History::Around(const TopicPartition& partition,
                            const Written& written) {
  const auto& where = logs_[partition].where[written.producer];
  const auto next = where.lower_bound(written.number);
  std::string text;
  for (auto it = next == where.begin() ? next : std::prev(next);
       it != where.end() && it->first < written.number + 50; ++it) {
    text +=
        " " + std::to_string(it->first) + " at " + std::to_string(it->second);
  }
  return text;
}

void History::CheckComplete(const TopicPartition& partition, Offset start,
                            Offset end) {
  const Log& log = logs_[partition];
  for (auto it = log.acknowledged.lower_bound(start);
       it != log.acknowledged.end(); ++it) {
    if (it->first >= end) {
      return Fail("lost: " + Name(it->second) + ", acknowledged in " +
                  Place(partition, it->first) + ", but the log ends at " +
                  std::to_string(end));
    }
  }
  for (const auto& [producer, numbers] : log.somewhere) {
    for (const int64_t number : numbers) {
      CheckSomewhere(partition, log, {producer, number}, end);
    }
  }
}

}  // namespace tidemark::sim
