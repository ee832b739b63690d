// Runs a fuzz target on spoiled copies of its corpus and on random bytes. What
// reaches code that nothing reached before joins the corpus, when the build
// tells (scripts/build fuzz). An input that breaks something is left in a file,
// for --input.

#include <fcntl.h>
#include <glog/logging.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

#include "tests/fuzz/coverage.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

using Random = std::mt19937_64;

constexpr unsigned kHangs = 60;  // seconds for a hundred inputs
constexpr size_t kLargest = 64 << 10;
constexpr size_t kKept = 20'000;

std::vector<Target>& All() {
  static std::vector<Target> targets;
  return targets;
}

std::string current;      // the input that is being run
std::string left_behind;  // where it is left if it breaks something

size_t Below(Random& random, size_t bound) {
  return bound == 0 ? 0 : random() % bound;
}

// Values that lengths and counts are wrong at.
void PutEdge(Random& random, std::string* bytes) {
  static constexpr uint64_t kEdges[] = {0,
                                        1,
                                        0x7f,
                                        0x80,
                                        0xff,
                                        0x7fff,
                                        0x8000,
                                        0xffff,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        ~uint64_t{0}};
  const uint64_t value = kEdges[Below(random, std::size(kEdges))];
  const size_t width = size_t{1} << Below(random, 4);
  const size_t at = Below(random, bytes->size());
  for (size_t i = 0; i < width && at + i < bytes->size(); ++i) {
    (*bytes)[at + i] = static_cast<char>(value >> (8 * (width - 1 - i)));
  }
}

void Spoil(Random& random, const std::vector<std::string>& corpus,
           std::string* bytes) {
  for (size_t rounds = 1 + Below(random, 4); rounds > 0; --rounds) {
    const size_t at = Below(random, bytes->size() + 1);
    switch (Below(random, 6)) {
      case 0:
        if (!bytes->empty()) {
          (*bytes)[Below(random, bytes->size())] = static_cast<char>(random());
        }
        break;
      case 1:
        if (!bytes->empty()) PutEdge(random, bytes);
        break;
      case 2:
        bytes->resize(at);
        break;
      case 3:
        bytes->insert(at, Below(random, 64), static_cast<char>(random()));
        break;
      case 4:
        bytes->erase(at, Below(random, 16));
        break;
      default: {
        const std::string& other = corpus[Below(random, corpus.size())];
        const size_t from = Below(random, other.size() + 1);
        bytes->insert(at, other.substr(from, Below(random, 200)));
      }
    }
  }
}

std::string Input(Random& random, const std::vector<std::string>& corpus) {
  if (corpus.empty() || Below(random, 20) == 0) {
    std::string bytes(Below(random, 300), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  }
  std::string bytes = corpus[Below(random, corpus.size())];
  Spoil(random, corpus, &bytes);
  return bytes;
}

void OnCrash(int signal_number) {
  const int fd =
      open(left_behind.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && write(fd, current.data(), current.size()) ==
                                      static_cast<ssize_t>(current.size());
  const std::string_view says = written
                                    ? std::string_view("input left in ")
                                    : std::string_view("input not written to ");
  if (write(STDERR_FILENO, says.data(), says.size()) < 0 ||
      write(STDERR_FILENO, left_behind.data(), left_behind.size()) < 0 ||
      write(STDERR_FILENO, "\n", 1) < 0) {
    _exit(2);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void Watch(const Target& target) {
  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM}) {
    signal(fatal, OnCrash);
  }
  left_behind =
      std::string(target.name) + "-" + std::to_string(getpid()) + ".input";
#ifndef __SANITIZE_ADDRESS__
  const rlimit memory{size_t{2} << 30, size_t{2} << 30};
  PCHECK(setrlimit(RLIMIT_AS, &memory) == 0);
#endif
}

void RunOne(const Target& target, std::string input) {
  current = std::move(input);
  target.run(current);
}

int Run(const Target& target, double seconds, uint64_t seed) {
  Watch(target);
  std::vector<std::string> corpus = target.corpus();
  for (const std::string& good : corpus) RunOne(target, good);
  (void)TakeNewCoverage();
  const size_t good = corpus.size();
  const auto begin = std::chrono::steady_clock::now();
  Random random(seed);
  uint64_t inputs = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
             .count() < seconds) {
    alarm(kHangs);
    for (int i = 0; i < 100; ++i, ++inputs) {
      RunOne(target, Input(random, corpus));
      if (TakeNewCoverage() && current.size() <= kLargest &&
          corpus.size() < kKept) {
        corpus.push_back(current);
      }
    }
  }
  std::cout << target.name << ": seed=" << seed << " corpus=" << good
            << " found=" << corpus.size() - good << " inputs=" << inputs
            << std::endl;
  return 0;
}

int Replay(const Target& target, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::cerr << "cannot read " << path << std::endl;
    return 1;
  }
  FLAGS_minloglevel = google::GLOG_INFO;
  RunOne(target, {std::istreambuf_iterator<char>(file), {}});
  return 0;
}

}  // namespace

Added::Added(Target target) {
  All().push_back(target);
  std::sort(All().begin(), All().end(),
            [](const Target& a, const Target& b) { return a.name < b.name; });
}

const std::vector<Target>& Targets() { return All(); }

}  // namespace tidemark::fuzz

// What is found ends in OnCrash.
extern "C" const char* __asan_default_options() {
  return "abort_on_error=1:max_allocation_size_mb=512:hard_rss_limit_mb=2500:"
         "handle_abort=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0";
}
extern "C" const char* __ubsan_default_options() {
  return "abort_on_error=1:print_stacktrace=1";
}

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_minloglevel = google::GLOG_FATAL;
  FLAGS_logtostderr = true;
  CLI::App app("Feeds spoiled input to what reads strangers' bytes.");
  std::string name, input;
  double seconds = 10;
  uint64_t seed = 1;
  app.add_option("target", name)->required();
  app.add_option("--seconds", seconds);
  app.add_option("--seed", seed);
  app.add_option("--input", input, "runs the bytes of this file, once");
  CLI11_PARSE(app, argc, argv);
  for (const auto& target : tidemark::fuzz::Targets()) {
    if (target.name != name) continue;
    return input.empty() ? tidemark::fuzz::Run(target, seconds, seed)
                         : tidemark::fuzz::Replay(target, input);
  }
  std::cerr << "no such target: " << name << "; one of:";
  for (const auto& target : tidemark::fuzz::Targets()) {
    std::cerr << ' ' << target.name;
  }
  std::cerr << std::endl;
  return 1;
}
