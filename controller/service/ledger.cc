#include "controller/service/ledger.h"

#include <glog/logging.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/metadata/apply.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/quorum/stop.h"

namespace tidemark::controller {
namespace {

using metadata::ApplyBatch;
using metadata::ImagePtr;

// What a record takes in a batch, at most.
size_t BatchBytes(const record_v1::Record& record) {
  constexpr size_t kTagAndLength = 1 + 5;
  return record.ByteSizeLong() + kTagAndLength;
}

// Where the batch that begins with records[from] ends: of as many as one entry
// of the log may have. By its bytes one is only ended in front of a record that
// says something by itself, as what happens to a broker does: half of a topic
// is none.
size_t EndOfBatch(const Records& records, size_t from) {
  // With the answer to remember, which goes with what it is about.
  const size_t end = std::min(records.size(), from + kMaxRecordsPerBatch + 1);
  size_t bytes = BatchBytes(records[from]);
  for (size_t to = from + 1; to < end; ++to) {
    bytes += BatchBytes(records[to]);
    const bool by_itself = records[to].has_change_partition() ||
                           records[to].has_change_broker() ||
                           records[to].has_register_broker() ||
                           records[to].has_unregister_broker();
    if (bytes > quorum::kMaxEntryBytes && by_itself) return to;
  }
  return end;
}

// With one builder: a tail of many entries copies each part of the image once.
// `*level`: raised to what the entries need.
ImagePtr ApplyCommitted(ImagePtr base,
                        std::span<const quorum::Committed> entries,
                        int16_t* level) {
  metadata::ImageBuilder builder(std::move(base));
  for (const quorum::Committed& entry : entries) {
    const auto parsed = ParseEntry(entry.data);
    if (!parsed) StopIfUnreadable(parsed.error());
    const record_v1::RecordBatch& batch = *parsed;
    if (Status applied = builder.Apply(batch, entry.offset); !applied) {
      StopIfUnreadable(applied.error());
      LOG(FATAL) << "a committed entry contradicts the metadata: "
                 << applied.error().message;
    }
    *level = std::max(*level, HighestLevel(batch));
  }
  return builder.Build(entries.back().offset, nullptr);
}

}  // namespace

Result<record_v1::RecordBatch> ParseEntry(std::string_view data) {
  record_v1::RecordBatch batch;
  if (batch.ParseFromArray(data.data(), static_cast<int>(data.size())))
    return batch;
  return Fail(ErrorCode::kKafkaStorageError,
              "what the log or the snapshot has is no metadata: replace this "
              "controller's disk as a lost one (docs/operations.md)");
}

int16_t HighestLevel(const record_v1::RecordBatch& batch) {
  int16_t level = metadata::kBaseLevel;
  for (const record_v1::Record& record : batch.records()) {
    level = std::max(level, metadata::RequiredLevel(record));
  }
  return level;
}

void StopIfUnreadable(const Error& error) {
  const bool newer = error.code == ErrorCode::kUnsupportedVersion;
  if (!newer && error.code != ErrorCode::kKafkaStorageError) return;
  quorum::StopForGood(std::string("the metadata are ") +
                      (newer ? "of a newer release: " : "unreadable: ") +
                      error.message);
}

Ledger::Ledger()
    : committed_(std::make_shared<metadata::Image>()), pending_(committed_) {}

// ---- The log.

std::vector<std::function<void()>> Ledger::Apply(
    std::span<const quorum::Committed> entries) {
  std::vector<std::function<void()>> answers;
  for (; !entries.empty() && !in_flight_.empty();
       entries = entries.subspan(1)) {
    const MetadataOffset offset = entries[0].offset;
    for (Done& done : ApplyOne(entries[0])) {
      answers.push_back([done = std::move(done), offset] { done(offset); });
    }
  }
  if (!entries.empty()) {
    committed_ = ApplyCommitted(committed_, entries, &level_since_snapshot_);
  }
  if (in_flight_.empty()) {
    pending_ = committed_;
    draining_ = false;
  }
  return answers;
}

std::vector<Ledger::Done> Ledger::ApplyOne(const quorum::Committed& entry) {
  const bool own = in_flight_.front().data == entry.data;
  const bool as_expected = own && in_flight_.front().offset == entry.offset;
  if (as_expected && !draining_) {
    committed_ = in_flight_.front().image;
    level_since_snapshot_ =
        std::max(level_since_snapshot_, in_flight_.front().level);
  } else {
    committed_ =
        ApplyCommitted(committed_, {&entry, 1}, &level_since_snapshot_);
  }
  std::vector<Done> done;
  if (own) {
    done = std::move(in_flight_.front().done);
    in_flight_.pop_front();
  }
  if (!as_expected && !in_flight_.empty()) RebuildPending();
  return done;
}

void Ledger::RebuildPending() {
  pending_ = committed_;
  for (InFlight& entry : in_flight_) {
    entry.offset = pending_->offset() + 1;
    auto next =  // which this node has made itself
        ApplyBatch(pending_, *ParseEntry(entry.data), entry.offset, nullptr);
    if (next) pending_ = *next;
    entry.image = pending_;
  }
}

ImagePtr Ledger::Load(ImagePtr image) {
  ImagePtr replaced = std::exchange(committed_, std::move(image));
  pending_ = committed_;
  level_since_snapshot_ = metadata::kBaseLevel;
  return replaced;
}

void Ledger::StillInLog(std::string_view data) {
  const auto batch = ParseEntry(data);
  if (!batch) StopIfUnreadable(batch.error());
  level_since_snapshot_ = std::max(level_since_snapshot_, HighestLevel(*batch));
}

ImagePtr Ledger::Freeze() {
  level_under_snapshot_ = LevelOnDisk();
  level_since_snapshot_ = metadata::kBaseLevel;
  snapshot_taken_at_ = committed_->offset();
  return committed_;
}

bool Ledger::WantsSnapshot() const {
  return level_since_snapshot_ > committed_->features().metadata_version();
}

int16_t Ledger::LevelOnDisk() const {
  const int16_t level = std::max(level_since_snapshot_,
                                 committed_->features().metadata_version());
  if (quorum_->status().snapshot >= snapshot_taken_at_) return level;
  return std::max(level, level_under_snapshot_);
}

// ---- Proposals.

// Applied first, all of them: what would not apply is never proposed.
Result<std::vector<Ledger::InFlight>> Ledger::Prepare(Records records) {
  std::vector<InFlight> entries;
  ImagePtr image = pending_;
  MetadataOffset last = std::max(quorum_->last(), image->offset());
  for (size_t from = 0; from < records.size();) {
    const size_t to = EndOfBatch(records, from);
    record_v1::RecordBatch batch;
    for (; from < to; ++from) {
      batch.mutable_records()->Add(std::move(records[from]));
    }
    auto next = ApplyBatch(image, batch, ++last, nullptr);
    if (!next) {
      LOG(ERROR) << "controller: decision dropped: " << next.error().message;
      return Fail(ErrorCode::kUnknownServerError,
                  "the controller decided what it may not");
    }
    image = *next;
    entries.push_back({++next_id_,
                       last,
                       batch.SerializeAsString(),
                       image,
                       HighestLevel(batch),
                       {}});
  }
  return entries;
}

void Ledger::AfterAllInFlight(Done done) {
  if (in_flight_.empty()) return done(committed_->offset());
  in_flight_.back().done.push_back(
      [done = std::move(done)](Result<MetadataOffset> offset) {
        // Whatever becomes of what it saw, it changes nothing itself.
        done(offset ? offset : Fail(ErrorCode::kNotController));
      });
}

void Ledger::Commit(Records records, Done done) {
  if (draining_) return done(Fail(ErrorCode::kNotController));
  if (records.empty()) return AfterAllInFlight(std::move(done));
  if (Status allowed = CheckLevels(records, *pending_); !allowed) {
    return done(Fail(allowed.error()));
  }
  auto entries = Prepare(std::move(records));
  if (!entries) return done(Fail(entries.error()));
  if (entries->size() > 1) {
    // Of more than one entry the first may be committed alone.
    done = [done = std::move(done)](Result<MetadataOffset> offset) {
      done(offset ? offset : Fail(quorum::kOutcomeUnknown));
    };
  }
  entries->back().done.push_back(std::move(done));
  const uint64_t failures = failures_;
  for (InFlight& entry : *entries) {
    if (failures != failures_) {
      // Refused at once, and so is the rest.
      for (Done& each : entry.done) each(Fail(ErrorCode::kNotController));
      continue;
    }
    pending_ = entry.image;
    Propose(std::move(entry));
  }
}

void Ledger::Propose(InFlight entry) {
  std::string data = entry.data;
  const uint64_t id = entry.id;
  in_flight_.push_back(std::move(entry));
  quorum_->Propose(std::move(data), [this, generation = generation_,
                                     id](Result<MetadataOffset> result) {
    if (!result) Refused(generation, id, result.error());
  });
}

void Ledger::Refused(uint64_t generation, uint64_t id, const Error& error) {
  if (generation != generation_) return;
  ++failures_;
  auto found =
      std::find_if(in_flight_.begin(), in_flight_.end(),
                   [&](const InFlight& entry) { return entry.id == id; });
  if (found == in_flight_.end()) return;
  // What was decided after it rests on it and may still commit: wait for
  // that, and decide nothing new before.
  std::vector<Done> done = std::move(found->done);
  in_flight_.erase(found);
  draining_ = !in_flight_.empty();
  if (draining_) {
    RebuildPending();
  } else {
    pending_ = committed_;
  }
  for (Done& each : done) each(Fail(error));
}

void Ledger::Resign() {
  ++generation_;
  ++failures_;
  draining_ = false;
  pending_ = committed_;
  for (InFlight& entry : std::exchange(in_flight_, {})) {
    for (Done& done : entry.done) done(Fail(quorum::kOutcomeUnknown));
  }
}

}  // namespace tidemark::controller
