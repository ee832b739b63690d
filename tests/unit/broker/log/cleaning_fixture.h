#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/log/log_cleaning.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {

// A log on the thread of its cleaner.
class DirectLog final : public LogBeingCleaned {
 public:
  explicit DirectLog(Log& log) : log_(log) {}

  Result<std::map<ProducerId, LastOfProducer>> LastOfProducers() override {
    return log_.LastOfProducers();
  }
  Result<std::vector<AbortedTransaction>> AbortedIn(Offset from,
                                                    Offset below) override {
    return log_.AbortedIn(from, below);
  }
  Result<bool> Replace(const CleanedGroup& cleaned) override {
    if (before_replace) before_replace();
    auto replaced = log_.Replace(cleaned);
    if (after_replace) after_replace();
    return replaced;
  }
  Status Cleaned(uint64_t generation, Offset upto) override {
    return log_.Cleaned(generation, upto);
  }
  void SyncFailed(const Error& error) override { log_.SyncFailed(error); }

  std::function<void()> before_replace;
  std::function<void()> after_replace;

 private:
  Log& log_;
};

class NoPace final : public CleaningPace {
 public:
  bool Spend(size_t bytes) override {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  }
  size_t left = SIZE_MAX;
};

// What somebody reads: a value or a tombstone at each offset.
struct SeenRecord {
  std::string key;
  std::optional<std::string> value;
  bool operator==(const SeenRecord&) const = default;
};
using Seen = std::map<Offset, SeenRecord>;
using Table = std::map<std::string, std::string>;

// What a table that is kept up to date by these records holds.
inline Table TableOf(const Seen& seen) {
  Table table;
  for (const auto& [offset, record] : seen) {
    if (record.value) {
      table[record.key] = *record.value;
    } else {
      table.erase(record.key);
    }
  }
  return table;
}

// Reads as a consumer does, some bytes at a time.
inline Seen ReadLog(Log& log, bool committed, size_t at_once = 1 << 20) {
  Seen seen;
  Offset from = log.start_offset();
  const Offset end =
      committed ? log.LastStableOffset(log.end_offset()) : log.end_offset();
  while (from < end) {
    const auto bytes = log.Read(from, end, at_once, true);
    if (!bytes || bytes->empty()) {
      ADD_FAILURE() << "nothing at " << from << " of " << end;
      break;
    }
    std::vector<record::BatchView> batches;
    record::BatchIterator it(bytes->view());
    while (auto view = it.Next().value()) batches.push_back(*view);
    const Offset next = batches.back().header.NextOffset();
    auto aborted = log.AbortedIn(from, next).value();
    std::sort(aborted.begin(), aborted.end(), [](const auto& a, const auto& b) {
      return a.first_offset > b.first_offset;
    });
    std::set<ProducerId> aborting;
    for (const auto& [header, batch] : batches) {
      EXPECT_TRUE(record::ParseAndVerifyBatch(batch));
      EXPECT_LT(from, header.NextOffset());
      // As clients do it: what is told of is aborted until a marker says so.
      while (!aborted.empty() &&
             aborted.back().first_offset <= header.LastOffset()) {
        aborting.insert(aborted.back().producer_id);
        aborted.pop_back();
      }
      if (header.IsControl()) {
        const auto marker = MarkerIn(header, batch);
        if (marker && marker->type == record::ControlRecordType::kAbort) {
          aborting.erase(header.producer_id);
        }
        continue;
      }
      if (committed && header.IsTransactional() &&
          aborting.contains(header.producer_id)) {
        continue;
      }
      const Status read = record::ForEachRecord(
          batch, [&](const record::Record& rec) -> Status {
            if (rec.offset < log.start_offset()) return {};
            SeenRecord one{std::string(*rec.key), std::nullopt};
            if (rec.value) one.value = std::string(*rec.value);
            EXPECT_TRUE(seen.emplace(rec.offset, one).second);
            return {};
          });
      EXPECT_TRUE(read);
    }
    from = next;
  }
  return seen;
}

class CleaningTest : public LogTest {
 protected:
  CleaningTest() {
    options_.config.compacted = true;
    options_.config.delete_enabled = false;
    options_.config.verifies_transactions = false;
    options_.config.segment_bytes = 600;
    options_.config.delete_retention_ms = 1000;
    options_.config.index_interval_bytes = 100;
  }

  struct Rec {
    std::string key;
    std::optional<std::string> value;
  };
  std::string Records(const std::vector<Rec>& records,
                      record::BatchOptions options = {}) {
    record::BatchBuilder builder(options);
    for (const Rec& rec : records) {
      std::optional<std::string_view> value;
      if (rec.value) value = *rec.value;
      builder.Add(now_, rec.key, value);
    }
    return builder.Build();
  }
  // Fills segments, so that what was appended is in ones that get no more.
  void Roll() {
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(Append(
          Records({{"filler" + std::to_string(i), std::string(200, 'f')}})));
    }
    Flush();
  }
  Result<std::optional<Cleanable>> Find(Log& log) {
    return log.FindCleanable(log.end_offset(), now_);
  }
  Result<LogCleaning::Outcome> Clean(Log& log,
                                     std::function<void()> before_replace = {},
                                     size_t map_bytes = 1 << 16) {
    TM_ASSIGN_OR_RETURN(auto what, Find(log));
    if (!what) return LogCleaning::Outcome::kDone;
    TM_ASSIGN_OR_RETURN(auto keys, KeyOffsets::Make(map_bytes, 0.9, {1, 2}));
    DirectLog direct(log);
    direct.before_replace = std::move(before_replace);
    direct.after_replace = after_replace_;
    LogCleaning cleaning(disk_, *what, keys, direct, pace_, now_);
    auto outcome = cleaning.Run();
    counts_ = cleaning.counts();
    return outcome;
  }
  Result<LogCleaning::Outcome> Clean() { return Clean(*log_); }

  int64_t now_ = kNow;
  NoPace pace_;
  LogCleaning::Counts counts_;
  std::function<void()> after_replace_;
};

}  // namespace tidemark::log
