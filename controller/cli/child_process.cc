#include "controller/cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tidemark::cli {
namespace {

tl::unexpected<Error> Failed(const std::string& what) {
  return Fail(ErrorCode::kUnknownServerError,
              "cannot " + what + ": " + std::strerror(errno));
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& text : strings)
    out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// In the child, between fork and exec: only system calls.
[[noreturn]] void Become(const char* program, char* const* arguments,
                         char* const* environment, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it had gone before
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execve(program, arguments, environment);
  _exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::Start(const Options& options) {
  std::vector<std::string> all = {options.program};
  all.insert(all.end(), options.arguments.begin(), options.arguments.end());
  const auto arguments = Pointers(all);
  const auto environment = Pointers(options.environment);
  int log = STDERR_FILENO;
  if (!options.log.empty()) {
    log = open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
               0644);
    if (log < 0) return Failed("open " + options.log);
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0)
    Become(options.program.c_str(), arguments.data(), environment.data(), log,
           parent);
  if (log != STDERR_FILENO) close(log);
  if (pid < 0) return Failed("start " + options.program);
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), ended_(std::move(other.ended_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || ended_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void ChildProcess::Signal(int number) const {
  if (pid_ > 0 && !ended_) kill(pid_, number);
}

std::optional<std::string> ChildProcess::Ended() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = WIFSIGNALED(status)
                 ? "signal " + std::to_string(WTERMSIG(status))
                 : "exit code " + std::to_string(WEXITSTATUS(status));
  }
  return ended_;
}

Result<std::string> ProgramBeside(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path = (self.parent_path() / name).string();
  if (error || access(path.c_str(), X_OK) != 0)
    return Fail(ErrorCode::kInvalidConfig,
                "no program " + path + ": " + name +
                    " has to be in the same folder as this one");
  return path;
}

}  // namespace tidemark::cli
