#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/metadata/controller_channels.h"
#include "proto/admin.grpc.pb.h"
#include "proto/controller.grpc.pb.h"

namespace tidemark {

// A queue that a test waits on, a few seconds at most.
template <class T>
class Channel {
 public:
  void Push(T value) {
    std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }
  std::optional<T> Pop(
      std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    return PopIf(limit, [] { return true; });
  }
  // Takes nothing while `mine` is false.
  template <class Mine>
  std::optional<T> PopIf(std::chrono::milliseconds limit, Mine mine) {
    std::unique_lock lock(mutex_);
    auto there = [&] { return !values_.empty() && mine(); };
    changed_.wait_for(lock, limit, [&] { return there() || closed_; });
    if (!there()) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
  bool closed_ = false;
};

// The channels of a test. Those of the first are kept for ever, and with them
// the threads that gRPC calls back on: they would end with the last channel,
// and begin with the next test, which gRPC 1.51 does not always survive. A
// broker keeps its channels.
inline std::shared_ptr<ControllerChannels> MakeChannels(
    std::vector<std::string> addresses) {
  auto channels = std::make_shared<ControllerChannels>(std::move(addresses));
  static auto* const kept = new std::shared_ptr<ControllerChannels>(channels);
  (void)kept;
  return channels;
}

// A controller that does what the test says.
class FakeControllerServer final
    : public controller::v1::BrokerLifecycle::Service,
      public admin::v1::Admin::Service {
 public:
  FakeControllerServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(
        static_cast<controller::v1::BrokerLifecycle::Service*>(this));
    builder.RegisterService(static_cast<admin::v1::Admin::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  ~FakeControllerServer() { Stop(); }

  void Stop() {
    if (server_ == nullptr) return;
    stopping_ = true;
    to_feed.Close();
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status Register(grpc::ServerContext*,
                        const controller::v1::RegisterRequest* request,
                        controller::v1::RegisterResponse* response) override {
    if (!standby.empty()) return NotActive();
    registrations.Push(*request);
    if (auto error = register_errors.Pop(std::chrono::milliseconds(0))) {
      response->mutable_error()->set_code(*error);
    }
    response->set_broker_epoch(++epoch);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*,
                         const controller::v1::HeartbeatRequest* request,
                         controller::v1::HeartbeatResponse* response) override {
    if (!standby.empty()) return NotActive();
    if (auto error = heartbeat_errors.Pop(std::chrono::milliseconds(0))) {
      response->mutable_error()->set_code(*error);
      return grpc::Status::OK;
    }
    response->set_fenced(request->want_fence());
    response->set_should_shut_down(request->want_shut_down());
    heartbeats.Push(*request);
    return grpc::Status::OK;
  }
  grpc::Status Subscribe(
      grpc::ServerContext* context,
      const controller::v1::SubscribeRequest* request,
      grpc::ServerWriter<controller::v1::FeedMessage>* writer) override {
    if (!standby.empty()) return NotActive();
    const int self = ++newest_subscription_;
    subscriptions.Push(*request);
    // What is to be fed is for the newest subscriber, also when the end of
    // the one before has not been noticed yet.
    while (!context->IsCancelled() && !stopping_) {
      auto message = to_feed.PopIf(std::chrono::milliseconds(20), [&] {
        return newest_subscription_ == self;
      });
      if (message) writer->Write(*message);
    }
    return grpc::Status::CANCELLED;
  }
  grpc::Status CreateTopics(grpc::ServerContext* context,
                            const admin::v1::CreateTopicsRequest*,
                            admin::v1::CreateTopicsResponse*) override {
    if (!standby.empty()) return NotActive();
    creations.Push(true);
    while (slow && !context->IsCancelled() && !stopping_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    context->AddTrailingMetadata("kafka-error-code", "44");
    return {grpc::StatusCode::FAILED_PRECONDITION, "because"};
  }

  // Set before use: not active, with this hint ("?": none).
  std::string standby;
  bool slow = false;  // topics are not created before the caller gives up
  int64_t epoch = 100;
  Channel<int> register_errors, heartbeat_errors;
  Channel<controller::v1::RegisterRequest> registrations;
  Channel<controller::v1::HeartbeatRequest> heartbeats;
  Channel<controller::v1::SubscribeRequest> subscriptions;
  Channel<controller::v1::FeedMessage> to_feed;
  Channel<bool> creations;

 private:
  grpc::Status NotActive() const {
    return {grpc::StatusCode::UNAVAILABLE,
            standby == "?" ? "not active" : "not active; active=" + standby};
  }
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> newest_subscription_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tidemark
