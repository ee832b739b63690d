#pragma once

#include "broker/kafka/handler.h"

// Every handler, by name; each is defined in the file of its API.
#define TM_HANDLER(Name)                                                  \
  namespace tidemark::kafka {                                             \
  struct Name##Request;                                                   \
  struct Name##Response;                                                  \
  }                                                                       \
  namespace tidemark::server {                                            \
  void Handle##Name(RequestContext context, kafka::Name##Request request, \
                    Reply<kafka::Name##Response> reply);                  \
  }

TM_HANDLER(AddOffsetsToTxn)
TM_HANDLER(AddPartitionsToTxn)
TM_HANDLER(AddRaftVoter)
TM_HANDLER(AlterConfigs)
TM_HANDLER(AlterPartitionReassignments)
TM_HANDLER(AlterUserScramCredentials)
TM_HANDLER(ApiVersions)
TM_HANDLER(CreateAcls)
TM_HANDLER(CreatePartitions)
TM_HANDLER(CreateTopics)
TM_HANDLER(DeleteAcls)
TM_HANDLER(DeleteGroups)
TM_HANDLER(DeleteRecords)
TM_HANDLER(DeleteTopics)
TM_HANDLER(DescribeAcls)
TM_HANDLER(DescribeClientQuotas)
TM_HANDLER(DescribeCluster)
TM_HANDLER(DescribeConfigs)
TM_HANDLER(DescribeGroups)
TM_HANDLER(AlterReplicaLogDirs)
TM_HANDLER(DescribeLogDirs)
TM_HANDLER(DescribeProducers)
TM_HANDLER(DescribeQuorum)
TM_HANDLER(DescribeTopicPartitions)
TM_HANDLER(DescribeTransactions)
TM_HANDLER(DescribeUserScramCredentials)
TM_HANDLER(ElectLeaders)
TM_HANDLER(EndTxn)
TM_HANDLER(Fetch)
TM_HANDLER(FindCoordinator)
TM_HANDLER(Heartbeat)
TM_HANDLER(IncrementalAlterConfigs)
TM_HANDLER(InitProducerId)
TM_HANDLER(JoinGroup)
TM_HANDLER(LeaveGroup)
TM_HANDLER(GetTelemetrySubscriptions)
TM_HANDLER(PushTelemetry)
TM_HANDLER(ListConfigResources)
TM_HANDLER(ListGroups)
TM_HANDLER(ListOffsets)
TM_HANDLER(ListPartitionReassignments)
TM_HANDLER(ListTransactions)
TM_HANDLER(Metadata)
TM_HANDLER(OffsetCommit)
TM_HANDLER(OffsetDelete)
TM_HANDLER(OffsetFetch)
TM_HANDLER(OffsetForLeaderEpoch)
TM_HANDLER(Produce)
TM_HANDLER(RemoveRaftVoter)
TM_HANDLER(SaslAuthenticate)
TM_HANDLER(SaslHandshake)
TM_HANDLER(SyncGroup)
TM_HANDLER(TxnOffsetCommit)
TM_HANDLER(UnregisterBroker)
TM_HANDLER(UpdateFeatures)
TM_HANDLER(WriteTxnMarkers)

#undef TM_HANDLER
