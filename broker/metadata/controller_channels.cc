#include "broker/metadata/controller_channels.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/rpc/channel.h"

namespace tidemark {
namespace {

// A controller that keeps naming new addresses is not one.
constexpr size_t kMostPeers = 32;

}  // namespace

std::string ActiveHint(std::string_view message) {
  constexpr std::string_view kMark = "active=";
  const size_t mark = message.find(kMark);
  if (mark == std::string_view::npos) return {};
  std::string_view rest = message.substr(mark + kMark.size());
  rest = rest.substr(0, rest.find_first_of(" \t\n,;)\""));
  const size_t at = rest.find('@');
  if (at == std::string_view::npos) return {};
  rest = rest.substr(at + 1);
  return rest.find(':') == std::string_view::npos ? "" : std::string(rest);
}

ControllerChannels::ControllerChannels(std::vector<std::string> addresses,
                                       ConnectController connect)
    : connect_(std::move(connect)),
      addresses_(std::move(addresses)),
      peers_(addresses_.size()) {}

ControllerChannels::ControllerChannels(std::vector<std::string> addresses,
                                       rpc::SecurityPtr security)
    : security_(std::move(security)),
      connect_([security = security_.get()](const std::string& address) {
        return ConnectByGrpc(address, security);
      }),
      addresses_(std::move(addresses)),
      peers_(addresses_.size()) {}

std::shared_ptr<ControllerPeer> ControllerChannels::Current() {
  std::lock_guard lock(mutex_);
  const uint64_t now = security_ == nullptr ? 0 : security_->generation();
  if (std::exchange(generation_, now) != now) {
    for (auto& peer : peers_) peer.reset();
  }
  auto& peer = peers_[current_];
  if (peer == nullptr) peer = connect_(addresses_[current_]);
  return peer;
}

void ControllerChannels::Failed(const ControllerPeer& peer,
                                std::string_view message) {
  const std::string hint = ActiveHint(message);
  const std::string unverified = rpc::FailedHandshake(std::string(message));
  std::lock_guard lock(mutex_);
  if (!unverified.empty() &&
      std::exchange(unverified_, unverified) != unverified) {
    LOG(WARNING) << "controller cannot be spoken to by TLS address="
                 << peer.address << " error=\"" << unverified << '"';
  }
  if (!reached_ && peer.retry_now) peer.retry_now();
  const bool was_current = addresses_[current_] == peer.address;
  if (!hint.empty() && hint != peer.address) {
    const auto found = std::ranges::find(addresses_, hint);
    if (found != addresses_.end()) {
      current_ = static_cast<size_t>(found - addresses_.begin());
      return;
    }
    if (addresses_.size() < kMostPeers) {
      addresses_.push_back(hint);
      peers_.emplace_back();
      current_ = addresses_.size() - 1;
      return;
    }
  }
  if (was_current) current_ = (current_ + 1) % addresses_.size();
}

size_t ControllerChannels::count() {
  std::lock_guard lock(mutex_);
  return addresses_.size();
}

void ControllerChannels::Reached() {
  std::lock_guard lock(mutex_);
  reached_ = true;
}

bool ControllerChannels::reached() {
  std::lock_guard lock(mutex_);
  return reached_;
}

std::shared_ptr<void> ControllerChannels::Begin(
    std::shared_ptr<grpc::ClientContext> context) {
  std::lock_guard lock(mutex_);
  if (closed_) return nullptr;
  const uint64_t call = ++last_call_;
  calls_.emplace(call, std::move(context));
  return {this, [self = shared_from_this(), call](void*) { self->End(call); }};
}

void ControllerChannels::End(uint64_t call) {
  std::lock_guard lock(mutex_);
  calls_.erase(call);
  ended_.notify_all();
}

void ControllerChannels::Close() {
  std::vector<std::shared_ptr<grpc::ClientContext>> under_way;
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (const auto& [call, context] : calls_) {
    if (auto held = context.lock()) under_way.push_back(std::move(held));
  }
  // gRPC may run a callback within TryCancel, and that ends its call.
  lock.unlock();
  for (const auto& context : under_way) context->TryCancel();
  under_way.clear();
  lock.lock();
  ended_.wait(lock, [this] { return calls_.empty(); });
}

bool ControllerChannels::closed() {
  std::lock_guard lock(mutex_);
  return closed_;
}

std::shared_ptr<ControllerPeer> ConnectByGrpc(const std::string& address,
                                              const rpc::Security* security) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  rpc::SetLimitOfAttempt(security, 20, &arguments);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1);
  auto channel = grpc::CreateCustomChannel(
      address, rpc::CredentialsTo(security, rpc::HostOf(address), kNoNode),
      arguments);
  auto peer = std::make_shared<ControllerPeer>();
  peer->address = address;
  peer->lifecycle = controller::v1::BrokerLifecycle::NewStub(channel);
  peer->admin = admin::v1::Admin::NewStub(channel);
  // gRPC itself waits 100 ms or more after a refused connection.
  peer->retry_now = [channel] {
    grpc::experimental::ChannelResetConnectionBackoff(channel.get());
  };
  return peer;
}

}  // namespace tidemark
