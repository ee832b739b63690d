#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/coordinator/machine/machine.h"

namespace tidemark::coordinator {

// A machine of named values, as small as one can be that uses everything a
// runtime offers. A deletion is no part of a transaction, and takes what open
// ones say of the name, too. Of what a transaction said and what is there the
// newer record counts.
struct ToyRecord {
  std::string name;
  std::optional<std::string> value;
  std::optional<Offset> written_at = std::nullopt;  // in a snapshot
};
struct ToyResult {
  ErrorCode error = ErrorCode::kNone;
  std::string value;
  void Fail(ErrorCode code) { *this = {code, ""}; }
};
// Several facts in one write. A name that begins with '!' does not encode.
struct ToyPut {
  using Answer = ToyResult;
  std::vector<ToyRecord> records;
  bool echo = false;  // writes "<name>.echo" when this has ended
  std::optional<Producer> producer = std::nullopt;  // in its transaction
};
// Is answered at a moment.
struct ToySleep {
  using Answer = ToyResult;
  Instant until;
};
struct ToyGet {
  using Answer = ToyResult;
  std::string name;
};

class ToyMachine {
 public:
  using Record = ToyRecord;
  using Response = std::variant<ToyResult>;
  using Decision = DecisionOf<ToyRecord, Response, std::string>;
  using Cursor = std::string;

  // What a test looks at; outlives the machine.
  struct Log {
    std::vector<std::pair<std::string, RecordMeta>> applied;
    std::vector<Marker> markers;
    std::vector<std::string> settled;  // names, with '-' when in vain
    int timers = 0;
    size_t live_bytes_off_by = 0;  // taken off what is true
  };
  explicit ToyMachine(Log& log) : log_(&log) {}

  static Result<LogRecord> Encode(const ToyRecord& record) {
    if (record.name.starts_with('!')) {
      return Fail(ErrorCode::kUnknownServerError);
    }
    return LogRecord{record.name, record.value, record.written_at};
  }
  static Result<std::optional<ToyRecord>> Decode(
      std::string_view key, std::optional<std::string_view> value) {
    if (key == "broken") return Fail(ErrorCode::kCorruptMessage);
    if (key.starts_with("new:")) return std::optional<ToyRecord>();
    ToyRecord record{std::string(key), std::nullopt};
    if (value) record.value = std::string(*value);
    return std::optional(record);
  }

  Decision Decide(const ToyPut& put, const Context& context) {
    Decision out{.records = put.records};
    out.Reply(context.ticket, ToyResult{});
    if (put.echo) out.sequel = put.records.front().name;
    out.producer = put.producer;
    return out;
  }
  Decision Decide(const ToySleep& sleep, const Context& context) {
    sleepers_.emplace(sleep.until, context.ticket);
    return {};
  }
  ToyResult Read(const ToyGet& get) const {
    const auto it = values_.find(get.name);
    return {ErrorCode::kNone, it == values_.end() ? "" : it->second.text};
  }

  Decision Settled(const Decision& decision, bool committed, Moment) {
    if (decision.records.empty()) return {};
    log_->settled.push_back((committed ? "" : "-") +
                            decision.records.front().name);
    Decision next;
    if (decision.sequel) {
      next.records = {{*decision.sequel + ".echo", committed ? "yes" : "no"}};
    }
    return next;
  }
  std::optional<Instant> NextDeadline() const {
    if (sleepers_.empty()) return std::nullopt;
    return sleepers_.begin()->first;
  }
  std::vector<Decision> OnTimer(Moment at) {
    ++log_->timers;
    std::vector<Decision> out;
    while (!sleepers_.empty() && sleepers_.begin()->first <= at.now) {
      out.emplace_back().Reply(sleepers_.begin()->second, ToyResult{});
      sleepers_.erase(sleepers_.begin());
    }
    return out;
  }
  std::vector<Decision> OnImage(const ImageDelta& delta) {
    std::vector<Decision> out;
    for (const std::string& name : delta.deleted_topics) {
      if (values_.contains(name)) {
        out.push_back({.records = {{name, std::nullopt}}});
      }
    }
    return out;
  }

  void Clear() {
    values_.clear();
    open_.clear();
    sleepers_.clear();
  }
  void Apply(const ToyRecord& record, const RecordMeta& meta) {
    log_->applied.emplace_back(record.name, meta);
    if (!record.value) {
      values_.erase(record.name);
      for (auto& [unused, open] : open_) open.values.erase(record.name);
      std::erase_if(open_,
                    [](const auto& o) { return o.second.values.empty(); });
    } else if (meta.transactional) {
      Open& open = open_.try_emplace(meta.producer_id, Open{meta.offset, {}})
                       .first->second;
      open.values[record.name] = {*record.value, meta.offset};
    } else {
      values_[record.name] = {*record.value, meta.offset};
    }
  }
  void ApplyMarker(const Marker& marker) {
    log_->markers.push_back(marker);
    auto open = open_.extract(marker.meta.producer_id);
    if (open.empty() || !marker.committed) return;
    for (auto& [name, value] : open.mapped().values) {
      Value& there = values_[name];
      if (value.at > there.at) there = value;
    }
  }
  std::optional<Offset> OldestOpenOffset() const {
    std::optional<Offset> oldest;
    for (const auto& [unused, open] : open_) {
      if (!oldest || open.first < *oldest) oldest = open.first;
    }
    return oldest;
  }
  void Activate(Moment) {}

  bool Snapshot(std::string& cursor, size_t bytes,
                std::vector<ToyRecord>* out) const {
    auto it = values_.upper_bound(cursor);
    for (size_t taken = 0; it != values_.end() && taken < bytes; ++it) {
      taken += it->first.size() + it->second.text.size();
      out->push_back({it->first, it->second.text, WrittenAt(it->first)});
      cursor = it->first;
    }
    return it != values_.end();
  }
  size_t live_bytes() const {
    size_t bytes = 0;
    for (const auto& [name, value] : values_) {
      bytes += name.size() + value.text.size() + 8;
    }
    return bytes - std::min(bytes, log_->live_bytes_off_by);
  }

 private:
  struct Value {
    std::string text;
    Offset at = -1;
  };
  struct Open {
    Offset first = 0;
    std::map<std::string, Value> values;
  };

  std::optional<Offset> WrittenAt(const std::string& name) const {
    for (const auto& [unused, open] : open_) {
      if (open.values.contains(name)) return values_.at(name).at;
    }
    return std::nullopt;
  }

  Log* log_;
  std::map<std::string, Value> values_;
  std::map<ProducerId, Open> open_;
  std::multimap<Instant, Ticket> sleepers_;
};
static_assert(Machine<ToyMachine>);

}  // namespace tidemark::coordinator
