#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/kafka/codec.h"
#include "common/kafka/messages/metadata.h"
#include "common/tls/context.h"

namespace tidemark::cli {

struct Context;

// One request at a time to one broker, for what librdkafka has no call for.
// Blocking; one thread.
class KafkaConnection {
 public:
  // `tls`: nullptr: plaintext. kNetworkException: nobody answers there, or is
  // somebody else.
  static Result<KafkaConnection> Open(
      const std::string& host, int32_t port, int64_t timeout_ms,
      std::shared_ptr<const tls::ClientContext> tls);
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
  // By the first of the command line's brokers that answers.
  static Result<KafkaBrokers> Find(const Context& context);

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
  std::shared_ptr<const tls::ClientContext> tls_;
  kafka::MetadataResponse metadata_;
  std::map<NodeId, KafkaConnection> connections_;
};

}  // namespace tidemark::cli
