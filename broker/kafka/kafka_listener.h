#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/kafka/admission.h"
#include "broker/kafka/dispatcher.h"
#include "broker/kafka/network_metrics.h"
#include "common/io/event_loop.h"
#include "common/tls/context_source.h"
#include "common/tls/principal_rules.h"

namespace tidemark::server {

struct ConnectionOptions;
class SaslServer;

struct ListenerOptions {
  std::string name = "PLAINTEXT";
  std::string host;   // "": every address
  uint16_t port = 0;  // 0: any free one
  size_t max_request_bytes = 100 * 1024 * 1024;
  Duration max_idle = std::chrono::minutes(10);
  // nullptr: plain.
  std::shared_ptr<const tls::ContextSource> tls;
  // nullptr: nobody has to say who it is.
  std::shared_ptr<const SaslServer> sasl;
  // Whom certificates of clients stand for; nullptr: without TLS.
  std::shared_ptr<const tls::PrincipalRules> principals;
};

// A TCP port for Kafka clients. Connections go to the shards in turn.
class KafkaListener {
 public:
  // Bound and listening on return. `shards`, `disk_readers` (at least one; they
  // may wait for a disk), `handshakes` (of TLS; none needed without),
  // `dispatcher`, `metrics` and `admission`, which
  // listeners share, outlive the listener; connections live on for as long as
  // something is posted to a reader. Error kInvalidConfig: cannot listen there,
  // and why.
  static Result<std::unique_ptr<KafkaListener>> Open(
      ListenerOptions options, std::vector<io::EventLoop*> shards,
      std::vector<Executor*> disk_readers, Executor* handshakes,
      const Dispatcher& dispatcher, NetworkMetrics& metrics,
      Admission& admission);

  // Stop(), when it was not called.
  ~KafkaListener();

  uint16_t port() const;
  // Frees the port, closes every connection and returns when none of them will
  // call the dispatcher any more. Not on a shard's thread. Idempotent.
  void Stop();

 private:
  struct State;
  explicit KafkaListener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace tidemark::server
