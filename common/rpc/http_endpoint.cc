#include "common/rpc/http_endpoint.h"

#include <httplib.h>

#include <future>
#include <mutex>
#include <thread>

namespace tidemark::rpc {

struct HttpEndpoint::Impl {
  httplib::Server server;
  std::thread thread;
  uint16_t port = 0;
  std::promise<void> ended;

  Handlers handlers;
  std::mutex mutex;     // held while a handler runs
  bool closed = false;  // none may run
};

namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";

// How long a stop waits for the threads.
constexpr auto kPatience = std::chrono::milliseconds(20);

}  // namespace

// The server dies with `impl`, and the routes with it.
void HttpEndpoint::Route(Impl* impl) {
  httplib::Server& server = impl->server;
  server.Get("/livez", [](const httplib::Request&, httplib::Response& out) {
    out.set_content("ok\n", kPlain);
  });
  server.Get("/readyz", [impl](const httplib::Request&,
                               httplib::Response& out) {
    std::lock_guard lock(impl->mutex);
    Status status = impl->closed
                        ? Fail(ErrorCode::kBrokerNotAvailable, "stopping")
                        : impl->handlers.ready();
    if (!status) out.status = 503;
    out.set_content(status ? "ok\n" : status.error().message + "\n", kPlain);
  });
  server.Get("/metrics",
             [impl](const httplib::Request&, httplib::Response& out) {
               std::lock_guard lock(impl->mutex);
               if (impl->closed) {
                 out.status = 503;
                 return;
               }
               out.set_content(impl->handlers.metrics(),
                               "text/plain; version=0.0.4; charset=utf-8");
             });
}

HttpEndpoint::HttpEndpoint(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(
    const std::string& host, uint16_t port, Handlers handlers) {
  auto impl = std::make_shared<Impl>();
  impl->handlers = std::move(handlers);
  httplib::Server& server = impl->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(1); };
  // A thread serves one connection at a time, so none may keep it.
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(2, 0);
  server.set_write_timeout(2, 0);
  server.set_payload_max_length(64 << 10);
  server.set_socket_options([](socket_t socket) {
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
