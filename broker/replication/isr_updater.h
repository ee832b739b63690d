#pragma once

#include <functional>
#include <map>
#include <utility>

#include "broker/metadata/controller_client.h"
#include "broker/replication/isr.h"
#include "broker/replication/partition.h"
#include "common/base/executor.h"

namespace tidemark::replication {

// Takes ISR changes to the controller (C-25): one request in flight, at most
// one item per partition (a newer one replaces an older that waits), retried
// for ever with a short pause while the controller cannot be reached. An item
// that lost its meaning is refused by the controller, and its answer by the
// partition, so nothing circles for ever (KAFKA-17190).
//
// On one executor, except for Submit.
class IsrUpdater {
 public:
  using Answered =
      std::function<void(const IsrProposal&, const AlterPartitionResult&)>;

  // `controller` outlives the updater's executor; `answered` runs on it.
  IsrUpdater(Executor& executor, ControllerClient& controller,
             Answered answered);

  // Any thread.
  void Submit(IsrProposal proposal);

 private:
  using Key = std::pair<Uuid, PartitionIndex>;

  void Send();
  void Done(const Result<controller::v1::AlterPartitionResponse>& response);
  void Retry();

  Executor& executor_;
  ControllerClient& controller_;
  const Answered answered_;
  std::map<Key, IsrProposal> waiting_;
  std::map<Key, IsrProposal> in_flight_;
  bool busy_ = false;  // a request is out, or the pause after a failure
};

}  // namespace tidemark::replication
