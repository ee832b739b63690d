#include "broker/replication/peer_connection.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <deque>
#include <utility>
#include <vector>

#include "common/io/event_loop.h"
#include "common/kafka/codec.h"

namespace tidemark::replication {

namespace {

constexpr int16_t kFetchVersion = 16;
constexpr Duration kConnectTimeout = std::chrono::seconds(1);
// A fetch answer is at most a few batches above replica.fetch.response.max.
constexpr uint32_t kMaxFrame = 1u << 30;

// One socket's life. Handlers hold it; after Fail they do nothing.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(asio::io_context& context, std::string client_id, Duration silence)
      : socket_(context),
        resolver_(context),
        timer_(context),
        client_id_(std::move(client_id)),
        silence_(silence) {}

  void Connect(const std::string& host, uint16_t port) {
    Expect(kConnectTimeout);
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
                                if (error) return self->Fail(error.message());
                                self->Connected();
                              });
        });
  }

  void Send(kafka::FetchRequest request, FetchTransport::Done done) {
    const Duration wait = std::chrono::milliseconds(request.max_wait_ms);
    waiting_.push_back({++correlation_, wait, std::move(done)});
    auto frame =
        kafka::EncodeRequest(request, kFetchVersion, correlation_, client_id_);
    if (!frame) return Fail(frame.error().message);
    out_.push_back(std::move(*frame));
    if (connected_) {
      Expect(wait + silence_);
      Write();
    }
  }

  bool failed() const { return failed_; }

  void Fail(const std::string& why) {
    if (failed_) return;
    failed_ = true;
    asio::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    resolver_.cancel();
    auto waiting = std::exchange(waiting_, {});
    if (waiting.empty()) return;
    // Never inside Send or Close.
    asio::post(socket_.get_executor(), [waiting = std::move(waiting), why] {
      for (const auto& call : waiting) {
        call.done(Fail_(why));
      }
    });
  }

 private:
  struct Call {
    int32_t correlation = 0;
    Duration wait{};
    FetchTransport::Done done;
  };

  static Result<kafka::FetchResponse> Fail_(const std::string& why) {
    return tidemark::Fail(ErrorCode::kNetworkException, why);
  }

  void Expect(Duration within) {
    timer_.expires_after(within);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& e) {
      if (!e && !self->failed_) self->Fail("timed out");
    });
  }

  void Connected() {
    connected_ = true;
    asio::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    timer_.cancel();
    if (!waiting_.empty()) Expect(waiting_.front().wait + silence_);
    Write();
    ReadLength();
  }

  void Write() {
    if (writing_ || out_.empty()) return;
    writing_ = true;
    std::vector<asio::const_buffer> buffers;
    for (const Payload& chunk : out_.front().chunks) {  // all at hand
      buffers.emplace_back(chunk.bytes().data(), chunk.size());
    }
    asio::async_write(
        socket_, buffers,
        [self = shared_from_this()](const asio::error_code& error, size_t) {
          if (self->failed_) return;
          if (error) return self->Fail(error.message());
          self->writing_ = false;
          self->out_.pop_front();
          self->Write();
        });
  }

  void ReadLength() {
    asio::async_read(
        socket_, asio::buffer(length_),
        [self = shared_from_this()](const asio::error_code& error, size_t) {
          if (self->failed_) return;
          if (error) return self->Fail(error.message());
          const uint32_t length = (uint32_t{self->length_[0]} << 24) |
                                  (uint32_t{self->length_[1]} << 16) |
                                  (uint32_t{self->length_[2]} << 8) |
                                  uint32_t{self->length_[3]};
          if (length > kMaxFrame) return self->Fail("frame too large");
          self->ReadBody(length);
        });
  }

  void ReadBody(uint32_t length) {
    auto body = std::make_shared_for_overwrite<char[]>(length);
    asio::async_read(
        socket_, asio::buffer(body.get(), length),
        [self = shared_from_this(), body, length](const asio::error_code& error,
                                                  size_t) {
          if (self->failed_) return;
          if (error) return self->Fail(error.message());
          const std::string_view view(body.get(), length);
          self->Received(
              SharedBytes(std::shared_ptr<const void>(body, body.get()), view));
        });
  }

  void Received(const SharedBytes& frame) {
    auto header = kafka::DecodeResponseHeader(frame, kafka::ApiKey::kFetch,
                                              kFetchVersion);
    if (!header || waiting_.empty() ||
        header->correlation_id != waiting_.front().correlation) {
      return Fail("unexpected answer");
    }
    auto response = kafka::DecodeResponse<kafka::FetchResponse>(header->body,
                                                                kFetchVersion);
    if (!response) return Fail(response.error().message);
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    if (waiting_.empty()) {
      timer_.cancel();
    } else {
      Expect(waiting_.front().wait + silence_);
    }
    ReadLength();
    call.done(std::move(response));
  }

  asio::ip::tcp::socket socket_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  const std::string client_id_;
  const Duration silence_;  // on top of the time a fetch may be parked
  bool connected_ = false;
  bool failed_ = false;
  bool writing_ = false;
  int32_t correlation_ = 0;
  std::deque<kafka::EncodedFrame> out_;
  std::deque<Call> waiting_;
  std::array<unsigned char, 4> length_{};
};

class PeerConnection final : public FetchTransport {
 public:
  PeerConnection(asio::io_context& context, std::string host, uint16_t port,
                 std::string client_id, Duration silence)
      : context_(context),
        host_(std::move(host)),
        port_(port),
        client_id_(std::move(client_id)),
        silence_(silence) {}
  ~PeerConnection() override { Close(); }

  void Send(kafka::FetchRequest request, Done done) override {
    if (link_ == nullptr || link_->failed()) {
      link_ = std::make_shared<Link>(context_, client_id_, silence_);
      link_->Connect(host_, port_);
    }
    link_->Send(std::move(request), std::move(done));
  }

  void Close() override {
    if (link_ != nullptr) link_->Fail("closed");
    link_.reset();
  }

 private:
  asio::io_context& context_;
  const std::string host_;
  const uint16_t port_;
  const std::string client_id_;
  const Duration silence_;
  std::shared_ptr<Link> link_;
};

}  // namespace

TransportFactory MakePeerTransportFactory(std::string client_id,
                                          Duration silence) {
  return [client_id = std::move(client_id), silence](
             Executor& executor, const std::string& host,
             uint16_t port) -> std::unique_ptr<FetchTransport> {
    auto& loop = static_cast<io::EventLoop&>(executor);
    return std::make_unique<PeerConnection>(loop.context(), host, port,
                                            client_id, silence);
  };
}

}  // namespace tidemark::replication
