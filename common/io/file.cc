#include "common/io/file.h"

namespace tidemark::io {

bool IsShortage(const Error& error) {
  return error.code == ErrorCode::kOutOfSpace ||
         error.code == ErrorCode::kOutOfHandles;
}

bool IsPassing(const Error& error) {
  return error.code == ErrorCode::kWouldWait || IsShortage(error);
}

Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                           std::string_view bytes) {
  const std::string tmp = path + ".tmp";
  {
    TM_ASSIGN_OR_RETURN(auto file, fs.Open(tmp, true));
    // A crash may have left a longer one behind.
    TM_RETURN_IF_ERROR(file->Truncate(0));
    TM_RETURN_IF_ERROR(file->WriteAt(0, bytes));
    TM_RETURN_IF_ERROR(file->Sync());
  }
  TM_RETURN_IF_ERROR(fs.Rename(tmp, path));
  size_t slash = path.rfind('/');
  return fs.SyncDirectory(slash == std::string::npos ? "."
                          : slash == 0               ? "/"
                                                     : path.substr(0, slash));
}

Result<std::string> ReadFile(FileSystem& fs, const std::string& path) {
  TM_ASSIGN_OR_RETURN(auto file, fs.Open(path, false));
  TM_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  std::string bytes(size, '\0');
  TM_ASSIGN_OR_RETURN(size_t read, file->ReadAt(0, bytes.data(), size));
  bytes.resize(read);
  return bytes;
}

}  // namespace tidemark::io
