#include "broker/log/lost_writes.h"

#include <glog/logging.h>

namespace tidemark::log {
namespace {

constexpr char kLostMarker[] = "/.tidemark_lost_writes";

Status Write(io::FileSystem& fs, const std::string& path,
             const std::string& text) {
  TM_ASSIGN_OR_RETURN(auto file, fs.Open(path, true));
  TM_RETURN_IF_ERROR(file->Truncate(0));
  return file->WriteAt(0, text);
}

}  // namespace

void MarkLostWrites(io::FileSystem& fs, const std::string& dir,
                    const std::string& boot) {
  if (boot.empty()) return;
  const Status marked = Write(fs, dir + kLostMarker, boot + "\n");
  LOG_IF(ERROR, !marked) << "restart the machine before the broker: a failed "
                            "sync cannot be marked dir="
                         << dir << " error=" << marked.error().message;
}

Status CheckNoLostWrites(io::FileSystem& fs, const std::string& dir,
                         const std::string& boot) {
  const std::string path = dir + kLostMarker;
  if (boot.empty() || !fs.Exists(path)) return {};
  TM_ASSIGN_OR_RETURN(const std::string marked, io::ReadFile(fs, path));
  if (marked == boot + "\n") {
    return Fail(ErrorCode::kKafkaStorageError,
                "a sync failed in " + dir +
                    " since this machine was started, so that its memory may "
                    "hold what the disk does not. Replace the disk, or mend it "
                    "and restart the machine; if the file system has been "
                    "unmounted since, remove " +
                    path);
  }
  return fs.Remove(path);
}

}  // namespace tidemark::log
