#include "common/rpc/http_endpoint.h"

#include <httplib.h>
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

namespace tidemark::rpc {

using SteadyTime = std::chrono::steady_clock::time_point;

// A connection that ends at its deadline, however it spends its time.
class TimedStream final : public httplib::Stream {
 public:
  explicit TimedStream(socket_t socket) : socket_(socket) {}
  void SetDeadline(SteadyTime deadline) { deadline_ = deadline; }

  bool is_readable() const override { return Wait(POLLIN); }
  bool is_writable() const override { return Wait(POLLOUT); }
  ssize_t read(char* to, size_t size) override {
    return Wait(POLLIN) ? ::recv(socket_, to, size, MSG_DONTWAIT) : -1;
  }
  ssize_t write(const char* from, size_t size) override {
    return Wait(POLLOUT)
               ? ::send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL)
               : -1;
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_; }

 private:
  bool Wait(int16_t events) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{socket_, events, 0};
    return ::poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }

  const socket_t socket_;
  SteadyTime deadline_;
};

constexpr auto kFirstByte = std::chrono::seconds(1);
constexpr auto kRequest = std::chrono::seconds(2);
constexpr auto kAnswer = std::chrono::seconds(3);

// The library's own deadlines begin anew with every byte.
class TimedServer final : public httplib::Server {
  bool process_and_close_socket(socket_t socket) override {
    TimedStream stream(socket);
    const auto begin = std::chrono::steady_clock::now();
    stream.SetDeadline(begin + kFirstByte);
    bool served = stream.is_readable();
    if (served) {
      stream.SetDeadline(begin + kRequest);
      bool closed = false;
      served = process_request(
          stream, /*close_connection=*/true, closed, [&](httplib::Request&) {
            // The head is there; the rest of the request is of no interest.
            stream.SetDeadline(std::chrono::steady_clock::now() + kAnswer);
          });
    }
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return served;
  }
};

struct HttpEndpoint::Impl {
  TimedServer server;
  std::thread thread;
  uint16_t port = 0;
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

}  // namespace

// The server dies with `impl`, and the routes with it.
void HttpEndpoint::Route(Impl* impl) {
  httplib::Server& server = impl->server;
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

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(
    const std::string& host, uint16_t port, Handlers handlers) {
  auto impl = std::make_shared<Impl>();
  impl->handlers = std::move(handlers);
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

}  // namespace tidemark::rpc
