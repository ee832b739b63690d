#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "broker/metadata/image_holder.h"
#include "broker/replication/peer_connection.h"
#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/write_txn_markers.h"

namespace tidemark::coordinator {

// What brokers ask of each other about transactions. On its executor; every
// `done` runs once, there, never inside of a call. kBrokerNotAvailable: the
// broker is not known, or nobody listens there; kNetworkException: the outcome
// is unknown.
class PeerCalls {
 public:
  template <class Response>
  using Answered = std::function<void(Result<Response>)>;

  virtual ~PeerCalls() = default;
  virtual Executor& executor() = 0;
  virtual void WriteMarkers(NodeId broker,
                            kafka::WriteTxnMarkersRequest request,
                            Answered<kafka::WriteTxnMarkersResponse> done) = 0;
  virtual void AddPartitions(
      NodeId broker, kafka::AddPartitionsToTxnRequest request,
      Answered<kafka::AddPartitionsToTxnResponse> done) = 0;
};

// Over the brokers' own listener, one connection a broker and kind of request,
// so that markers, which wait for replicas, hold up nothing else.
class PeerConnections final : public PeerCalls {
 public:
  // `context`: what `executor` runs sockets on. All outlive it; destroyed when
  // the executor has stopped.
  PeerConnections(Executor& executor, asio::io_context& context,
                  ImageHolder& metadata, std::string listener,
                  std::string client_id, Duration silence,
                  replication::PeerSecurity security)
      : executor_(executor),
        context_(context),
        metadata_(metadata),
        listener_(std::move(listener)),
        client_id_(std::move(client_id)),
        silence_(silence),
        security_(std::move(security)) {}

  Executor& executor() override { return executor_; }
  void WriteMarkers(NodeId broker, kafka::WriteTxnMarkersRequest request,
                    Answered<kafka::WriteTxnMarkersResponse> done) override;
  void AddPartitions(NodeId broker, kafka::AddPartitionsToTxnRequest request,
                     Answered<kafka::AddPartitionsToTxnResponse> done) override;

 private:
  struct Peer {
    std::string host;
    int32_t port = 0;
    std::unique_ptr<replication::PeerConnection> connection;
  };
  using Peers = std::map<NodeId, Peer>;

  // nullptr: the broker is not known.
  replication::PeerConnection* ConnectionTo(NodeId broker, Peers* peers);
  template <class Response, class Request>
  void Ask(NodeId broker, Peers* peers, Request request, int16_t version,
           Duration wait, Answered<Response> done);

  Executor& executor_;
  asio::io_context& context_;
  ImageHolder& metadata_;
  const std::string listener_;
  const std::string client_id_;
  const Duration silence_;
  const replication::PeerSecurity security_;
  Peers for_markers_;
  Peers for_questions_;
};

}  // namespace tidemark::coordinator
