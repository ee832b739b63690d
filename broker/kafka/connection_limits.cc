#include "broker/kafka/connection_limits.h"

#include <algorithm>

namespace tidemark::server {

int64_t ConnectionLimits::WithinDescriptors(size_t descriptors) {
  const size_t reserve = std::max<size_t>(descriptors / 4, 128);
  return descriptors > reserve ? static_cast<int64_t>(descriptors - reserve)
                               : 1;
}

tl::expected<ConnectionLimits::Slot, std::string> ConnectionLimits::Admit(
    std::string address) {
  std::lock_guard lock(mutex_);
  if (open_ >= all_) {
    return tl::unexpected("max.connections=" + std::to_string(all_));
  }
  int64_t& from_there = from_address_[address];
  if (from_there >= per_address_) {
    if (from_there == 0) from_address_.erase(address);
    return tl::unexpected("max.connections.per.ip=" +
                          std::to_string(per_address_));
  }
  ++open_;
  ++from_there;
  return Slot(this, std::move(address));
}

void ConnectionLimits::SetLimits(int64_t all, int64_t per_address) {
  std::lock_guard lock(mutex_);
  all_ = all;
  per_address_ = per_address;
}

int64_t ConnectionLimits::all() const {
  std::lock_guard lock(mutex_);
  return all_;
}

void ConnectionLimits::Release(const std::string& address) {
  std::lock_guard lock(mutex_);
  --open_;
  const auto found = from_address_.find(address);
  if (--found->second == 0) from_address_.erase(found);
}

}  // namespace tidemark::server
