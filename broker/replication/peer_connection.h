#pragma once

#include <string>

#include "broker/replication/fetcher.h"

namespace tidemark::replication {

// Connections to other brokers over TCP: Fetch version 16, one request out at
// a time or several, answered in order. Connects when the first request is
// sent, within a second; a peer that is silent for `silence` longer than a
// fetch may wait (replica.socket.timeout.ms) is given up. REQUIRES: the
// executors it is used with are io::EventLoop.
TransportFactory MakePeerTransportFactory(std::string client_id,
                                          Duration silence);

}  // namespace tidemark::replication
