#include "broker/coordinator/group/offsets.h"

#include <optional>
#include <set>
#include <string_view>

#include "broker/coordinator/group/rebalance.h"

namespace tidemark::coordinator {
namespace {

// Kafka: ClassicGroup.validateOffsetCommit.
ErrorCode ValidateCommit(const Group& group, const CommitRequest& request) {
  if (request.generation < 0 && group.Is(GroupState::kEmpty))
    return ErrorCode::kNone;
  const bool as_member = request.generation >= 0 ||
                         !request.member_id.empty() || request.instance_id;
  if (!as_member) return ErrorCode::kUnknownMemberId;
  const ErrorCode error =
      group.Validate(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) return error;
  if (request.generation != group.generation)
    return ErrorCode::kIllegalGeneration;
  return group.Is(GroupState::kCompletingRebalance)
             ? ErrorCode::kRebalanceInProgress
             : ErrorCode::kNone;
}

// The same for a transaction.
ErrorCode ValidateCommit(const Group& group, const TxnCommitRequest& request) {
  // No marker could ever end what nobody has written.
  if (request.producer_id < 0 || request.producer_epoch < 0)
    return ErrorCode::kInvalidProducerIdMapping;
  if (request.generation < 0 && group.Is(GroupState::kEmpty))
    return ErrorCode::kNone;
  const bool as_member = request.generation >= 0 ||
                         !request.member_id.empty() || request.instance_id;
  if (!as_member) return ErrorCode::kNone;
  const ErrorCode error =
      group.Validate(request.member_id, request.instance_id);
  if (error != ErrorCode::kNone) return error;
  return request.generation == group.generation ? ErrorCode::kNone
                                                : ErrorCode::kIllegalGeneration;
}

// A record for each of the partitions, and the answer.
void AddRecords(const Group& group, const CommitRequest& request, Ticket ticket,
                Step& step) {
  CommitResult result;
  const size_t limit =
      static_cast<size_t>(step.config.offset_metadata_max_bytes);
  for (const CommitRequest::Partition& p : request.partitions) {
    if (p.value.metadata.size() > limit) {
      result.partitions.push_back(ErrorCode::kOffsetMetadataTooLarge);
      continue;
    }
    // Whatever time the client names (version 1): it would decide about expiry.
    CommittedOffset value = p.value;
    value.commit_timestamp_ms = step.at.wall_ms;
    step.out.records.push_back(
        OffsetRecord{group.id, p.partition, std::move(value)});
    result.partitions.push_back(ErrorCode::kNone);
  }
  step.out.Reply(ticket, std::move(result));
}

// The topics in a consumer's ConsumerProtocolSubscription: version, topics.
// Nothing when it does not parse.
std::optional<std::vector<std::string>> TopicsOf(std::string_view metadata) {
  const auto number = [&](size_t bytes) -> std::optional<int64_t> {
    if (metadata.size() < bytes) return std::nullopt;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value = value << 8 | static_cast<uint8_t>(metadata[i]);
    }
    metadata.remove_prefix(bytes);
    return static_cast<int64_t>(value);
  };
  if (!number(2)) return std::nullopt;
  const auto count = number(4);
  if (!count || *count > static_cast<int64_t>(metadata.size())) {
    return std::nullopt;
  }
  std::vector<std::string> topics;
  for (int64_t i = 0; i < *count; ++i) {
    const auto size = number(2);
    if (!size || *size > static_cast<int64_t>(metadata.size())) {
      return std::nullopt;
    }
    topics.emplace_back(metadata.substr(0, static_cast<size_t>(*size)));
    metadata.remove_prefix(static_cast<size_t>(*size));
  }
  return topics;
}

// What the members of a group of consumers want; nullopt: it cannot be read.
std::optional<std::set<std::string>> SubscribedTopics(const Group& group) {
  std::set<std::string> subscribed;
  for (const auto& [id, member] : group.members) {
    const auto topics = TopicsOf(member.MetadataFor(group.protocol));
    if (!topics) return std::nullopt;
    subscribed.insert(topics->begin(), topics->end());
  }
  return subscribed;
}

// KIP-211: what nobody in a group of consumers subscribes to any more expires
// like the offsets of simple consumers. Kept, all of it, when one member's
// subscription cannot be read.
std::vector<GroupRecord> UnsubscribedRecords(const Group& group,
                                             const GroupConfig& config,
                                             int64_t wall_ms) {
  if (group.protocol_type != "consumer") return {};
  const auto subscribed = SubscribedTopics(group);
  if (!subscribed) return {};
  std::vector<GroupRecord> records;
  for (const auto& [partition, value] : group.offsets) {
    if (subscribed->contains(partition.topic) ||
        group.pending_offsets.contains(partition) ||
        group.IsUnstable(partition) ||
        wall_ms - value.commit_timestamp_ms < config.offsets_retention_ms) {
      continue;
    }
    records.push_back(OffsetRecord{group.id, partition, std::nullopt});
  }
  return records;
}

}  // namespace

void Commit(Group& group, const CommitRequest& request, Ticket ticket,
            Step& step) {
  const ErrorCode error = ValidateCommit(group, request);
  if (error != ErrorCode::kNone) {
    step.out.Reply(ticket, CommitResult{.error = error});
    return;
  }
  if (Member* member = group.Find(request.member_id))
    RestartSession(*member, step.at);
  AddRecords(group, request, ticket, step);
}

void CommitInTransaction(Group& group, const TxnCommitRequest& request,
                         Ticket ticket, Step& step) {
  const ErrorCode error = ValidateCommit(group, request);
  if (error != ErrorCode::kNone) {
    step.out.Reply(ticket, CommitResult{.error = error});
    return;
  }
  step.out.producer =
      Producer{request.producer_id, request.producer_epoch, request.verified};
  AddRecords(group, request, ticket, step);
}

FetchResult FetchOffsets(const Group* group, const FetchRequest& request) {
  static const std::map<TopicPartition, CommittedOffset> kNothing;
  const auto& offsets = group ? group->offsets : kNothing;
  FetchResult result;
  const auto add = [&](const TopicPartition& partition,
                       const CommittedOffset& value) {
    if (request.require_stable && group && group->IsUnstable(partition)) {
      result.partitions.push_back(
          {partition, {}, ErrorCode::kUnstableOffsetCommit});
    } else {
      result.partitions.push_back({partition, value});
    }
  };
  if (!request.partitions) {
    for (const auto& [partition, value] : offsets) add(partition, value);
    return result;
  }
  for (const TopicPartition& partition : *request.partitions) {
    const auto it = offsets.find(partition);
    add(partition, it == offsets.end() ? CommittedOffset{} : it->second);
  }
  return result;
}

std::vector<GroupRecord> ExpiredRecords(const Group& group,
                                        const GroupConfig& config,
                                        int64_t wall_ms) {
  if (group.Is(GroupState::kStable)) {
    return UnsubscribedRecords(group, config, wall_ms);
  }
  if (!group.Is(GroupState::kEmpty) || !group.pending_offsets.empty() ||
      !group.pending_joins.empty()) {
    return {};
  }
  // A group that had members keeps its offsets from when the last one left;
  // simple consumers keep each from its commit.
  const bool had_members = !group.protocol_type.empty();
  std::vector<GroupRecord> records;
  for (const auto& [partition, value] : group.offsets) {
    const int64_t since = had_members && group.state_timestamp_ms >= 0
                              ? group.state_timestamp_ms
                              : value.commit_timestamp_ms;
    if (wall_ms - since >= config.offsets_retention_ms &&
        !group.IsUnstable(partition))
      records.push_back(OffsetRecord{group.id, partition, std::nullopt});
  }
  if (records.size() == group.offsets.size() && group.transactional.empty())
    records.push_back(GroupMetadataRecord{group.id, std::nullopt});
  return records;
}

void DeleteOffsets(const Group& group, const DeleteOffsetsRequest& request,
                   Ticket ticket, Step& step) {
  const bool has_members = !group.Is(GroupState::kEmpty);
  if (has_members && group.protocol_type != "consumer") {
    step.out.Reply(ticket,
                   DeleteOffsetsResult{.error = ErrorCode::kNonEmptyGroup});
    return;
  }
  const auto subscribed =
      has_members ? SubscribedTopics(group) : std::set<std::string>();
  DeleteOffsetsResult result;
  std::set<TopicPartition> gone;
  for (const TopicPartition& partition : request.partitions) {
    const bool wanted = !subscribed || subscribed->contains(partition.topic);
    if (!wanted) gone.insert(partition);
    result.partitions.push_back(wanted ? ErrorCode::kGroupSubscribedToTopic
                                       : ErrorCode::kNone);
  }
  step.out.records = TombstonesIf(group, [&](const TopicPartition& partition) {
    return gone.contains(partition);
  });
  step.out.Reply(ticket, std::move(result));
}

std::vector<GroupRecord> DeletionRecords(const Group& group) {
  std::vector<GroupRecord> records =
      TombstonesIf(group, [](const TopicPartition&) { return true; });
  records.push_back(GroupMetadataRecord{group.id, std::nullopt});
  return records;
}

std::vector<GroupRecord> TombstonesIf(
    const Group& group,
    const std::function<bool(const TopicPartition&)>& gone) {
  std::vector<GroupRecord> records;
  const auto add = [&](const TopicPartition& partition) {
    if (gone(partition))
      records.push_back(OffsetRecord{group.id, partition, std::nullopt});
  };
  const auto& open = group.transactional.by_partition();
  for (const auto& [partition, unused] : group.offsets) add(partition);
  for (const auto& [partition, unused] : open)
    if (!group.offsets.contains(partition)) add(partition);
  for (const auto& [partition, unused] : group.pending_offsets)
    if (!group.offsets.contains(partition) && !open.contains(partition))
      add(partition);
  return records;
}

}  // namespace tidemark::coordinator
