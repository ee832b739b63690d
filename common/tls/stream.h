#pragma once

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/tls/session.h"

namespace tidemark::tls {

// The bytes that two ends of a socket send each other, plain or by TLS. On
// one loop; its calls end by calling `done`, never before they return. One
// read and one write at a time.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Error = std::error_code;

  // `session`: of this socket; nullptr: plain. `handshakes`, which has a thread
  // that no connection needs, outlives it.
  Stream(asio::ip::tcp::socket socket, std::unique_ptr<Session> session,
         Executor* handshakes)
      : socket_(std::move(socket)),
        session_(std::move(session)),
        handshakes_(handshakes) {}

  bool encrypted() const { return session_ != nullptr; }
  // REQUIRES: encrypted. done(error); why is in reason().
  template <class Done>
  void Handshake(Done done);
  // done(error, count); asio::error::eof at the end.
  template <class Done>
  void Read(std::span<char> to, Done done);
  template <class Done>
  void Write(const std::vector<asio::const_buffer>& from, Done done);
  void Close();
  // 0: it is gone already.
  uint16_t RemotePort() const {
    Error error;
    return socket_.remote_endpoint(error).port();
  }
  // REQUIRES: the handshake is done.
  std::optional<std::string> PeerSubject() const {
    return session_ == nullptr ? std::nullopt : session_->PeerSubject();
  }
  // What TLS says of an error.
  std::string reason() const {
    return session_ == nullptr ? std::string() : session_->reason();
  }

 private:
  using Step = Session::Step;
  // What is encrypted as one record.
  static constexpr size_t kRecord = 16 << 10;
  // What is encrypted before others have their turn.
  static constexpr size_t kAtOnce = 128 << 10;

  template <class Again, class Done>
  void Proceed(Step step, size_t count, Again again, Done done);
  Step WriteSome(const std::vector<asio::const_buffer>& from, size_t* count);

  asio::ip::tcp::socket socket_;
  const std::unique_ptr<Session> session_;
  Executor* const handshakes_;
  std::unique_ptr<char[]> gathered_;  // small buffers that make up a record
  bool shaking_ = false;              // hands, on the other thread
  std::atomic<bool> closed_ = false;
};

template <class Again, class Done>
void Stream::Proceed(Step step, size_t count, Again again, Done done) {
  const auto end = [&](Error error) {
    asio::post(socket_.get_executor(),
               [done = std::move(done), error, count]() mutable {
                 done(error, count);
               });
  };
  if (closed_) return end(asio::error::operation_aborted);
  switch (step) {
    case Step::kDone:
      return end({});
    case Step::kEnd:
      return end(asio::error::eof);
    case Step::kBroken:
      return end(asio::error::connection_aborted);
    case Step::kWantRead:
    case Step::kWantWrite:
      break;
  }
  socket_.async_wait(step == Step::kWantRead
                         ? asio::ip::tcp::socket::wait_read
                         : asio::ip::tcp::socket::wait_write,
                     [done = std::move(done),
                      again = std::move(again)](const Error& error) mutable {
                       if (error) return done(error, 0);
                       again(std::move(done));
                     });
}

// On the thread for it, so that a thousand of them at once hold up nobody who
// is served here.
template <class Done>
void Stream::Handshake(Done done) {
  shaking_ = true;
  handshakes_->Post(
      [self = shared_from_this(), done = std::move(done)]() mutable {
        // Nobody waits for it any more: its keys cost the others their turn.
        const Step step =
            self->closed_ ? Step::kBroken : self->session_->Handshake();
        auto& socket = self->socket_;
        asio::post(socket.get_executor(), [self = std::move(self), step,
                                           done = std::move(done)]() mutable {
          self->shaking_ = false;
          if (self->closed_) self->Close();
          Stream& stream = *self;
          stream.Proceed(
              step, 0,
              [self](auto next) mutable { self->Handshake(std::move(next)); },
              std::move(done));
        });
      });
}

template <class Done>
void Stream::Read(std::span<char> to, Done done) {
  if (session_ == nullptr) {
    return socket_.async_read_some(asio::buffer(to.data(), to.size()),
                                   std::move(done));
  }
  size_t count = 0;
  const Step step = closed_ ? Step::kEnd : session_->Read(to, &count);
  Proceed(
      step, count,
      [self = shared_from_this(), to](auto next) mutable {
        self->Read(to, std::move(next));
      },
      std::move(done));
}

// `from` is the caller's until `done` is called.
template <class Done>
void Stream::Write(const std::vector<asio::const_buffer>& from, Done done) {
  if (session_ == nullptr) {
    return socket_.async_write_some(std::span(from), std::move(done));
  }
  size_t count = 0;
  const Step step = closed_ ? Step::kEnd : WriteSome(from, &count);
  Proceed(
      step, count,
      [self = shared_from_this(), &from](auto next) mutable {
        self->Write(from, std::move(next));
      },
      std::move(done));
}

}  // namespace tidemark::tls
