#include "controller/cli/group_offsets.h"

namespace tidemark::cli {

Status FirstError(const rd_kafka_topic_partition_list_t* list) {
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    if (one.err != 0) {
      return KafkaStatus(one.err, std::string(one.topic) + "-" +
                                      std::to_string(one.partition) + ": " +
                                      rd_kafka_err2str(one.err));
    }
  }
  return {};
}

Status FirstError(const rd_kafka_group_result_t** groups, size_t count) {
  for (size_t g = 0; g < count; ++g) {
    if (const auto* error = rd_kafka_group_result_error(groups[g])) {
      return KafkaStatus(rd_kafka_error_code(error),
                         rd_kafka_error_string(error));
    }
    TM_RETURN_IF_ERROR(FirstError(rd_kafka_group_result_partitions(groups[g])));
  }
  return {};
}

Result<GroupOffsets> CommittedOffsets(const Context& context,
                                      const std::string& group) {
  TM_ASSIGN_OR_RETURN(
      Question question,
      Question::New(context, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS));
  auto* wanted = rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr);
  auto answer = question.Send([&](auto* client, auto* options, auto* queue) {
    rd_kafka_ListConsumerGroupOffsets(client, &wanted, 1, options, queue);
  });
  rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
  TM_ASSIGN_OR_RETURN(auto event, std::move(answer));
  size_t count = 0;
  const auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
  TM_RETURN_IF_ERROR(FirstError(groups, count));
  GroupOffsets out;
  for (size_t g = 0; g < count; ++g) {
    const auto* list = rd_kafka_group_result_partitions(groups[g]);
    for (int i = 0; list != nullptr && i < list->cnt; ++i) {
      if (list->elems[i].offset < 0) continue;
      out[{list->elems[i].topic, list->elems[i].partition}] =
          list->elems[i].offset;
    }
  }
  return out;
}

}  // namespace tidemark::cli
