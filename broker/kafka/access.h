#pragma once

#include <cstdint>

namespace tidemark::server {

// What an API touches, what it does there, and which quota its time or bytes
// count against, by Kafka's names (KIP-11, KIP-13, KIP-124, KIP-599). Stated
// with every row of the handler table, so that no API can be forgotten by
// whoever checks rights or throttles; nobody does yet.
enum class Resource : uint8_t {
  kNone,
  kCluster,
  kTopic,
  kGroup,
  kTransactionalId,
};

enum class Operation : uint8_t {
  kNone,
  kRead,
  kWrite,
  kCreate,
  kDelete,
  kAlter,
  kDescribe,
  kDescribeConfigs,
  kAlterConfigs,
  kIdempotentWrite,
  kClusterAction,
};

enum class QuotaClass : uint8_t {
  kExempt,  // asked before anything is known of the client
  kRequest,
  kProduce,
  kFetch,
  kControllerMutation,
};

// Of each resource a request names; where there are several kinds, the first
// that Kafka asks for.
struct Access {
  Resource resource = Resource::kNone;
  Operation operation = Operation::kNone;
  QuotaClass quota = QuotaClass::kRequest;
};

}  // namespace tidemark::server
