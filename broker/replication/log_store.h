#pragma once

#include <functional>
#include <memory>

#include "broker/log/checkpoint.h"
#include "broker/log/log.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::replication {

// The disk as replication sees it: where logs come from, and what makes them
// durable. Any thread.
class LogStore {
 public:
  virtual ~LogStore() = default;

  // The log of a partition that this broker is assigned, opened or created.
  // kInconsistentTopicId: what is on disk belongs to another topic.
  virtual Result<std::unique_ptr<log::Log>> Open(
      const TopicPartition& partition, const Uuid& topic_id,
      const log::LogConfig& config) = 0;
  // Of the last checkpoint; -1 when there is none.
  virtual Offset HighWatermark(const TopicPartition& partition) = 0;
  virtual Status WriteHighWatermarks(const log::OffsetMap& offsets) = 0;
  // Carries out the work of a partition's log on another thread, then runs
  // `done` there.
  virtual void Sync(const TopicPartition& partition, log::SyncWork work,
                    std::function<void(Status)> done) = 0;
  // A log is about to be closed or deleted: it is out of the store's books.
  virtual void Forget(const TopicPartition& partition) = 0;
};

}  // namespace tidemark::replication
