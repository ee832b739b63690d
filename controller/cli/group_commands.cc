#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "controller/cli/command.h"
#include "controller/cli/group_offsets.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

Status List(const Context& context) {
  TM_ASSIGN_OR_RETURN(
      Question question,
      Question::New(context, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS));
  TM_ASSIGN_OR_RETURN(
      auto event, question.Send([](auto* client, auto* options, auto* queue) {
        rd_kafka_ListConsumerGroups(client, options, queue);
      }));
  const auto* result = rd_kafka_event_ListConsumerGroups_result(event.get());
  size_t count = 0;
  const auto** errors =
      rd_kafka_ListConsumerGroups_result_errors(result, &count);
  if (count > 0) {
    return KafkaStatus(rd_kafka_error_code(errors[0]),
                       rd_kafka_error_string(errors[0]));
  }
  const auto** groups =
      rd_kafka_ListConsumerGroups_result_valid(result, &count);
  std::map<std::string, std::string> states;
  for (size_t i = 0; i < count; ++i) {
    states[rd_kafka_ConsumerGroupListing_group_id(groups[i])] =
        rd_kafka_consumer_group_state_name(
            rd_kafka_ConsumerGroupListing_state(groups[i]));
  }
  Json json = Json::array();
  Table table({"GROUP", "STATE"});
  for (const auto& [name, state] : states) {
    table.Add({name, state});
    json.push_back({{"group", name}, {"state", state}});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

struct Position {
  std::string topic;
  int32_t partition = 0;
  int64_t committed = -1, end = -1;
};

// What the group has committed, and where each partition ends.
Result<std::vector<Position>> Positions(const Context& context,
                                        const std::string& group) {
  TM_ASSIGN_OR_RETURN(const GroupOffsets committed,
                      CommittedOffsets(context, group));
  TM_ASSIGN_OR_RETURN(auto client,
                      NewKafkaClient(RD_KAFKA_PRODUCER, context, {}));
  std::vector<Position> out;
  for (const auto& [partition, offset] : committed) {
    Position p{partition.topic, partition.partition, offset, -1};
    int64_t low = 0;
    rd_kafka_query_watermark_offsets(client.get(), p.topic.c_str(), p.partition,
                                     &low, &p.end,
                                     static_cast<int>(context.timeout_ms));
    out.push_back(std::move(p));
  }
  return out;
}

struct Member {
  std::string id, client, host;
  std::string partitions;  // "orders-0 orders-1"
};
struct Group {
  std::string state, assignor;
  std::vector<Member> members;
};

Member MemberOf(const rd_kafka_MemberDescription_t* description) {
  Member member{rd_kafka_MemberDescription_consumer_id(description),
                rd_kafka_MemberDescription_client_id(description),
                rd_kafka_MemberDescription_host(description),
                {}};
  const auto* assignment = rd_kafka_MemberDescription_assignment(description);
  const auto* list = assignment == nullptr
                         ? nullptr
                         : rd_kafka_MemberAssignment_partitions(assignment);
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    if (i > 0) member.partitions += ' ';
    member.partitions += std::string(list->elems[i].topic) + "-" +
                         std::to_string(list->elems[i].partition);
  }
  return member;
}

Result<Group> DescribeOne(const Context& context, const std::string& name) {
  TM_ASSIGN_OR_RETURN(
      Question question,
      Question::New(context, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS));
  const char* names[] = {name.c_str()};
  TM_ASSIGN_OR_RETURN(
      auto event, question.Send([&](auto* client, auto* options, auto* queue) {
        rd_kafka_DescribeConsumerGroups(client, names, 1, options, queue);
      }));
  size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  if (count != 1) {
    return Fail(ErrorCode::kUnknownServerError, name + ": no answer");
  }
  if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    return Fail(static_cast<ErrorCode>(rd_kafka_error_code(error)),
                name + ": " + rd_kafka_error_string(error));
  }
  Group group{rd_kafka_consumer_group_state_name(
                  rd_kafka_ConsumerGroupDescription_state(groups[0])),
              rd_kafka_ConsumerGroupDescription_partition_assignor(groups[0]),
              {}};
  size_t members = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
  for (size_t i = 0; i < members; ++i) {
    group.members.push_back(
        MemberOf(rd_kafka_ConsumerGroupDescription_member(groups[0], i)));
  }
  return group;
}

void PrintGroup(const std::string& name, const Group& group,
                const std::vector<Position>& positions) {
  Print("group " + name + "  state " + group.state +
        (group.assignor.empty() ? "" : "  assignor " + group.assignor));
  Table offsets({"TOPIC", "PARTITION", "COMMITTED", "END", "LAG"});
  for (const Position& p : positions) {
    offsets.Add({p.topic, std::to_string(p.partition),
                 std::to_string(p.committed), std::to_string(p.end),
                 p.end < 0 ? "-" : std::to_string(p.end - p.committed)});
  }
  Print(offsets);
  Table members({"MEMBER", "CLIENT", "HOST", "PARTITIONS"});
  for (const Member& m : group.members) {
    members.Add({m.id, m.client, m.host, m.partitions});
  }
  Print(members);
}

Status Describe(const Context& context, const std::string& name) {
  TM_ASSIGN_OR_RETURN(Group group, DescribeOne(context, name));
  TM_ASSIGN_OR_RETURN(auto positions, Positions(context, name));
  if (group.state == "Dead" && positions.empty()) {
    return Fail(ErrorCode::kGroupIdNotFound,
                "no group is called " + name + "; see tidemark group list");
  }
  if (context.format == Format::kTable) {
    PrintGroup(name, group, positions);
    return {};
  }
  Json members = Json::array(), offsets = Json::array();
  for (const Member& m : group.members) {
    members.push_back({{"id", m.id},
                       {"client", m.client},
                       {"host", m.host},
                       {"partitions", SplitList(m.partitions, ' ')}});
  }
  for (const Position& p : positions) {
    offsets.push_back({{"topic", p.topic},
                       {"partition", p.partition},
                       {"committed", p.committed},
                       {"end", p.end}});
  }
  PrintJson({{"group", name},
             {"state", group.state},
             {"assignor", group.assignor},
             {"members", members},
             {"offsets", offsets}});
  return {};
}

}  // namespace

void AddGroupCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "group", "Consumer groups (asks the brokers)");
  AddCommand(*noun, context, "list", "List all groups",
             [&context] { return List(context); });
  auto name = std::make_shared<std::string>();
  AddCommand(*noun, context, "describe", "Show members, offsets and lag",
             [&context, name] { return Describe(context, *name); })
      ->add_option("group", *name, "The group")
      ->required();
  AddGroupChangeCommands(*noun, context);
}

}  // namespace tidemark::cli
