#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "broker/metadata/controller_client.h"
#include "broker/metadata/image_holder.h"
#include "common/base/executor.h"

namespace tidemark::server {

// Which log directory each replica of this broker is in, as told to the
// controllers where their metadata say otherwise (KIP-858); and the guard
// against logs that are gone (B-30): a replica that was there before this
// process started, is in sync or an eligible leader by the metadata, and has no
// log, or less of it than was promised, has lost it. It gets no empty one, and
// not what is left, which it could lead with and have everybody truncate to: it
// is reported, and opened when the metadata count on it no more (to fetch what
// is missing), or when it was elected uncleanly.
//
// Reports are sent in requests of bounded size, one at a time, for ever until
// the controllers have answered. On one executor, except where it says so.
class ReplicaLocations {
 public:
  // `directories`: log directory -> its id, all that are known. What it is
  // given outlives it and `executor`.
  ReplicaLocations(NodeId self, std::map<std::string, Uuid> directories,
                   const ImageHolder& metadata, ControllerClient& controller,
                   Executor& executor);

  // The image this process starts from. Before the first Open.
  void SetFirstImage(const metadata::Image& image);

  enum class Loss {
    kGone,
    kOutOfSight,  // it may be in a directory that cannot be seen
    kShortened,   // part of it
  };
  // Whether a replica whose log is lost may have an empty one, or go on with
  // what is left. Error kKafkaStorageError; then it has been reported, unless
  // the log is only out of sight. Any thread.
  Status MayStartOver(const TopicPartition& partition, const Uuid& topic_id,
                      Loss loss);
  // The topic whose partition of that name the metadata count on here, as they
  // did before this process started; nullopt: there is none. Any thread.
  std::optional<Uuid> CountedOn(const TopicPartition& partition) const;
  // A part of its log is damaged: unless it is the last replica in sync, the
  // controllers let it count no more (until it has fetched anew), as one that
  // has lost its log. Any thread.
  void Damaged(const TopicPartition& partition, const Uuid& topic_id);
  // Its log is open in the log directory `path`. Any thread.
  void Opened(const TopicPartition& partition, const Uuid& topic_id,
              const std::string& path);
  // It has moved there, whatever the metadata say: a report of where it was may
  // be on its way. Any thread.
  void Moved(const TopicPartition& partition, const Uuid& topic_id,
             const std::string& path);

 private:
  struct Report {
    Uuid directory;
    bool missing = false;
  };
  using Key = std::pair<Uuid, PartitionIndex>;

  bool WasThereBefore(const Uuid& topic_id, PartitionIndex partition) const;
  bool IsCountedOn(const Uuid& topic_id, PartitionIndex partition,
                   const metadata::PartitionImage* row) const;
  void Submit(Key key, Report report);
  void Send();
  void Done(bool answered);

  const NodeId self_;
  const std::map<std::string, Uuid> directories_;
  const ImageHolder& metadata_;
  ControllerClient& controller_;
  Executor& executor_;

  mutable std::mutex mutex_;                // guards the next
  std::unordered_map<Uuid, size_t> first_;  // partitions by topic

  std::map<Key, Report> waiting_, in_flight_;
  bool busy_ = false;
};

}  // namespace tidemark::server
