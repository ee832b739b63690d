#pragma once

#include <map>
#include <string>

#include "common/sasl/mechanism.h"

namespace tidemark::sasl {

// Users and their passwords, of which only digests are kept.
class PlainUsers {
 public:
  void Add(const std::string& user, std::string_view password);
  // Takes as long for whom there is not.
  bool Check(const std::string& user, std::string_view password) const;
  bool empty() const { return digests_.empty(); }

 private:
  std::map<std::string, std::string> digests_;
};

// PLAIN (RFC 4616), with Kafka's refusals.
class Plain final : public Exchange {
 public:
  // `users` outlives it.
  explicit Plain(const PlainUsers& users) : users_(users) {}
  tl::expected<std::string, Refusal> Evaluate(
      std::string_view message) override;

 private:
  const PlainUsers& users_;
};

}  // namespace tidemark::sasl
