#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/ids.h"
#include "controller/cli/kafka_question.h"

namespace tidemark::cli {

// What a group has committed, by partition.
using GroupOffsets = std::map<TopicPartition, int64_t>;

// Asks the group's coordinator. Empty for a group that there is not.
Result<GroupOffsets> CommittedOffsets(const Context& context,
                                      const std::string& group);

// The first partition of an answer that was refused, if one was.
Status FirstError(const rd_kafka_topic_partition_list_t* list);
// Of what the results of a call about groups say, the first failure.
Status FirstError(const rd_kafka_group_result_t** groups, size_t count);

}  // namespace tidemark::cli
