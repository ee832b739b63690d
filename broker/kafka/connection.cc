#include "broker/kafka/connection.h"

#include <glog/logging.h>

#include <asio/buffer.hpp>
#include <utility>
#include <vector>

#include "common/kafka/api_key.h"
#include "common/record/big_endian.h"

namespace tidemark::server {
namespace {

// Produces under way at once: what an idempotent producer has at most, and no
// more memory than a few large requests.
constexpr size_t kMaxServing = 5;
constexpr size_t kMaxServingBytes = 4 << 20;

// What has to be free of the budget for answers before one is made whose size
// the request does not tell.
constexpr size_t kAnswerShare = 64 << 10;

std::optional<kafka::ApiKey> KeyOf(const SharedBytes& frame) {
  if (frame.size() < sizeof(int16_t)) return std::nullopt;
  return static_cast<kafka::ApiKey>(
      record::LoadBigEndian<int16_t>(frame.data()));
}

bool IsProduce(const SharedBytes& frame) {
  return KeyOf(frame) == kafka::ApiKey::kProduce;
}

// Answers that may be much larger than their requests. A fetch sees to its
// memory itself, once it knows what there is to read.
bool AnswerMayBeLarge(const SharedBytes& frame) {
  using enum kafka::ApiKey;
  const auto key = KeyOf(frame);
  if (!key) return false;
  switch (*key) {
    case kListOffsets:
    case kMetadata:
    case kOffsetFetch:
    case kOffsetForLeaderEpoch:
    case kDescribeGroups:
    case kListGroups:
    case kDescribeConfigs:
    case kDescribeTopicPartitions:
    case kDescribeUserScramCredentials:
    case kDescribeAcls:
      return true;
    default:
      return false;
  }
}

}  // namespace

Connection::Connection(io::EventLoop& loop, std::shared_ptr<tls::Stream> stream,
                       uint64_t id, ConnectionLimits::Slot slot,
                       const ConnectionOptions& options,
                       const Dispatcher& dispatcher, NetworkMetrics& metrics,
                       Admission& admission, Executor& disk_readers,
                       std::function<void(uint64_t)> closed)
    : loop_(loop),
      stream_(std::move(stream)),
      idle_timer_(loop.context()),
      progress_timer_(loop.context()),
      id_(id),
      options_(options),
      dispatcher_(dispatcher),
      metrics_(metrics),
      admission_(admission),
      disk_readers_(disk_readers),
      closed_callback_(std::move(closed)),
      slot_(std::move(slot)),
      client_host_("/" + slot_.address()),
      authentication_(options.sasl.get(), metrics, loop.Now()),
      frames_(options.max_request_bytes, admission.requests),
      last_activity_(loop.Now()) {
  software_->port = stream_->RemotePort();
  metrics_.connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  metrics_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::Start() {
  if (closed_) return;  // the listener stopped before
  // With a full staging buffer behind a request that is being served no
  // handler holds the connection.
  self_ = shared_from_this();
  WatchIdle();
  stream_->encrypted() ? Shake() : Read();
}

void Connection::Shake() {
  progress_timer_.expires_after(kHandshake);
  progress_timer_.async_wait(
      [weak = weak_from_this()](const std::error_code& error) {
        auto self = weak.lock();
        if (self != nullptr && !error) self->Close();
      });
  stream_->Handshake(
      [self = shared_from_this()](const std::error_code& error, size_t) {
        if (self->closed_) return;
        self->progress_timer_.cancel();
        self->Shaken(error);
      });
}

void Connection::Shaken(const std::error_code& error) {
  std::string reason = stream_->reason();
  if (!error) {
    const auto subject = stream_->PeerSubject();
    if (options_.principals == nullptr ||
        authentication_.TakeCertificate(subject, *options_.principals)) {
      return Read();
    }
    reason = "no rule of ssl.principal.mapping.rules fits the subject";
  }
  metrics_.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
  LOG_EVERY_T(WARNING, 1) << "TLS handshake failed client=" << client_host_
                          << " listener=" << options_.listener << " reason=\""
                          << reason << '"';
  Close();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  stream_->Close();
  idle_timer_.cancel();
  cancellation_->Cancel();
  progress_timer_.cancel();
  // Whoever waits for memory in order to answer need not any more.
  for (const Serving& served : serving_) {
    if (served.memory != nullptr && served.memory->IsWaiting()) {
      served.memory->Release();
    }
  }
  closed_callback_(id_);
  if (self_ != nullptr) loop_.Post([self = std::move(self_)] {});
}

void Connection::Read() {
  if (reading_ || closed_) return;
  const std::span<char> space = frames_.Space();
  if (frames_.NeedsMemory()) {
    frames_.WhenFree(loop_, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Read();
    });
  }
  if (space.empty()) return;
  reading_ = true;
  stream_->Read(space, [self = shared_from_this()](const std::error_code& error,
                                                   size_t count) {
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
  if (!closed_ && frames_.HoldsHalfAFrame()) WatchProgress();
}

bool Connection::MayServeMore() const {
  const size_t count = serving_.size() + writing_.size();
  return count == 0 || (only_produces_ && count < kMaxServing &&
                        serving_bytes_ < kMaxServingBytes);
}

void Connection::Advance() {
  frames_.SetMaxFrame(authentication_.MaxFrame(options_.max_request_bytes),
                      authentication_.done());
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
    const bool produce = authentication_.done() && IsProduce(*next_);
    if (!first && !produce) break;
    if (!HasMemoryForAnswer()) break;
    only_produces_ = produce;
    Serve(*std::exchange(next_, std::nullopt));
  }
  if (!closed_ && !ended_) Read();
}

bool Connection::HasMemoryForAnswer() {
  if (next_memory_ != nullptr) return !next_memory_->IsWaiting();
  next_memory_ =
      std::make_shared<MemoryBudget::Lease>(admission_.answers->NewLease());
  if (!AnswerMayBeLarge(*next_) || next_memory_->Take(kAnswerShare)) {
    return true;
  }
  next_memory_->TakeLater(kAnswerShare, loop_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->Advance();
  });
  return false;
}

void Connection::Serve(SharedBytes frame) {
  RequestContext context;
  context.client_host = client_host_;
  context.listener = options_.listener;
  context.principal = authentication_.principal();
  context.connection_id = id_;
  context.software = software_;
  context.executor = &loop_;
  context.received = last_activity_;
  context.cancellation = cancellation_;
  context.memory = std::exchange(next_memory_, nullptr);
  const uint64_t number = first_number_ + serving_.size();
  serving_.push_back({frame.size(), context.memory, std::nullopt});
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
  const bool known = authentication_.done();
  const bool taken = authentication_.Take(context, frame, responder);
  // It has less time now: the timer looks at once.
  if (known && !authentication_.done()) idle_timer_.cancel();
  if (taken) return;
  dispatcher_.Dispatch(std::move(context), std::move(frame),
                       std::move(responder));
}

void Connection::OnAnswer(uint64_t number, Answer answer) {
  if (closed_) return;
  Serving& served = serving_[number - first_number_];
  // It takes what it is long, whatever it has taken to make it.
  const size_t taken = served.memory->bytes();
  const size_t takes = FrameWriter::MemoryOf(answer.frame);
  if (takes > taken) {
    served.memory->Charge(takes - taken);
  } else {
    served.memory->Give(taken - takes);
  }
  served.answer = std::move(answer);
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
    last_ |= answer.kind == Answer::Kind::kLast;
    if (answer.kind == Answer::Kind::kFrame || last_) {
      writer_.Add(std::move(answer.frame));
      writing_.push_back(std::move(serving_.front().memory));
    }
    serving_bytes_ -= serving_.front().bytes;
    serving_.pop_front();
    ++first_number_;
  }
  if (writing_.empty()) return Advance();
  WatchProgress();
  Write();
}

void Connection::Write() {
  const auto next = writer_.Prepare();
  if (!next) {
    LOG_EVERY_T(ERROR, 1) << "closing a connection: its answer cannot be read "
                             "from disk client="
                          << client_host_
                          << " error=" << ToString(next.error());
    return Close();
  }
  if (*next == FrameWriter::Next::kRead) return ReadFromDisk();
  if (*next == FrameWriter::Next::kNothing) {
    if (last_) return Close();
    writing_.clear();
    return WriteReady();
  }
  stream_->Write(
      writer_.buffers(),
      [self = shared_from_this()](const std::error_code& error, size_t count) {
        if (self->closed_) return;
        if (error) return self->Close();
        self->metrics_.bytes_out.fetch_add(count, std::memory_order_relaxed);
        self->last_activity_ = self->loop_.Now();
        self->writer_.Sent(count);
        self->Write();
      });
}

void Connection::ReadFromDisk() {
  reading_disk_ = true;
  disk_readers_.Post([self = shared_from_this()]() mutable {
    const Status read = self->writer_.ReadFromDisk();
    io::EventLoop& loop = self->loop_;
    loop.Post([self = std::move(self), read] {
      self->reading_disk_ = false;
      if (self->closed_) return;
      self->last_activity_ = self->loop_.Now();
      if (!read) {
        LOG_EVERY_T(ERROR, 1)
            << "closing a connection: its answer cannot be read from disk "
               "client="
            << self->client_host_ << " error=" << ToString(read.error());
        return self->Close();
      }
      self->Write();
    });
  });
}

// Costs a timer every kStall at most, and only where something is left over
// from a read or a write.
void Connection::WatchProgress() {
  if (watching_progress_) return;
  watching_progress_ = true;
  progress_timer_.expires_after(kStall);
  progress_timer_.async_wait([weak = weak_from_this()](const std::error_code&) {
    auto self = weak.lock();
    if (self != nullptr && !self->closed_) self->CheckProgress();
  });
}

void Connection::CheckProgress() {
  watching_progress_ = false;
  const bool receives = frames_.HoldsHalfAFrame() && !frames_.NeedsMemory();
  const bool sends = !writing_.empty() && !reading_disk_;
  if (!receives && !sends) return;
  const bool wanted = (receives && admission_.requests->waiting() > 0) ||
                      (sends && admission_.answers->waiting() > 0);
  if (wanted && loop_.Now() - last_activity_ >= kStall) {
    metrics_.stalled.fetch_add(1, std::memory_order_relaxed);
    LOG_EVERY_T(WARNING, 1)
        << "closing a connection: others wait for the memory it holds, and it "
           "does not move client="
        << client_host_ << " listener=" << options_.listener
        << (sends ? " reads=nothing" : " sends=nothing");
    return Close();
  }
  WatchProgress();
}

void Connection::WatchIdle() {
  Instant deadline = last_activity_ + options_.max_idle;
  if (!authentication_.done()) {
    deadline = std::min(deadline, authentication_.deadline());
  }
  idle_timer_.expires_at(std::max(deadline, loop_.Now()));
  idle_timer_.async_wait([weak = weak_from_this()](const std::error_code&) {
    auto self = weak.lock();
    if (self == nullptr || self->closed_) return;
    const Instant now = self->loop_.Now();
    if (!self->authentication_.done() &&
        now >= self->authentication_.deadline()) {
      return self->Close();
    }
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
