#include "controller/storage/snapshot_table.h"

#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>

#include <memory>
#include <optional>
#include <utility>

#include "controller/storage/keys.h"

namespace tidemark::storage {
namespace {

// Values of a snapshot larger than this would each be copied in one piece.
constexpr size_t kPartBytes = 1 << 20;
constexpr char kMeta[] = "meta";
// Left behind by a process that ended amid it; written over by the next.
constexpr char kNewFile[] = "/snapshot.new";

std::string PartKey(raft::LogIndex index, size_t part) {
  return OrderedKey(index) + OrderedKey(part, 4);
}

}  // namespace

// What will be one more file of the database.
class SnapshotTable::File {
 public:
  File(const StoreErrors& errors, const rocksdb::Options& options,
       raft::LogIndex index)
      : errors_(errors),
        path_(errors.path() + kNewFile),
        index_(index),
        writer_(rocksdb::EnvOptions(options), options) {
    Note(rocksdb::Env::Default()->FileExists(path_).ok()
             ? rocksdb::Env::Default()->DeleteFile(path_)
             : rocksdb::Status::OK());
    if (status_) Note(writer_.Open(path_));
    // The ones before go in the same step.
    if (status_) Note(writer_.DeleteRange(PartKey(0, 0), PartKey(index, 0)));
  }

  // Where it is one of the database's it has another name there. What is left
  // of one that failed would hold the room that somebody waits for.
  ~File() { rocksdb::Env::Default()->DeleteFile(path_).PermitUncheckedError(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void Add(std::string_view part) {
    for (; status_ && !part.empty();
         part.remove_prefix(std::min(part.size(), kPartBytes))) {
      const std::string_view piece = part.substr(0, kPartBytes);
      Note(writer_.Put(PartKey(index_, parts_++), ToSlice(piece)));
      bytes_ += piece.size();
    }
  }
  // Durable after it.
  Status Finish(const std::string& meta) {
    if (status_) Note(writer_.Put(kMeta, meta));
    if (status_) Note(writer_.Finish());
    return status_;
  }

  const std::string& path() const { return path_; }
  size_t bytes() const { return bytes_; }

 private:
  void Note(const rocksdb::Status& status) {
    status_ = errors_.Check(status, "write a snapshot to");
  }

  const StoreErrors& errors_;
  const std::string path_;
  const raft::LogIndex index_;
  rocksdb::SstFileWriter writer_;
  Status status_;
  size_t parts_ = 0, bytes_ = 0;
};

SnapshotTable::SnapshotTable(const StoreErrors& errors, rocksdb::DB& db,
                             rocksdb::ColumnFamilyHandle* family)
    : errors_(errors), db_(db), family_(family) {}

std::string SnapshotTable::PackMeta(const Meta& meta) {
  std::string value;
  AppendFixed(&value, meta.last.index, 8);
  AppendFixed(&value, meta.last.term, 8);
  AppendFixed(&value, meta.bytes, 8);
  if (meta.members) value += raft::Encode(*meta.members);
  return value;
}

Result<SnapshotTable::Meta> SnapshotTable::ReadMeta(
    const rocksdb::ReadOptions& options) const {
  std::string value;
  const auto status = db_.Get(options, family_, kMeta, &value);
  if (status.IsNotFound()) return Meta();
  TM_RETURN_IF_ERROR(errors_.Check(status, "read"));
  std::string_view rest = value;
  const auto index = TakeFixed(&rest, 8);
  const auto term = TakeFixed(&rest, 8);
  const auto bytes = TakeFixed(&rest, 8);
  if (!index || !term || !bytes) return errors_.Damaged("snapshot row");
  Meta meta{{*index, *term}, *bytes, nullptr};
  if (rest.empty()) return meta;
  auto members = raft::DecodeMembers(rest);
  if (!members) return errors_.Damaged(members.error().message);
  meta.members = std::move(*members);
  return meta;
}

Status SnapshotTable::Load() {
  TM_ASSIGN_OR_RETURN(meta_, ReadMeta({}));
  return {};
}

SnapshotTable::Meta SnapshotTable::meta() const {
  std::lock_guard lock(mutex_);
  return meta_;
}

// From one view of the database: it may be replaced meanwhile.
Result<raft::Snapshot> SnapshotTable::Read() const {
  rocksdb::ManagedSnapshot view(&db_);
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot();
  options.fill_cache = false;
  TM_ASSIGN_OR_RETURN(Meta meta, ReadMeta(options));
  std::string data;
  data.reserve(meta.bytes);
  for (size_t part = 0; data.size() < meta.bytes; ++part) {
    std::string value;
    const auto status =
        db_.Get(options, family_, PartKey(meta.last.index, part), &value);
    if (status.IsNotFound() || (status.ok() && value.empty()))
      return errors_.Damaged("snapshot part " + std::to_string(part));
    TM_RETURN_IF_ERROR(errors_.Check(status, "read"));
    data += value;
  }
  if (data.size() != meta.bytes) return errors_.Damaged("snapshot size");
  return raft::Snapshot{meta.last, SharedBytes(std::move(data)),
                        std::move(meta.members)};
}

void SnapshotTable::Put(const raft::Snapshot& snapshot,
                        rocksdb::WriteBatch* batch) {
  batch->DeleteRange(family_, PartKey(0, 0), PartKey(snapshot.last.index, 0));
  std::string_view rest = snapshot.data.view();
  for (size_t part = 0; !rest.empty(); ++part) {
    const std::string_view piece = rest.substr(0, kPartBytes);
    batch->Put(family_, PartKey(snapshot.last.index, part), ToSlice(piece));
    rest.remove_prefix(piece.size());
  }
  Meta meta{snapshot.last, snapshot.data.size(), snapshot.members};
  batch->Put(family_, kMeta, PackMeta(meta));
  std::lock_guard lock(mutex_);
  meta_ = std::move(meta);
}

Status SnapshotTable::Take(const std::string& path) {
  rocksdb::IngestExternalFileOptions how;
  how.allow_blocking_flush = true;
  how.write_global_seqno = false;
  how.move_files = true;
  rocksdb::Status status = db_.IngestExternalFile(family_, {path}, how);
  if (status.ok()) return {};
  // A file system without links.
  how.move_files = false;
  TM_RETURN_IF_ERROR(errors_.Check(db_.IngestExternalFile(family_, {path}, how),
                                   "take a snapshot into"));
  return errors_.Check(rocksdb::Env::Default()->DeleteFile(path), "delete in");
}

Result<size_t> SnapshotTable::Store(raft::LogPosition last,
                                    const raft::MembersPtr& members,
                                    const RaftStorage::SnapshotSource& source,
                                    const rocksdb::Options& options) {
  if (last.index <= meta().last.index) return size_t{0};
  File file(errors_, options, last.index);
  source([&](std::string_view part) { file.Add(part); });
  Meta meta{last, file.bytes(), members};
  TM_RETURN_IF_ERROR(file.Finish(PackMeta(meta)));
  std::lock_guard lock(mutex_);
  if (last.index <= meta_.last.index) return size_t{0};
  TM_RETURN_IF_ERROR(Take(file.path()));
  meta_ = std::move(meta);
  return file.bytes();
}

}  // namespace tidemark::storage
