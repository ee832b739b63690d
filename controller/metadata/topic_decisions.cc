#include "controller/metadata/topic_decisions.h"

#include <algorithm>
#include <set>

#include "controller/metadata/config_decisions.h"
#include "controller/metadata/partition_change.h"
#include "controller/metadata/topic_name.h"

namespace tidemark::controller {
namespace {

using Assignment = std::vector<std::vector<NodeId>>;
using ProtoAssignment = google::protobuf::RepeatedPtrField<admin_v1::Replicas>;

// A manual assignment: all of one size, known and different brokers.
Result<Assignment> CheckAssignment(const Image& state,
                                   const ProtoAssignment& wanted,
                                   size_t replication_factor) {
  Assignment out;
  for (const admin_v1::Replicas& replicas : wanted) {
    std::vector<NodeId> ids(replicas.broker_ids().begin(),
                            replicas.broker_ids().end());
    std::string where = "partition " + std::to_string(out.size());
    if (ids.empty()) {
      return Fail(ErrorCode::kInvalidReplicaAssignment,
                  "The manual assignment of " + where + " is empty.");
    }
    if (replication_factor == 0) replication_factor = ids.size();
    if (ids.size() != replication_factor) {
      return Fail(ErrorCode::kInvalidReplicaAssignment,
                  "The manual assignment of " + where + " has " +
                      std::to_string(ids.size()) + " replicas, not " +
                      std::to_string(replication_factor) + ".");
    }
    std::set<NodeId> seen;
    for (NodeId id : ids) {
      if (!seen.insert(id).second) {
        return Fail(ErrorCode::kInvalidReplicaAssignment,
                    "The manual assignment of " + where + " names broker " +
                        std::to_string(id) + " twice.");
      }
      if (state.FindBroker(id) == nullptr) {
        return Fail(ErrorCode::kInvalidReplicaAssignment,
                    "The manual assignment of " + where + " names broker " +
                        std::to_string(id) + ", which is not registered.");
      }
    }
    out.push_back(std::move(ids));
  }
  return out;
}

void AssignDirectories(const Image& state, record_v1::AddPartition* add) {
  std::vector<Uuid> directories;
  bool any = false;
  for (NodeId id : add->replicas()) {
    directories.push_back(OnlyDirectory(state, id));
    any |= !directories.back().IsZero();
  }
  if (!any) return;
  for (const Uuid& id : directories) add->add_directory_ids(id.ToBytes());
}

// Records of partitions from index `first`. The ISR is who is active now, the
// first of them leads (KAFKA-13083).
Result<Records> PartitionRecords(const View& view, const Uuid& topic_id,
                                 size_t first, const Assignment& assignment) {
  const Image& state = view.image;
  const Eligibility eligible(view);
  Records out;
  for (size_t i = 0; i < assignment.size(); ++i) {
    record_v1::Record record;
    record_v1::AddPartition* add = record.mutable_add_partition();
    add->set_topic_id(topic_id.ToBytes());
    add->set_partition(static_cast<int32_t>(first + i));
    for (NodeId id : assignment[i]) {
      add->add_replicas(id);
      if (eligible(id)) add->add_isr(id);
    }
    if (add->isr().empty()) {
      return Fail(ErrorCode::kInvalidReplicaAssignment,
                  "All brokers specified in the manual partition assignment "
                  "for partition " +
                      std::to_string(first + i) +
                      " are fenced or in controlled shutdown.");
    }
    add->set_leader(add->isr(0));
    AssignDirectories(state, add);
    out.push_back(std::move(record));
  }
  return out;
}

tl::unexpected<Error> TooMany() {
  return Fail(ErrorCode::kPolicyViolation,
              "Unable to perform excessively large batch operation: at most " +
                  std::to_string(kMaxRecordsPerBatch) +
                  " records (partitions and configurations) per request.");
}

// Names already taken, by the topics there are and by those of the request.
class Names {
 public:
  explicit Names(const Image& state) : state_(state) {}

  Status Check(const std::string& name) {
    TM_RETURN_IF_ERROR(CheckTopicName(name));
    if (state_.FindTopic(name) != nullptr) {
      return Fail(ErrorCode::kTopicAlreadyExists,
                  "Topic '" + name + "' already exists.");
    }
    const std::string* other = state_.topics().FindColliding(name);
    auto found = added_.find(metadata::CollisionForm(name));
    if (found != added_.end()) other = &found->second;
    if (other != nullptr) {
      return Fail(
          ErrorCode::kInvalidTopicException,
          "Topic '" + name + "' collides with existing topic: " + *other);
    }
    return {};
  }
  void Add(const std::string& name) {
    added_[metadata::CollisionForm(name)] = name;
  }

 private:
  const Image& state_;
  std::map<std::string, std::string> added_;  // by collision form
};

Result<Assignment> AssignNewTopic(const View& view,
                                  const admin_v1::NewTopic& wanted) {
  if (!wanted.assignment().empty()) {
    if (wanted.partitions() > 0 || wanted.replication_factor() > 0) {
      return Fail(ErrorCode::kInvalidRequest,
                  "With a manual assignment the partition count and "
                  "replication factor must be -1.");
    }
    if (static_cast<size_t>(wanted.assignment_size()) > kMaxRecordsPerBatch) {
      return TooMany();
    }
    return CheckAssignment(view.image, wanted.assignment(), 0);
  }
  int32_t partitions = wanted.partitions();
  if (partitions == -1) partitions = view.settings.default_partitions;
  if (partitions <= 0) {
    return Fail(ErrorCode::kInvalidPartitions,
                "Number of partitions must be larger than 0, or -1 for the "
                "default.");
  }
  int32_t replicas = wanted.replication_factor();
  if (replicas == -1) replicas = view.settings.default_replication_factor;
  if (replicas <= 0) {
    return Fail(ErrorCode::kInvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 for the "
                "default.");
  }
  if (static_cast<size_t>(partitions) > kMaxRecordsPerBatch) return TooMany();
  return PlaceReplicas(view.image, partitions, replicas, view.random->below,
                       view.leaving);
}

struct Created {
  Uuid id;
  Assignment assignment;
  Records records;
};

Result<Created> CreateTopic(const View& view, const admin_v1::NewTopic& wanted,
                            size_t room, Names* names) {
  TM_RETURN_IF_ERROR(names->Check(wanted.name()));
  std::map<std::string, std::string> configs(wanted.configs().begin(),
                                             wanted.configs().end());
  TM_RETURN_IF_ERROR(CheckTopicConfigs(configs));
  Created out;
  TM_ASSIGN_OR_RETURN(out.assignment, AssignNewTopic(view, wanted));
  if (1 + configs.size() + out.assignment.size() > room) return TooMany();
  out.id = view.random->topic_id();
  record_v1::Record record;
  record.mutable_add_topic()->set_name(wanted.name());
  record.mutable_add_topic()->set_topic_id(out.id.ToBytes());
  out.records.push_back(std::move(record));
  for (const auto& [key, value] : configs) {
    record_v1::Record config;
    record_v1::SetConfig* set = config.mutable_set_config();
    set->set_type(record_v1::TOPIC);
    set->set_name(wanted.name());
    set->set_key(key);
    set->set_value(value);
    out.records.push_back(std::move(config));
  }
  TM_ASSIGN_OR_RETURN(Records partitions,
                      PartitionRecords(view, out.id, 0, out.assignment));
  std::move(partitions.begin(), partitions.end(),
            std::back_inserter(out.records));
  return out;
}

template <class Item>
void SetError(const Error& error, Item* item) {
  item->set_code(static_cast<int32_t>(error.code));
  item->set_message(error.message);
}

Result<Records> GrowTopic(
    const View& view, const admin_v1::CreatePartitionsRequest::Topic& wanted) {
  const Image& state = view.image;
  const TopicImage* topic = state.FindTopic(wanted.name());
  if (topic == nullptr) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                "The topic '" + wanted.name() + "' does not exist.");
  }
  auto present = static_cast<int32_t>(topic->partitions.size());
  if (wanted.count() <= present) {
    return Fail(ErrorCode::kInvalidPartitions,
                "The topic " + wanted.name() + " currently has " +
                    std::to_string(present) + " partition(s); " +
                    std::to_string(wanted.count()) +
                    " would not be an increase.");
  }
  auto added = static_cast<size_t>(wanted.count() - present);
  if (added > kMaxRecordsPerBatch) return TooMany();
  const size_t replicas = topic->partitions[0]->Target().size();
  Assignment assignment;
  if (wanted.assignment().empty()) {
    TM_ASSIGN_OR_RETURN(
        assignment, PlaceReplicas(state, added, replicas, view.random->below,
                                  view.leaving));
  } else {
    if (static_cast<size_t>(wanted.assignment_size()) != added) {
      return Fail(ErrorCode::kInvalidReplicaAssignment,
                  "The request adds " + std::to_string(added) +
                      " partition(s) but assigns " +
                      std::to_string(wanted.assignment_size()) + ".");
    }
    TM_ASSIGN_OR_RETURN(assignment,
                        CheckAssignment(state, wanted.assignment(), replicas));
  }
  return PartitionRecords(view, topic->id, topic->partitions.size(),
                          assignment);
}

}  // namespace

Decision<admin_v1::CreateTopicsResponse> Decide(
    const View& view, const admin_v1::CreateTopicsRequest& request) {
  Decision<admin_v1::CreateTopicsResponse> out;
  Names names(view.image);
  std::map<std::string, int> times;
  for (const auto& wanted : request.topics()) ++times[wanted.name()];
  size_t room = kMaxRecordsPerBatch;
  for (const admin_v1::NewTopic& wanted : request.topics()) {
    auto* answer = out.response.add_topics();
    answer->set_name(wanted.name());
    Result<Created> created =
        Fail(ErrorCode::kInvalidRequest, "Duplicate topic name.");
    if (times[wanted.name()] == 1) {
      created = CreateTopic(view, wanted, room, &names);
    }
    if (!created) {
      SetError(created.error(), answer);
      continue;
    }
    names.Add(wanted.name());
    room -= created->records.size();
    answer->set_partitions(static_cast<int32_t>(created->assignment.size()));
    answer->set_replication_factor(
        static_cast<int32_t>(created->assignment[0].size()));
    if (request.validate_only()) continue;
    answer->set_topic_id(created->id.ToBytes());
    std::move(created->records.begin(), created->records.end(),
              std::back_inserter(out.records));
  }
  return out;
}

Decision<admin_v1::DeleteTopicsResponse> Decide(
    const View& view, const admin_v1::DeleteTopicsRequest& request) {
  const Image& state = view.image;
  Decision<admin_v1::DeleteTopicsResponse> out;
  std::set<Uuid> removed;
  const auto& file = view.settings.static_configs;
  const auto enabled = file.find("delete.topic.enable");
  const bool protected_all =
      enabled != file.end() && enabled->second == "false";
  auto remove = [&](const TopicImage* topic, Error if_unknown,
                    admin_v1::DeleteTopicsResponse::Topic* answer) {
    if (protected_all) {
      return SetError({ErrorCode::kTopicDeletionDisabled,
                       "Topic deletion is disabled: delete.topic.enable=false "
                       "of the controllers."},
                      answer);
    }
    if (topic == nullptr) return SetError(if_unknown, answer);
    answer->set_name(topic->name);
    answer->set_topic_id(topic->id.ToBytes());
    if (!removed.insert(topic->id).second) {
      return SetError({ErrorCode::kInvalidRequest, "Duplicate topic."}, answer);
    }
    if (out.records.size() == kMaxRecordsPerBatch) {
      return SetError(TooMany().value(), answer);
    }
    record_v1::Record record;
    record.mutable_remove_topic()->set_topic_id(topic->id.ToBytes());
    out.records.push_back(std::move(record));
  };
  for (const std::string& name : request.names()) {
    auto* answer = out.response.add_topics();
    answer->set_name(name);
    remove(state.FindTopic(name),
           {ErrorCode::kUnknownTopicOrPartition,
            "The topic '" + name + "' does not exist."},
           answer);
  }
  for (const std::string& raw : request.topic_ids()) {
    auto* answer = out.response.add_topics();
    answer->set_topic_id(raw);
    auto id = Uuid::FromBytes(raw);
    remove(id ? state.FindTopic(*id) : nullptr,
           {ErrorCode::kUnknownTopicId, "No topic has this id."}, answer);
  }
  return out;
}

Decision<admin_v1::CreatePartitionsResponse> Decide(
    const View& view, const admin_v1::CreatePartitionsRequest& request) {
  Decision<admin_v1::CreatePartitionsResponse> out;
  std::map<std::string, int> times;
  for (const auto& wanted : request.topics()) ++times[wanted.name()];
  for (const auto& wanted : request.topics()) {
    auto* answer = out.response.add_topics();
    answer->set_name(wanted.name());
    Result<Records> records =
        Fail(ErrorCode::kInvalidRequest, "Duplicate topic name.");
    if (times[wanted.name()] == 1) records = GrowTopic(view, wanted);
    if (records && out.records.size() + records->size() > kMaxRecordsPerBatch) {
      records = TooMany();
    }
    if (!records) {
      SetError(records.error(), answer);
      continue;
    }
    if (request.validate_only()) continue;
    std::move(records->begin(), records->end(),
              std::back_inserter(out.records));
  }
  return out;
}

}  // namespace tidemark::controller
