#include "broker/coordinator/peer_calls.h"

#include <chrono>
#include <utility>

namespace tidemark::coordinator {
namespace {

constexpr int16_t kMarkersVersion = 2;
constexpr int16_t kAddVersion = 5;
// Markers are answered when the replicas have them.
constexpr Duration kMarkersWait = std::chrono::seconds(30);
// A coordinator answers when its own log has it.
constexpr Duration kAddWait = std::chrono::seconds(10);

}  // namespace

replication::PeerConnection* PeerConnections::ConnectionTo(NodeId broker,
                                                           Peers* peers) {
  const metadata::ImagePtr image = metadata_.Get();
  const metadata::BrokerImage* row = image->FindBroker(broker);
  const metadata::EndpointImage* endpoint =
      row ? row->FindEndpoint(listener_) : nullptr;
  if (endpoint == nullptr) {
    peers->erase(broker);
    return nullptr;
  }
  Peer& peer = (*peers)[broker];
  if (peer.connection == nullptr || peer.host != endpoint->host ||
      peer.port != endpoint->port) {
    peer.host = endpoint->host;
    peer.port = endpoint->port;
    peer.connection = std::make_unique<replication::PeerConnection>(
        context_, peer.host, static_cast<uint16_t>(peer.port), client_id_,
        silence_, security_);
  }
  return peer.connection.get();
}

template <class Response, class Request>
void PeerConnections::Ask(NodeId broker, Peers* peers, Request request,
                          int16_t version, Duration wait,
                          Answered<Response> done) {
  replication::PeerConnection* connection = ConnectionTo(broker, peers);
  if (connection == nullptr) {
    executor_.Post([broker, done = std::move(done)] {
      done(Fail(ErrorCode::kBrokerNotAvailable,
                "broker " + std::to_string(broker) + " is not known"));
    });
    return;
  }
  connection->Ask<Response>(std::move(request), version, wait, std::move(done));
}

void PeerConnections::WriteMarkers(
    NodeId broker, kafka::WriteTxnMarkersRequest request,
    Answered<kafka::WriteTxnMarkersResponse> done) {
  Ask<kafka::WriteTxnMarkersResponse>(broker, &for_markers_, std::move(request),
                                      kMarkersVersion, kMarkersWait,
                                      std::move(done));
}

void PeerConnections::AddPartitions(
    NodeId broker, kafka::AddPartitionsToTxnRequest request,
    Answered<kafka::AddPartitionsToTxnResponse> done) {
  Ask<kafka::AddPartitionsToTxnResponse>(broker, &for_questions_,
                                         std::move(request), kAddVersion,
                                         kAddWait, std::move(done));
}

}  // namespace tidemark::coordinator
