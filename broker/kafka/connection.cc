#include "broker/kafka/connection.h"

#include <glog/logging.h>

#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <vector>

namespace tidemark::server {
namespace {

std::string HostOf(const asio::ip::tcp::socket& socket) {
  std::error_code error;
  asio::ip::address address = socket.remote_endpoint(error).address();
  if (error) return "/unknown";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return "/" + address.to_string();
}

}  // namespace

Connection::Connection(io::EventLoop& loop, asio::ip::tcp::socket socket,
                       uint64_t id, const ConnectionOptions& options,
                       const Dispatcher& dispatcher, NetworkMetrics& metrics,
                       std::function<void(uint64_t)> closed)
    : loop_(loop),
      socket_(std::move(socket)),
      idle_timer_(loop.context()),
      id_(id),
      options_(options),
      dispatcher_(dispatcher),
      metrics_(metrics),
      closed_callback_(std::move(closed)),
      client_host_(HostOf(socket_)),
      frames_(options.max_request_bytes),
      last_activity_(loop.Now()) {
  metrics_.connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  metrics_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::Start() {
  if (closed_) return;  // the listener stopped before
  self_ = shared_from_this();
  std::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  WatchIdle();
  Read();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  std::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  idle_timer_.cancel();
  closed_callback_(id_);
  if (self_ != nullptr) loop_.Post([self = std::move(self_)] {});
}

void Connection::Read() {
  if (reading_ || closed_) return;
  const std::span<char> space = frames_.Space();
  if (space.empty()) return;
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](const std::error_code& error, size_t count) {
        self->OnRead(error, count);
      });
}

void Connection::OnRead(const std::error_code& error, size_t count) {
  reading_ = false;
  if (closed_) return;
  if (error == asio::error::eof) {
    ended_ = true;
    return Advance();
  }
  if (error) return Close();
  metrics_.bytes_in.fetch_add(count, std::memory_order_relaxed);
  last_activity_ = loop_.Now();
  frames_.Filled(count);
  Advance();
}

void Connection::Advance() {
  if (closed_) return;
  if (!serving_) {
    auto frame = frames_.Next();
    if (!frame) {
      RequestContext context;
      context.client_host = client_host_;
      context.listener = options_.listener;
      ReportMalformed(context, frame.error().message, metrics_);
      return Close();
    }
    if (*frame) {
      Serve(std::move(**frame));
    } else if (ended_) {
      return Close();
    }
  }
  if (!ended_) Read();
}

void Connection::Serve(SharedBytes frame) {
  serving_ = true;
  RequestContext context;
  context.client_host = client_host_;
  context.listener = options_.listener;
  context.connection_id = id_;
  context.executor = &loop_;
  context.received = last_activity_;
  Responder responder([weak = weak_from_this(), loop = &loop_](Answer answer) {
    auto shared = std::make_shared<Answer>(std::move(answer));
    loop->Post([weak, shared] {
      if (auto self = weak.lock()) self->OnAnswer(std::move(*shared));
    });
  });
  dispatcher_.Dispatch(std::move(context), std::move(frame),
                       std::move(responder));
}

void Connection::OnAnswer(Answer answer) {
  if (closed_) return;
  switch (answer.kind) {
    case Answer::Kind::kFrame:
      return Write(std::move(answer.frame));
    case Answer::Kind::kNothing:
      serving_ = false;
      return Advance();
    case Answer::Kind::kClose:
      LOG_EVERY_T(WARNING, 1)
          << "closing a connection: a request was not answered client="
          << client_host_ << " listener=" << options_.listener;
      return Close();
  }
}

void Connection::Write(kafka::EncodedFrame frame) {
  writing_ = std::move(frame);
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(writing_.chunks.size());
  for (const SharedBytes& chunk : writing_.chunks) {
    buffers.emplace_back(chunk.data(), chunk.size());
  }
  asio::async_write(
      socket_, std::move(buffers),
      [self = shared_from_this()](const std::error_code& error, size_t count) {
        self->writing_ = {};
        if (self->closed_) return;
        if (error) return self->Close();
        self->metrics_.bytes_out.fetch_add(count, std::memory_order_relaxed);
        self->serving_ = false;
        self->last_activity_ = self->loop_.Now();
        self->Advance();
      });
}

void Connection::WatchIdle() {
  const Instant deadline = last_activity_ + options_.max_idle;
  idle_timer_.expires_at(std::max(deadline, loop_.Now()));
  idle_timer_.async_wait([weak = weak_from_this()](const std::error_code&) {
    auto self = weak.lock();
    if (self == nullptr || self->closed_) return;
    const Instant now = self->loop_.Now();
    if (self->writing_.chunks.empty() && self->serving_) {
      // Somebody works for this client; look again later.
      self->last_activity_ = now;
    } else if (now - self->last_activity_ >= self->options_.max_idle) {
      return self->Close();
    }
    self->WatchIdle();
  });
}

}  // namespace tidemark::server
