#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/kafka/codec.h"
#include "common/kafka/messages/metadata.h"

namespace tidemark::cli {

// One request at a time to one broker, for what librdkafka has no call for.
// Blocking; one thread.
class KafkaConnection {
 public:
  // kNetworkException: nobody answers there.
  static Result<KafkaConnection> Open(const std::string& host, int32_t port,
                                      int64_t timeout_ms);
  ~KafkaConnection();
  KafkaConnection(KafkaConnection&&) noexcept;

  // kNetworkException, kRequestTimedOut; kInvalidRequest: no such answer.
  template <class Response, class Request>
  Result<Response> Call(const Request& request, int16_t version) {
    TM_ASSIGN_OR_RETURN(auto frame, kafka::EncodeRequest(request, version,
                                                         next_++, "tidemark"));
    TM_ASSIGN_OR_RETURN(SharedBytes answer, Exchange(frame.Flatten()));
    TM_ASSIGN_OR_RETURN(auto split, kafka::DecodeResponseHeader(
                                        answer, Request::kKey, version));
    return kafka::DecodeResponse<Response>(split.body, version);
  }

 private:
  struct Impl;
  explicit KafkaConnection(std::unique_ptr<Impl> impl);
  // Sends the frame; the answer without its length.
  Result<SharedBytes> Exchange(const std::string& frame);

  std::unique_ptr<Impl> impl_;
  int32_t next_ = 1;
};

// The brokers of a cluster, each asked over a connection of its own.
class KafkaBrokers {
 public:
  // By the first of `bootstrap_servers` (host:port,...) that answers.
  static Result<KafkaBrokers> Find(const std::string& bootstrap_servers,
                                   int64_t timeout_ms);

  const kafka::MetadataResponse& metadata() const { return metadata_; }
  // kUnknownTopicOrPartition; kLeaderNotAvailable.
  Result<NodeId> LeaderOf(const TopicPartition& partition) const;
  Result<NodeId> CoordinatorOfTransaction(const std::string& transactional_id);

  template <class Response, class Request>
  Result<Response> Call(NodeId broker, const Request& request,
                        int16_t version) {
    TM_ASSIGN_OR_RETURN(KafkaConnection* const connection, To(broker));
    return connection->Call<Response>(request, version);
  }

 private:
  Result<KafkaConnection*> To(NodeId broker);

  int64_t timeout_ms_ = 0;
  kafka::MetadataResponse metadata_;
  std::map<NodeId, KafkaConnection> connections_;
};

}  // namespace tidemark::cli
