// tidemark-sim: explores seeds of the simulations, or replays one.
//
// Exit code 1 and the seed's line when an invariant broke.

#include <glog/logging.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <random>
#include <string>

#include "tests/sim/admin/admin_sim.h"
#include "tests/sim/cluster/cluster_sim.h"
#include "tests/sim/quorum/quorum_sim.h"

namespace tidemark {
namespace {

struct Totals {
  uint64_t seeds = 0, events = 0, committed = 0;
};

void Report(const char* what, uint64_t seed, const std::string& failure) {
  std::printf("FAIL %s seed %" PRIu64
              ": %s\nagain: scripts/sim --only %s --seed %" PRIu64 "\n",
              what, seed, failure.c_str(), what, seed);
}

// Mostly three or five nodes.
bool RunQuorum(uint64_t seed, Totals* totals) {
  sim::QuorumSimOptions options;
  options.seed = seed;
  constexpr int kNodes[] = {3, 5, 3, 5, 2, 4, 7, 1};
  options.nodes = kNodes[seed % 8];
  options.changes = seed / 8 % 3 == 0;
  if (options.nodes > 2 && !options.changes && seed / 8 % 10 == 1)
    options.kind = sim::QuorumFaults::kCutMinority;
  const auto result = sim::RunQuorumSim(options);
  if (result.failure) Report("quorum", seed, *result.failure);
  ++totals->seeds;
  totals->events += result.events;
  totals->committed += result.committed;
  return !result.failure;
}

bool RunAdmin(uint64_t seed, Totals* totals) {
  constexpr int kNodes[] = {3, 5, 3, 4, 3, 2, 3, 1};
  const auto result =
      sim::RunAdminSim({.seed = seed, .nodes = kNodes[seed % 8]});
  if (result.failure) Report("admin", seed, *result.failure);
  ++totals->seeds;
  totals->events += result.events;
  totals->committed += result.answered;
  return !result.failure;
}

bool RunCluster(uint64_t seed, bool transactions, Totals* totals) {
  sim::ClusterSimOptions options;
  options.seed = seed;
  options.transactions = transactions;
  const auto result = sim::RunClusterSim(options);
  if (result.failure) {
    Report(transactions ? "transactions" : "cluster", seed, *result.failure);
  }
  ++totals->seeds;
  totals->events += result.events;
  totals->committed += transactions ? result.transactions : result.committed;
  return !result.failure;
}

void Print(const char* what, const Totals& totals) {
  std::printf("%-12s seeds=%" PRIu64 " events=%" PRIu64 " committed=%" PRIu64
              "\n",
              what, totals.seeds, totals.events, totals.committed);
}

int Run(std::optional<uint64_t> one_seed, std::optional<uint64_t> first,
        uint64_t most, double minutes, const std::string& only) {
  Totals quorum, admin, cluster, transactions;
  const auto with = [&](const char* what) {
    return only.empty() || only == what;
  };
  uint64_t seed = one_seed ? *one_seed : first.value_or(std::random_device()());
  std::printf("first seed %" PRIu64 "\n", seed);
  std::fflush(stdout);
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration<double, std::ratio<60>>(minutes);
  bool held = true;
  do {
    if (with("quorum")) held = RunQuorum(seed, &quorum);
    if (held && with("admin")) held = RunAdmin(seed, &admin);
    if (held && with("cluster")) held = RunCluster(seed, false, &cluster);
    if (held && with("transactions")) {
      held = RunCluster(seed, true, &transactions);
    }
    ++seed;
  } while (held && !one_seed && --most > 0 &&
           std::chrono::steady_clock::now() < end);
  if (with("quorum")) Print("quorum", quorum);
  if (with("admin")) Print("admin", admin);
  if (with("cluster")) Print("cluster", cluster);
  if (with("transactions")) Print("transactions", transactions);
  return held ? 0 : 1;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  CLI::App app{
      "Simulates the quorum, whole controllers and who administers topics, and "
      "a cluster of production brokers, each on one clock, network and disk "
      "from one seed, and checks what must hold all "
      "the time."};
  std::optional<uint64_t> seed, first;
  uint64_t most = UINT64_MAX;
  double minutes = 1;
  std::string only;
  bool verbose = false;
  app.add_option("--seed", seed, "Replay this seed, exactly, and no other");
  app.add_option("--minutes", minutes,
                 "Explore seeds from a random one on, this long")
      ->check(CLI::PositiveNumber);
  app.add_option("--first", first, "Explore from this one on");
  app.add_option("--most", most, "Explore so many at most")
      ->check(CLI::PositiveNumber);
  app.add_option("--only", only, "Only this simulation")
      ->check(CLI::IsMember({"quorum", "admin", "cluster", "transactions"}));
  app.add_flag("--verbose", verbose, "Show what the simulated processes log");
  CLI11_PARSE(app, argc, argv);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = verbose ? google::INFO : google::FATAL;
  google::InitGoogleLogging(argv[0]);
  return tidemark::Run(seed, first, most, minutes, only);
}
