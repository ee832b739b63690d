#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/cancellation.h"
#include "common/base/clock.h"
#include "common/base/error_code.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/memory_budget.h"
#include "common/base/shared_bytes.h"

namespace tidemark {
class BrokerConfig;
class ControllerClient;
class ImageHolder;
namespace replication {
class ReplicaManager;
class FetchService;
}  // namespace replication
namespace authorization {
class Authorizer;
}
namespace coordinator {
class GroupCoordinator;
class TransactionCoordinator;
class TransactionVerifier;
}  // namespace coordinator
}  // namespace tidemark

namespace tidemark::server {

class AuditLog;
class ClientTelemetry;
class ProducerIdAllocator;
class Rights;

// What a client says of its software when it connects (KIP-511).
struct ClientSoftware {
  std::string name, version;
  uint16_t port = 0;  // that it connects from
};

// A log directory of this broker.
struct LogDirectoryState {
  std::string path;
  std::string offline;       // why it cannot be used; "": it can
  int64_t total_bytes = -1;  // of its file system; -1: not known
  int64_t usable_bytes = -1;
};

// A replica that moves to another log directory.
struct FutureReplica {
  TopicPartition partition;
  std::string directory;
  int64_t bytes = 0;
  Offset end = 0;
};

// What handlers work with; wired by broker/server, alive as long as any
// request. Pointers are never null, but those of transactions where there are
// none, and where it says so.
struct Services {
  std::string cluster_id;
  const BrokerConfig* config = nullptr;
  ImageHolder* metadata = nullptr;
  ControllerClient* controller = nullptr;
  replication::ReplicaManager* replicas = nullptr;
  replication::FetchService* fetch = nullptr;
  coordinator::GroupCoordinator* groups = nullptr;
  coordinator::TransactionCoordinator* transactions = nullptr;
  coordinator::TransactionVerifier* verifier = nullptr;
  ProducerIdAllocator* producer_ids = nullptr;
  ClientTelemetry* telemetry = nullptr;
  // Null: everybody may do everything.
  const authorization::Authorizer* authorizer = nullptr;
  AuditLog* audit = nullptr;  // null: nothing is written
  // Any thread; asks the file systems.
  std::function<std::vector<LogDirectoryState>()> log_directories;
  // replication::ReplicaMover. Any thread; none: replicas stay where they are.
  std::function<void(std::vector<std::pair<TopicPartition, std::string>> wanted,
                     std::function<void(std::vector<ErrorCode>)> done)>
      move_replicas;
  std::function<std::vector<FutureReplica>()> future_replicas;
};

// One request and where it came from. Copy it into callbacks freely.
struct RequestContext {
  int16_t api_key = 0;
  int16_t version = 0;
  int32_t correlation_id = 0;
  std::string client_id;    // "" when null
  std::string client_host;  // "/127.0.0.1", as Kafka prints it
  std::string listener;     // the listener's name, e.g. PLAINTEXT
  // Who asks, as Kafka writes it. Nobody has to say yet.
  std::string principal = "User:ANONYMOUS";
  uint64_t connection_id = 0;
  // Of the connection; on its executor. nullptr: nobody has a connection.
  std::shared_ptr<ClientSoftware> software;
  Executor* executor = nullptr;  // the connection's shard; handlers start there
  Instant received;
  // Of the connection; on its executor.
  std::shared_ptr<Cancellation> cancellation;
  // What the answer takes of the broker's memory; null: nobody counts. On the
  // executor only.
  std::shared_ptr<MemoryBudget::Lease> memory;
  SharedBytes frame;  // keeps spans of the decoded request alive
  const Services* services = nullptr;
  // What the principal may do; null: everything, nobody authorizes.
  std::shared_ptr<const Rights> rights;
};

// Answers one request, from any thread, once. Dropping it unanswered closes
// the connection, which is also how a handler reports that Kafka would close.
template <class Response>
using Reply = std::function<void(Response)>;

// A handler is a free function in handlers/<api>.cc:
//   void HandleMetadata(RequestContext context, kafka::MetadataRequest request,
//                       Reply<kafka::MetadataResponse> reply);
// handlers/table.cc lists them, and ApiVersions is generated from that list.
// The answer to acks=0 produce is suppressed by the dispatcher.

}  // namespace tidemark::server
