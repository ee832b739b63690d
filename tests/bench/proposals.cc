// Small changes, one after the other by each of some clients, to the active
// controller or to etcd: how many a second, and how long each takes. By hand:
//   tidemark-proposals --help
// tests/bench/quorum.py starts both and compares them.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "proto/admin.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;
using tidemark::admin::v1::Admin;
using tidemark::admin::v1::AlterConfigsRequest;
using tidemark::admin::v1::AlterConfigsResponse;

// Makes the n-th change of a client; false when it was refused.
using Change = std::function<bool(uint64_t n)>;

std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  // One connection each, as etcd's own benchmark has with --conns=--clients.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// One setting of all brokers: the smallest thing that is decided, replicated
// and applied.
Change OfTidemark(const std::string& endpoint) {
  std::shared_ptr<Admin::Stub> stub = Admin::NewStub(Connect(endpoint));
  return [stub, random = std::mt19937_64(std::random_device()())](
             uint64_t n) mutable {
    AlterConfigsRequest request;
    auto* resource = request.add_resources();
    resource->mutable_resource()->set_type(4);
    auto* change = resource->add_changes();
    change->set_key("log.retention.ms");
    change->set_value(std::to_string(100'000'000'000 + n));
    std::string id;
    for (int i = 0; i < 2; ++i) {
      const uint64_t word = random() | 1;
      id.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    request.set_request_id(id);
    AlterConfigsResponse response;
    grpc::ClientContext context;
    return stub->AlterConfigs(&context, request, &response).ok() &&
           response.resources_size() == 1 && response.resources(0).code() == 0;
  };
}

// etcd's PutRequest: bytes key = 1, bytes value = 2.
grpc::ByteBuffer Put(const std::string& key, const std::string& value) {
  std::string bytes;
  bytes += '\x0a';
  bytes += static_cast<char>(key.size());
  bytes += key;
  bytes += '\x12';
  bytes += static_cast<char>(value.size());
  bytes += value;
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

Change OfEtcd(const std::string& endpoint) {
  auto stub = std::make_shared<grpc::GenericStub>(Connect(endpoint));
  return [stub](uint64_t n) {
    const grpc::ByteBuffer request =
        Put("log.retention.ms", std::to_string(100'000'000'000 + n));
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    std::promise<bool> ok;
    stub->UnaryCall(
        &context, "/etcdserverpb.KV/Put", {}, &request, &response,
        [&ok](const grpc::Status& status) { ok.set_value(status.ok()); });
    return ok.get_future().get();
  };
}

struct Outcome {
  std::vector<double> us;
  uint64_t refused = 0;
};

Outcome RunClient(Change change, uint64_t first, Clock::time_point from,
                  Clock::time_point until) {
  Outcome out;
  for (uint64_t n = first;; n += 1000) {
    const auto began = Clock::now();
    if (began >= until) return out;
    const bool ok = change(n);
    const std::chrono::duration<double, std::micro> took = Clock::now() - began;
    if (began < from) continue;
    if (ok) {
      out.us.push_back(took.count());
    } else {
      ++out.refused;
    }
  }
}

double At(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(part *
                                    static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Small changes to a quorum, measured");
  std::string system = "tidemark", endpoint;
  int clients = 1;
  double seconds = 5;
  app.add_option("--system", system, "tidemark or etcd")
      ->check(CLI::IsMember({"tidemark", "etcd"}));
  app.add_option("--endpoint", endpoint, "host:port of the leader")->required();
  app.add_option("--clients", clients, "each with a connection of its own")
      ->check(CLI::Range(1, 512));
  app.add_option("--seconds", seconds, "after one that does not count");
  CLI11_PARSE(app, argc, argv);

  const auto from = Clock::now() + std::chrono::seconds(1);
  const auto until = from + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(seconds));
  std::vector<std::future<Outcome>> running;
  for (int i = 0; i < clients; ++i) {
    running.push_back(std::async(std::launch::async, [&, i] {
      Change change =
          system == "etcd" ? OfEtcd(endpoint) : OfTidemark(endpoint);
      return RunClient(std::move(change), static_cast<uint64_t>(i), from,
                       until);
    }));
  }
  std::vector<double> all;
  uint64_t refused = 0;
  for (auto& each : running) {
    Outcome out = each.get();
    all.insert(all.end(), out.us.begin(), out.us.end());
    refused += out.refused;
  }
  std::sort(all.begin(), all.end());
  std::printf(
      "{\"changes\": %zu, \"refused\": %llu, \"per_second\": %.0f, "
      "\"p50_us\": %.0f, \"p99_us\": %.0f}\n",
      all.size(), static_cast<unsigned long long>(refused),
      static_cast<double>(all.size()) / seconds, At(all, 0.5), At(all, 0.99));
  return all.empty() ? 1 : 0;
}
