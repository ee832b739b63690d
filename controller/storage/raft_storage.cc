#include "controller/storage/raft_storage.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "common/io/initial_voters.h"
#include "controller/storage/keys.h"
#include "controller/storage/log_check.h"
#include "controller/storage/snapshot_table.h"
#include "controller/storage/store_errors.h"

namespace tidemark::storage {
namespace {

using raft::Entry;
using raft::LogIndex;
using raft::LogPosition;

constexpr char kCurrent[] = "CURRENT";
constexpr char kFormat[] = "format";
constexpr char kFormatVersion[] = "1";
constexpr char kFormatWithMembers[] = "2";
constexpr uint64_t kMembersBit = 1ull << 63;  // of an entry's term
constexpr char kDatabase[] = "raft";
constexpr char kIdentity[] = "identity";
constexpr char kIdentityBefore[] = "identity_before";
constexpr char kLeftBehind[] = "left_behind";
constexpr char kHardState[] = "hard_state";
constexpr char kVoteDisk[] = "vote_disk";
constexpr char kMembers[] = "members";
constexpr char kBase[] = "base";
constexpr char kPeer[] = "peer/";

std::string IdentityOf(const io::MetaProperties& meta) {
  return meta.cluster_id + "\n" + std::to_string(meta.node_id) + "\n" +
         ToString(meta.directory_id);
}

// A controller's data is small and its memory is meant to be: a few MB.
rocksdb::Options SmallOptions() {
  rocksdb::Options options;
  options.write_buffer_size = 2 << 20;
  options.db_write_buffer_size = 4 << 20;
  options.max_write_buffer_number = 2;
  options.arena_block_size = 64 << 10;
  options.max_total_wal_size = 8 << 20;
  // What the process before wrote and did not sync is read, so it is acted on:
  // opening makes it durable.
  options.avoid_flush_during_recovery = false;
  options.max_open_files = 32;
  options.max_background_jobs = 2;
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.track_and_verify_wals_in_manifest = true;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(1 << 20, 0);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::string PackPosition(LogPosition position) {
  std::string value;
  AppendFixed(&value, position.index, 8);
  AppendFixed(&value, position.term, 8);
  return value;
}

std::optional<LogPosition> TakePosition(std::string_view* from) {
  const auto index = TakeFixed(from, 8);
  const auto term = TakeFixed(from, 8);
  if (!index || !term) return std::nullopt;
  return LogPosition{*index, *term};
}

class RocksRaftStorage final : public RaftStorage {
 public:
  RocksRaftStorage(io::MetaProperties meta,
                   std::unique_ptr<io::DirectoryLock> lock,
                   const std::string& directory)
      : meta_(std::move(meta)),
        lock_(std::move(lock)),
        directory_(directory),
        path_(directory + "/" + kDatabase),
        errors_(path_) {}

  ~RocksRaftStorage() override {
    snapshots_.reset();
    for (auto* family : {log_, state_, snapshot_})
      if (family != nullptr) db_->DestroyColumnFamilyHandle(family);
    if (db_ != nullptr) db_->Close();
  }

  Status Open();
  const io::MetaProperties& meta() const override { return meta_; }
  Result<raft::Stored> Load() override;
  Result<raft::Snapshot> LoadSnapshot() override;
  Result<size_t> StoreSnapshot(raft::LogPosition last,
                               const raft::MembersPtr& members,
                               const SnapshotSource& source) override;
  Status Compact(LogIndex to) override;
  Result<std::map<NodeId, Uuid>> LoadPeers() override;
  Status SavePeer(NodeId id, const Uuid& directory) override;
  Status Write(std::span<const raft::Write> writes) override;
  Status BeginAnew(const raft::Write& write, const Uuid& directory,
                   std::set<Uuid> left_behind) override;
  Result<std::set<Uuid>> LoadLeftBehind() override;

 private:
  Status Check(const rocksdb::Status& status, const char* what) const {
    return errors_.Check(status, what);
  }
  tl::unexpected<Error> Damaged(const std::string& what) const {
    return errors_.Damaged(what);
  }
  Status OpenDb(bool create);
  Result<rocksdb::WALRecoveryMode> CheckLogs() const;
  Result<std::optional<std::string>> Get(rocksdb::ColumnFamilyHandle* family,
                                         const char* key);
  Status CheckIdentity(bool unused);
  Status PutIdentity(const std::string& identity);
  Status TakeIdentity(const std::string& identity);
  Status LoadFirstMembers();
  // In force after the newest snapshot, or from the beginning.
  raft::MembersPtr SnapshotMembers() const {
    auto members = snapshots_->meta().members;
    return members ? members : first_members_;
  }
  Result<raft::HardState> LoadHardState();
  void NoteMembers(rocksdb::WriteBatch* batch);
  Status LoadPositions();
  Status LoadEntries(std::vector<Entry>* entries);
  Status Commit(rocksdb::WriteBatch* batch);
  void Put(const raft::Write& write, rocksdb::WriteBatch* batch);
  void PutEntries(const std::vector<Entry>& entries,
                  rocksdb::WriteBatch* batch);
  void CutPrefix(LogPosition base, rocksdb::WriteBatch* batch);

  io::MetaProperties meta_;
  std::unique_ptr<io::DirectoryLock> lock_;
  std::string directory_, path_;
  const StoreErrors errors_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* state_ = nullptr;
  rocksdb::ColumnFamilyHandle* snapshot_ = nullptr;

  std::unique_ptr<SnapshotTable> snapshots_;
  raft::MembersPtr first_members_;         // this one began with
  std::atomic<bool> has_members_ = false;  // format "2"
  // What the rows say, to know what to overwrite.
  LogPosition base_;
  LogIndex last_ = 0;
};

// The database is made once in the life of a directory. One that is gone has
// voted and promised: made again it would be a blank voter under the same
// identity, and what was committed could be lost.
Status RocksRaftStorage::Open() {
  const bool unused = io::IsMarked(directory_, io::kUnusedMark);
  if (!unused && !io::IsMarked(path_, kCurrent))
    return Fail(ErrorCode::kKafkaStorageError,
                path_ +
                    ", the log and the votes of this controller, is gone, or "
                    "was never to be: then format the directory for a node of "
                    "controller.quorum.voters; else " +
                    kReplaceHint);
  TM_RETURN_IF_ERROR(OpenDb(unused));
  TM_RETURN_IF_ERROR(CheckIdentity(unused));
  if (unused) TM_RETURN_IF_ERROR(io::Unmark(directory_, io::kUnusedMark));
  return LoadPositions();
}

// Nothing that was synced may be rolled back: a vote would be given twice, an
// entry counted that is not there. Only the end of the last
// write, which was never synced, may be missing.
Result<rocksdb::WALRecoveryMode> RocksRaftStorage::CheckLogs() const {
  auto mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  std::vector<std::string> names;
  rocksdb::Env* env = rocksdb::Env::Default();
  TM_RETURN_IF_ERROR(Check(env->GetChildren(path_, &names), "read"));
  std::string current;
  TM_RETURN_IF_ERROR(
      Check(rocksdb::ReadFileToString(env, path_ + "/" + kCurrent, &current),
            "read"));
  for (const std::string& name : names) {
    const bool manifest = name + "\n" == current;
    if (!manifest && !name.ends_with(".log")) continue;
    std::string bytes;
    TM_RETURN_IF_ERROR(Check(
        rocksdb::ReadFileToString(env, path_ + "/" + name, &bytes), "read"));
    const LogVerdict verdict = CheckLog(bytes);
    if (verdict.kind == LogVerdict::Kind::kDamaged)
      return Damaged("the bytes of " + name + " from " +
                     std::to_string(verdict.at) +
                     " on are not those that were written");
    if (verdict.kind == LogVerdict::Kind::kTorn && !manifest)
      mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  }
  return mode;
}

Status RocksRaftStorage::OpenDb(bool create) {
  rocksdb::Options options = SmallOptions();
  options.create_if_missing = options.create_missing_column_families = create;
  if (io::IsMarked(path_, kCurrent)) {
    TM_ASSIGN_OR_RETURN(options.wal_recovery_mode, CheckLogs());
  }
  rocksdb::ColumnFamilyOptions family(options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  TM_RETURN_IF_ERROR(
      Check(rocksdb::DB::Open(options, path_,
                              {{rocksdb::kDefaultColumnFamilyName, family},
                               {"raft_log", family},
                               {"raft_state", family},
                               {"snapshot", family}},
                              &handles, &db),
            "open"));
  db_.reset(db);
  db_->DestroyColumnFamilyHandle(handles[0]);
  log_ = handles[1];
  state_ = handles[2];
  snapshot_ = handles[3];
  snapshots_ = std::make_unique<SnapshotTable>(errors_, *db_, snapshot_);
  return {};
}

Result<std::optional<std::string>> RocksRaftStorage::Get(
    rocksdb::ColumnFamilyHandle* family, const char* key) {
  std::string value;
  const auto status = db_->Get(rocksdb::ReadOptions(), family, key, &value);
  if (status.IsNotFound()) return std::nullopt;
  TM_RETURN_IF_ERROR(Check(status, "read"));
  return value;
}

// The rows must be those of the directory they lie in: a copied database
// would vote a second time.
Status RocksRaftStorage::CheckIdentity(bool unused) {
  const std::string identity = IdentityOf(meta_);
  TM_ASSIGN_OR_RETURN(const auto format, Get(state_, kFormat));
  TM_ASSIGN_OR_RETURN(const auto known, Get(state_, kIdentity));
  if (unused && !format && !known) return PutIdentity(identity);
  if (!format || !known) return Damaged("it does not say whose it is");
  has_members_ = format == kFormatWithMembers;
  if (format != kFormatVersion && !has_members_)
    return Fail(ErrorCode::kUnsupportedVersion,
                path_ + " has storage format " + *format +
                    ", this program knows only " + kFormatVersion + " and " +
                    kFormatWithMembers);
  if (known == identity) return {};
  TM_ASSIGN_OR_RETURN(const auto before, Get(state_, kIdentityBefore));
  if (before == identity) return TakeIdentity(*known);
  return Fail(ErrorCode::kInvalidConfig,
              path_ +
                  " was written for another directory, node or "
                  "cluster than its meta.properties says; restore the "
                  "directory as a whole");
}

// The rows have a new one, and the process ended before the file had it.
Status RocksRaftStorage::TakeIdentity(const std::string& identity) {
  io::MetaProperties meta = meta_;
  const auto directory = Uuid::Parse(identity.substr(identity.rfind('\n') + 1));
  if (directory) meta.directory_id = *directory;
  if (!directory || IdentityOf(meta) != identity)
    return Damaged("it does not say whose it is");
  TM_RETURN_IF_ERROR(io::SaveMetaProperties(directory_, meta));
  meta_ = std::move(meta);
  return {};
}

// The first time: with the quorum that the directory was formatted for.
Status RocksRaftStorage::PutIdentity(const std::string& identity) {
  rocksdb::WriteBatch batch;
  batch.Put(state_, kFormat, kFormatVersion);
  batch.Put(state_, kIdentity, identity);
  TM_ASSIGN_OR_RETURN(const auto voters, io::LoadInitialVoters(directory_));
  if (!voters.empty()) {
    raft::Members members;
    for (const io::InitialVoter& voter : voters)
      members.Put({voter.id, voter.directory, true, voter.host, voter.port});
    batch.Put(state_, kMembers, raft::Encode(members));
    NoteMembers(&batch);
  }
  return Commit(&batch);
}

// A program that does not know them must not take them for data.
void RocksRaftStorage::NoteMembers(rocksdb::WriteBatch* batch) {
  if (has_members_.exchange(true)) return;
  batch->Put(state_, kFormat, kFormatWithMembers);
}

Status RocksRaftStorage::LoadFirstMembers() {
  TM_ASSIGN_OR_RETURN(const auto first, Get(state_, kMembers));
  if (!first) return {};
  auto decoded = raft::DecodeMembers(*first);
  if (!decoded) return Damaged(decoded.error().message);
  first_members_ = std::move(*decoded);
  return {};
}

Status RocksRaftStorage::LoadPositions() {
  TM_ASSIGN_OR_RETURN(const auto base, Get(state_, kBase));
  if (base) {
    std::string_view rest = *base;
    const auto position = TakePosition(&rest);
    if (!position || !rest.empty()) return Damaged("log base");
    base_ = *position;
  }
  TM_RETURN_IF_ERROR(LoadFirstMembers());
  TM_RETURN_IF_ERROR(snapshots_->Load());
  if (base_.index > snapshots_->meta().last.index)
    return Damaged("entries are missing behind the snapshot");
  last_ = base_.index;
  std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(rocksdb::ReadOptions(), log_));
  it->SeekToLast();
  if (it->Valid()) {
    if (it->key().size() != 8) return Damaged("log key");
    last_ = FromOrderedKey({it->key().data(), it->key().size()});
  }
  return Check(it->status(), "read");
}

// A program before the disk of a vote mattered writes the one row only.
Result<raft::HardState> RocksRaftStorage::LoadHardState() {
  TM_ASSIGN_OR_RETURN(const auto row, Get(state_, kHardState));
  TM_ASSIGN_OR_RETURN(const auto disk, Get(state_, kVoteDisk));
  raft::HardState state;
  if (!row) return state;
  std::string_view rest = *row;
  const auto term = TakeFixed(&rest, 8);
  const auto vote = TakeFixed(&rest, 4);
  if (!term || !vote || !rest.empty()) return Damaged("hard state");
  state.term = *term;
  state.vote = static_cast<NodeId>(*vote);
  if (!disk || !disk->starts_with(*row)) return state;
  const auto directory =
      Uuid::FromBytes(std::string_view(*disk).substr(row->size()));
  if (!directory) return Damaged("disk of the vote");
  state.vote_directory = *directory;
  return state;
}

Result<raft::Stored> RocksRaftStorage::Load() {
  raft::Stored stored;
  stored.snapshot = snapshots_->meta().last;
  stored.base = base_;
  stored.members = SnapshotMembers();
  TM_ASSIGN_OR_RETURN(stored.hard_state, LoadHardState());
  TM_RETURN_IF_ERROR(LoadEntries(&stored.entries));
  if (last_ < stored.snapshot.index)
    return Damaged("the log ends before the snapshot");
  return stored;
}

Status RocksRaftStorage::LoadEntries(std::vector<Entry>* entries) {
  std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(rocksdb::ReadOptions(), log_));
  LogPosition previous = base_;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string_view key(it->key().data(), it->key().size());
    std::string_view value(it->value().data(), it->value().size());
    if (key.size() != 8 || FromOrderedKey(key) != previous.index + 1)
      return Damaged("no log entry " + std::to_string(previous.index + 1));
    const auto first = TakeFixed(&value, 8);
    const uint64_t term = first.value_or(0) & ~kMembersBit;
    if (!first || term < previous.term)
      return Damaged("log entry " + std::to_string(previous.index + 1));
    entries->push_back({previous.index + 1, term, {}, nullptr});
    if (*first & kMembersBit) {
      auto members = raft::DecodeMembers(value);
      if (!members)
        return Damaged("log entry " + std::to_string(previous.index + 1) +
                       ": " + members.error().message);
      entries->back().members = std::move(*members);
    } else if (!value.empty()) {
      entries->back().data = SharedBytes(std::string(value));
    }
    previous = entries->back().position();
  }
  return Check(it->status(), "read");
}

Result<raft::Snapshot> RocksRaftStorage::LoadSnapshot() {
  TM_ASSIGN_OR_RETURN(auto snapshot, snapshots_->Read());
  if (!snapshot.members) snapshot.members = first_members_;
  return snapshot;
}

Result<std::map<NodeId, Uuid>> RocksRaftStorage::LoadPeers() {
  std::map<NodeId, Uuid> peers;
  std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(rocksdb::ReadOptions(), state_));
  for (it->Seek(kPeer); it->Valid() && it->key().starts_with(kPeer);
       it->Next()) {
    std::string_view text(it->key().data(), it->key().size());
    text.remove_prefix(sizeof kPeer - 1);
    NodeId id = kNoNode;
    const auto parsed =
        std::from_chars(text.data(), text.data() + text.size(), id);
    const auto directory =
        Uuid::FromBytes({it->value().data(), it->value().size()});
    if (parsed.ec != std::errc() || !directory) return Damaged("peer row");
    peers[id] = *directory;
  }
  TM_RETURN_IF_ERROR(Check(it->status(), "read"));
  return peers;
}

Status RocksRaftStorage::SavePeer(NodeId id, const Uuid& directory) {
  rocksdb::WriteBatch batch;
  batch.Put(state_, kPeer + std::to_string(id), directory.ToBytes());
  return Commit(&batch);
}

Status RocksRaftStorage::Commit(rocksdb::WriteBatch* batch) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return Check(db_->Write(options, batch), "write");
}

void RocksRaftStorage::PutEntries(const std::vector<Entry>& entries,
                                  rocksdb::WriteBatch* batch) {
  // A conflicting suffix goes in the same batch: half of it would make a log
  // that never was. Single deletions: a range tombstone would cost every
  // later read of the log.
  const LogIndex end = entries.back().index;
  for (LogIndex index = end + 1; index <= last_; ++index)
    batch->Delete(log_, OrderedKey(index));
  for (const Entry& entry : entries) {
    std::string term;
    AppendFixed(&term, entry.term | (entry.members ? kMembersBit : 0), 8);
    if (entry.members) NoteMembers(batch);
    const std::string members =
        entry.members ? raft::Encode(*entry.members) : "";
    const std::string key_bytes = OrderedKey(entry.index);
    const rocksdb::Slice key(key_bytes);
    const rocksdb::Slice parts[] = {
        term,
        ToSlice(entry.members ? std::string_view(members) : entry.data.view())};
    batch->Put(log_, rocksdb::SliceParts(&key, 1),
               rocksdb::SliceParts(parts, 2));
  }
  last_ = end;
}

void RocksRaftStorage::CutPrefix(LogPosition base, rocksdb::WriteBatch* batch) {
  batch->DeleteRange(log_, OrderedKey(base_.index), OrderedKey(base.index + 1));
  batch->Put(state_, kBase, PackPosition(base));
  base_ = base;
  last_ = std::max(last_, base.index);
}

void RocksRaftStorage::Put(const raft::Write& write,
                           rocksdb::WriteBatch* batch) {
  if (write.hard_state) {
    std::string value;
    AppendFixed(&value, write.hard_state->term, 8);
    AppendFixed(&value, static_cast<uint32_t>(write.hard_state->vote), 4);
    batch->Put(state_, kHardState, value);
    batch->Put(state_, kVoteDisk,
               value + write.hard_state->vote_directory.ToBytes());
  }
  if (write.snapshot) {
    if (write.snapshot->members) NoteMembers(batch);
    snapshots_->Put(*write.snapshot, batch);
    // The whole log goes, also what lies beyond the snapshot.
    batch->DeleteRange(
        log_, OrderedKey(0),
        OrderedKey(std::max(last_, write.snapshot->last.index) + 1));
    last_ = 0;
    CutPrefix(write.snapshot->last, batch);
  }
  if (!write.entries.empty()) PutEntries(write.entries, batch);
}

Status RocksRaftStorage::Write(std::span<const raft::Write> writes) {
  rocksdb::WriteBatch batch;
  for (const raft::Write& write : writes) Put(write, &batch);
  if (batch.Count() == 0) return {};
  return Commit(&batch);
}

Status RocksRaftStorage::BeginAnew(const raft::Write& write,
                                   const Uuid& directory,
                                   std::set<Uuid> left_behind) {
  TM_ASSIGN_OR_RETURN(const auto before, LoadLeftBehind());
  left_behind.insert(before.begin(), before.end());
  left_behind.insert(meta_.directory_id);
  std::string ids;
  for (const Uuid& id : left_behind) ids += id.ToBytes();
  io::MetaProperties meta = meta_;
  meta.directory_id = directory;
  rocksdb::WriteBatch batch;
  Put(write, &batch);
  batch.Put(state_, kLeftBehind, ids);
  batch.Put(state_, kIdentityBefore, IdentityOf(meta_));
  batch.Put(state_, kIdentity, IdentityOf(meta));
  TM_RETURN_IF_ERROR(Commit(&batch));
  return TakeIdentity(IdentityOf(meta));
}

Result<std::set<Uuid>> RocksRaftStorage::LoadLeftBehind() {
  TM_ASSIGN_OR_RETURN(const auto row, Get(state_, kLeftBehind));
  std::set<Uuid> ids;
  if (!row) return ids;
  constexpr size_t kSize = sizeof(Uuid);
  for (size_t at = 0; at < row->size(); at += kSize) {
    const auto id = Uuid::FromBytes(std::string_view(*row).substr(at, kSize));
    if (!id) return Damaged("who was left behind");
    ids.insert(*id);
  }
  return ids;
}

Result<size_t> RocksRaftStorage::StoreSnapshot(raft::LogPosition last,
                                               const raft::MembersPtr& members,
                                               const SnapshotSource& source) {
  if (members && !has_members_) {
    rocksdb::WriteBatch batch;
    NoteMembers(&batch);
    TM_RETURN_IF_ERROR(Commit(&batch));
  }
  // Its bytes go to the disk as they come, not all with the sync at the end.
  rocksdb::Options options = SmallOptions();
  options.bytes_per_sync = 1 << 20;
  return snapshots_->Store(last, members, source, options);
}

Status RocksRaftStorage::Compact(LogIndex to) {
  if (to <= base_.index || to > snapshots_->meta().last.index) return {};
  std::string value;
  TM_RETURN_IF_ERROR(Check(
      db_->Get(rocksdb::ReadOptions(), log_, OrderedKey(to), &value), "read"));
  std::string_view rest = value;
  const auto term = TakeFixed(&rest, 8);
  if (!term) return Damaged("log entry " + std::to_string(to));
  rocksdb::WriteBatch batch;
  CutPrefix({to, *term & ~kMembersBit}, &batch);
  return Commit(&batch);
}

}  // namespace

Status RaftStorage::SaveSnapshot(const raft::Snapshot& snapshot,
                                 LogIndex compact_to) {
  auto stored = StoreSnapshot(
      snapshot.last, snapshot.members,
      [&](const SnapshotPart& part) { part(snapshot.data.view()); });
  return stored ? Compact(compact_to) : Fail(stored.error());
}

Result<std::unique_ptr<RaftStorage>> RaftStorage::Open(
    const std::string& directory, const std::string& cluster_id,
    NodeId node_id) {
  TM_ASSIGN_OR_RETURN(io::MetaProperties meta,
                      io::LoadMetaProperties(directory, cluster_id, node_id));
  TM_ASSIGN_OR_RETURN(auto lock, io::DirectoryLock::Acquire(directory));
  auto storage = std::make_unique<RocksRaftStorage>(std::move(meta),
                                                    std::move(lock), directory);
  TM_RETURN_IF_ERROR(storage->Open());
  return storage;
}

}  // namespace tidemark::storage
