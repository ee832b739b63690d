#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/rpc/http_settings.h"
#include "common/tls/context_source.h"

namespace tidemark::rpc {

// The HTTP port every process has for its operators: GET /livez, /readyz and
// /metrics. Own threads, one more than there are open connections (up to 64);
// the callbacks run on them, several at a time. A connection has one request,
// a second for its first byte and two for all of it, and then three for the
// answer: one that says nothing, or little at a time, holds up nobody, nor does
// a callback that hangs. Plain or by TLS, and, where that is set, for those
// alone who know a password.
class HttpEndpoint {
 public:
  struct Handlers {
    // Ready, or the sentence that says what is missing (503).
    std::function<Status()> ready;
    // Prometheus text format; empty: cannot say now (503).
    std::function<std::string()> metrics;
    // What an operator should know either way, as lines under the answer of
    // /readyz. May be null.
    std::function<std::string()> notes = nullptr;
    // Whether the process is alive, or what is wrong with it (503 of /livez). A
    // moment's work that waits for nothing. May be null: it is.
    std::function<Status()> alive = nullptr;
  };

  // Fails with one line that names the address, or what TLS lacks.
  static Result<std::unique_ptr<HttpEndpoint>> Start(HttpSettings settings,
                                                     Handlers handlers);
  // No callback runs any more. A client that keeps its connection open and
  // says nothing is not waited for: its thread ends by itself within two
  // seconds.
  ~HttpEndpoint();

  uint16_t port() const;
  // Of its certificate; nullptr: it is plain.
  std::shared_ptr<tls::ContextSource> tls() const;

 private:
  struct Impl;
  static void Route(Impl* impl);
  explicit HttpEndpoint(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // and of its thread
};

}  // namespace tidemark::rpc
