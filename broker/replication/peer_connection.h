#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "broker/replication/fetcher.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/kafka/codec.h"
#include "common/tls/context_source.h"

namespace asio {
class io_context;
}

namespace tidemark::replication {

// How brokers speak to each other; without `tls` in plaintext.
struct PeerSecurity {
  // Verifies the other broker, and has the certificate that it is shown.
  std::shared_ptr<const tls::ClientSource> tls;
  Executor* handshakes = nullptr;  // as of tls::Stream
};

// A connection to another broker over TCP, plain or by TLS, for requests of any
// API. Several may be out; they are answered in order. Connects when the first
// one is sent, within a second, or two where hands are shaken. A peer that is
// silent for `silence` longer than an answer may take
// (replica.socket.timeout.ms) is given up; then, and after Close or an answer
// that cannot be read, every request that is out fails with kNetworkException
// (kBrokerNotAvailable: nobody listens there), and the next one connects anew.
//
// On the thread of `context`; callbacks run there, never inside Ask or Close.
class PeerConnection {
 public:
  PeerConnection(asio::io_context& context, std::string host, uint16_t port,
                 std::string client_id, Duration silence,
                 PeerSecurity security);
  ~PeerConnection();
  PeerConnection(const PeerConnection&) = delete;
  PeerConnection& operator=(const PeerConnection&) = delete;

  // `wait`: how long the peer may take to answer.
  template <class Response, class Request>
  void Ask(Request request, int16_t version, Duration wait,
           std::function<void(Result<Response>)> done) {
    static_assert(Request::kKey == Response::kKey);
    Call call{Request::kKey, version, wait, {}, {}};
    call.encode = [request = std::move(request), version](
                      int32_t correlation, std::string_view client_id) {
      return kafka::EncodeRequest(request, version, correlation, client_id);
    };
    call.done = [version, done = std::move(done)](
                    const Result<SharedBytes>& body) -> Status {
      if (!body) {
        done(tidemark::Fail(body.error()));
        return {};
      }
      auto response = kafka::DecodeResponse<Response>(*body, version);
      const Status understood =
          response ? Status() : tidemark::Fail(response.error());
      done(std::move(response));
      return understood;
    };
    Send(std::move(call));
  }
  void Close();

 private:
  class Link;
  struct Call {
    kafka::ApiKey key;
    int16_t version = 0;
    Duration wait{};
    std::function<Result<kafka::EncodedFrame>(int32_t correlation,
                                              std::string_view client_id)>
        encode;
    // An error: the body cannot be read.
    std::function<Status(const Result<SharedBytes>& body)> done;
  };
  void Send(Call call);

  asio::io_context& context_;
  const std::string host_;
  const uint16_t port_;
  const std::string client_id_;
  const Duration silence_;
  const PeerSecurity security_;
  std::shared_ptr<Link> link_;
};

// Fetch version 16. REQUIRES: the executors it is used with are io::EventLoop.
TransportFactory MakePeerTransportFactory(std::string client_id,
                                          Duration silence,
                                          PeerSecurity security);

}  // namespace tidemark::replication
