#include "controller/metadata/eviction.h"

#include <algorithm>

#include "common/metadata/configs.h"

namespace tidemark::controller {
namespace {

// Acknowledged before it is on any disk: an unclean stop may lose it.
bool IsInPageCacheOnly(const View& view, const std::string& topic) {
  return metadata::ResolveTopicConfig(view.image, topic, "flush.messages",
                                      kNoNode, view.settings.static_configs)
             .value == std::to_string(INT64_MAX);
}

// Those of the brokers that are in sync with the partition, or eligible.
std::vector<NodeId> InSyncOf(const std::vector<NodeId>& brokers,
                             const PartitionImage& partition) {
  std::vector<NodeId> out;
  for (NodeId id : partition.replicas) {
    if (!std::binary_search(brokers.begin(), brokers.end(), id)) continue;
    if (Contains(partition.isr, id) || Contains(partition.elr, id)) {
      out.push_back(id);
    }
  }
  return out;
}

std::optional<record_v1::Record> Without(const View& view,
                                         const Eviction& eviction,
                                         const std::vector<NodeId>& leaving,
                                         const TopicImage& topic,
                                         PartitionIndex index) {
  PartitionChange change(topic, index, eviction.eligible, view.settings);
  const bool lost = eviction.unclean && IsInPageCacheOnly(view, topic.name);
  for (NodeId id : leaving) {
    if (lost) change.LogLost(id);
    change.WithoutIsrMember(id);
  }
  change.UncleanIf([&] {
    return UncleanElectionEnabled(view.image, topic.name, view.settings);
  });
  return change.Build();
}

}  // namespace

void Evict(const View& view, const Eviction& eviction, Records* out) {
  EvictionCursor cursor;
  EvictSome(view, eviction, SIZE_MAX, &cursor, out);
}

bool EvictSome(const View& view, const Eviction& eviction, size_t limit,
               EvictionCursor* cursor, Records* out) {
  const metadata::TopicsImage& topics = view.image.topics();
  const bool bounded = limit != SIZE_MAX;
  const size_t most = bounded ? out->size() + limit : limit;
  size_t looks = bounded ? limit * kLooksPerChange : limit;
  for (; cursor->broker < eviction.brokers.size();
       *cursor = {cursor->broker + 1, {}}) {
    const NodeId broker = eviction.brokers[cursor->broker];
    const metadata::BrokerPartitions& of = topics.Of(broker);
    if (of.in_sync == 0 && of.eligible == 0) continue;
    bool full = false;
    topics.ForEachFrom(
        of.replicas, cursor->partition,
        [&](const TopicImage& topic, PartitionIndex index,
            const PartitionImage& now) {
          full = out->size() >= most || looks == 0;
          if (full) {
            cursor->partition = {topic.id, index};
            return false;
          }
          --looks;
          if (eviction.which && !eviction.which(now)) return true;
          const std::vector<NodeId> leaving = InSyncOf(eviction.brokers, now);
          // Once, with the first of them.
          if (leaving.empty() ||
              *std::min_element(leaving.begin(), leaving.end()) != broker) {
            return true;
          }
          auto record = Without(view, eviction, leaving, topic, index);
          if (record) out->push_back(std::move(*record));
          return true;
        });
    if (full) return false;
  }
  return true;
}

void EvictEverywhere(const View& view, std::vector<NodeId> brokers,
                     bool unclean, Records* out) {
  Eligibility eligible = Eligibility::Without(view, brokers);
  Evict(view,
        {.brokers = std::move(brokers),
         .eligible = std::move(eligible),
         .unclean = unclean},
        out);
}

void ElectLeaderless(const View& view, NodeId broker,
                     const Eligibility& eligible, Records* out) {
  const Image& state = view.image;
  const metadata::TopicsImage& topics = state.topics();
  const metadata::PartitionSet& replicas = topics.Of(broker).replicas;
  const bool few = topics.leaderless().size() < replicas.size();
  topics.ForEach(
      few ? topics.leaderless() : replicas,
      [&](const TopicImage& topic, PartitionIndex index,
          const PartitionImage& now) {
        if (now.leader != kNoNode || !Contains(now.replicas, broker)) {
          return true;
        }
        PartitionChange change(topic, index, eligible, view.settings);
        change.UncleanIf([&] {
          return UncleanElectionEnabled(state, topic.name, view.settings);
        });
        if (auto record = change.Build()) {
          out->push_back(std::move(*record));
        }
        return true;
      });
}

}  // namespace tidemark::controller
