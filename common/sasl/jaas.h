#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace tidemark::sasl {

// One login module of a sasl.jaas.config.
struct LoginModule {
  std::string name;  // org.apache.kafka.common.security.plain.PlainLoginModule
  std::map<std::string, std::string> options;
};

// Parses what Kafka's sasl.jaas.config holds:
//
//   org.apache...PlainLoginModule required user_alice="secret" user_bob='x';
//
// Several modules follow each other. Error kInvalidConfig: where it is not one,
// without a value of it.
Result<std::vector<LoginModule>> ParseJaas(std::string_view text);

}  // namespace tidemark::sasl
