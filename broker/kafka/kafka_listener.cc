#include "broker/kafka/kafka_listener.h"

#include <glog/logging.h>

#include <asio/bind_executor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <future>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "broker/kafka/connection.h"

namespace tidemark::server {

using asio::ip::tcp;

// Kept alive by the accept under way and by connections. The acceptor is used
// on the first shard only, the map under its mutex.
struct KafkaListener::State : std::enable_shared_from_this<State> {
  State(ListenerOptions o, std::vector<io::EventLoop*> s,
        std::vector<Executor*> r, Executor* h, const Dispatcher& d,
        NetworkMetrics& m, Admission& a)
      : options(std::move(o)),
        connection_options{options.name, options.max_request_bytes,
                           options.max_idle, options.sasl, options.principals},
        shards(std::move(s)),
        disk_readers(std::move(r)),
        handshakes(h),
        dispatcher(d),
        metrics(m),
        admission(a),
        acceptor(shards.front()->context()) {}

  Status Bind();
  Status Listen(const tcp::endpoint& endpoint);
  void Accept();
  std::shared_ptr<tls::Stream> StreamOver(tcp::socket socket);
  void OnAccept(const std::error_code& error, tcp::socket socket,
                io::EventLoop& shard);
  void AcceptLater();
  void Refused(const std::string& address, const std::string& why);
  void CloseAll();

  const ListenerOptions options;
  const ConnectionOptions connection_options;
  const std::vector<io::EventLoop*> shards;
  const std::vector<Executor*> disk_readers;
  Executor* const handshakes;
  const Dispatcher& dispatcher;
  NetworkMetrics& metrics;
  Admission& admission;
  tcp::acceptor acceptor;
  size_t next_shard = 0;
  // On the first shard: refusals since the log last told of them.
  uint64_t refusals = 0;
  std::optional<Instant> refusal_logged;
  uint16_t port = 0;

  struct Open {
    std::weak_ptr<Connection> connection;
    io::EventLoop* shard;
  };
  std::mutex mutex;
  std::unordered_map<uint64_t, Open> open;
  bool stopped = false;
};

namespace {

// Unique over all listeners of the process.
std::atomic<uint64_t> next_connection_id = 1;

constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
constexpr Duration kRefusalInterval = std::chrono::seconds(10);

std::string AddressOf(const tcp::socket& socket) {
  std::error_code error;
  asio::ip::address address = socket.remote_endpoint(error).address();
  if (error) return "unknown";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

void RunOn(io::EventLoop& loop, std::function<void()> task) {
  std::promise<void> done;
  loop.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace

Status KafkaListener::State::Listen(const tcp::endpoint& endpoint) {
  std::error_code error;
  auto attempt = [&](auto&& step) {
    if (!error) step();
  };
  attempt([&] { acceptor.open(endpoint.protocol(), error); });
  attempt(
      [&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
  if (endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    attempt([&] { acceptor.set_option(asio::ip::v6_only(false), error); });
  }
  attempt([&] { acceptor.bind(endpoint, error); });
  attempt([&] { acceptor.listen(1024, error); });
  if (error) {
    std::error_code ignored;
    acceptor.close(ignored);
    return Fail(ErrorCode::kInvalidConfig, error.message());
  }
  port = acceptor.local_endpoint(error).port();
  return {};
}

Status KafkaListener::State::Bind() {
  if (options.host.empty()) {
    // Both families through one socket, where the machine has IPv6.
    Status both = Listen({tcp::v6(), options.port});
    return both ? both : Listen({tcp::v4(), options.port});
  }
  std::error_code error;
  const auto literal = asio::ip::make_address(options.host, error);
  if (!error) return Listen({literal, options.port});
  tcp::resolver resolver(shards.front()->context());
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port),
                       tcp::resolver::passive, error);
  if (error) return Fail(ErrorCode::kInvalidConfig, error.message());
  return Listen(found.begin()->endpoint());
}

void KafkaListener::State::Accept() {
  io::EventLoop& shard = *shards[next_shard++ % shards.size()];
  acceptor.async_accept(
      shard.context(),
      asio::bind_executor(
          shards.front()->context().get_executor(),
          [self = shared_from_this(), &shard](const std::error_code& error,
                                              tcp::socket socket) {
            self->OnAccept(error, std::move(socket), shard);
          }));
}

// Out of descriptors or memory: some will be free again later. What waits in
// the backlog keeps waiting.
void KafkaListener::State::AcceptLater() {
  shards.front()->PostAfter(kAcceptPause, [self = shared_from_this()] {
    if (self->acceptor.is_open()) self->Accept();
  });
}

void KafkaListener::State::Refused(const std::string& address,
                                   const std::string& why) {
  metrics.refused.fetch_add(1, std::memory_order_relaxed);
  ++refusals;
  const Instant now = shards.front()->Now();
  if (refusal_logged && now - *refusal_logged < kRefusalInterval) return;
  LOG(WARNING) << "refusing connections listener=" << options.name
               << " limit=" << why << " client=" << address
               << " refused=" << std::exchange(refusals, 0);
  refusal_logged = now;
}

// nullptr: TLS has no memory for it.
std::shared_ptr<tls::Stream> KafkaListener::State::StreamOver(
    tcp::socket socket) {
  std::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  std::unique_ptr<tls::Session> session;
  if (options.tls != nullptr) {
    socket.non_blocking(true, ignored);
    auto accepted =
        tls::Session::Accept(options.tls->Get(), socket.native_handle());
    if (!accepted) return nullptr;
    session = std::move(*accepted);
  }
  return std::make_shared<tls::Stream>(std::move(socket), std::move(session),
                                       handshakes);
}

void KafkaListener::State::OnAccept(const std::error_code& error,
                                    tcp::socket socket, io::EventLoop& shard) {
  if (!acceptor.is_open()) return;
  if (error == asio::error::connection_aborted) return Accept();
  if (error) {
    LOG_EVERY_T(ERROR, 1) << "cannot accept a connection listener="
                          << options.name << " error=\"" << error.message()
                          << '"';
    return AcceptLater();
  }
  Accept();
  const std::string address = AddressOf(socket);
  auto slot = admission.connections.Admit(address);
  if (!slot) return Refused(address, slot.error());
  auto stream = StreamOver(std::move(socket));
  if (stream == nullptr) return;
  metrics.accepted.fetch_add(1, std::memory_order_relaxed);
  const uint64_t id = next_connection_id.fetch_add(1);
  auto connection = std::make_shared<Connection>(
      shard, std::move(stream), id, std::move(*slot), connection_options,
      dispatcher, metrics, admission, *disk_readers[id % disk_readers.size()],
      // Holds the listener's state, and with it the connection's options, as
      // long as the connection may call.
      [self = shared_from_this()](uint64_t closed) {
        std::lock_guard lock(self->mutex);
        self->open.erase(closed);
      });
  {
    std::lock_guard lock(mutex);
    if (stopped) return;
    open[id] = {connection, &shard};
  }
  shard.Post([connection] { connection->Start(); });
}

void KafkaListener::State::CloseAll() {
  std::unordered_map<uint64_t, Open> closing;
  {
    std::lock_guard lock(mutex);
    stopped = true;
    closing = open;
  }
  for (const auto& [id, entry] : closing) {
    entry.shard->Post([weak = entry.connection] {
      if (auto connection = weak.lock()) connection->Close();
    });
  }
}

Result<std::unique_ptr<KafkaListener>> KafkaListener::Open(
    ListenerOptions options, std::vector<io::EventLoop*> shards,
    std::vector<Executor*> disk_readers, Executor* handshakes,
    const Dispatcher& dispatcher, NetworkMetrics& metrics,
    Admission& admission) {
  auto state = std::make_shared<State>(std::move(options), std::move(shards),
                                       std::move(disk_readers), handshakes,
                                       dispatcher, metrics, admission);
  if (Status bound = state->Bind(); !bound) {
    const ListenerOptions& o = state->options;
    return Fail(ErrorCode::kInvalidConfig,
                "cannot listen on " + (o.host.empty() ? "*" : o.host) + ":" +
                    std::to_string(o.port) + " (listener " + o.name +
                    "): " + bound.error().message);
  }
  state->shards.front()->Post([state] { state->Accept(); });
  return std::unique_ptr<KafkaListener>(new KafkaListener(std::move(state)));
}

KafkaListener::KafkaListener(std::shared_ptr<State> state)
    : state_(std::move(state)) {}

KafkaListener::~KafkaListener() { Stop(); }

uint16_t KafkaListener::port() const { return state_->port; }

void KafkaListener::Stop() {
  if (!state_->acceptor.is_open()) return;
  RunOn(*state_->shards.front(), [this] {
    std::error_code ignored;
    state_->acceptor.close(ignored);
  });
  state_->CloseAll();
  // Connections whose closing was posted before these are closed after them.
  for (io::EventLoop* shard : state_->shards) RunOn(*shard, [] {});
}

}  // namespace tidemark::server
