#pragma once

#include <functional>

#include "common/base/result.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;
namespace rpc_v1 = tidemark::controller::v1;

// How the controller serves a call.
enum class Serving : uint8_t {
  kDecide,      // decided on, committed, answered
  kDecideOnce,  // the same, once only under its request id (C-26)
  kDescribe,    // read from what is committed, behind a read barrier
  kQuorum,      // not about the metadata: quorum_calls.cc
};

// The calls, one line each. To add one: its messages, a Decide or Describe for
// them (controller/metadata), a line here.
#define TM_BROKER_CALLS(CALL)   \
  CALL(Register, kDecide)       \
  CALL(Heartbeat, kDecide)      \
  CALL(AlterPartition, kDecide) \
  CALL(AssignReplicas, kDecide) \
  CALL(AllocateProducerIds, kDecide)
#define TM_ADMIN_CALLS(CALL)                     \
  CALL(CreateTopics, kDecideOnce)                \
  CALL(DeleteTopics, kDecideOnce)                \
  CALL(CreatePartitions, kDecideOnce)            \
  CALL(AlterConfigs, kDecideOnce)                \
  CALL(ElectLeaders, kDecideOnce)                \
  CALL(AlterPartitionReassignments, kDecideOnce) \
  CALL(ListPartitionReassignments, kDescribe)    \
  CALL(UnregisterBroker, kDecideOnce)            \
  CALL(CreateAcls, kDecideOnce)                  \
  CALL(DeleteAcls, kDecideOnce)                  \
  CALL(DescribeAcls, kDescribe)                  \
  CALL(DescribeTopics, kDescribe)                \
  CALL(DescribeConfigs, kDescribe)               \
  CALL(DescribeCluster, kDescribe)               \
  CALL(ListConfigResources, kDescribe)           \
  CALL(AlterScramCredentials, kDecideOnce)       \
  CALL(DescribeScramCredentials, kDescribe)      \
  CALL(UpdateFeatures, kDecideOnce)              \
  CALL(DescribeFeatures, kDescribe)              \
  CALL(DescribeQuorum, kQuorum)                  \
  CALL(ChangeQuorum, kQuorum)

template <class Request>
struct CallOf;
#define TM_CALL(Package, Name, How)                   \
  template <>                                         \
  struct CallOf<Package::Name##Request> {             \
    using Response = Package::Name##Response;         \
    static constexpr Serving kServing = Serving::How; \
  };
#define TM_BROKER_CALL(Name, How) TM_CALL(rpc_v1, Name, How)
#define TM_ADMIN_CALL(Name, How) TM_CALL(admin_v1, Name, How)
TM_BROKER_CALLS(TM_BROKER_CALL)
TM_ADMIN_CALLS(TM_ADMIN_CALL)
#undef TM_ADMIN_CALL
#undef TM_BROKER_CALL
#undef TM_CALL

template <class Request>
using ResponseTo = typename CallOf<Request>::Response;

template <class Response>
using Reply = std::function<void(Result<Response>)>;

}  // namespace tidemark::controller
