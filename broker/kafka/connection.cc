#include "broker/kafka/connection.h"

#include <glog/logging.h>

#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <utility>
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

// Produces under way at once: what an idempotent producer has at most, and no
// more memory than a few large requests.
constexpr size_t kMaxServing = 5;
constexpr size_t kMaxServingBytes = 4 << 20;

bool IsProduce(const SharedBytes& frame) {
  static_assert(static_cast<int16_t>(kafka::ApiKey::kProduce) == 0);
  return frame.size() >= 2 && frame.data()[0] == 0 && frame.data()[1] == 0;
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
  std::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // With a full staging buffer behind a request that is being served no
  // handler holds the connection.
  self_ = shared_from_this();
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
  cancellation_->Cancel();
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
    cancellation_->Cancel();
    return Advance();
  }
  if (error) return Close();
  metrics_.bytes_in.fetch_add(count, std::memory_order_relaxed);
  last_activity_ = loop_.Now();
  frames_.Filled(count);
  Advance();
}

bool Connection::MayServeMore() const {
  const size_t count = serving_.size() + writing_.size();
  return count == 0 || (only_produces_ && count < kMaxServing &&
                        serving_bytes_ < kMaxServingBytes);
}

void Connection::Advance() {
  while (!closed_ && MayServeMore()) {
    const bool first = serving_.empty() && writing_.empty();
    if (!next_) {
      auto frame = frames_.Next();
      if (!frame) {
        if (!first) break;  // once those before it are answered
        RequestContext context;
        context.client_host = client_host_;
        context.listener = options_.listener;
        ReportMalformed(context, frame.error().message, metrics_);
        return Close();
      }
      if (!*frame) {
        if (first && ended_) return Close();
        break;
      }
      next_ = std::move(**frame);
    }
    const bool produce = IsProduce(*next_);
    if (!first && !produce) break;
    only_produces_ = produce;
    Serve(*std::exchange(next_, std::nullopt));
  }
  if (!closed_ && !ended_) Read();
}

void Connection::Serve(SharedBytes frame) {
  RequestContext context;
  context.client_host = client_host_;
  context.listener = options_.listener;
  context.connection_id = id_;
  context.executor = &loop_;
  context.received = last_activity_;
  context.cancellation = cancellation_;
  const uint64_t number = first_number_ + serving_.size();
  serving_.push_back({frame.size(), std::nullopt});
  serving_bytes_ += frame.size();
  Responder responder(
      [weak = weak_from_this(), loop = &loop_, number](Answer answer) {
        auto shared = std::make_shared<Answer>(std::move(answer));
        loop->Post([weak, shared, number] {
          if (auto self = weak.lock()) {
            self->OnAnswer(number, std::move(*shared));
          }
        });
      });
  dispatcher_.Dispatch(std::move(context), std::move(frame),
                       std::move(responder));
}

void Connection::OnAnswer(uint64_t number, Answer answer) {
  if (closed_) return;
  serving_[number - first_number_].answer = std::move(answer);
  if (writing_.empty()) WriteReady();
}

void Connection::WriteReady() {
  while (!serving_.empty() && serving_.front().answer) {
    Answer& answer = *serving_.front().answer;
    if (answer.kind == Answer::Kind::kClose) {
      if (!writing_.empty()) break;  // once those before it are written
      LOG_EVERY_T(WARNING, 1)
          << "closing a connection: a request was not answered client="
          << client_host_ << " listener=" << options_.listener;
      return Close();
    }
    if (answer.kind == Answer::Kind::kFrame) {
      writing_.push_back(std::move(answer.frame));
    }
    serving_bytes_ -= serving_.front().bytes;
    serving_.pop_front();
    ++first_number_;
  }
  if (writing_.empty()) return Advance();
  std::vector<asio::const_buffer> buffers;
  for (const kafka::EncodedFrame& frame : writing_) {
    for (const SharedBytes& chunk : frame.chunks) {
      buffers.emplace_back(chunk.data(), chunk.size());
    }
  }
  asio::async_write(
      socket_, std::move(buffers),
      [self = shared_from_this()](const std::error_code& error, size_t count) {
        self->writing_.clear();
        if (self->closed_) return;
        if (error) return self->Close();
        self->metrics_.bytes_out.fetch_add(count, std::memory_order_relaxed);
        self->last_activity_ = self->loop_.Now();
        self->WriteReady();
      });
}

void Connection::WatchIdle() {
  const Instant deadline = last_activity_ + options_.max_idle;
  idle_timer_.expires_at(std::max(deadline, loop_.Now()));
  idle_timer_.async_wait([weak = weak_from_this()](const std::error_code&) {
    auto self = weak.lock();
    if (self == nullptr || self->closed_) return;
    const Instant now = self->loop_.Now();
    if (self->writing_.empty() && !self->serving_.empty()) {
      // Somebody works for this client; look again later.
      self->last_activity_ = now;
    } else if (now - self->last_activity_ >= self->options_.max_idle) {
      return self->Close();
    }
    self->WatchIdle();
  });
}

}  // namespace tidemark::server
