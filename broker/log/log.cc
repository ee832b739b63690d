#include "broker/log/log.h"

#include <glog/logging.h>

#include <cstring>

#include "broker/log/partition_log.h"
#include "common/record/batch_reader.h"
#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::log {
namespace {

// The first bytes of a batch with what the leader writes into them.
struct StampedHead {
  std::array<char, record::kBatchHeaderSize> bytes;
  record::BatchHeader header;
};

StampedHead Stamp(std::string_view batch, record::BatchHeader header,
                  Offset base, LeaderEpoch epoch, int64_t append_time_ms) {
  header.base_offset = base;
  header.leader_epoch = epoch;
  StampedHead head;
  std::memcpy(head.bytes.data(), batch.data(), head.bytes.size());
  record::SetBaseOffset(head.bytes.data(), base);
  record::SetLeaderEpoch(head.bytes.data(), epoch);
  if (append_time_ms >= 0) {
    header.attributes =
        static_cast<int16_t>(header.attributes | record::kLogAppendTimeBit);
    header.max_timestamp = append_time_ms;
    record::WriteBatchHeader(header, head.bytes.data());
    std::string_view covered(head.bytes.data(), head.bytes.size());
    header.crc = record::ExtendCrc32c(
        record::Crc32c(covered.substr(record::kAttributesAt)),
        batch.substr(record::kBatchHeaderSize));
    record::StoreBigEndian(header.crc, head.bytes.data() + record::kCrcAt);
  }
  head.header = header;
  return head;
}

}  // namespace

PartitionLog::PartitionLog(io::FileSystem& fs, OpenOptions options)
    : fs_(fs),
      options_(std::move(options)),
      mark_(options_.mark ? options_.mark : std::make_shared<LogMark>()) {}

std::string PartitionLog::Path(std::string_view name) const {
  return options_.dir + "/" + std::string(name);
}

bool PartitionLog::failed() const {
  return failed_ || (options_.health && options_.health->offline());
}

Status PartitionLog::Healthy() const {
  if (!failed()) return {};
  return Fail(ErrorCode::kKafkaStorageError,
              options_.dir + " is offline after an earlier disk error");
}

Status PartitionLog::Note(Status status) {
  if (status) return status;
  if (io::IsShortage(status.error())) {
    if (opening_) return status;  // it is tried again as what it is
    return Fail(ErrorCode::kKafkaStorageError, status.error().message);
  }
  if (status.error().code == ErrorCode::kKafkaStorageError) {
    failed_ = true;
    if (options_.health) options_.health->TakeOffline(status.error());
  }
  return status;
}

void PartitionLog::CheckInvariants() const {
  CHECK_LE(0, start_) << options_.dir;
  CHECK_LE(start_, durability_.flushed()) << options_.dir;
}

int64_t PartitionLog::size_bytes() const {
  uint64_t size = 0;
  for (const auto& segment : segments_) size += segment->size();
  return static_cast<int64_t>(size);
}

void PartitionLog::UpdateConfig(const LogConfig& config) {
  options_.config = config;
  if (!durable()) durability_.CountUnsynced();
}

Result<AppendInfo> PartitionLog::AppendAsLeader(
    std::string_view batch, LeaderEpoch epoch, int64_t now_ms,
    const TransactionContext& context) {
  return AppendOwn(batch, epoch, now_ms, BatchOrigin::kClient, context);
}

Result<AppendInfo> PartitionLog::AppendFromCoordinator(
    std::string_view batch, LeaderEpoch epoch, int64_t now_ms,
    const TransactionContext& context) {
  return AppendOwn(batch, epoch, now_ms, BatchOrigin::kCoordinator, context);
}

Result<uint64_t> PartitionLog::BeginVerification(ProducerId producer,
                                                 ProducerEpoch epoch,
                                                 int64_t now_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  TM_RETURN_IF_ERROR(Note(FreshProducers()));
  // As the batch will look; it is in no sequence.
  record::BatchHeader batch;
  batch.producer_id = producer;
  batch.producer_epoch = epoch;
  batch.base_sequence = -1;
  batch.attributes = record::kTransactionalBit;
  TM_RETURN_IF_ERROR(producers_.Check(batch));
  if (!producers_.BeginsTransaction(batch)) return uint64_t{0};
  TM_ASSIGN_OR_RETURN(const auto guard, verifications_.Check(batch, 0, now_ms));
  return guard.value_or(0);
}

Result<std::optional<AppendInfo>> PartitionLog::CheckProducer(
    const record::BatchHeader& header, std::string_view batch, int64_t now_ms,
    const TransactionContext& context) {
  if (!header.HasProducerId()) return std::nullopt;
  TM_RETURN_IF_ERROR(Note(FreshProducers()));
  if (IsMarker(header)) {
    const auto marker = MarkerIn(header, batch);
    if (!marker) return Fail(ErrorCode::kInvalidRecord, "this is no marker");
    TM_RETURN_IF_ERROR(
        producers_.CheckMarker(header, *marker, context.version));
    return std::nullopt;
  }
  const bool adds = context.version >= kEpochPerTransaction;
  if ((options_.config.verifies_transactions || adds) &&
      producers_.BeginsTransaction(header)) {
    TM_ASSIGN_OR_RETURN(const auto guard,
                        verifications_.Check(header, context.verified, now_ms));
    if (guard) return AppendInfo{.verify = *guard};
  }
  TM_ASSIGN_OR_RETURN(const auto original,
                      producers_.Check(header, context.version));
  if (!original) return std::nullopt;
  return AppendInfo{
      original->first_offset, original->last_offset,
      options_.config.log_append_time ? original->timestamp_ms : -1, true};
}

Result<AppendInfo> PartitionLog::AppendOwn(std::string_view batch,
                                           LeaderEpoch epoch, int64_t now_ms,
                                           BatchOrigin origin,
                                           const TransactionContext& context) {
  TM_RETURN_IF_ERROR(Healthy());
  if (origin == BatchOrigin::kClient && options_.health) {
    TM_RETURN_IF_ERROR(options_.health->HasRoom());
  }
  CHECK_GE(epoch, epochs_.latest()) << options_.dir;
  const LogConfig& config = options_.config;
  TM_ASSIGN_OR_RETURN(const auto header, ValidateAppend(batch, config, origin));
  TM_ASSIGN_OR_RETURN(const auto instead,
                      CheckProducer(header, batch, now_ms, context));
  if (instead) return *instead;
  if (static_cast<int64_t>(batch.size()) > config.segment_bytes) {
    return Fail(ErrorCode::kRecordListTooLarge,
                "a batch of " + std::to_string(batch.size()) +
                    " bytes is larger than segment.bytes");
  }
  const int64_t append_time_ms = config.log_append_time ? now_ms : -1;
  const StampedHead head = Stamp(batch, header, end(), epoch, append_time_ms);
  TM_RETURN_IF_ERROR(MaybeRoll(head.header));
  const uint64_t position = active().size();
  TM_RETURN_IF_ERROR(
      AppendToActive(std::span(&head.header, 1),
                     std::string_view(head.bytes.data(), head.bytes.size()),
                     batch.substr(record::kBatchHeaderSize)));
  newest_.Add(end(), head.header.NextOffset(),
              std::string_view(head.bytes.data(), head.bytes.size()),
              batch.substr(record::kBatchHeaderSize));
  const AppendInfo info{end(), head.header.LastOffset(), append_time_ms, false};
  TM_RETURN_IF_ERROR(Appended(head.header, position, batch));
  CheckInvariants();
  return info;
}

Result<AppendInfo> PartitionLog::AppendAsFollower(std::string_view batches) {
  TM_RETURN_IF_ERROR(Healthy());
  TM_RETURN_IF_ERROR(Note(FreshProducers()));
  AppendInfo info{end(), end() - 1, -1, false};
  record::BatchIterator all(batches);
  std::vector<record::BatchHeader> run;
  size_t run_start = 0;
  Offset expected = end();
  LeaderEpoch epoch = epochs_.latest();
  uint64_t run_bytes = 0;
  auto append_run = [&]() -> Status {
    if (run.empty()) return {};
    TM_RETURN_IF_ERROR(AppendRun(run, batches.substr(run_start, run_bytes)));
    run_start += run_bytes;
    run_bytes = 0;
    run.clear();
    return {};
  };
  while (true) {
    TM_ASSIGN_OR_RETURN(auto view, all.Next());
    if (!view) break;
    const record::BatchHeader& header = view->header;
    TM_RETURN_IF_ERROR(record::ParseAndVerifyBatch(view->bytes));
    // Compaction may have left gaps, perhaps before the topic's settings were
    // what they are. A scan after a crash would cut where offsets do not fit
    // into a segment.
    const bool gap = header.base_offset != expected;
    if (header.base_offset < expected ||
        header.base_offset - expected > INT32_MAX - header.last_offset_delta) {
      return Fail(ErrorCode::kOffsetOutOfRange,
                  "batch at " + std::to_string(header.base_offset) + " where " +
                      std::to_string(expected) + " is next");
    }
    if (header.leader_epoch < epoch ||
        header.LastOffset() < header.base_offset) {
      return Fail(ErrorCode::kCorruptMessage,
                  "a batch of epoch " + std::to_string(header.leader_epoch) +
                      " behind one of epoch " + std::to_string(epoch));
    }
    if (gap) TM_RETURN_IF_ERROR(Note(NoteGaps()));
    const bool fits =
        active().size() + run_bytes + header.FullSize() <=
            static_cast<uint64_t>(options_.config.segment_bytes) &&
        header.LastOffset() - active().base_offset() <= INT32_MAX;
    if (!fits) TM_RETURN_IF_ERROR(append_run());
    run.push_back(header);
    run_bytes += header.FullSize();
    epoch = header.leader_epoch;
    expected = header.NextOffset();
    info.last_offset = header.LastOffset();
  }
  TM_RETURN_IF_ERROR(append_run());
  CheckInvariants();
  return info;
}

Status PartitionLog::AppendRun(const std::vector<record::BatchHeader>& run,
                               std::string_view bytes) {
  newest_.Clear();
  TM_RETURN_IF_ERROR(MaybeRoll(run.front()));
  uint64_t position = active().size();
  TM_RETURN_IF_ERROR(AppendToActive(run, bytes, {}));
  for (const auto& header : run) {
    TM_RETURN_IF_ERROR(
        Appended(header, position, bytes.substr(0, header.FullSize())));
    position += header.FullSize();
    bytes.remove_prefix(header.FullSize());
  }
  return {};
}

Status PartitionLog::AppendToActive(
    std::span<const record::BatchHeader> headers, std::string_view first_bytes,
    std::string_view rest) {
  // The file may be made only now.
  if (active().size() == 0) ++change_;
  Status appended = active().Append(headers, first_bytes, rest,
                                    options_.config.index_interval_bytes);
  // What a full disk took of it was given back. Until that is synced, a power
  // cut brings it up again, behind the end of a segment that may have rolled.
  if (!appended && io::IsShortage(appended.error())) {
    if (auto file = active().LogFile()) NoteNewFile(std::move(*file));
  }
  return Note(appended);
}

Status PartitionLog::Appended(const record::BatchHeader& header,
                              uint64_t position, std::string_view batch) {
  changed_ = true;
  if (epochs_.Assign(header.leader_epoch, header.base_offset)) {
    EpochsChanged(header.base_offset);
  }
  const auto aborted = producers_.Apply(header, batch);
  if (header.IsTransactional() && !verifications_.empty()) {
    verifications_.Forget(header.producer_id);
  }
  places_[next_place_++ % places_.size()] = {
      header.base_offset, header.NextOffset(), static_cast<uint32_t>(position),
      static_cast<uint32_t>(header.FullSize())};
  durability_.Appended(header.NextOffset(), durable());
  if (opening_) {
    // The producers are not known yet: IndexTransactions.
    saw_markers_ |= IsMarker(header);
    return {};
  }
  if (!aborted) return {};
  has_aborted_ = true;
  return Note(active().transactions().Append(*aborted));
}

Status PartitionLog::MaybeRoll(const record::BatchHeader& next) {
  const Segment& segment = active();
  if (segment.size() == 0) return {};
  const LogConfig& config = options_.config;
  const bool full = segment.size() + next.FullSize() >
                    static_cast<uint64_t>(config.segment_bytes);
  const bool far =
      next.LastOffset() - segment.base_offset() > int64_t{INT32_MAX};
  // What is written to is not compacted.
  const int64_t longest =
      config.compacted
          ? std::min(config.segment_ms, config.max_compaction_lag_ms)
          : config.segment_ms;
  // Both are at least 0 here, so the difference is a number.
  const bool old = segment.first_timestamp_ms() >= 0 &&
                   next.max_timestamp >= 0 &&
                   next.max_timestamp - segment.first_timestamp_ms() > longest;
  if (!full && !far && !old) return {};
  return Roll();
}

Status PartitionLog::Roll() {
  TM_ASSIGN_OR_RETURN(auto indexes, Note(active().Seal()));
  for (auto& file : indexes) NoteNewFile(std::move(file));
  auto segment = std::make_unique<Segment>(fs_, options_.dir, end());
  TM_RETURN_IF_ERROR(Note(segment->Create()));
  ++change_;
  segments_.push_back(std::move(segment));
  taken_position_.reset();
  ForgetPlaces();
  // Producers are known when the log is open.
  return opening_ ? Status() : Note(TryWriteSnapshot());
}

void PartitionLog::NoteNewFile(std::shared_ptr<io::File> file) {
  new_files_.emplace_back(++change_, std::move(file));
}

Status PartitionLog::WriteSnapshot() {
  if (!snapshots_.empty() && snapshots_.back() == end()) return {};
  TM_RETURN_IF_ERROR(FreshProducers());
  TM_ASSIGN_OR_RETURN(
      auto file, fs_.Open(Path(SegmentFileName(end(), ".snapshot")), true));
  TM_RETURN_IF_ERROR(file->Truncate(0));
  TM_RETURN_IF_ERROR(file->WriteAt(0, producers_.EncodeSnapshot()));
  NoteNewFile(std::move(file));
  snapshots_.push_back(end());
  return {};
}

// Without a snapshot recovery reads more; what a short write has left of one
// does not pass for it.
Status PartitionLog::TryWriteSnapshot() {
  const Status written = WriteSnapshot();
  return !written && io::IsShortage(written.error()) ? Status() : written;
}

Status PartitionLog::CollectUnsynced(Offset upto, SyncWork* work) const {
  const Offset settled = mark_->synced();
  for (size_t i = segments_.size(); i-- > 0;) {
    const Segment& segment = *segments_[i];
    const Offset segment_end =
        i + 1 == segments_.size() ? end() : segments_[i + 1]->base_offset();
    if (segment_end <= settled) break;
    if (segment.base_offset() >= upto) continue;
    TM_ASSIGN_OR_RETURN(auto file, segment.LogFile());
    work->files.push_back(std::move(file));
  }
  if (HasChanges()) {
    work->directories.push_back(options_.dir);
    for (const auto& [change, file] : new_files_) work->files.push_back(file);
    if (mark_->synced_change() < created_change_) {
      work->directories.push_back(ParentDirectory());
    }
  }
  work->mark = mark_;
  work->end_offset = upto;
  work->generation = durability_.generation();
  work->change = change_;
  return {};
}

// Without a sync per append, only sealed segments are worth one: they keep
// the scan after a crash short.
bool PartitionLog::IsWorthASync() const {
  return end() - durability_.taken() >=
         std::max<int64_t>(1, options_.config.flush_messages);
}

bool PartitionLog::NeedsSync() const {
  if (failed() || (journalled() && in_progress_)) return false;
  return IsWorthASync() || active().base_offset() > durability_.taken();
}

std::optional<SyncWork> PartitionLog::TakeSync() {
  if (!NeedsSync()) return std::nullopt;
  const Offset taken = durability_.taken();
  const bool all = IsWorthASync();
  const Offset upto = all ? end() : active().base_offset();
  SyncWork work;
  if (Status collected = Note(CollectUnsynced(upto, &work)); !collected) {
    return std::nullopt;
  }
  if (all && taken_position_ && *taken_position_ < active().size() &&
      mark_->synced_change() >= in_place_until_) {
    work.appended = {work.files.front(), *taken_position_,
                     active().size() - *taken_position_, taken};
  }
  taken_position_.reset();
  if (all) taken_position_ = active().size();
  durability_.Taken(upto);
  in_progress_ = true;
  return work;
}

SyncWork PartitionLog::BehindJournal() {
  SyncWork work;
  if (failed()) return work;
  if (Status collected = Note(CollectUnsynced(end(), &work)); !collected) {
    return SyncWork();
  }
  return work;
}

void PartitionLog::Flushed(const SyncWork& work) {
  const uint64_t synced_change = mark_->synced_change();
  std::erase_if(new_files_, [&](const auto& entry) {
    return entry.first <= synced_change;
  });
  if (work.generation == durability_.generation()) in_progress_ = false;
  if (failed_ || !durability_.Synced(work.generation, work.end_offset)) return;
  // Sealed and synced: nobody needs the descriptor but a reader now and then.
  if (segments_.size() > 1) {
    const Offset settled = mark_->synced();
    for (size_t i = 0; i + 1 < segments_.size(); ++i) {
      if (segments_[i + 1]->base_offset() <= settled) segments_[i]->Release();
    }
  }
  CheckInvariants();
}

void PartitionLog::SyncFailed(const SyncWork&) {
  (void)Note(Status(
      Fail(ErrorCode::kKafkaStorageError, "sync failed in " + options_.dir)));
}

Status PartitionLog::WriteEpochs() {
  TM_RETURN_IF_ERROR(io::WriteFileAtomically(
      fs_, Path("leader-epoch-checkpoint"), epochs_.Encode()));
  epochs_dirty_ = false;
  return {};
}

// They stay in memory until there is room for them, and the recovery point
// waits as long.
Status PartitionLog::TryWriteEpochs() {
  const Status written = WriteEpochs();
  return !written && io::IsShortage(written.error()) ? Status() : written;
}

Status PartitionLog::AssignEpoch(LeaderEpoch epoch, Offset start) {
  TM_RETURN_IF_ERROR(Healthy());
  verifications_.Clear();
  if (epochs_.Assign(epoch, start)) EpochsChanged(start);
  return {};
}

void PartitionLog::EpochsChanged(Offset from) {
  epochs_dirty_ = true;
  mark_->SetEpochs(epochs_.Encode(), from);
}

Result<Offset> PartitionLog::RecoveryPoint() {
  TM_RETURN_IF_ERROR(Healthy());
  if (epochs_dirty_) TM_RETURN_IF_ERROR(Note(WriteEpochs()));
  options_.recovery_point = mark_->synced();
  return options_.recovery_point;
}

Result<std::vector<ActiveProducer>> PartitionLog::ActiveProducers() {
  TM_RETURN_IF_ERROR(Healthy());
  TM_RETURN_IF_ERROR(Note(FreshProducers()));
  return producers_.Active();
}

Status PartitionLog::SyncAll() {
  const Offset settled = mark_->synced();
  for (size_t i = segments_.size(); i-- > 0;) {
    if (i + 1 < segments_.size() &&
        segments_[i + 1]->base_offset() <= settled) {
      break;
    }
    TM_ASSIGN_OR_RETURN(auto file, segments_[i]->LogFile());
    TM_RETURN_IF_ERROR(file->Sync());
  }
  for (const auto& [change, file] : new_files_) {
    TM_RETURN_IF_ERROR(file->Sync());
  }
  TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  if (mark_->synced_change() < created_change_) {
    TM_RETURN_IF_ERROR(fs_.SyncDirectory(ParentDirectory()));
  }
  new_files_.clear();
  durability_.AllSafe(end());
  taken_position_ = active().size();
  mark_->Synced(durability_.generation(), end(), change_);
  return {};
}

Status PartitionLog::Close() {
  TM_RETURN_IF_ERROR(Healthy());
  // Where there is no room, the next process finds it as it was.
  const Status swapped = FinishSwap();
  if (!swapped && !io::IsShortage(swapped.error())) return Note(swapped);
  for (auto& segment : segments_) {
    if (!segment->HasRottenIndex() || segment->moving()) continue;
    TM_RETURN_IF_ERROR(Note(RebuildIndexes(*segment)));
  }
  if (changed_ || HasChanges()) {
    TM_ASSIGN_OR_RETURN(auto indexes, Note(active().Seal()));
    for (auto& file : indexes) NoteNewFile(std::move(file));
    TM_RETURN_IF_ERROR(Note(WriteSnapshot()));
    if (epochs_dirty_) TM_RETURN_IF_ERROR(Note(WriteEpochs()));
    TM_RETURN_IF_ERROR(Note(SyncAll()));
    changed_ = false;
  }
  for (auto& segment : segments_) segment->Release();
  return {};
}

Status PartitionLog::Delete() {
  failed_ = true;
  segments_.clear();
  return fs_.RemoveAll(options_.dir);
}

}  // namespace tidemark::log
