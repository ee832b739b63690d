#include "common/rpc/http_endpoint.h"

#include <fcntl.h>
#include <httplib.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "common/tls/session.h"

namespace tidemark::rpc {

using SteadyTime = std::chrono::steady_clock::time_point;

// A connection that ends at its deadline, however it spends its time.
class TimedStream final : public httplib::Stream {
 public:
  explicit TimedStream(socket_t socket) : socket_(socket) {}
  void SetDeadline(SteadyTime deadline) { deadline_ = deadline; }

  // From now on by TLS; false: the other side does not speak it.
  bool Secure(const tls::ContextSource& tls) {
    ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
    auto session = tls::Session::Accept(tls.Get(), socket_);
    if (!session) return false;
    session_ = std::move(*session);
    return Until([this] { return session_->Handshake(); });
  }
  void End() {
    if (session_ != nullptr) session_->End();
  }

  // What TLS has read already is not in the socket.
  bool is_readable() const override {
    return session_ != nullptr || Wait(POLLIN);
  }
  bool is_writable() const override { return Wait(POLLOUT); }
  ssize_t read(char* to, size_t size) override {
    if (session_ != nullptr) {
      size_t count = 0;
      const auto step = [&] { return session_->Read({to, size}, &count); };
      return size > 0 && !Until(step) ? -1 : static_cast<ssize_t>(count);
    }
    return Wait(POLLIN) ? ::recv(socket_, to, size, MSG_DONTWAIT) : -1;
  }
  ssize_t write(const char* from, size_t size) override {
    if (session_ != nullptr) {
      size_t count = 0;
      const auto step = [&] { return session_->Write({from, size}, &count); };
      return size > 0 && !Until(step) ? -1 : static_cast<ssize_t>(count);
    }
    return Wait(POLLOUT)
               ? ::send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL)
               : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  template <class Try>
  bool Until(Try step) {
    while (true) {
      const auto now = step();
      if (now == tls::Session::Step::kDone) return true;
      const bool reads = now == tls::Session::Step::kWantRead;
      if (!reads && now != tls::Session::Step::kWantWrite) return false;
      if (!Wait(reads ? POLLIN : POLLOUT)) return false;
    }
  }
  bool Wait(int16_t events) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{socket_, events, 0};
    return ::poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }

  const socket_t socket_;
  std::unique_ptr<tls::Session> session_;  // nullptr: plain
  SteadyTime deadline_;
};

constexpr auto kFirstByte = std::chrono::seconds(1);
constexpr auto kRequest = std::chrono::seconds(2);
constexpr auto kAnswer = std::chrono::seconds(3);

// The library's own deadlines begin anew with every byte.
class TimedServer final : public httplib::Server {
 public:
  // Before it listens.
  void SetTls(std::shared_ptr<const tls::ContextSource> tls) {
    tls_ = std::move(tls);
  }

 private:
  bool process_and_close_socket(socket_t socket) override {
    TimedStream stream(socket);
    const auto begin = std::chrono::steady_clock::now();
    stream.SetDeadline(begin + kFirstByte);
    bool served = stream.is_readable();
    if (served) {
      stream.SetDeadline(begin + kRequest);
      bool closed = false;
      served = tls_ == nullptr || stream.Secure(*tls_);
      served = served && process_request(
                             stream, /*close_connection=*/true, closed,
                             [&](httplib::Request&) {
                               // The head is there; the rest of the request is
                               // of no interest.
                               stream.SetDeadline(
                                   std::chrono::steady_clock::now() + kAnswer);
                             });
    }
    stream.End();
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return served;
  }

  std::shared_ptr<const tls::ContextSource> tls_;
};

struct HttpEndpoint::Impl {
  TimedServer server;
  std::thread thread;
  uint16_t port = 0;
  std::shared_ptr<tls::ContextSource> tls;  // nullptr: plain
  std::string authorization;  // what a request has to say; "": nothing
  std::promise<void> ended;

  Handlers handlers;
  std::shared_mutex mutex;  // shared while a handler runs
  bool closed = false;      // none may run
};

namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";

// How long a stop waits for the threads.
constexpr auto kPatience = std::chrono::milliseconds(20);

// How many connections may be open before the next has to wait for the end of
// one.
constexpr size_t kMaxThreads = 64;

// A thread for each connection that is open at the same time, since the
// library gives a connection a thread before its first byte has come. A fixed
// few would be taken by as many clients that connect and say nothing.
class ConnectionThreads : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < kMaxThreads) {
      threads_.emplace_back([this] { Work(); });
    }
    came_.notify_one();
  }

  void shutdown() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    came_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      came_.wait(lock, [this] { return !tasks_.empty() || ending_; });
      --idle_;
      if (tasks_.empty()) return;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;  // grows only
  size_t idle_ = 0;
  bool ending_ = false;
};

// What a browser makes of "USER:PASSWORD".
std::string AuthorizationOf(const std::string& credentials) {
  if (credentials.empty()) return "";
  const size_t colon = credentials.find(':');
  return httplib::make_basic_authentication_header(
             credentials.substr(0, colon), credentials.substr(colon + 1))
      .second;
}

// Takes as long whatever of it is wrong.
bool IsSame(const std::string& said, const std::string& wanted) {
  return said.size() == wanted.size() &&
         CRYPTO_memcmp(said.data(), wanted.data(), said.size()) == 0;
}

}  // namespace

// The server dies with `impl`, and the routes with it.
void HttpEndpoint::Route(Impl* impl) {
  httplib::Server& server = impl->server;
  if (!impl->authorization.empty()) {
    using Handled = httplib::Server::HandlerResponse;
    server.set_pre_routing_handler(
        [impl](const httplib::Request& request, httplib::Response& out) {
          if (IsSame(request.get_header_value("Authorization"),
                     impl->authorization)) {
            return Handled::Unhandled;
          }
          out.status = 401;
          out.set_header("WWW-Authenticate", "Basic realm=\"tidemark\"");
          return Handled::Handled;
        });
  }
  server.Get("/livez", [impl](const httplib::Request&, httplib::Response& out) {
    std::shared_lock lock(impl->mutex);
    Status status;
    if (!impl->closed && impl->handlers.alive) status = impl->handlers.alive();
    if (!status) out.status = 503;
    out.set_content(status ? "ok\n" : status.error().message + "\n", kPlain);
  });
  server.Get(
      "/readyz", [impl](const httplib::Request&, httplib::Response& out) {
        std::shared_lock lock(impl->mutex);
        Status status = impl->closed
                            ? Fail(ErrorCode::kBrokerNotAvailable, "stopping")
                            : impl->handlers.ready();
        if (!status) out.status = 503;
        std::string text = status ? "ok\n" : status.error().message + "\n";
        if (!impl->closed && impl->handlers.notes)
          text += impl->handlers.notes();
        out.set_content(text, kPlain);
      });
  server.Get(
      "/metrics", [impl](const httplib::Request&, httplib::Response& out) {
        std::shared_lock lock(impl->mutex);
        std::string text;
        if (!impl->closed) text = impl->handlers.metrics();
        // An empty page would read as a process that has no metrics.
        if (text.empty()) out.status = 503;
        out.set_content(text, "text/plain; version=0.0.4; charset=utf-8");
      });
}

HttpEndpoint::HttpEndpoint(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(HttpSettings settings,
                                                          Handlers handlers) {
  const std::string& host = settings.host;
  const uint16_t port = settings.port;
  auto impl = std::make_shared<Impl>();
  impl->handlers = std::move(handlers);
  impl->authorization = AuthorizationOf(settings.credentials);
  if (settings.tls) {
    auto opened = tls::ContextSource::Open(std::move(*settings.tls));
    if (!opened) {
      return Fail(opened.error().code,
                  "http.security.protocol: " + opened.error().message);
    }
    impl->tls = std::move(*opened);
    impl->server.SetTls(impl->tls);
  }
  httplib::Server& server = impl->server;
  server.new_task_queue = [] { return new ConnectionThreads; };
  server.set_keep_alive_max_count(1);
  server.set_payload_max_length(64 << 10);
  int listening = -1;
  server.set_socket_options([&listening](socket_t socket) {
    listening = socket;
    int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  Route(impl.get());
  int bound = port;
  if (port == 0) {
    bound = server.bind_to_any_port(host.c_str());
  } else if (!server.bind_to_port(host.c_str(), port)) {
    bound = -1;
  }
  if (bound <= 0) {
    return Fail(ErrorCode::kNetworkException,
                "cannot listen on " + host + ":" + std::to_string(port) +
                    " (HTTP): is the port in use? Set http.port to a free one");
  }
  // The library's backlog of five loses the next connections for a second.
  ::listen(listening, SOMAXCONN);
  server.set_socket_options(nullptr);
  impl->port = static_cast<uint16_t>(bound);
  impl->thread = std::thread([impl] {
    impl->server.listen_after_bind();
    impl->ended.set_value();
  });
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
}

HttpEndpoint::~HttpEndpoint() {
  // The library ignores a stop that comes before its loop runs.
  while (!impl_->server.is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  {
    std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
  }
  impl_->server.stop();
  if (impl_->ended.get_future().wait_for(kPatience) ==
      std::future_status::ready) {
    impl_->thread.join();
  } else {
    impl_->thread.detach();
  }
}

uint16_t HttpEndpoint::port() const { return impl_->port; }

std::shared_ptr<tls::ContextSource> HttpEndpoint::tls() const {
  return impl_->tls;
}

}  // namespace tidemark::rpc
