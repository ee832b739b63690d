#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace tidemark::server {

// How many connections may be open, all listeners together and from one
// address (max.connections, max.connections.per.ip). Any thread.
class ConnectionLimits {
 public:
  // What of `descriptors`, the process's limit of open files, connections may
  // take at most: a quarter, and 128 at least, stays for logs, so that clients
  // cannot take the disk away.
  static int64_t WithinDescriptors(size_t descriptors);

  ConnectionLimits(int64_t all, int64_t per_address)
      : all_(all), per_address_(per_address) {}

  // One connection that counts, as long as it lives.
  class Slot {
   public:
    Slot(Slot&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)),
          address_(std::move(other.address_)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (limits_ != nullptr) limits_->Release(address_);
    }
    const std::string& address() const { return address_; }

   private:
    friend class ConnectionLimits;
    Slot(ConnectionLimits* limits, std::string address)
        : limits_(limits), address_(std::move(address)) {}
    ConnectionLimits* limits_;
    std::string address_;
  };

  // The error is for the log: the setting that forbids it, and its value.
  tl::expected<Slot, std::string> Admit(std::string address);

  // Connections that are open stay, however many they are.
  void SetLimits(int64_t all, int64_t per_address);
  int64_t all() const;

 private:
  void Release(const std::string& address);

  mutable std::mutex mutex_;  // of what follows
  int64_t all_;
  int64_t per_address_;
  int64_t open_ = 0;
  std::map<std::string, int64_t> from_address_;
};

}  // namespace tidemark::server
