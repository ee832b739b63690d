// Runs a fuzz target on spoiled copies of its corpus and on random bytes. The
// input of a run is a function of seed and number: a crash is replayed by
// --seed N --from I, which the failure handler prints.

#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>

#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

using Random = std::mt19937_64;

uint64_t seed = 1;
uint64_t number = 0;

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

std::string Input(const std::vector<std::string>& corpus) {
  Random random(seed * 0x9e3779b97f4a7c15 + number);
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
  char line[128];
  const int size =
      snprintf(line, sizeof line, "crashed: --seed %llu --from %llu\n",
               static_cast<unsigned long long>(seed),
               static_cast<unsigned long long>(number));
  if (write(STDERR_FILENO, line, static_cast<size_t>(size)) < 0) _exit(2);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

int Run(const Target& target, double seconds) {
  for (const int fatal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) {
    signal(fatal, OnCrash);
  }
  const std::vector<std::string> corpus = target.corpus();
  for (const std::string& good : corpus) target.run(good);
  const auto begin = std::chrono::steady_clock::now();
  const uint64_t first = number;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
             .count() < seconds) {
    for (int i = 0; i < 100; ++i, ++number) target.run(Input(corpus));
  }
  std::cout << target.name << ": seed=" << seed << " corpus=" << corpus.size()
            << " inputs=" << number - first << std::endl;
  return 0;
}

}  // namespace
}  // namespace tidemark::fuzz

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_minloglevel = google::GLOG_FATAL;
  CLI::App app("Feeds spoiled input to what reads strangers' bytes.");
  std::string name;
  double seconds = 10;
  app.add_option("target", name)->required();
  app.add_option("--seconds", seconds);
  app.add_option("--seed", tidemark::fuzz::seed);
  app.add_option("--from", tidemark::fuzz::number, "the first input's number");
  CLI11_PARSE(app, argc, argv);
  for (const auto& target : tidemark::fuzz::Targets()) {
    if (target.name == name) return tidemark::fuzz::Run(target, seconds);
  }
  std::cerr << "no such target: " << name << std::endl;
  return 1;
}
