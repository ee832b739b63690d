#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark {
class ControllerClient;
}

namespace tidemark::server {

// Producer ids, unique in the cluster: blocks come from the controllers, the
// next one is fetched before the current one is used up. Any thread.
class ProducerIdAllocator {
 public:
  using Done = std::function<void(Result<ProducerId>)>;

  // `controller` outlives the allocator and its calls.
  explicit ProducerIdAllocator(ControllerClient& controller)
      : controller_(controller) {}

  // `done` runs at once while there are ids, else on a thread of gRPC.
  // kCoordinatorLoadInProgress, which clients retry: none can be had now.
  void Next(Done done);

 private:
  struct Block {
    ProducerId next = 0;
    ProducerId end = 0;
    int64_t left() const { return end - next; }
  };

  void Fetch();
  void OnBlock(Result<Block> block);

  ControllerClient& controller_;
  std::mutex mutex_;
  Block current_, spare_;
  bool fetching_ = false;
  std::vector<Done> waiting_;
};

}  // namespace tidemark::server
