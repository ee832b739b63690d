#include "controller/service/go_back.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "common/io/file.h"
#include "common/io/meta_properties.h"
#include "common/metadata/apply.h"
#include "common/metadata/backup.h"
#include "common/metadata/snapshot.h"
#include "controller/metadata/went_back.h"
#include "controller/storage/raft_storage.h"

namespace tidemark::controller {
namespace {

namespace fs = std::filesystem;
using storage::RaftStorage;

// A part of the directory, in which all is made before it gets its name.
constexpr char kStage[] = "restoring";
constexpr char kDatabase[] = "raft";

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

tl::unexpected<Error> Refuse(const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, what);
}

struct Beginning {
  NewBeginning told;
  raft::Write write;
};

// One synced write: the whole log is replaced by a snapshot that no log of
// before reaches, in a term that nobody has seen. `meta`: of the only voter.
Result<Beginning> Prepare(const io::MetaProperties& meta, const SoleVoter& self,
                          const metadata::Image& image, uint64_t term,
                          const Steps& steps) {
  TM_ASSIGN_OR_RETURN(const auto records, AfterGoingBack(image, steps));
  Beginning out;
  NewBeginning& told = out.told;
  told.cluster_id = meta.cluster_id;
  told.from = image.offset();
  told.offset = image.offset() + steps.offset;
  told.term = term + steps.term;
  // What controllers and brokers would do with it: now is the time to find out.
  TM_ASSIGN_OR_RETURN(const auto next,
                      metadata::FromRecords(records, told.offset));
  told.topics = next->topics().size();
  told.brokers = next->brokers().size();
  raft::Members members;
  members.Put({self.id, meta.directory_id, true, self.host, self.port});
  out.write.hard_state = raft::HardState{told.term, kNoNode, {}};
  out.write.snapshot =
      raft::Snapshot{{static_cast<raft::LogIndex>(told.offset), told.term},
                     SharedBytes(records.SerializeAsString()),
                     std::make_shared<const raft::Members>(std::move(members))};
  return out;
}

// What the log says, all of it.
Result<metadata::ImagePtr> ImageOf(const raft::Snapshot& snapshot,
                                   const raft::Stored& stored) {
  auto offset = static_cast<MetadataOffset>(snapshot.last.index);
  metadata::ImagePtr image;
  if (offset > 0) {
    record_v1::RecordBatch records;
    if (!records.ParseFromString(std::string(snapshot.data.view())))
      return Fail(ErrorCode::kKafkaStorageError,
                  "the snapshot of the metadata cannot be read");
    TM_ASSIGN_OR_RETURN(image, metadata::FromRecords(records, offset));
  }
  metadata::ImageBuilder builder(std::move(image));
  for (const raft::Entry& entry : stored.entries) {
    if (entry.index <= snapshot.last.index) continue;
    offset = static_cast<MetadataOffset>(entry.index);
    record_v1::RecordBatch batch;
    if (!batch.ParseFromString(std::string(entry.data.view())))
      return Fail(ErrorCode::kKafkaStorageError,
                  "entry " + std::to_string(entry.index) + " cannot be read");
    TM_RETURN_IF_ERROR(builder.Apply(batch, offset));
  }
  if (offset == 0)
    return Refuse("its log is empty: there is nothing to recover");
  return builder.Build(offset, nullptr);
}

raft::MembersPtr MembersIn(const raft::Stored& stored) {
  for (auto entry = stored.entries.rbegin(); entry != stored.entries.rend();
       ++entry) {
    if (entry->members) return entry->members;
  }
  return stored.members;
}

// By their directories; of those that a list in the file has, what is known.
Result<std::set<Uuid>> OthersIn(const raft::MembersPtr& members,
                                RaftStorage* storage) {
  std::set<Uuid> others;
  if (members)
    for (const auto& [id, member] : members->all())
      if (!member.directory.IsZero()) others.insert(member.directory);
  TM_ASSIGN_OR_RETURN(const auto seen, storage->LoadPeers());
  for (const auto& [id, directory] : seen) others.insert(directory);
  return others;
}

Status Rename(const std::string& from, const std::string& to) {
  io::FileSystem& files = io::PosixFileSystem();
  TM_RETURN_IF_ERROR(files.Rename(from, to));
  return files.SyncDirectory(fs::path(to).parent_path().string());
}

Status CheckUnused(const std::string& directory) {
  if (io::IsMarked(directory, io::kMetaPropertiesFile))
    return Fail(ErrorCode::kInvalidConfig,
                directory +
                    " is formatted: restore into a directory that is not, so "
                    "that nothing is lost");
  if (io::PosixFileSystem().Exists(directory + "/" + kDatabase))
    return Fail(ErrorCode::kInvalidConfig,
                directory + "/" + kDatabase +
                    " is there: move it away, or restore into another "
                    "directory");
  return {};
}

}  // namespace

Result<NewBeginning> RestoreBackup(const SoleVoter& self,
                                   const std::string& file,
                                   const std::string& cluster_id) {
  io::FileSystem& files = io::PosixFileSystem();
  TM_ASSIGN_OR_RETURN(const std::string bytes, io::ReadFile(files, file));
  auto backup = metadata::DecodeBackup(bytes);
  if (!backup) return Refuse(file + ": " + backup.error().message);
  TM_RETURN_IF_ERROR(CheckUnused(self.directory));
  const std::string stage = self.directory + "/" + kStage;
  if (files.Exists(stage)) TM_RETURN_IF_ERROR(files.RemoveAll(stage));
  const std::string cluster =
      cluster_id.empty() ? backup->header.cluster_id() : cluster_id;
  NewBeginning out;
  {
    auto formatted =
        io::FormatDirectory(stage, cluster, self.id, io::Use::kMetadata);
    if (!formatted) return Fail(formatted.error());
    TM_ASSIGN_OR_RETURN(auto storage,
                        RaftStorage::Open(stage, cluster, self.id));
    TM_ASSIGN_OR_RETURN(
        auto begins, Prepare(storage->meta(), self, *backup->image,
                             static_cast<uint64_t>(backup->header.epoch()),
                             StepsAfter(NowMs() - backup->header.time_ms())));
    TM_RETURN_IF_ERROR(storage->Write({&begins.write, 1}));
    out = std::move(begins.told);
  }
  // Last what makes it a controller's.
  for (const char* name : {kDatabase, io::kMetaPropertiesFile})
    TM_RETURN_IF_ERROR(Rename(stage + "/" + name, self.directory + "/" + name));
  TM_RETURN_IF_ERROR(files.RemoveAll(stage));
  return out;
}

Result<NewBeginning> RecoverAlone(const SoleVoter& self) {
  TM_ASSIGN_OR_RETURN(auto storage,
                      RaftStorage::Open(self.directory, "", self.id));
  TM_ASSIGN_OR_RETURN(const raft::Stored stored, storage->Load());
  TM_ASSIGN_OR_RETURN(const raft::Snapshot snapshot, storage->LoadSnapshot());
  const raft::MembersPtr members = MembersIn(stored);
  if (members && members->IsAgreed() &&
      members->IsVoter(self.id, storage->meta().directory_id) &&
      members->Voters().size() == 1)
    return Refuse("controller " + std::to_string(self.id) +
                  " is the only voter already: start it");
  TM_ASSIGN_OR_RETURN(const auto image, ImageOf(snapshot, stored));
  uint64_t term = stored.hard_state.term;
  if (!stored.entries.empty())
    term = std::max(term, stored.entries.back().term);
  // Another directory: the voters of before are nobody that it knows, and it
  // is none of theirs.
  io::MetaProperties meta = storage->meta();
  meta.directory_id = Uuid::Random();
  TM_ASSIGN_OR_RETURN(Beginning begins, Prepare(meta, self, *image, term, {}));
  TM_ASSIGN_OR_RETURN(auto others, OthersIn(members, storage.get()));
  TM_RETURN_IF_ERROR(
      storage->BeginAnew(begins.write, meta.directory_id, std::move(others)));
  begins.told.members =
      members ? raft::ToString(*members) : "those of its file";
  return std::move(begins.told);
}

}  // namespace tidemark::controller
