#include "broker/replication/peer_connection.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "common/io/event_loop.h"
#include "common/tls/stream.h"

namespace tidemark::replication {

namespace {

constexpr int16_t kFetchVersion = 16;
constexpr Duration kConnectTimeout = std::chrono::seconds(1);
constexpr Duration kHandshakeTimeout = std::chrono::seconds(1);
// A fetch answer is at most a few batches above replica.fetch.response.max.
constexpr uint32_t kMaxFrame = 1u << 30;

}  // namespace

// One socket's life. Handlers hold it; after Fail they do nothing.
class PeerConnection::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(asio::io_context& context, std::string client_id, Duration silence,
       PeerSecurity security)
      : context_(context),
        socket_(context),
        resolver_(context),
        timer_(context),
        client_id_(std::move(client_id)),
        silence_(silence),
        security_(std::move(security)) {}

  void Connect(const std::string& host, uint16_t port) {
    Expect(kConnectTimeout);
    host_ = host;
    resolver_.async_resolve(
        host, std::to_string(port),
        [self = shared_from_this()](const asio::error_code& error,
                                    asio::ip::tcp::resolver::results_type to) {
          if (self->failed_) return;
          if (error) return self->Fail(error.message());
          asio::async_connect(self->socket_, to,
                              [self](const asio::error_code& error,
                                     const asio::ip::tcp::endpoint&) {
                                if (self->failed_) return;
                                if (error) return self->Unconnected(error);
                                self->Connected();
                              });
        });
  }

  void Send(Call call) {
    auto frame = call.encode(++correlation_, client_id_);
    const Duration wait = call.wait;
    waiting_.push_back({correlation_, std::move(call)});
    if (!frame) return Fail(frame.error().message);
    out_.push_back(std::move(*frame));
    if (connected_) {
      Expect(wait + silence_);
      Write();
    }
  }

  bool failed() const { return failed_; }

  void Fail(const std::string& why,
            ErrorCode code = ErrorCode::kNetworkException) {
    if (failed_) return;
    failed_ = true;
    asio::error_code ignored;
    if (stream_ != nullptr) stream_->Close();
    socket_.close(ignored);
    timer_.cancel();
    resolver_.cancel();
    auto waiting = std::exchange(waiting_, {});
    if (waiting.empty()) return;
    // Never inside Send or Close.
    asio::post(context_, [waiting = std::move(waiting), why, code] {
      for (const Waiting& one : waiting) {
        one.call.done(tidemark::Fail(code, why));
      }
    });
  }

 private:
  struct Waiting {
    int32_t correlation = 0;
    Call call;
  };

  void Expect(Duration within) {
    timer_.expires_after(within);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& e) {
      if (!e && !self->failed_) self->Fail("timed out");
    });
  }

  void Unconnected(const asio::error_code& error) {
    Fail(error.message(), error == asio::error::connection_refused
                              ? ErrorCode::kBrokerNotAvailable
                              : ErrorCode::kNetworkException);
  }

  void Connected() {
    asio::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    std::unique_ptr<tls::Session> session;
    if (security_.tls != nullptr) {
      socket_.native_non_blocking(true, ignored);
      auto made = tls::Session::Connect(security_.tls->Get(),
                                        socket_.native_handle(), host_);
      if (!made) return Fail(made.error().message);
      session = std::move(*made);
    }
    stream_ = std::make_shared<tls::Stream>(
        std::move(socket_), std::move(session), security_.handshakes);
    if (!stream_->encrypted()) return Ready();
    Expect(kHandshakeTimeout);
    stream_->Handshake(
        [self = shared_from_this()](const std::error_code& error, size_t) {
          if (self->failed_) return;
          if (!error) return self->Ready();
          const std::string why = self->stream_->reason();
          self->Fail("TLS: " + (why.empty() ? error.message() : why));
        });
  }

  void Ready() {
    connected_ = true;
    timer_.cancel();
    if (!waiting_.empty()) Expect(waiting_.front().call.wait + silence_);
    Write();
    ReadLength();
  }

  void Write() {
    if (writing_ || out_.empty()) return;
    writing_ = true;
    left_.clear();
    for (const Payload& chunk : out_.front().chunks) {  // all at hand
      left_.emplace_back(chunk.bytes().data(), chunk.size());
    }
    WriteLeft();
  }

  void WriteLeft() {
    stream_->Write(left_, [self = shared_from_this()](
                              const std::error_code& error, size_t count) {
      if (self->failed_) return;
      if (error) return self->Fail(error.message());
      if (self->Take(count)) return self->WriteLeft();
      self->writing_ = false;
      self->out_.pop_front();
      self->Write();
    });
  }

  // So many bytes are out. False: these were all.
  bool Take(size_t count) {
    auto first = left_.begin();
    while (first != left_.end() && count >= first->size()) {
      count -= first->size();
      ++first;
    }
    left_.erase(left_.begin(), first);
    if (!left_.empty()) left_.front() += count;
    return !left_.empty();
  }

  // Fills `to`, then calls `then`, which keeps it.
  template <class Then>
  void ReadAll(std::span<char> to, Then then) {
    if (to.empty()) return then();
    stream_->Read(to, [self = shared_from_this(), to, then = std::move(then)](
                          const std::error_code& error, size_t count) mutable {
      if (self->failed_) return;
      if (error) return self->Fail(error.message());
      self->ReadAll(to.subspan(count), std::move(then));
    });
  }

  void ReadLength() {
    ReadAll(length_, [self = shared_from_this()] {
      uint32_t length = 0;
      for (const char byte : self->length_) {
        length = length << 8 | static_cast<uint8_t>(byte);
      }
      if (length > kMaxFrame) return self->Fail("frame too large");
      self->ReadBody(length);
    });
  }

  void ReadBody(uint32_t length) {
    auto body = std::make_shared_for_overwrite<char[]>(length);
    ReadAll({body.get(), length}, [self = shared_from_this(), body, length] {
      const std::string_view view(body.get(), length);
      self->Received(
          SharedBytes(std::shared_ptr<const void>(body, body.get()), view));
    });
  }

  void Received(const SharedBytes& frame) {
    if (waiting_.empty()) return Fail("unexpected answer");
    const Call& asked = waiting_.front().call;
    auto header = kafka::DecodeResponseHeader(frame, asked.key, asked.version);
    if (!header || header->correlation_id != waiting_.front().correlation) {
      return Fail("unexpected answer");
    }
    const Call call = std::move(waiting_.front().call);
    waiting_.pop_front();
    if (waiting_.empty()) {
      timer_.cancel();
    } else {
      Expect(waiting_.front().call.wait + silence_);
    }
    ReadLength();
    // What cannot be read says that the two do not understand each other.
    const Status understood = call.done(header->body);
    if (!understood) Fail(understood.error().message);
  }

  asio::io_context& context_;
  asio::ip::tcp::socket socket_;  // until it is connected
  std::shared_ptr<tls::Stream> stream_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  const std::string client_id_;
  const Duration silence_;  // on top of the time a fetch may be parked
  const PeerSecurity security_;
  std::string host_;
  bool connected_ = false;
  bool failed_ = false;
  bool writing_ = false;
  int32_t correlation_ = 0;
  std::deque<kafka::EncodedFrame> out_;
  std::deque<Waiting> waiting_;
  std::vector<asio::const_buffer> left_;  // of the first of them, to write
  std::array<char, 4> length_{};
};

PeerConnection::PeerConnection(asio::io_context& context, std::string host,
                               uint16_t port, std::string client_id,
                               Duration silence, PeerSecurity security)
    : context_(context),
      host_(std::move(host)),
      port_(port),
      client_id_(std::move(client_id)),
      silence_(silence),
      security_(std::move(security)) {}

PeerConnection::~PeerConnection() { Close(); }

void PeerConnection::Send(Call call) {
  if (link_ == nullptr || link_->failed()) {
    link_ = std::make_shared<Link>(context_, client_id_, silence_, security_);
    link_->Connect(host_, port_);
  }
  link_->Send(std::move(call));
}

void PeerConnection::Close() {
  if (link_ != nullptr) link_->Fail("closed");
  link_.reset();
}

namespace {

class PeerFetches final : public FetchTransport {
 public:
  template <class... Args>
  explicit PeerFetches(Args&&... args) : peer_(std::forward<Args>(args)...) {}

  void Send(kafka::FetchRequest request, Done done) override {
    const Duration wait = std::chrono::milliseconds(request.max_wait_ms);
    peer_.Ask<kafka::FetchResponse>(std::move(request), kFetchVersion, wait,
                                    std::move(done));
  }
  void Close() override { peer_.Close(); }

 private:
  PeerConnection peer_;
};

}  // namespace

TransportFactory MakePeerTransportFactory(std::string client_id,
                                          Duration silence,
                                          PeerSecurity security) {
  return [client_id = std::move(client_id), silence,
          security = std::move(security)](
             Executor& executor, const std::string& host,
             uint16_t port) -> std::unique_ptr<FetchTransport> {
    auto& loop = static_cast<io::EventLoop&>(executor);
    return std::make_unique<PeerFetches>(loop.context(), host, port, client_id,
                                         silence, security);
  };
}

}  // namespace tidemark::replication
