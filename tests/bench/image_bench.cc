// What the metadata image costs, and a decision of the controller on it, from a
// thousand partitions to a million: 10 partitions a topic, 3 replicas, 300
// brokers. Prints one row for each size.
//
//   build/release/bin/tidemark-image-bench [PARTITIONS]...
//
// A decision: deciding, and applying its records as the controller does before
// it proposes them. Each is made many times, on the same image, which is still
// held; the median, and the slowest in a hundred.
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/describe.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/topic_decisions.h"

namespace tidemark::controller {
namespace {

using metadata::ImagePtr;

constexpr int kBrokers = 300;
constexpr int kPartitions = 10;  // of a topic
constexpr int kReplicas = 3;

Uuid RandomId(std::mt19937_64& rng) {
  Uuid id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(rng());
  return id;
}

// Of processor time: what else the machine does is not counted.
double Ms(const std::function<void()>& work) {
  auto now = [] {
    timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return static_cast<double>(at.tv_sec) * 1e3 +
           static_cast<double>(at.tv_nsec) / 1e6;
  };
  const double began = now();
  work();
  return now() - began;
}

struct Times {
  double median, worst;  // milliseconds; one in a hundred is slower
};
struct Zone {
  size_t changed = 0;
  double ms = 0, longest_turn_ms = 0;
};

class Cluster {
 public:
  explicit Cluster(int partitions) {
    Records records;
    for (NodeId id = 0; id < kBrokers; ++id) {
      record_v1::Record record;
      auto* broker = record.mutable_register_broker();
      broker->set_broker_id(id);
      broker->set_incarnation_id(RandomId(rng_).ToBytes());
      broker->add_directory_ids(RandomId(rng_).ToBytes());
      auto* endpoint = broker->add_endpoints();
      endpoint->set_name("PLAINTEXT");
      endpoint->set_host("broker-" + std::to_string(id) + ".example.com");
      endpoint->set_port(9092);
      records.push_back(std::move(record));
    }
    Apply(std::move(records));
    for (int topic = 0; topic * kPartitions < partitions; ++topic) Create();
    topics_ = next_topic_;
  }

  void Apply(Records records) {
    record_v1::RecordBatch batch;
    for (auto& record : records) *batch.add_records() = std::move(record);
    image_ =
        *metadata::ApplyBatch(image_, batch, image_->offset() + 1, nullptr);
  }

  void Create() {
    admin::v1::CreateTopicsRequest request;
    auto* topic = request.add_topics();
    topic->set_name("some.team.topic-" + std::to_string(next_topic_++));
    topic->set_partitions(kPartitions);
    topic->set_replication_factor(kReplicas);
    const Randomness random{
        [this] { return RandomId(rng_); },
        [this](size_t bound) { return static_cast<size_t>(rng_() % bound); }};
    Apply(
        Decide(View{.image = *image_, .settings = settings_, .random = &random},
               request)
            .records);
  }

  // A leader proposes an ISR with, or without, its last member.
  void Alter() {
    const metadata::TopicImage& topic = AnyTopic();
    const auto index = static_cast<PartitionIndex>(rng_() % kPartitions);
    const metadata::PartitionImage& now = *topic.Find(index);
    rpc_v1::AlterPartitionRequest request;
    request.set_broker_id(now.leader);
    request.set_broker_epoch(image_->FindBroker(now.leader)->epoch);
    auto* wanted = request.add_partitions();
    wanted->set_topic_id(topic.id.ToBytes());
    wanted->set_partition(index);
    wanted->set_leader_epoch(now.leader_epoch);
    wanted->set_partition_epoch(now.partition_epoch);
    const bool shrink = now.isr.size() == now.replicas.size();
    for (NodeId id : now.replicas) {
      if (shrink && id != now.leader && wanted->isr_size() + 2 > kReplicas - 1)
        break;
      auto* member = wanted->add_isr();
      member->set_broker_id(id);
      member->set_broker_epoch(image_->FindBroker(id)->epoch);
    }
    Apply(Decide(view(), request).records);
  }

  size_t Fence(NodeId broker) {
    Records records = DecideFence(view(), {broker});
    const size_t changed = records.size();
    Apply(std::move(records));
    return changed;
  }

  void DecideOn(NodeId broker) { DecideFence(view(), {broker}); }

  // A zone of brokers, in parts as the controller fences it.
  Zone FenceZone(int brokers) {
    constexpr size_t kPerTurn = 500;
    Fencing fencing;
    for (NodeId id = 0; id < brokers; ++id) fencing.brokers.push_back(id);
    Zone out;
    while (!fencing.complete) {
      const double ms = Ms([&] {
        Records records = FenceSome(view(), kPerTurn, &fencing);
        out.changed += records.size();
        Apply(std::move(records));
      });
      out.ms += ms;
      out.longest_turn_ms = std::max(out.longest_turn_ms, ms);
    }
    return out;
  }

  const metadata::TopicImage& AnyTopic() {
    return *image_->topics().Find("some.team.topic-" +
                                  std::to_string(rng_() % topics_));
  }

  const ImagePtr& image() const { return image_; }
  void Set(ImagePtr image) { image_ = std::move(image); }
  View view() const { return {.image = *image_, .settings = settings_}; }

 private:
  std::mt19937_64 rng_{1};
  Settings settings_;
  ImagePtr image_ = std::make_shared<metadata::Image>();
  uint64_t next_topic_ = 0;
  uint64_t topics_ = 0;  // made at first
};

// Leaves the cluster as it was.
Times Many(int n, Cluster* cluster, const std::function<void()>& work) {
  const ImagePtr before = cluster->image();
  std::vector<double> all;
  for (int i = 0; i < n; ++i) {
    all.push_back(Ms(work));
    cluster->Set(before);
  }
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all[all.size() * 99 / 100]};
}

double InUse() { return static_cast<double>(mallinfo2().uordblks); }

void Measure(int partitions) {
  Cluster cluster(partitions);
  record_v1::RecordBatch records;
  const double write =
      Ms([&] { records = metadata::ToRecords(*cluster.image()); });
  const auto snapshot = static_cast<double>(records.ByteSizeLong());
  cluster.Set(nullptr);
  malloc_trim(0);
  const double before = InUse();
  ImagePtr loaded;
  const double load = Ms([&] { loaded = *metadata::FromRecords(records, 9); });
  const double bytes = InUse() - before;
  records.Clear();
  cluster.Set(std::move(loaded));

  const Times create = Many(500, &cluster, [&] { cluster.Create(); });
  const Times alter = Many(2000, &cluster, [&] { cluster.Alter(); });
  const Times describe = Many(100, &cluster, [&] {
    auto out = Describe(cluster.view(), admin::v1::DescribeClusterRequest());
    auto more = DecidePreferredLeaders(cluster.view(), 1);
    auto last = DecideUncleanLeaders(cluster.view(), 1);
  });
  size_t changed = 0;
  NodeId victim = 0;
  const Times fence =
      Many(9, &cluster, [&] { changed = cluster.Fence(victim++); });
  const ImagePtr whole = cluster.image();
  // The allocator sorts what the images before have freed when it is next
  // asked: here, not within the first turn.
  cluster.DecideOn(kBrokers - 1);
  const Zone zone = cluster.FenceZone(kBrokers / 3);
  cluster.Set(whole);
  cluster.Fence(0);
  const Times again = Many(100, &cluster, [&] { cluster.Fence(0); });
  std::printf(
      "| %d | %.0f | %.0f | %.2f | %.2f | %.3f (%.3f) | %.3f (%.3f) | %.3f | "
      "%zu: %.1f | %.3f | %zu: %.0f, %.1f |\n",
      partitions, bytes / partitions, snapshot / partitions, write / 1000,
      load / 1000, create.median, create.worst, alter.median, alter.worst,
      describe.median, changed - 1, fence.median, again.median, zone.changed,
      zone.ms, zone.longest_turn_ms);
  std::fflush(stdout);
}

}  // namespace
}  // namespace tidemark::controller

int main(int argc, char** argv) {
  std::printf(
      "| partitions | bytes each | snapshot, bytes each | written, s | loaded, "
      "s | create a topic, ms | alter a partition, ms | counts and scans, ms | "
      "fence a broker: partitions, ms | fence it again, ms | fence 100 "
      "brokers: changes, all ms, longest "
      "turn |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  std::vector<int> sizes = {1'000, 10'000, 100'000, 1'000'000};
  if (argc > 1) sizes.clear();
  for (int i = 1; i < argc; ++i) sizes.push_back(std::stoi(argv[i]));
  for (int size : sizes) tidemark::controller::Measure(size);
}
