#pragma once

#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::controller {

// What an operator does when the quorum is lost for good, on a machine where no
// controller runs on the directory. Either makes a quorum of this controller
// alone, to which others are added again, from metadata that may lack the last
// of what was committed: see controller/metadata/went_back.h for what keeps
// that from being mistaken. Blocking.

// The controller that is to be the only voter.
struct SoleVoter {
  std::string directory;
  NodeId id = kNoNode;
  std::string host;  // where the others reach it
  uint16_t port = 0;
};

// What the quorum begins with.
struct NewBeginning {
  std::string cluster_id;
  MetadataOffset from = 0;    // the last entry that was known
  MetadataOffset offset = 0;  // what it counts as now
  uint64_t term = 0;
  std::string members;  // before; "" in a backup
  size_t topics = 0, brokers = 0;
};

// Formats the directory with what `file`, a backup, holds. An empty
// `cluster_id`: the backup's. All of it or nothing: a directory that is
// formatted is complete. kInvalidConfig, kInvalidRequest, kKafkaStorageError.
Result<NewBeginning> RestoreBackup(const SoleVoter& self,
                                   const std::string& file,
                                   const std::string& cluster_id);

// Turns the directory of a controller that has survived into such a quorum,
// with all that is in its log, committed or not, and gives the directory a new
// id: those who were left behind and start again, a majority of the voters that
// they know, can make no follower of it, and end when they hear of it. Refused
// while a process has the directory, and where this controller is the only
// voter already.
Result<NewBeginning> RecoverAlone(const SoleVoter& self);

}  // namespace tidemark::controller
