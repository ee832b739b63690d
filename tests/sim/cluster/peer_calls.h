#pragma once

#include <map>
#include <memory>

#include "broker/coordinator/peer_calls.h"
#include "tests/sim/cluster/machine.h"

namespace tidemark::sim {

// What a broker asks of the others about transactions, over the simulated
// network, whose connections break now and then. Markers of transactions that
// have an epoch of their own may arrive a second time, long after.
std::unique_ptr<coordinator::PeerCalls> MakePeerCalls(Machine& machine,
                                                      const Process& process,
                                                      Executor& executor);

}  // namespace tidemark::sim
