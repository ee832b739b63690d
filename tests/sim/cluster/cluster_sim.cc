#include "tests/sim/cluster/cluster_sim.h"

#include <glog/logging.h>

#include "tests/sim/cluster/cluster.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A failed CHECK of the product ends the process: it says at which seed.
uint64_t running_seed = 0;
const char* running_what = "";

[[noreturn]] void DieWithSeed() {
  std::fprintf(stderr, "FAIL %s seed %llu: the process ended itself\n",
               running_what, static_cast<unsigned long long>(running_seed));
  std::abort();
}

void Operate(Cluster& cluster, const ClusterSimOptions& options) {
  Scheduler& scheduler = cluster.scheduler();
  cluster.Start();
  for (int i = 0; i < options.faults && !cluster.history().failure(); ++i) {
    scheduler.Sleep(milliseconds(
        scheduler.Below(2 * static_cast<int64_t>(options.fault_every_ms))));
    CauseFault(cluster);
  }
  // Those that end by themselves have.
  scheduler.Sleep(seconds(1));
  cluster.Repair();
  if (!cluster.AwaitHealth(seconds(60), "the last fault")) return;
  cluster.FinishProducing();
  if (!cluster.AwaitQuiet(seconds(60))) return;
  // What was given up and sent again may still arrive.
  scheduler.Sleep(seconds(5));
  if (!cluster.AwaitQuiet(seconds(10))) return;
  cluster.CheckLogs();
}

}  // namespace

ClusterSimResult RunClusterSim(const ClusterSimOptions& options) {
  running_seed = options.seed;
  running_what = options.transactions ? "transactions" : "cluster";
  google::InstallFailureFunction(&DieWithSeed);
  ClusterSimResult result;
  Scheduler scheduler(options.seed);
  Process operator_process{"operator"};
  std::unique_ptr<Cluster> cluster;
  bool over = false;
  std::string at;
  const Instant begin = scheduler.Now();
  scheduler.Spawn("operator", &operator_process, [&] {
    cluster = std::make_unique<Cluster>(scheduler, options.transactions);
    Operate(*cluster, options);
    at = std::to_string((scheduler.Now() - begin) / milliseconds(1));
    cluster->Stop();
    over = true;
  });
  // An hour is no limit for what takes minutes.
  scheduler.Run(begin + std::chrono::hours(1),
                [&] { return over && scheduler.alive() <= 1; });
  if (!over || scheduler.alive() > 1) {
    LOG(FATAL) << "threads do not end:" << scheduler.Threads();
  }
  result.events = scheduler.events();
  result.hash = scheduler.hash();
  if (cluster->history().failure()) {
    result.failure = "seed " + std::to_string(options.seed) + " at " + at +
                     " ms: " + *cluster->history().failure();
  }
  result.acknowledged = cluster->history().acknowledged();
  result.shown = cluster->history().shown();
  result.committed = cluster->inspector().committed();
  result.transactions = cluster->transactions_committed();
  scheduler.Clear();
  return result;
}

}  // namespace tidemark::sim
