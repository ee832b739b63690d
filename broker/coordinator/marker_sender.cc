#include "broker/coordinator/marker_sender.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <tuple>

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

// Of one request.
constexpr size_t kMaxUnits = 5'000;
constexpr milliseconds kFirstPause{20};
constexpr int kMaxDoublings = 6;  // 1.28 s

replication::MarkerItem ItemOf(const MarkerSender::Job& job,
                               const TopicPartition& partition) {
  return {.partition = partition,
          .producer_id = job.task.producer_id,
          .producer_epoch = job.task.epoch,
          .commit = job.task.commit,
          .coordinator_epoch = job.epoch,
          .transaction_version = static_cast<int8_t>(job.task.client_version)};
}

// Ended there, by this marker or by one in a newer epoch.
bool IsEnded(ErrorCode error) {
  return error == ErrorCode::kNone || error == ErrorCode::kInvalidProducerEpoch;
}

using Place = std::tuple<ProducerId, std::string, PartitionIndex>;

std::map<Place, ErrorCode> ErrorsOf(
    const kafka::WriteTxnMarkersResponse& response) {
  std::map<Place, ErrorCode> out;
  for (const auto& marker : response.markers) {
    for (const auto& topic : marker.topics) {
      for (const auto& partition : topic.partitions) {
        out[{marker.producer_id, topic.name, partition.partition_index}] =
            static_cast<ErrorCode>(partition.error_code);
      }
    }
  }
  return out;
}

}  // namespace

void MarkerSender::Send(Job job) {
  executor_.Post(
      [this, job = std::move(job)]() mutable { Start(std::move(job)); });
}

void MarkerSender::Drop(PartitionIndex coordinator, LeaderEpoch older_than) {
  executor_.Post([this, coordinator, older_than] {
    auto it = open_.lower_bound({coordinator, ""});
    while (it != open_.end() && it->first.first == coordinator) {
      if (it->second->job.epoch >= older_than) {
        ++it;
        continue;
      }
      it->second->dropped = true;
      it = open_.erase(it);
    }
  });
}

void MarkerSender::Start(Job job) {
  auto open = std::make_shared<Open>();
  open->left = job.task.partitions.size();
  open->job = std::move(job);
  if (open->left == 0) return open->job.done();
  std::shared_ptr<Open>& slot =
      open_[{open->job.coordinator, open->job.task.transactional_id}];
  if (slot) slot->dropped = true;
  slot = open;
  for (const TopicPartition& partition : open->job.task.partitions) {
    Enqueue({open, partition});
  }
}

void MarkerSender::Enqueue(Unit unit) {
  if (unit.of->dropped) return;
  const metadata::ImagePtr image = metadata_.Get();
  // Deleted, and its transactions with it.
  if (image->FindTopic(unit.partition.topic) == nullptr) return Settle(unit);
  const auto* row =
      image->FindPartition(unit.partition.topic, unit.partition.partition);
  if (row == nullptr || row->leader == kNoNode) return Later({std::move(unit)});
  const NodeId leader = row->leader;
  queues_[leader].units.push_back(std::move(unit));
  Pump(leader);
}

void MarkerSender::Pump(NodeId broker) {
  Queue& queue = queues_[broker];
  if (queue.out || queue.units.empty()) return;
  queue.out = true;
  // What comes in the same turn goes along.
  executor_.Post([this, broker] {
    Queue& ready = queues_[broker];
    std::vector<Unit> units;
    while (!ready.units.empty() && units.size() < kMaxUnits) {
      if (!ready.units.front().of->dropped) {
        units.push_back(std::move(ready.units.front()));
      }
      ready.units.pop_front();
    }
    if (!units.empty()) return Ask(broker, std::move(units));
    ready.out = false;
    Pump(broker);
  });
}

void MarkerSender::Ask(NodeId broker, std::vector<Unit> units) {
  if (broker == self_) {
    std::vector<replication::MarkerItem> items;
    items.reserve(units.size());
    for (const Unit& unit : units) {
      items.push_back(ItemOf(unit.of->job, unit.partition));
    }
    return here_(std::move(items), [this, broker, units = std::move(units)](
                                       const std::vector<ErrorCode>& errors) {
      Answered(broker, units, errors);
    });
  }
  kafka::WriteTxnMarkersRequest request;
  const Open* last = nullptr;
  for (const Unit& unit : units) {
    const Job& job = unit.of->job;
    if (unit.of.get() != last) {
      last = unit.of.get();
      request.markers.push_back({.producer_id = job.task.producer_id,
                                 .producer_epoch = job.task.epoch,
                                 .transaction_result = job.task.commit,
                                 .coordinator_epoch = job.epoch,
                                 .transaction_version = static_cast<int8_t>(
                                     job.task.client_version)});
    }
    auto& topics = request.markers.back().topics;
    if (topics.empty() || topics.back().name != unit.partition.topic) {
      topics.push_back({.name = unit.partition.topic});
    }
    topics.back().partition_indexes.push_back(unit.partition.partition);
  }
  peers_.WriteMarkers(
      broker, std::move(request),
      [this, broker, units = std::move(units)](
          const Result<kafka::WriteTxnMarkersResponse>& response) {
        std::vector<ErrorCode> errors(units.size(),
                                      ErrorCode::kNetworkException);
        if (response) {
          const auto told = ErrorsOf(*response);
          for (size_t i = 0; i < units.size(); ++i) {
            const auto it = told.find({units[i].of->job.task.producer_id,
                                       units[i].partition.topic,
                                       units[i].partition.partition});
            if (it != told.end()) errors[i] = it->second;
          }
        }
        Answered(broker, units, errors);
      });
}

void MarkerSender::Answered(NodeId broker, const std::vector<Unit>& units,
                            const std::vector<ErrorCode>& errors) {
  queues_[broker].out = false;
  std::vector<Unit> again;
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].of->dropped) continue;
    if (IsEnded(errors[i])) {
      Settle(units[i]);
      continue;
    }
    LOG_EVERY_T(WARNING, 1)
        << "marker not written, trying again transactional_id="
        << units[i].of->job.task.transactional_id
        << " partition=" << ToString(units[i].partition) << " broker=" << broker
        << " error=" << ErrorName(errors[i]);
    again.push_back(units[i]);
  }
  if (!again.empty()) Later(std::move(again));
  Pump(broker);
}

void MarkerSender::Later(std::vector<Unit> units) {
  int attempts = 0;
  for (Unit& unit : units) attempts = std::max(attempts, ++unit.attempts);
  const milliseconds pause =
      kFirstPause * (1 << std::min(attempts - 1, kMaxDoublings));
  executor_.PostAfter(pause, [this, units = std::move(units)] {
    for (const Unit& unit : units) Enqueue(unit);
  });
}

void MarkerSender::Settle(const Unit& unit) {
  Open& open = *unit.of;
  if (open.dropped || --open.left > 0) return;
  open.dropped = true;
  open_.erase({open.job.coordinator, open.job.task.transactional_id});
  open.job.done();
}

}  // namespace tidemark::coordinator
