#pragma once

#include <asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/kafka/admission.h"
#include "broker/kafka/authentication.h"
#include "broker/kafka/dispatcher.h"
#include "broker/kafka/frame_reader.h"
#include "broker/kafka/frame_writer.h"
#include "broker/kafka/network_metrics.h"
#include "common/io/event_loop.h"
#include "common/tls/principal_rules.h"
#include "common/tls/stream.h"

namespace tidemark::server {

struct ConnectionOptions {
  std::string listener;
  size_t max_request_bytes = 100 * 1024 * 1024;
  Duration max_idle = std::chrono::minutes(10);
  // nullptr: nobody has to say who it is.
  std::shared_ptr<const SaslServer> sasl;
  // Whom certificates of clients stand for; nullptr: without TLS.
  std::shared_ptr<const tls::PrincipalRules> principals;
};

// One client's connection. Lives on one shard: everything but the
// constructor runs on `loop`.
//
// Requests are served one after the other, as in Kafka: the next frame is not
// looked at before the answer to the last is written, so answers keep their
// order and a client that does not read is not read from. Produces alone
// overlap, up to five of them; they too are answered in order. While requests
// are served the next one is received, and no more.
//
// Memory for requests and answers comes from the broker's budgets. Where a
// budget is used up the connection is not read from, or not served, until its
// turn comes; meanwhile one that holds memory and has not moved for kStall,
// because its client sends or reads nothing, is closed.
//
// A client that has sent its last byte still gets everything it sent served:
// a producer with acks=0 closes as soon as its records are on the wire. Only
// waiting is over then: a fetch that is parked is answered with what there is.
//
// Silence for max_idle closes it, in the middle of a frame too; not while a
// request is being served. One that is encrypted gets nothing served before the
// handshake, and is closed when that has not come to its end within kHandshake.
// Who has to say who it is is served when that is known (Authentication).
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr Duration kStall = std::chrono::seconds(10);
  static constexpr Duration kHandshake = std::chrono::seconds(30);

  // `dispatcher`, `metrics`, `admission`, `disk_readers`, which may wait for a
  // disk, `options` and `loop` outlive the connection. `closed` runs once, on
  // the loop.
  Connection(io::EventLoop& loop, std::shared_ptr<tls::Stream> stream,
             uint64_t id, ConnectionLimits::Slot slot,
             const ConnectionOptions& options, const Dispatcher& dispatcher,
             NetworkMetrics& metrics, Admission& admission,
             Executor& disk_readers, std::function<void(uint64_t)> closed);
  ~Connection();

  void Start();
  void Close();

 private:
  void Shake();
  void Shaken(const std::error_code& error);
  void Read();
  void OnRead(const std::error_code& error, size_t count);
  void Advance();
  bool MayServeMore() const;
  bool HasMemoryForAnswer();
  void Serve(SharedBytes frame);
  void OnAnswer(uint64_t number, Answer answer);
  void WriteReady();
  void Write();
  void ReadFromDisk();
  void WatchIdle();
  void WatchProgress();
  void CheckProgress();

  io::EventLoop& loop_;
  const std::shared_ptr<tls::Stream> stream_;
  asio::steady_timer idle_timer_;
  asio::steady_timer progress_timer_;
  const uint64_t id_;
  const ConnectionOptions& options_;
  const Dispatcher& dispatcher_;
  NetworkMetrics& metrics_;
  Admission& admission_;
  Executor& disk_readers_;
  std::function<void(uint64_t)> closed_callback_;
  const ConnectionLimits::Slot slot_;
  const std::string client_host_;
  const std::shared_ptr<ClientSoftware> software_ =
      std::make_shared<ClientSoftware>();
  Authentication authentication_;
  FrameReader frames_;
  // Requests being served, oldest first, and the answers that are there.
  using Memory = std::shared_ptr<MemoryBudget::Lease>;
  struct Serving {
    size_t bytes = 0;
    Memory memory;
    std::optional<Answer> answer;
  };
  std::deque<Serving> serving_;
  // Cancelled when the client has gone, or has sent its last byte.
  const std::shared_ptr<Cancellation> cancellation_ =
      std::make_shared<Cancellation>();
  uint64_t first_number_ = 0;  // of serving_.front()
  size_t serving_bytes_ = 0;
  bool only_produces_ = false;  // are being served
  // A whole frame that waits for all answers before it.
  std::optional<SharedBytes> next_;
  Memory next_memory_;  // for its answer
  FrameWriter writer_;
  std::vector<Memory> writing_;  // for each answer that is being written
  bool last_ = false;            // what is being written
  bool reading_disk_ = false;  // for writer_, which is that thread's meanwhile
  Instant last_activity_;      // something was received or sent
  bool watching_progress_ = false;
  bool reading_ = false;              // a read is under way
  bool ended_ = false;                // the client will send no more
  std::shared_ptr<Connection> self_;  // from Start until closed
  bool closed_ = false;
};

}  // namespace tidemark::server
