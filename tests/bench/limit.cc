// tidemark-limit: how fast a program on this machine could be at most that
// receives produce requests, checks their CRCs, and writes and syncs them in
// rounds, and the sender to measure it and a broker with the same bytes.
//
//   tidemark-limit serve --port P --file FILE      the bare program
//   tidemark-limit send --port P --topic T [--connections 4] [--partitions 4]
//                       [--window 5] [--batch 131072] [--mib 1024]
//
// serve does nothing else: no offsets, no index, no replication, one file for
// everything. It answers the n-th request of a connection when a sync that
// began after its bytes were written has ended, as a broker must. send
// opens each connection to one partition of its own (connection i to partition
// i modulo --partitions), keeps --window requests of one batch under way on
// each, and prints one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/kafka/codec.h"
#include "common/kafka/messages/produce.h"
#include "common/record/batch_builder.h"
#include "common/record/batch_header.h"
#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::bench {
namespace {

constexpr size_t kMaxFrame = 64 << 20;

void Check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

void NoDelay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// --- serve ---

// The answer of Produce v3: the sender looks at the error code only.
std::string AnswerTo(uint32_t correlation_id, bool good) {
  std::string answer(4 + 4 + 4 + 2 + 4 + 4 + 2 + 8 + 8 + 4, '\0');
  char* to = answer.data();
  record::StoreBigEndian<uint32_t>(static_cast<uint32_t>(answer.size() - 4),
                                   to);
  record::StoreBigEndian<uint32_t>(correlation_id, to + 4);
  record::StoreBigEndian<uint32_t>(1, to + 8);   // one topic
  record::StoreBigEndian<uint32_t>(1, to + 14);  // one partition
  record::StoreBigEndian<uint16_t>(good ? 0 : 2, to + 22);
  return answer;
}

struct Waiting {
  int socket;
  std::string answer;
};

// Writes at once, syncs in rounds on a thread of its own.
class RoundFile {
 public:
  explicit RoundFile(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644)),
        syncer_([this] { Run(); }) {
    Check(fd_ >= 0, path.c_str());
    syncer_.detach();
  }

  void Write(std::string_view bytes, Waiting waiting) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      Check(n > 0, "write");
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(waiting));
    wake_.notify_one();
  }

 private:
  void Run() {
    while (true) {
      std::vector<Waiting> round;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !waiting_.empty(); });
        round.swap(waiting_);
      }
      Check(::fdatasync(fd_) == 0, "fdatasync");
      std::map<int, std::string> answers;
      for (Waiting& one : round) answers[one.socket] += one.answer;
      for (const auto& [socket, bytes] : answers) {
        (void)!::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      }
    }
  }

  const int fd_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;
  std::thread syncer_;
};

// One connection: a buffer that a frame is received into whole.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  int socket() const { return socket_; }

  // False at the end of the connection.
  bool Receive(RoundFile& file) {
    const size_t want = size_ == 0 ? 4 : size_;
    if (buffer_.size() < want) buffer_.resize(want);
    const ssize_t n =
        ::recv(socket_, buffer_.data() + have_, want - have_, MSG_DONTWAIT);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    have_ += static_cast<size_t>(n);
    if (have_ < want) return true;
    have_ = 0;
    if (size_ == 0) {
      size_ = record::LoadBigEndian<uint32_t>(buffer_.data());
      return size_ >= 8 && size_ <= kMaxFrame;
    }
    const std::string_view frame(buffer_.data(), size_);
    size_ = 0;
    // The batch is the last field of a Produce v3 request.
    const auto client = record::LoadBigEndian<uint16_t>(frame.data() + 8);
    const size_t topic = 10 + client + 2 + 2 + 4 + 4;
    if (topic + 2 > frame.size()) return false;
    const auto name = record::LoadBigEndian<uint16_t>(frame.data() + topic);
    const size_t batch = topic + 2 + name + 4 + 4 + 4;
    if (batch + record::kBatchHeaderSize > frame.size()) return false;
    const std::string_view bytes = frame.substr(batch);
    const bool good =
        record::Crc32c(bytes.substr(record::kAttributesAt)) ==
        record::LoadBigEndian<uint32_t>(bytes.data() + record::kCrcAt);
    const auto id = record::LoadBigEndian<uint32_t>(frame.data() + 4);
    file.Write(bytes, {socket_, AnswerTo(id, good)});
    return true;
  }

 private:
  int socket_;
  size_t size_ = 0;  // of the frame; 0: its length comes next
  size_t have_ = 0;
  std::string buffer_;
};

int Serve(int port, const std::string& path) {
  RoundFile file(path);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  Check(::bind(listener, reinterpret_cast<const sockaddr*>(&address),
               sizeof address) == 0,
        "bind");
  Check(::listen(listener, 64) == 0, "listen");
  std::vector<Peer> peers;
  while (true) {
    std::vector<pollfd> ready{{listener, POLLIN, 0}};
    for (const Peer& peer : peers) ready.push_back({peer.socket(), POLLIN, 0});
    Check(::poll(ready.data(), ready.size(), -1) > 0, "poll");
    for (size_t i = peers.size(); i-- > 0;) {
      if (ready[i + 1].revents == 0 || peers[i].Receive(file)) continue;
      // Its socket stays open: an answer may be on its way.
      peers.erase(peers.begin() + static_cast<ptrdiff_t>(i));
    }
    if (ready[0].revents != 0) {
      const int socket = ::accept(listener, nullptr, nullptr);
      if (socket < 0) continue;
      NoDelay(socket);
      peers.emplace_back(socket);
    }
  }
}

// --- send ---

struct SendOptions {
  int port = 0;
  std::string topic;
  int connections = 4, partitions = 4, window = 5;
  size_t batch = 131072;
  size_t mib = 1024;
};

std::string Frame(const SendOptions& options, int partition) {
  record::BatchBuilder builder;
  const std::string value(1000, 'x');
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  do {
    builder.Add(now, std::nullopt, value);
  } while (builder.size() + 1100 < options.batch);
  kafka::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = options.topic;
  auto& data = topic.partition_data.emplace_back();
  data.index = partition;
  data.records = SharedBytes(builder.Build());
  const auto frame = kafka::EncodeRequest(request, 3, 1, "limit");
  if (!frame) {
    std::fprintf(stderr, "tidemark-limit: %s\n", frame.error().message.c_str());
    std::exit(1);
  }
  return frame->Flatten();
}

std::string ReceiveExactly(int socket, size_t count) {
  std::string bytes(count, '\0');
  for (size_t have = 0; have < count;) {
    const ssize_t n = ::recv(socket, bytes.data() + have, count - have, 0);
    if (n <= 0) {
      std::fprintf(stderr, "tidemark-limit: the connection was closed\n");
      std::exit(1);
    }
    have += static_cast<size_t>(n);
  }
  return bytes;
}

// The error code of a Produce v3 answer with one partition.
void CheckAnswer(int socket) {
  const std::string size = ReceiveExactly(socket, 4);
  const std::string answer =
      ReceiveExactly(socket, record::LoadBigEndian<uint32_t>(size.data()));
  const auto name = record::LoadBigEndian<uint16_t>(answer.data() + 8);
  const auto error =
      record::LoadBigEndian<uint16_t>(answer.data() + 10 + name + 4 + 4);
  if (error == 0) return;
  std::fprintf(stderr, "tidemark-limit: answered with error %d\n", error);
  std::exit(1);
}

void SendFrames(const SendOptions& options, int connection,
                std::atomic<int64_t>& left, std::atomic<int64_t>& bytes) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = Loopback(options.port);
  Check(::connect(socket, reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) == 0,
        "connect");
  NoDelay(socket);
  const std::string frame = Frame(options, connection % options.partitions);
  int under_way = 0;
  while (true) {
    const bool more = under_way < options.window && left.fetch_sub(1) > 0;
    if (more) {
      for (size_t sent = 0; sent < frame.size();) {
        const ssize_t n = ::send(socket, frame.data() + sent,
                                 frame.size() - sent, MSG_NOSIGNAL);
        Check(n > 0, "send");
        sent += static_cast<size_t>(n);
      }
      ++under_way;
      if (under_way < options.window) continue;
    }
    if (under_way == 0) break;
    CheckAnswer(socket);
    --under_way;
    bytes += static_cast<int64_t>(frame.size());
  }
  ::close(socket);
}

int Send(const SendOptions& options) {
  std::atomic<int64_t> left =
      static_cast<int64_t>((options.mib << 20) / options.batch);
  std::atomic<int64_t> bytes = 0;
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < options.connections; ++i) {
    threads.emplace_back([&, i] { SendFrames(options, i, left, bytes); });
  }
  for (auto& thread : threads) thread.join();
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - began;
  std::printf("{\"mib_per_s\": %.1f, \"seconds\": %.3f}\n",
              static_cast<double>(bytes) / (1 << 20) / took.count(),
              took.count());
  return 0;
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) {
  using namespace tidemark::bench;
  CLI::App app{"What this machine allows, and a broker beside it."};
  app.require_subcommand(1);
  int port = 0;
  std::string file;
  auto* serve = app.add_subcommand("serve", "the bare program");
  serve->add_option("--port", port)->required();
  serve->add_option("--file", file)->required();
  SendOptions options;
  auto* send = app.add_subcommand("send", "the load, for it and for a broker");
  send->add_option("--port", options.port)->required();
  send->add_option("--topic", options.topic)->required();
  send->add_option("--connections", options.connections)
      ->check(CLI::Range(1, 64));
  send->add_option("--partitions", options.partitions)
      ->check(CLI::Range(1, 10000));
  send->add_option("--window", options.window)->check(CLI::Range(1, 64));
  send->add_option("--batch", options.batch)->check(CLI::Range(2048, 1 << 24));
  send->add_option("--mib", options.mib)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return *serve ? Serve(port, file) : Send(options);
}
