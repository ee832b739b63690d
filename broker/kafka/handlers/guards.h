#pragma once

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/kafka/rights.h"

// What stands in front of a handler where there is an authorizer: as a handler,
// with `context.rights`. A guard asks for what Kafka asks for (KafkaApis,
// ControllerApis), gives the handler as much of the request as is allowed, and
// adds to its answer what is said of the rest, or takes out of it what the
// client may not see. Who may not describe something hears the same of it
// whether it is there or not.
#define TM_GUARD(Name)                                                   \
  namespace tidemark::server {                                           \
  void Guard##Name(RequestContext context, kafka::Name##Request request, \
                   Reply<kafka::Name##Response> reply);                  \
  }

TM_GUARD(AddOffsetsToTxn)
TM_GUARD(AddPartitionsToTxn)
TM_GUARD(AlterConfigs)
TM_GUARD(AlterPartitionReassignments)
TM_GUARD(AlterReplicaLogDirs)
TM_GUARD(AlterUserScramCredentials)
TM_GUARD(CreateAcls)
TM_GUARD(CreatePartitions)
TM_GUARD(CreateTopics)
TM_GUARD(DeleteAcls)
TM_GUARD(DeleteGroups)
TM_GUARD(DeleteRecords)
TM_GUARD(DeleteTopics)
TM_GUARD(DescribeCluster)
TM_GUARD(DescribeConfigs)
TM_GUARD(DescribeGroups)
TM_GUARD(DescribeProducers)
TM_GUARD(DescribeTopicPartitions)
TM_GUARD(DescribeTransactions)
TM_GUARD(ElectLeaders)
TM_GUARD(EndTxn)
TM_GUARD(Fetch)
TM_GUARD(FindCoordinator)
TM_GUARD(Heartbeat)
TM_GUARD(IncrementalAlterConfigs)
TM_GUARD(InitProducerId)
TM_GUARD(JoinGroup)
TM_GUARD(LeaveGroup)
TM_GUARD(ListGroups)
TM_GUARD(ListOffsets)
TM_GUARD(ListTransactions)
TM_GUARD(Metadata)
TM_GUARD(OffsetCommit)
TM_GUARD(OffsetDelete)
TM_GUARD(OffsetFetch)
TM_GUARD(OffsetForLeaderEpoch)
TM_GUARD(Produce)
TM_GUARD(SyncGroup)
TM_GUARD(TxnOffsetCommit)
TM_GUARD(WriteTxnMarkers)

#undef TM_GUARD

namespace tidemark::server {

inline constexpr ErrorCode kNotThisTopic = ErrorCode::kTopicAuthorizationFailed;
inline constexpr ErrorCode kNotThisGroup = ErrorCode::kGroupAuthorizationFailed;
inline constexpr ErrorCode kNotThisCluster =
    ErrorCode::kClusterAuthorizationFailed;
inline constexpr ErrorCode kNotThisTransaction =
    ErrorCode::kTransactionalIdAuthorizationFailed;

// Takes out of `all` what `may` does not agree to.
template <class T, class May>
std::vector<T> TakeDenied(std::vector<T>* all, const May& may) {
  const auto denied = std::stable_partition(all->begin(), all->end(), may);
  std::vector<T> out(std::make_move_iterator(denied),
                     std::make_move_iterator(all->end()));
  all->erase(denied, all->end());
  return out;
}

// Hands on to `handler` what `may` agrees to of the request's `asked`; what it
// does not is answered by `refuse`, among `answers`. When nothing is left the
// handler is not asked.
template <class Request, class Response, class Asked, class Answered, class May,
          class Refuse>
void PassAllowed(void (*handler)(RequestContext, Request, Reply<Response>),
                 RequestContext context, Request request, Reply<Response> reply,
                 std::vector<Asked> Request::*asked,
                 std::vector<Answered> Response::*answers, const May& may,
                 const Refuse& refuse) {
  std::vector<Answered> refused;
  for (const Asked& one : TakeDenied(&(request.*asked), may)) {
    refused.push_back(refuse(one));
  }
  if (refused.empty()) {
    return handler(std::move(context), std::move(request), std::move(reply));
  }
  auto merged = [reply = std::move(reply), answers,
                 refused = std::move(refused)](Response response) {
    auto& all = response.*answers;
    all.insert(all.end(), refused.begin(), refused.end());
    reply(std::move(response));
  };
  if ((request.*asked).empty()) return merged(Response());
  handler(std::move(context), std::move(request), std::move(merged));
}

// The same with everything refused.
template <class Asked, class Answered, class Refuse>
void RefuseAll(const std::vector<Asked>& asked, std::vector<Answered>* answers,
               const Refuse& refuse) {
  for (const Asked& one : asked) answers->push_back(refuse(one));
}

// A topic may be created by who may create in the cluster, or this one.
inline bool MayCreate(const Rights& rights, const std::string& topic) {
  return rights.MayCluster(AclOperation::kCreate, Rights::Audit::kIfAllowed) ||
         rights.MayTopic(AclOperation::kCreate, topic);
}

}  // namespace tidemark::server
