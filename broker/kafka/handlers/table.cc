#include "broker/kafka/handlers/table.h"

#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/create_partitions.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/describe_groups.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/fetch.h"
#include "common/kafka/messages/find_coordinator.h"
#include "common/kafka/messages/heartbeat.h"
#include "common/kafka/messages/incremental_alter_configs.h"
#include "common/kafka/messages/init_producer_id.h"
#include "common/kafka/messages/join_group.h"
#include "common/kafka/messages/leave_group.h"
#include "common/kafka/messages/list_groups.h"
#include "common/kafka/messages/list_offsets.h"
#include "common/kafka/messages/metadata.h"
#include "common/kafka/messages/offset_commit.h"
#include "common/kafka/messages/offset_fetch.h"
#include "common/kafka/messages/offset_for_leader_epoch.h"
#include "common/kafka/messages/produce.h"
#include "common/kafka/messages/sync_group.h"

namespace tidemark::server {
namespace {

constexpr Api kTable[] = {
    MakeApi<HandleProduce>().AdvertisedFrom(0),
    MakeApi<HandleFetch>(),
    MakeApi<HandleListOffsets>(),
    MakeApi<HandleMetadata>(),
    MakeApi<HandleOffsetCommit>(),
    MakeApi<HandleOffsetFetch>(),
    MakeApi<HandleFindCoordinator>(),
    MakeApi<HandleJoinGroup>(),
    MakeApi<HandleHeartbeat>(),
    MakeApi<HandleLeaveGroup>(),
    MakeApi<HandleSyncGroup>(),
    MakeApi<HandleDescribeGroups>(),
    MakeApi<HandleListGroups>(),
    MakeApi<HandleApiVersions>(),
    MakeApi<HandleCreateTopics>(),
    MakeApi<HandleDeleteTopics>(),
    MakeApi<HandleInitProducerId>(),
    MakeApi<HandleOffsetForLeaderEpoch>(),
    MakeApi<HandleDescribeConfigs>(),
    MakeApi<HandleCreatePartitions>(),
    MakeApi<HandleDeleteGroups>(),
    MakeApi<HandleIncrementalAlterConfigs>(),
    MakeApi<HandleDescribeCluster>(),
    MakeApi<HandleDescribeTopicPartitions>(),
};

}  // namespace

std::span<const Api> HandlerTable() { return kTable; }

}  // namespace tidemark::server
