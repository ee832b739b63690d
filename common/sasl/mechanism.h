#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tidemark::sasl {

// Why somebody is not let in.
struct Refusal {
  std::string why;  // without secrets; for the log
  // Kafka tells the client as well. Of everything else it hears only that it
  // failed: why may say which users there are.
  bool for_client = false;
  bool operator==(const Refusal&) const = default;
};

inline tl::unexpected<Refusal> Refuse(std::string why) {
  return tl::unexpected(Refusal{std::move(why), false});
}
inline tl::unexpected<Refusal> RefuseOpenly(std::string why) {
  return tl::unexpected(Refusal{std::move(why), true});
}

// The server's side of one authentication (RFC 4422): what the client says
// goes in, what is answered comes out. Used by one thread at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // After a refusal, and once complete, of no further use.
  virtual tl::expected<std::string, Refusal> Evaluate(
      std::string_view message) = 0;

  // The client is who it says it is, once the last answer is given.
  bool complete() const { return complete_; }
  // REQUIRES: complete.
  const std::string& user() const { return user_; }

 protected:
  std::string user_;
  bool complete_ = false;
};

// Longer names are nobody's.
inline constexpr size_t kMaxUser = 1024;

}  // namespace tidemark::sasl
