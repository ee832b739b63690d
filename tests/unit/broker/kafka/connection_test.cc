#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <random>

#include "broker/kafka/dispatcher.h"
#include "broker/kafka/handlers/table.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/replication/peer_connection.h"
#include "common/kafka/codec.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/heartbeat.h"
#include "common/kafka/messages/produce.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

// Answers of these handlers are steered by the request itself.
std::vector<Reply<kafka::HeartbeatResponse>>* parked = nullptr;
std::atomic<size_t> parked_heartbeats = 0;

void HandleApiVersionsHere(RequestContext, kafka::ApiVersionsRequest,
                           Reply<kafka::ApiVersionsResponse> reply) {
  kafka::ApiVersionsResponse response;
  response.throttle_time_ms = 17;
  reply(response);
}

// "drop": never answered. "park": answered by the test, later.
void HandleHeartbeatHere(RequestContext, kafka::HeartbeatRequest request,
                         Reply<kafka::HeartbeatResponse> reply) {
  if (request.group_id == "drop") return;
  if (request.group_id == "park") {
    parked->push_back(std::move(reply));
    ++parked_heartbeats;
    return;
  }
  kafka::HeartbeatResponse response;
  response.error_code = static_cast<int16_t>(request.generation_id);
  reply(response);
}

std::vector<Reply<kafka::ProduceResponse>>* parked_produces = nullptr;
std::atomic<int> served_produces = 0;

// The topic "bad" is an error; "drop" and "park" as above.
void HandleProduceHere(RequestContext, kafka::ProduceRequest request,
                       Reply<kafka::ProduceResponse> reply) {
  const std::string& first = request.topic_data[0].name;
  if (first == "park") parked_produces->push_back(reply);
  ++served_produces;
  if (first == "park" || first == "drop") return;
  kafka::ProduceResponse response;
  for (const auto& topic : request.topic_data) {
    auto& to = response.responses.emplace_back();
    to.name = topic.name;
    to.partition_responses.emplace_back().error_code =
        topic.name == "bad" ? 3 : 0;
  }
  reply(response);
}

constexpr Api kTable[] = {
    MakeApi<HandleApiVersionsHere>(),
    MakeApi<HandleHeartbeatHere>(),
    MakeApi<HandleProduceHere>().AdvertisedFrom(0),
};

// A blocking client; every wait ends after a few seconds.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(
        connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { close(fd_); }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  template <class Request>
  void Send(const Request& request, int16_t version, int32_t correlation) {
    Send(kafka::EncodeRequest(request, version, correlation, "test")
             .value()
             .Flatten());
  }
  // nullopt: closed by the other side.
  std::optional<std::string> Frame() {
    std::string length;
    if (!Read(4, &length)) return std::nullopt;
    uint32_t size = 0;
    for (char c : length) size = size << 8 | static_cast<uint8_t>(c);
    std::string payload;
    if (!Read(size, &payload)) return std::nullopt;
    return payload;
  }
  template <class Response>
  Response Receive(int16_t version, int32_t correlation) {
    auto frame = Frame();
    EXPECT_TRUE(frame.has_value());
    if (!frame) return {};
    auto header = kafka::DecodeResponseHeader(SharedBytes(*frame),
                                              Response::kKey, version);
    EXPECT_EQ(header.value().correlation_id, correlation);
    return kafka::DecodeResponse<Response>(header->body, version).value();
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }
  bool IsClosed() { return !Frame().has_value() && !timed_out_; }

 private:
  bool Read(size_t count, std::string* to) {
    to->resize(count);
    size_t have = 0;
    while (have < count) {
      const ssize_t got = recv(fd_, to->data() + have, count - have, 0);
      timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      if (got <= 0) return false;
      have += static_cast<size_t>(got);
    }
    return true;
  }
  int fd_;
  bool timed_out_ = false;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() : dispatcher_(kTable, services_, metrics_) {
    parked = &parked_;
    parked_produces = &parked_produces_;
    parked_heartbeats = 0;
    served_produces = 0;
  }
  // No loop is gone while another one still runs, and the acceptor's goes
  // first: its handlers hold sockets of the other one.
  ~ConnectionTest() override {
    listener_.reset();
    disk_reader_.Stop();
    handshakes_.Stop();
    shard0_.Stop();
    shard1_.Stop();
  }

  uint16_t Listen(ListenerOptions options = {}) {
    options.host = "127.0.0.1";
    if (!admission_) admission_.emplace(limits_);
    listener_ =
        KafkaListener::Open(options, {&shard0_, &shard1_}, {&disk_reader_},
                            &handshakes_, dispatcher_, metrics_, *admission_)
            .value();
    return listener_->port();
  }
  // Whoever else is connected, the listener goes on.
  void ExpectAlive(uint16_t port) {
    Client client(port);
    client.Send(kafka::ApiVersionsRequest{}, 0, 1);
    client.Receive<kafka::ApiVersionsResponse>(0, 1);
  }

  Admission::Options limits_;
  std::optional<Admission> admission_;  // with limits_, from Listen
  io::EventLoop shard1_{"shard1"}, shard0_{"shard0"};
  // Goes before the shards do: what waits for it may hold their sockets.
  io::EventLoop disk_reader_{"disk-reader"}, handshakes_{"handshakes"};
  Services services_;
  NetworkMetrics metrics_;
  std::vector<Reply<kafka::HeartbeatResponse>> parked_;
  std::vector<Reply<kafka::ProduceResponse>> parked_produces_;
  Dispatcher dispatcher_;
  std::unique_ptr<KafkaListener> listener_;
};

kafka::HeartbeatRequest Beat(const std::string& group, int generation) {
  kafka::HeartbeatRequest request;
  request.group_id = group;
  request.generation_id = generation;
  return request;
}

// What brokers ask each other, whatever the API.
TEST_F(ConnectionTest, APeerAsksAnythingAndIsAnsweredInOrder) {
  const uint16_t port = Listen();
  io::EventLoop loop("peer");
  std::vector<std::string> answers;
  std::promise<void> done;
  std::unique_ptr<replication::PeerConnection> peer;
  loop.Post([&] {
    peer = std::make_unique<replication::PeerConnection>(
        loop.context(), "127.0.0.1", port, "broker-1", std::chrono::seconds(5),
        replication::PeerSecurity());
    for (int i = 0; i < 3; ++i) {
      peer->Ask<kafka::HeartbeatResponse>(
          Beat("g", i), 4, Duration::zero(),
          [&](const Result<kafka::HeartbeatResponse>& response) {
            answers.push_back(std::to_string(response.value().error_code));
          });
    }
    peer->Ask<kafka::ApiVersionsResponse>(
        kafka::ApiVersionsRequest{}, 0, Duration::zero(),
        [&](const Result<kafka::ApiVersionsResponse>& response) {
          answers.push_back(response ? "versions" : "none");
          done.set_value();
        });
  });
  done.get_future().wait();
  EXPECT_THAT(answers, testing::ElementsAre("0", "1", "2", "versions"));
  std::promise<ErrorCode> closed;
  loop.Post([&] {
    peer->Ask<kafka::HeartbeatResponse>(
        Beat("park", 0), 4, Duration::zero(),
        [&](const Result<kafka::HeartbeatResponse>& response) {
          closed.set_value(response.error().code);
        });
    peer->Close();
  });
  EXPECT_EQ(closed.get_future().get(), ErrorCode::kNetworkException);
  std::promise<void> gone;
  loop.Post([&] {
    peer = nullptr;
    gone.set_value();
  });
  gone.get_future().wait();
  loop.Stop();
}

TEST_F(ConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  Client client(Listen());
  for (int i = 0; i < 100; ++i) client.Send(Beat("g", i), 4, i);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Receive<kafka::HeartbeatResponse>(4, i).error_code, i);
  }
}

TEST_F(ConnectionTest, TheNextRequestWaitsForTheAnswerOfTheLast) {
  Client client(Listen());
  client.Send(Beat("park", 0), 0, 1);
  client.Send(Beat("park", 0), 0, 2);
  auto parked_count = [&] {
    // Two turns: the second could only be parked by then if it was looked at.
    for (io::EventLoop* shard : {&shard0_, &shard1_}) {
      std::promise<void> turn;
      shard->Post([&] { turn.set_value(); });
      turn.get_future().get();
    }
    return parked_heartbeats.load();
  };
  while (parked_count() == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(parked_count(), 1u);
  parked_[0]({});
  client.Receive<kafka::HeartbeatResponse>(0, 1);
  while (parked_count() == 1) std::this_thread::yield();
  parked_[1]({});
  client.Receive<kafka::HeartbeatResponse>(0, 2);
}

TEST_F(ConnectionTest, AFullStagingBufferBehindARequestKeepsTheConnection) {
  Client client(Listen());
  client.Send(Beat("park", 0), 0, 0);
  const std::string group(1000, 'g');
  for (int i = 1; i < 100; ++i) client.Send(Beat(group, i), 4, i);
  // The staging buffer is full: nothing more is read until the answer.
  while (metrics_.bytes_in.load() < 8192) std::this_thread::yield();
  for (io::EventLoop* shard : {&shard0_, &shard1_}) {
    std::promise<void> turn;
    shard->Post([&] { turn.set_value(); });
    turn.get_future().get();
  }
  ASSERT_EQ(parked_.size(), 1u);
  parked_[0]({});
  client.Receive<kafka::HeartbeatResponse>(0, 0);
  for (int i = 1; i < 100; ++i) {
    EXPECT_EQ(client.Receive<kafka::HeartbeatResponse>(4, i).error_code, i);
  }
}

kafka::ProduceRequest ProduceTo(const std::string& topic) {
  kafka::ProduceRequest request;
  request.acks = 1;
  request.topic_data.emplace_back().name = topic;
  return request;
}

TEST_F(ConnectionTest, ProducesAreServedAtOnceAndAnsweredInOrder) {
  Client client(Listen());
  client.Send(ProduceTo("park"), 9, 0);
  for (int i = 1; i < 5; ++i) client.Send(ProduceTo("t"), 9, i);
  client.Send(ProduceTo("park"), 9, 5);  // more than there may be at once
  client.Send(Beat("g", 6), 4, 6);       // behind all of them
  while (served_produces.load() < 5) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    for (io::EventLoop* shard : {&shard0_, &shard1_}) {
      std::promise<void> turn;
      shard->Post([&] { turn.set_value(); });
      turn.get_future().get();
    }
    ASSERT_EQ(parked_produces->size(), 1u);
  }
  (*parked_produces)[0]({});
  for (int i = 0; i < 5; ++i) client.Receive<kafka::ProduceResponse>(9, i);
  while (served_produces.load() < 6) std::this_thread::yield();
  (*parked_produces)[1]({});
  client.Receive<kafka::ProduceResponse>(9, 5);
  client.Receive<kafka::HeartbeatResponse>(4, 6);
}

TEST_F(ConnectionTest, ADroppedProduceClosesBehindTheAnswersBeforeIt) {
  Client client(Listen());
  client.Send(ProduceTo("t"), 9, 1);
  client.Send(ProduceTo("drop"), 9, 2);
  client.Send(ProduceTo("t"), 9, 3);
  client.Receive<kafka::ProduceResponse>(9, 1);
  EXPECT_TRUE(client.IsClosed());
}

// A producer with acks=0 leaves as soon as its records are on the wire.
TEST_F(ConnectionTest, WhatAClientSentBeforeItLeftIsServed) {
  Client client(Listen());
  for (int i = 0; i < 100; ++i) client.Send(Beat("g", i), 4, i);
  client.FinishSending();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Receive<kafka::HeartbeatResponse>(4, i).error_code, i);
  }
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ConnectionTest, ADroppedReplyClosesTheConnection) {
  const uint16_t port = Listen();
  Client client(port);
  client.Send(Beat("drop", 0), 0, 1);
  EXPECT_TRUE(client.IsClosed());
  ExpectAlive(port);
}

TEST_F(ConnectionTest, BadLengthsCloseTheConnection) {
  const uint16_t port = Listen();
  for (const char* length :
       {"\xff\xff\xff\xff", "\x80\x00\x00\x00", "\x7f\xff\xff\xff"}) {
    Client client(port);
    client.Send(std::string_view(length, 4));
    EXPECT_TRUE(client.IsClosed());
  }
  ExpectAlive(port);
  EXPECT_EQ(metrics_.malformed.load(), 3u);
}

TEST_F(ConnectionTest, UnknownKeysAndVersionsCloseTheConnection) {
  const uint16_t port = Listen();
  // key, version
  for (auto [key, version] :
       std::vector<std::pair<int16_t, int16_t>>{{4, 0},
                                                {999, 0},
                                                {-1, 0},
                                                {32767, 0},
                                                {12, 5},
                                                {12, -1},
                                                {0, 0},
                                                {0, 2},
                                                {0, 12}}) {
    std::string frame("\0\0\0\x0a", 4);
    for (int16_t number : {key, version, int16_t{0}, int16_t{1}, int16_t{-1}}) {
      frame += static_cast<char>(number >> 8);
      frame += static_cast<char>(number);
    }
    Client client(port);
    client.Send(frame);
    EXPECT_TRUE(client.IsClosed()) << key << " " << version;
  }
  ExpectAlive(port);
}

TEST_F(ConnectionTest, ApiVersionsOfTheFutureIsAnsweredInVersionZero) {
  Client client(Listen());
  client.Send(
      std::string("\0\0\0\x0e"
                  "\0\x12\0\x63\0\0\0\x07\xff\xff\0\x01\x02\x03",
                  18));
  auto response = client.Receive<kafka::ApiVersionsResponse>(0, 7);
  EXPECT_EQ(response.error_code, 35);
  ASSERT_EQ(response.api_keys.size(), 1u);
  EXPECT_EQ(response.api_keys[0].api_key, 18);
  EXPECT_EQ(response.api_keys[0].min_version, 0);
  EXPECT_EQ(response.api_keys[0].max_version, 4);
  // And the connection is as good as before.
  client.Send(kafka::ApiVersionsRequest{}, 1, 8);
  EXPECT_EQ(client.Receive<kafka::ApiVersionsResponse>(1, 8).throttle_time_ms,
            17);
}

TEST_F(ConnectionTest, MalformedBodiesCloseTheConnection) {
  const uint16_t port = Listen();
  // Produce v3 with an array count of 2^31 - 1.
  Client huge(port);
  huge.Send(
      std::string("\0\0\0\x16"
                  "\0\0\0\x03\0\0\0\x01\xff\xff"  // header
                  "\xff\xff\0\x01\0\0\x03\xe8\x7f\xff\xff\xff",
                  26));
  EXPECT_TRUE(huge.IsClosed());
  ExpectAlive(port);
}

TEST_F(ConnectionTest, RandomBytesNeverDisturbTheOthers) {
  ListenerOptions options;
  options.max_request_bytes = 4096;
  const uint16_t port = Listen(options);
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string body;
    for (int i = 0; i < 64; ++i) body += static_cast<char>(random());
    // Half of the rounds pass the length check and the table.
    if (round % 2 == 0) {
      body[0] = body[1] = 0;
      body[2] = 0, body[3] = 60;
      body[4] = 0, body[5] = std::array<char, 3>{0, 12, 18}[random() % 3];
      body[6] = 0, body[7] = static_cast<char>(random() % 12);
    }
    Client client(port);
    client.Send(body);
  }
  ExpectAlive(port);
}

kafka::ProduceRequest ProduceTo(const std::string& topic, int16_t acks) {
  kafka::ProduceRequest request;
  request.acks = acks;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  data.partition_data.emplace_back();
  return request;
}

TEST_F(ConnectionTest, AcksZeroIsNotAnswered) {
  Client client(Listen());
  client.Send(ProduceTo("good", 0), 9, 1);
  client.Send(ProduceTo("good", 1), 9, 2);
  EXPECT_EQ(client.Receive<kafka::ProduceResponse>(9, 2).responses[0].name,
            "good");
}

TEST_F(ConnectionTest, AcksZeroWithAnErrorClosesTheConnection) {
  Client client(Listen());
  client.Send(ProduceTo("bad", 0), 9, 1);
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ConnectionTest, SilenceClosesAConnectionInMidFrameToo) {
  ListenerOptions options;
  options.max_idle = std::chrono::milliseconds(20);
  const uint16_t port = Listen(options);
  Client half(port);
  half.Send(std::string_view("\0\0\0\x64half", 8));
  EXPECT_TRUE(half.IsClosed());
  Client silent(port);
  EXPECT_TRUE(silent.IsClosed());
}

TEST_F(ConnectionTest, ConnectionsBeyondTheLimitAreClosed) {
  for (const bool per_address : {false, true}) {
    Admission::Options limits;
    (per_address ? limits.max_connections_per_address
                 : limits.max_connections) = 1;
    listener_.reset();
    admission_.emplace(limits);
    metrics_.refused = 0;
    const uint16_t port = Listen();
    auto first = std::make_unique<Client>(port);
    first->Send(kafka::ApiVersionsRequest{}, 0, 1);
    first->Receive<kafka::ApiVersionsResponse>(0, 1);
    Client second(port);
    EXPECT_TRUE(second.IsClosed());
    EXPECT_EQ(metrics_.refused.load(), 1u);
    // With the first one gone there is room again.
    first.reset();
    while (metrics_.connections.load() > 0) std::this_thread::yield();
    ExpectAlive(port);
    while (metrics_.connections.load() > 0) std::this_thread::yield();
  }
}

// D7: at the bound clients wait, and all of them are served in the end.
TEST_F(ConnectionTest, RequestsBeyondTheMemoryWaitTheirTurn) {
  limits_.request_bytes = 1 << 20;
  const uint16_t port = Listen();
  constexpr int kClients = 16;
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] {
      Client client(port);
      kafka::ProduceRequest request = ProduceTo("t");
      request.topic_data[0].partition_data.emplace_back().records =
          SharedBytes(std::string(700'000, 'r'));
      for (int round = 0; round < 5; ++round) {
        client.Send(request, 9, round);
        client.Receive<kafka::ProduceResponse>(9, round);
        ++answered;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered.load(), kClients * 5);
  EXPECT_GE(admission_->requests->peak(), 700'000u);
  // One request may overdraw, and every connection has its first bytes.
  EXPECT_LE(admission_->requests->peak(), (2u << 20) + kClients * 8192);
  while (admission_->requests->used() > 0) std::this_thread::yield();
}

TEST_F(ConnectionTest, StopClosesConnectionsAndFreesThePort) {
  const uint16_t port = Listen();
  Client client(port);
  client.Send(kafka::ApiVersionsRequest{}, 0, 1);
  client.Receive<kafka::ApiVersionsResponse>(0, 1);
  listener_->Stop();
  EXPECT_TRUE(client.IsClosed());
  ListenerOptions options;
  options.port = port;
  Listen(options);
  ExpectAlive(port);
}

TEST_F(ConnectionTest, APortInUseIsAOneLineError) {
  ListenerOptions options;
  options.host = "127.0.0.1";
  options.port = Listen();
  auto second =
      KafkaListener::Open(options, {&shard0_}, {&disk_reader_}, &handshakes_,
                          dispatcher_, metrics_, *admission_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message,
              testing::AllOf(testing::HasSubstr("127.0.0.1:"),
                             testing::HasSubstr("Address already in use"),
                             testing::Not(testing::HasSubstr("\n"))));
}

}  // namespace
}  // namespace tidemark::server
