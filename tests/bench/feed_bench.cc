// A failover of real controllers while many brokers subscribe anew: the brokers
// are simulated, here, as far as controllers see them. tests/bench/feed.py
// starts the controllers. By hand: tidemark-feed-bench --help
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/metadata/features.h"
#include "proto/admin.grpc.pb.h"
#include "proto/controller.grpc.pb.h"

namespace {

namespace admin = tidemark::admin::v1;
namespace rpc = tidemark::controller::v1;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Options {
  std::vector<std::string> controllers;  // host:port
  std::vector<int> pids;                 // of the same
  std::string cluster_id;
  int brokers = 50;
  int partitions = 1'000'000;
  bool from_nothing = false;
};

double Seconds(Clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

std::string RandomBytes(size_t n) {
  thread_local std::mt19937_64 random{std::random_device()()};
  std::string out;
  while (out.size() < n) {
    out.push_back(static_cast<char>(random() % 255 + 1));
  }
  return out;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// What a FeedMessage says beside its batches, which are not looked at.
struct Head {
  int64_t epoch = 0, last = 0;
  bool snapshot = false, batches = false;
};
Head HeadOf(const std::string& bytes) {
  Head head;
  size_t at = 0;
  auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0; at < bytes.size() && shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes[at++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.size()) {
    const uint64_t tag = varint();
    if ((tag & 7) == 2) {
      head.batches = true;
      const uint64_t length = varint();
      at += length;
      continue;
    }
    const uint64_t value = varint();
    if (tag >> 3 == rpc::FeedMessage::kControllerEpochFieldNumber) {
      head.epoch = static_cast<int64_t>(value);
    } else if (tag >> 3 == rpc::FeedMessage::kLastOffsetFieldNumber) {
      head.last = static_cast<int64_t>(value);
    } else if (tag >> 3 == rpc::FeedMessage::kSnapshotFieldNumber) {
      head.snapshot = value != 0;
    }
  }
  return head;
}

// One simulated broker: it registers, beats, and reads its feed; it looks for
// the active controller again where one is gone.
class Broker {
 public:
  Broker(const Options& options, int id)
      : options_(options), id_(id), incarnation_(RandomBytes(16)) {
    for (const auto& address : options.controllers) {
      channels_.push_back(Connect(address));
    }
    reader_ = std::thread([this] { Read(); });
    beater_ = std::thread([this] { Beat(); });
  }
  ~Broker() {
    stop_ = true;
    {
      std::lock_guard lock(mutex_);
      if (context_ != nullptr) context_->TryCancel();
    }
    reader_.join();
    beater_.join();
  }

  bool unfenced() const { return unfenced_; }
  int64_t last() const { return last_; }
  // Of whom it has heard, and how many bytes since it last subscribed.
  int64_t epoch() const { return epoch_; }
  uint64_t bytes() const { return bytes_; }
  void ForgetAll() { forget_ = true; }

 private:
  void Read() {
    for (size_t i = 0; !stop_; ++i) {
      Subscribe(channels_[i % channels_.size()]);
      if (!stop_) std::this_thread::sleep_for(milliseconds(20));
    }
  }

  void Subscribe(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::GenericStub stub(channel);
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    {
      std::lock_guard lock(mutex_);
      context_ = &context;
    }
    auto next = [&] {
      void* tag;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    auto call = stub.PrepareCall(
        &context, "/tidemark.controller.v1.BrokerLifecycle/Subscribe", &queue);
    call->StartCall(nullptr);
    bool ok = next();
    rpc::SubscribeRequest request;
    request.set_broker_id(id_);
    request.set_cluster_id(options_.cluster_id);
    request.set_incarnation_id(incarnation_);
    request.set_next_offset(last_ == 0 || forget_ ? 0 : last_ + 1);
    grpc::Slice slice(request.SerializeAsString());
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    ok = next() && ok;
    bytes_ = 0;
    while (ok) {
      grpc::ByteBuffer message;
      call->Read(&message, nullptr);
      if (!next()) break;
      Take(message);
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    queue.Shutdown();
    while (next()) {
    }
    std::lock_guard lock(mutex_);
    context_ = nullptr;
  }

  void Take(const grpc::ByteBuffer& message) {
    std::vector<grpc::Slice> slices;
    if (!message.Dump(&slices).ok()) return;
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    const Head head = HeadOf(bytes);
    bytes_ += bytes.size();
    if (head.batches) last_ = head.last;
    if (head.snapshot) forget_ = false;
    epoch_ = head.epoch;
  }

  void Beat() {
    int64_t epoch = -1;
    for (size_t i = 0; !stop_;) {
      auto stub =
          rpc::BrokerLifecycle::NewStub(channels_[i % channels_.size()]);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::seconds(2));
      grpc::Status status;
      if (epoch < 0) {
        rpc::RegisterRequest request;
        request.set_cluster_id(options_.cluster_id);
        request.set_broker_id(id_);
        request.set_incarnation_id(incarnation_);
        request.add_directory_ids(RandomBytes(16));
        auto* endpoint = request.add_endpoints();
        endpoint->set_name("PLAINTEXT");
        endpoint->set_host("127.0.0.1");
        endpoint->set_port(9);
        request.set_previous_broker_epoch(-1);
        tidemark::WriteFeatures(tidemark::metadata::SupportedFeatures(),
                                request.mutable_features());
        rpc::RegisterResponse response;
        status = stub->Register(&context, request, &response);
        if (status.ok() && response.error().code() == 0) {
          epoch = response.broker_epoch();
        } else if (status.ok()) {
          std::fprintf(stderr, "broker %d: %s\n", id_,
                       response.error().message().c_str());
        }
      } else {
        rpc::HeartbeatRequest request;
        request.set_broker_id(id_);
        request.set_broker_epoch(epoch);
        request.set_metadata_offset(last_);
        tidemark::WriteFeatures(tidemark::metadata::SupportedFeatures(),
                                request.mutable_features());
        rpc::HeartbeatResponse response;
        status = stub->Heartbeat(&context, request, &response);
        if (status.ok()) unfenced_ = !response.fenced();
      }
      if (!status.ok()) ++i;
      std::this_thread::sleep_for(
          milliseconds(unfenced_ && status.ok() ? 500 : 50));
    }
  }

  const Options& options_;
  const int id_;
  const std::string incarnation_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  std::atomic<bool> stop_ = false, unfenced_ = false, forget_ = false;
  std::atomic<int64_t> last_ = 0, epoch_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::thread reader_, beater_;
};

template <class Done>
bool Await(double seconds, const Done& done) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!done()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

bool CreateTopics(admin::Admin::Stub& stub, int first, int count) {
  admin::CreateTopicsRequest request;
  request.set_request_id(RandomBytes(16));
  for (int i = first; i < first + count; ++i) {
    auto* topic = request.add_topics();
    topic->set_name("some.team.topic-" + std::to_string(i));
    topic->set_partitions(10);
    topic->set_replication_factor(3);
  }
  std::string why;
  // The same request: what was done is not done again.
  for (int tries = 0; tries < 50; ++tries) {
    admin::CreateTopicsResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(60));
    const grpc::Status status = stub.CreateTopics(&context, request, &response);
    if (status.ok() && response.topics_size() == count &&
        response.topics(0).code() == 0) {
      return true;
    }
    why = status.ok() && response.topics_size() > 0
              ? response.topics(0).message()
              : status.error_message();
    std::this_thread::sleep_for(milliseconds(20));
  }
  std::fprintf(stderr, "topics from %d on: %s\n", first, why.c_str());
  return false;
}

int64_t ActiveId(admin::Admin::Stub& stub) {
  admin::DescribeClusterResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  if (!stub.DescribeCluster(&context, {}, &response).ok()) return -1;
  return response.active_controller();
}

int Run(const Options& options, const std::vector<int>& ids) {
  auto admin_of = [&](size_t i) {
    return admin::Admin::NewStub(Connect(options.controllers[i]));
  };
  auto stub = admin_of(0);
  std::vector<std::unique_ptr<Broker>> brokers;
  for (int i = 0; i < options.brokers; ++i) {
    brokers.push_back(std::make_unique<Broker>(options, 1000 + i));
  }
  auto all = [&](const auto& what) {
    return std::all_of(brokers.begin(), brokers.end(),
                       [&](const auto& broker) { return what(*broker); });
  };
  if (!Await(60, [&] { return all([](Broker& b) { return b.unfenced(); }); })) {
    std::fprintf(stderr, "not all brokers were let in\n");
    return 1;
  }
  constexpr int kTopics = 100;
  const auto made = Clock::now();
  for (int first = 0; first * 10 < options.partitions; first += kTopics) {
    if (!CreateTopics(*stub, first, kTopics)) {
      std::fprintf(stderr, "topics from %d on were not made\n", first);
      return 1;
    }
  }
  const double making = Seconds(Clock::now() - made);
  const int64_t active = ActiveId(*stub);
  size_t victim = 0;
  while (victim < ids.size() && ids[victim] != active) ++victim;
  if (victim == ids.size()) return std::fputs("nobody leads\n", stderr), 1;
  // What the leader had sent all brokers have.
  Await(60, [&] {
    return all([&](Broker& b) { return b.last() == brokers[0]->last(); });
  });
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const int64_t before = brokers[0]->epoch();
  if (options.from_nothing) {
    for (auto& broker : brokers) broker->ForgetAll();
  }
  auto other = admin_of((victim + 1) % ids.size());
  ActiveId(*other);  // connected
  const auto began = Clock::now();
  kill(options.pids[victim], SIGKILL);
  std::thread feeds([&] {
    Await(300,
          [&] { return all([&](Broker& b) { return b.epoch() > before; }); });
    const double heard = Seconds(Clock::now() - began);
    Await(300, [&] {
      return all([&](Broker& b) {
        return b.epoch() > before && b.last() > 0 &&
               (!options.from_nothing || b.bytes() > 1'000'000);
      });
    });
    std::printf("\"all_hear_s\": %.3f, \"all_have_all_s\": %.3f, ", heard,
                Seconds(Clock::now() - began));
  });
  double first = -1, longest = 0;
  for (int i = 0; i < 40; ++i) {
    const auto asked = Clock::now();
    const bool ok = CreateTopics(*other, 10'000'000 + i, 1);
    if (first < 0 && ok) first = Seconds(Clock::now() - began);
    if (i > 0) longest = std::max(longest, Seconds(Clock::now() - asked));
    std::this_thread::sleep_for(milliseconds(50));
  }
  feeds.join();
  std::printf(
      "\"partitions\": %d, \"brokers\": %d, \"from_nothing\": %s, "
      "\"making_s\": %.1f, \"first_accepted_s\": %.3f, "
      "\"longest_after_s\": %.3f}\n",
      options.partitions, options.brokers,
      options.from_nothing ? "true" : "false", making, first, longest);
  return first < 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A failover while many brokers subscribe anew");
  Options options;
  std::vector<int> ids;
  app.add_option("--controllers", options.controllers, "host:port of each")
      ->required();
  app.add_option("--ids", ids, "of the same")->required();
  app.add_option("--pids", options.pids, "of the same: the active is killed")
      ->required();
  app.add_option("--cluster-id", options.cluster_id)->required();
  app.add_option("--brokers", options.brokers);
  app.add_option("--partitions", options.partitions);
  app.add_flag("--from-nothing", options.from_nothing,
               "the brokers have forgotten what they had");
  CLI11_PARSE(app, argc, argv);
  std::printf("{");
  return Run(options, ids);
}
