#include "controller/cli/dev_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "tidemark-dev-";
// Until it is locked: whoever looks for abandoned ones does not look at it.
constexpr char kUnlockedPrefix[] = "tidemark-new-";
constexpr char kLock[] = "lock";

fs::path TemporaryFolder(std::error_code* error) {
  constexpr char kInMemory[] = "/dev/shm";
  constexpr uint64_t kPlenty = uint64_t{1} << 30;
  std::error_code none;
  const auto space = fs::space(kInMemory, none);
  if (std::getenv("TMPDIR") == nullptr && !none && space.available >= kPlenty &&
      access(kInMemory, W_OK | X_OK) == 0)
    return kInMemory;
  return fs::temp_directory_path(*error);
}

// -1: somebody has it, or there is none and `flags` do not make it.
int Lock(const fs::path& directory, int flags) {
  const int fd =
      open((directory / kLock).c_str(), flags | O_RDWR | O_CLOEXEC, 0644);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

// Without a lock: of one that begins at this moment, or of no such.
void RemoveAbandoned(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const int lock = Lock(entry.path(), 0);
    if (lock < 0) continue;
    fs::remove_all(entry.path(), ignored);
    close(lock);
  }
}

tl::unexpected<Error> CannotCreate(const std::string& path,
                                   const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, "cannot create " + path + ": " + why);
}

}  // namespace

Result<DevDirectory> DevDirectory::Make(const std::string& wanted) {
  std::error_code error;
  if (!wanted.empty()) {
    fs::create_directories(wanted, error);
    if (error) return CannotCreate(wanted, error.message());
    return DevDirectory(fs::absolute(wanted, error).string(), false, -1);
  }
  const fs::path folder = TemporaryFolder(&error);
  if (error) return CannotCreate("a temporary directory", error.message());
  RemoveAbandoned(folder);
  std::string made =
      (folder / (std::string(kUnlockedPrefix) + "XXXXXX")).string();
  if (mkdtemp(made.data()) == nullptr)
    return CannotCreate(made, std::strerror(errno));
  DevDirectory out(made, true, Lock(made, O_CREAT));
  if (out.lock_ < 0) return CannotCreate(made, "somebody has locked it");
  const std::string path = folder / (kPrefix + made.substr(made.size() - 6));
  fs::rename(made, path, error);
  if (error) return CannotCreate(path, error.message());
  out.path_ = path;
  return out;
}

DevDirectory::DevDirectory(DevDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")),
      temporary_(other.temporary_),
      lock_(std::exchange(other.lock_, -1)) {}

DevDirectory::~DevDirectory() {
  std::error_code ignored;
  if (temporary_ && !path_.empty()) fs::remove_all(path_, ignored);
  if (lock_ >= 0) close(lock_);
}

}  // namespace tidemark::cli
