#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "broker/replication/effect_runner.h"
#include "broker/replication/slot.h"

namespace tidemark::replication {

// Keeps the partitions of a shard as the newest image says: makes, removes and
// re-roles them. A partition whose log is being opened is not there yet; what
// has become of it meanwhile is looked up when the log comes.
class PartitionTable {
 public:
  PartitionTable(ShardState& state, EffectRunner& effects,
                 FollowerFetchers& fetchers);

  // As it is now.
  log::LogConfig ConfigOf(const std::string& topic) const;
  using Mine = std::function<bool(const TopicPartition&)>;
  void ApplyImage(const metadata::ImagePtr& image, const metadata::Delta& delta,
                  const Mine& mine);
  // Logs that did not open, tried again.
  void RetryUnopened();
  // Nothing is served any more. `done` gets the logs of all partitions when
  // they are all here.
  using Logs = std::vector<std::unique_ptr<log::Log>>;
  void Close(std::function<void(Logs)> done);

 private:
  void ApplyRow(const TopicPartition& name, const metadata::TopicImage& topic,
                const metadata::PartitionImage& row);
  Slot* Take(const TopicPartition& name, const metadata::TopicImage& topic);
  void Open(const TopicPartition& name, const metadata::TopicImage& topic,
            const metadata::PartitionImage& row);
  void Opened(const TopicPartition& name, const Uuid& topic_id,
              Result<std::unique_ptr<log::Log>> opened);
  // The log of a partition that is not here any more.
  void CameBack(const TopicPartition& name, std::unique_ptr<log::Log> log);
  Slot* Add(const TopicPartition& name, const Uuid& topic_id,
            std::unique_ptr<log::Log> log);
  void SetThrottled(Slot& slot) const;
  // As the newest image says.
  void Refresh(const TopicPartition& name);
  bool IsAssigned(const metadata::PartitionImage& row) const;
  bool IsAssigned(const TopicPartition& name, const Uuid& topic_id) const;
  void Remove(const TopicPartition& name);
  void NotUnopened(const TopicPartition& name);
  void MaybeClosed();

  ShardState& state_;
  EffectRunner& effects_;
  FollowerFetchers& fetchers_;
  // While closing.
  Logs logs_;
  std::function<void(Logs)> on_closed_;
};

}  // namespace tidemark::replication
