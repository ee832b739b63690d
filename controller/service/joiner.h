#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/rpc/security.h"
#include "controller/quorum/quorum.h"

namespace tidemark::controller {

// Lets a controller of no quorum yet into one: asks the controllers it was told
// of, one after the other, to let it follow, and, if it is to vote, to vote
// once it has caught up. Who has been removed knows members without itself and
// asks nobody any more.
class Joiner {
 public:
  struct Options {
    std::vector<quorum::Voter> servers;  // host and port
    raft::Member self;
    bool votes = false;
    FeatureRanges features;     // that this node supports
    rpc::SecurityPtr security;  // nullptr: plaintext
  };
  // `quorum` outlives it; its calls come on `executor`, which still runs when
  // it is destroyed on another thread.
  Joiner(Options options, quorum::Quorum* quorum, Executor* executor);
  ~Joiner();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
  Executor* executor_ = nullptr;
};

}  // namespace tidemark::controller
