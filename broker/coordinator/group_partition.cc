#include "broker/coordinator/group_partition.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/coordinator/group_records.h"

namespace tidemark::coordinator {

using std::chrono::milliseconds;

GroupPartition::GroupPartition(TopicPartition partition,
                               replication::ReplicaManager& log,
                               const GroupConfig& config)
    : config_(config),
      table_(config),
      runtime_(
          std::make_shared<PartitionRuntime>(std::move(partition), log, *this)),
      executor_(runtime_->executor()) {}

Moment GroupPartition::Now() const {
  return {executor_.Now(), executor_.WallMs()};
}

template <class Result, class Decide>
void GroupPartition::Serve(Done<Result> done, Decide decide) {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone) {
    Result refused;
    refused.Fail(error);
    done(std::move(refused));
    return;
  }
  const Ticket ticket = ++next_ticket_;
  waiters_[ticket] = [done = std::move(done)](Response* response,
                                              ErrorCode error) {
    Result result;
    if (response) result = std::get<Result>(std::move(*response));
    if (error != ErrorCode::kNone) result.Fail(error);
    done(std::move(result));
  };
  Run(decide(ticket, Now()));
}

void GroupPartition::Join(const JoinRequest& request, Done<JoinResult> done) {
  Serve(std::move(done), [&](Ticket ticket, Moment at) {
    return table_.Join(request, ticket, at);
  });
}

void GroupPartition::Sync(const SyncRequest& request, Done<SyncResult> done) {
  Serve(std::move(done), [&](Ticket ticket, Moment at) {
    return table_.Sync(request, ticket, at);
  });
}

void GroupPartition::Heartbeat(const HeartbeatRequest& request,
                               Done<HeartbeatResult> done) {
  Serve(std::move(done), [&](Ticket ticket, Moment at) {
    return table_.Heartbeat(request, ticket, at);
  });
}

void GroupPartition::Leave(const LeaveRequest& request,
                           Done<LeaveResult> done) {
  Serve(std::move(done), [&](Ticket ticket, Moment at) {
    return table_.Leave(request, ticket, at);
  });
}

void GroupPartition::Commit(const CommitRequest& request,
                            Done<CommitResult> done) {
  Serve(std::move(done), [&](Ticket ticket, Moment at) {
    return table_.Commit(request, ticket, at);
  });
}

void GroupPartition::Delete(const std::string& group_id,
                            Done<DeleteResult> done) {
  Serve(std::move(done),
        [&](Ticket ticket, Moment) { return table_.Delete(group_id, ticket); });
}

FetchResult GroupPartition::Fetch(const FetchRequest& request) const {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone)
    return {.error = error};
  return table_.Fetch(request);
}

GroupDescription GroupPartition::Describe(const std::string& group_id) const {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone)
    return {.error = error};
  return table_.Describe(group_id);
}

ListResult GroupPartition::List(const ListRequest& request) const {
  if (const ErrorCode error = Availability(); error != ErrorCode::kNone)
    return {.error = error};
  return {.groups = table_.List(request)};
}

void GroupPartition::ForgetTopics(const std::set<std::string>& topics) {
  if (Availability() == ErrorCode::kCoordinatorLoadInProgress) {
    forget_.insert(topics.begin(), topics.end());
  }
  if (Availability() != ErrorCode::kNone) return;
  for (Decision& decision : table_.ForgetTopics(topics))
    Run(std::move(decision));
}

void GroupPartition::Run(Decision decision) {
  ArmTimer();
  if (decision.records.empty()) {
    Deliver(std::move(decision.answers), ErrorCode::kNone);
    return;
  }
  const uint64_t write_id = ++next_write_;
  std::vector<LogRecord> encoded;
  encoded.reserve(decision.records.size());
  for (const GroupRecord& record : decision.records) {
    auto bytes = EncodeGroupRecord(record);
    if (!bytes) {
      writes_[write_id] = std::move(decision.answers);
      return OnSettled(write_id, decision.records, decision.assignment,
                       bytes.error().code);
    }
    encoded.push_back(std::move(*bytes));
  }
  if (!decision.answers.empty()) {
    writes_[write_id] = std::move(decision.answers);
    executor_.PostAfter(milliseconds(config_.offsets_commit_timeout_ms),
                        [weak = weak_from_this(), write_id] {
                          if (auto self = weak.lock())
                            self->OnWriteTimeout(write_id);
                        });
  }
  // The runtime drops the callback when it stops being active, and is ours.
  runtime_->Write(std::move(encoded),
                  [this, write_id, records = std::move(decision.records),
                   assignment = std::move(decision.assignment)](Status status) {
                    OnSettled(write_id, records, assignment,
                              status ? ErrorCode::kNone : status.error().code);
                  });
}

void GroupPartition::OnSettled(uint64_t write_id,
                               const std::vector<GroupRecord>& records,
                               const std::optional<AssignmentWrite>& assignment,
                               ErrorCode error) {
  const bool committed = error == ErrorCode::kNone;
  table_.Settle(records, committed);
  if (auto node = writes_.extract(write_id))
    Deliver(std::move(node.mapped()), error);
  if (assignment) Run(table_.OnStored(*assignment, committed, Now()));
}

// The write goes on, but its callers have waited long enough.
void GroupPartition::OnWriteTimeout(uint64_t write_id) {
  if (auto node = writes_.extract(write_id))
    Deliver(std::move(node.mapped()), ErrorCode::kCoordinatorNotAvailable);
}

void GroupPartition::Deliver(std::vector<Answer> answers, ErrorCode error) {
  for (Answer& answer : answers) {
    auto node = waiters_.extract(answer.ticket);
    CHECK(node) << "ticket=" << answer.ticket;
    node.mapped()(&answer.response, error);
  }
}

void GroupPartition::ArmTimer() {
  const std::optional<Instant> next = table_.NextDeadline();
  if (!next || (armed_for_ && *armed_for_ <= *next)) return;
  armed_for_ = next;
  const Duration delay = std::max(*next - executor_.Now(), Duration::zero());
  executor_.PostAfter(delay, [weak = weak_from_this(), armed = *next] {
    if (auto self = weak.lock()) self->OnTimer(armed);
  });
}

void GroupPartition::OnTimer(Instant armed_for) {
  if (armed_for_ != armed_for) return;  // an earlier one replaced it
  armed_for_.reset();
  if (Availability() != ErrorCode::kNone) return;
  for (Decision& decision : table_.OnTimer(Now())) {
    Run(std::move(decision));
  }
  ArmTimer();
}

void GroupPartition::ArmExpiry(uint64_t activation) {
  executor_.PostAfter(
      MillisecondsOf(config_.offsets_retention_check_interval_ms),
      [weak = weak_from_this(), activation] {
        auto self = weak.lock();
        if (!self || self->activation_ != activation) return;
        for (Decision& decision : self->table_.Expire(self->executor_.WallMs()))
          self->Run(std::move(decision));
        self->ArmExpiry(activation);
      });
}

void GroupPartition::Clear() { table_.Clear(); }

Status GroupPartition::Load(std::string_view key,
                            std::optional<std::string_view> value) {
  TM_ASSIGN_OR_RETURN(auto record, DecodeGroupRecord(key, value));
  if (record) table_.Apply(*record);
  return {};
}

void GroupPartition::OnActive() {
  table_.Activate(Now());
  ArmTimer();
  ArmExpiry(++activation_);
  ForgetTopics(std::exchange(forget_, {}));
}

void GroupPartition::OnInactive(ErrorCode why) {
  ++activation_;
  writes_.clear();
  armed_for_.reset();
  for (auto& [ticket, waiter] : std::exchange(waiters_, {}))
    waiter(nullptr, why);
}

}  // namespace tidemark::coordinator
