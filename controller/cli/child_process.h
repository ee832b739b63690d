#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tidemark::cli {

// A program that runs on behalf of this one and does not outlive it, however
// this one ends (PR_SET_PDEATHSIG). In a process group of its own: Ctrl-C is
// this process's to pass on. One thread, that which lives longest: the kernel
// takes the end of the thread that started a child for the end of its parent.
class ChildProcess {
 public:
  struct Options {
    std::string program;                   // a path
    std::vector<std::string> arguments;    // without the program
    std::vector<std::string> environment;  // NAME=value, all of it
    std::string log;  // what it says goes there; empty: to stderr
  };
  static Result<ChildProcess> Start(const Options& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills it, if it still runs, and waits for its end.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  void Signal(int number) const;
  // How it ended ("exit code 1", "signal 9"); nullopt while it runs.
  std::optional<std::string> Ended();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;  // -1: moved from
  std::optional<std::string> ended_;
};

// The program `name` in the folder of the running one.
Result<std::string> ProgramBeside(const std::string& name);

}  // namespace tidemark::cli
