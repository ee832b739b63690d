#include "tests/unit/broker/coordinator/group_driver.h"

#include <gtest/gtest.h>

#include <sstream>

#include "broker/coordinator/group/group_records.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kWallStart = 1'000'000;

std::vector<std::string> Split(const std::string& text, char by) {
  std::vector<std::string> out;
  std::string part;
  std::istringstream in(text);
  while (std::getline(in, part, by)) out.push_back(part);
  return out;
}

std::string Get(const std::map<std::string, std::string>& args,
                const std::string& key, const std::string& fallback = "") {
  const auto it = args.find(key);
  return it == args.end() ? fallback : it->second;
}

std::optional<std::string> Maybe(const std::map<std::string, std::string>& args,
                                 const std::string& key) {
  const auto it = args.find(key);
  if (it == args.end()) return std::nullopt;
  return it->second;
}

TopicPartition ParsePartition(const std::string& text) {
  const size_t dash = text.rfind('-');
  return {text.substr(0, dash), std::stoi(text.substr(dash + 1))};
}

std::string Show(const std::optional<std::string>& text) {
  return text.value_or("null");
}

std::string Show(const GroupRecord& record) {
  std::ostringstream out;
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) {
    out << "record offset " << offset->group_id << " "
        << ToString(offset->partition) << " ";
    if (!offset->value) return out.str() + "tombstone";
    out << offset->value->offset << " '" << offset->value->metadata << "' at "
        << offset->value->commit_timestamp_ms - kWallStart;
    return out.str();
  }
  const auto& group = std::get<GroupMetadataRecord>(record);
  out << "record group " << group.group_id << " ";
  if (!group.value) return out.str() + "tombstone";
  out << "gen=" << group.value->generation
      << " protocol=" << Show(group.value->protocol)
      << " leader=" << Show(group.value->leader) << " members=[";
  for (size_t i = 0; i < group.value->members.size(); ++i) {
    const StoredMember& m = group.value->members[i];
    out << (i ? " " : "") << m.id << ":" << m.subscription << "/"
        << m.assignment;
    if (m.instance_id) out << "@" << *m.instance_id;
  }
  out << "]";
  return out.str();
}

std::string Show(const JoinResult& r) {
  std::ostringstream out;
  out << "join " << ErrorName(r.error);
  out << " member=" << r.member_id;
  if (r.error != ErrorCode::kNone) return out.str();
  out << " gen=" << r.generation << " protocol=" << Show(r.protocol_name)
      << " leader=" << r.leader;
  if (r.skip_assignment) out << " skip_assignment";
  if (!r.members.empty()) {
    out << " members=[";
    for (size_t i = 0; i < r.members.size(); ++i)
      out << (i ? " " : "") << r.members[i].id << ":" << r.members[i].metadata;
    out << "]";
  }
  return out.str();
}
std::string Show(const SyncResult& r) {
  std::string out = "sync " + std::string(ErrorName(r.error));
  return r.error == ErrorCode::kNone ? out + " '" + r.assignment + "'" : out;
}
std::string Show(const HeartbeatResult& r) {
  return "heartbeat " + std::string(ErrorName(r.error));
}
std::string Show(ErrorCode error, const std::vector<ErrorCode>& each) {
  std::string out(ErrorName(error));
  for (ErrorCode e : each) out += " " + std::string(ErrorName(e));
  return out;
}
std::string Show(const LeaveResult& r) {
  return "leave " + Show(r.error, r.members);
}
std::string Show(const CommitResult& r) {
  return "commit " + Show(r.error, r.partitions);
}
std::string Show(const DeleteResult& r) {
  return "delete " + std::string(ErrorName(r.error));
}
std::string Show(const DeleteOffsetsResult& r) {
  return "delete-offsets " + Show(r.error, r.partitions);
}

}  // namespace

Moment GroupDriver::Now() const {
  return {Instant{} + milliseconds(now_ms_), kWallStart + now_ms_};
}

std::string GroupDriver::Run(const std::string& line) {
  out_.clear();
  std::istringstream in(line);
  std::string verb, word;
  in >> verb;
  Args args;
  while (in >> word) {
    const size_t eq = word.find('=');
    args[word.substr(0, eq)] =
        eq == std::string::npos ? "" : word.substr(eq + 1);
  }
  Execute(verb, args);
  return out_;
}

void GroupDriver::Execute(const std::string& verb, const Args& args) {
  const std::string group = Get(args, "group", "g");
  const int32_t generation = std::stoi(Get(args, "gen", "-1"));
  if (verb == "config") {
    config_.group_initial_rebalance_delay_ms =
        std::stoi(Get(args, "initial_delay", "3000"));
    config_.offsets_retention_ms =
        std::stoll(Get(args, "retention", "604800000"));
    config_.group_max_size = std::stoi(Get(args, "max_size", "1000"));
    table_.~GroupTable();
    new (&table_) GroupTable(config_);
  } else if (verb == "join") {
    Join(args);
  } else if (verb == "sync") {
    Sync(args);
  } else if (verb == "heartbeat") {
    Take(table_.Decide(HeartbeatRequest{group, generation, Get(args, "member"),
                                        Maybe(args, "instance")},
                       Context{NewTicket(), Now()}));
  } else if (verb == "leave") {
    Leave(args);
  } else if (verb == "commit") {
    Commit(args);
  } else if (verb == "txn") {
    CommitInTransaction(args);
  } else if (verb == "end") {
    EndTransaction(args);
  } else if (verb == "fetch") {
    Fetch(args);
  } else if (verb == "delete") {
    Take(table_.Decide(DeleteRequest{group}, Context{NewTicket(), Now()}));
  } else if (verb == "delete-offsets") {
    DeleteOffsetsRequest request{.group_id = group, .partitions = {}};
    for (const auto& p : Split(Get(args, "offsets"), ';')) {
      request.partitions.push_back(ParsePartition(p));
    }
    Take(table_.Decide(request, Context{NewTicket(), Now()}));
  } else if (verb == "describe") {
    Describe(args);
  } else if (verb == "list") {
    List(args);
  } else if (verb == "advance") {
    Advance(std::stoll(Get(args, "ms")));
  } else if (verb == "expire") {
    for (Decision& d : table_.Expire(Now().wall_ms)) Take(std::move(d));
  } else if (verb == "forget") {
    const auto topics = Split(Get(args, "topics"), ';');
    for (Decision& d : table_.OnImage({{topics.begin(), topics.end()}}))
      Take(std::move(d));
  } else if (verb == "hold") {
    hold_ = true;
  } else if (verb == "settle") {
    hold_ = false;
    while (!unsettled_.empty()) Settle(!args.contains("fail"));
  } else if (verb == "failover") {
    Failover();
  } else {
    Print("unknown command " + verb);
  }
}

Ticket GroupDriver::NewTicket() {
  waiting_[++tickets_] = "";
  return tickets_;
}

void GroupDriver::Join(const Args& args) {
  const int version = std::stoi(Get(args, "v", "5"));
  JoinRequest request{
      .group_id = Get(args, "group", "g"),
      .member_id = Get(args, "member"),
      .instance_id = Maybe(args, "instance"),
      .client_id = Get(args, "client", "c"),
      .client_host = "/127.0.0.1",
      .session_timeout_ms = std::stoi(Get(args, "session", "10000")),
      .rebalance_timeout_ms = std::stoi(Get(args, "rebalance", "60000")),
      .protocol_type = Get(args, "type", "consumer"),
      .member_id_required = version >= 4,
      .can_skip_assignment = version >= 9};
  for (const auto& p : Split(Get(args, "protocols", "range:m"), ';')) {
    const auto parts = Split(p, ':');
    request.protocols.push_back({parts[0], parts.size() > 1 ? parts[1] : ""});
  }
  if (request.member_id.empty())
    request.new_member_id =
        request.client_id + "-" + std::to_string(++next_id_);
  const Ticket ticket = NewTicket();
  Take(table_.Decide(request, Context{ticket, Now()}));
  if (waiting_.contains(ticket)) Print("#" + std::to_string(ticket) + " waits");
}

void GroupDriver::Sync(const Args& args) {
  SyncRequest request{.group_id = Get(args, "group", "g"),
                      .generation = std::stoi(Get(args, "gen", "-1")),
                      .member_id = Get(args, "member"),
                      .instance_id = Maybe(args, "instance"),
                      .protocol_type = Maybe(args, "type"),
                      .protocol_name = Maybe(args, "name")};
  for (const auto& a : Split(Get(args, "assign"), ';')) {
    const auto parts = Split(a, ':');
    request.assignments.push_back({parts[0], parts[1]});
  }
  const Ticket ticket = NewTicket();
  Take(table_.Decide(request, Context{ticket, Now()}));
  if (waiting_.contains(ticket)) Print("#" + std::to_string(ticket) + " waits");
}

void GroupDriver::Leave(const Args& args) {
  LeaveRequest request{.group_id = Get(args, "group", "g")};
  for (const auto& m : Split(Get(args, "members"), ';')) {
    if (m[0] == '@') {
      request.members.push_back({"", m.substr(1)});
    } else {
      request.members.push_back({m, std::nullopt});
    }
  }
  Take(table_.Decide(request, Context{NewTicket(), Now()}));
}

namespace {

Producer ProducerOf(const std::map<std::string, std::string>& args) {
  return {std::stoll(Get(args, "producer", "-1")),
          static_cast<ProducerEpoch>(std::stoi(Get(args, "epoch", "0")))};
}

CommitRequest CommitOf(const std::map<std::string, std::string>& args) {
  CommitRequest request{.group_id = Get(args, "group", "g"),
                        .generation = std::stoi(Get(args, "gen", "-1")),
                        .member_id = Get(args, "member"),
                        .instance_id = Maybe(args, "instance")};
  for (const auto& o : Split(Get(args, "offsets"), ';')) {
    const auto parts = Split(o, ':');
    CommittedOffset value{.offset = std::stoll(parts[1]), .leader_epoch = 7};
    if (parts.size() > 2) value.metadata = parts[2];
    if (value.metadata == "HUGE") value.metadata = std::string(4097, 'x');
    request.partitions.push_back({ParsePartition(parts[0]), value});
  }
  return request;
}

}  // namespace

void GroupDriver::Commit(const Args& args) {
  Take(table_.Decide(CommitOf(args), Context{NewTicket(), Now()}));
}

void GroupDriver::CommitInTransaction(const Args& args) {
  const Producer producer = ProducerOf(args);
  const TxnCommitRequest request{CommitOf(args), producer.id, producer.epoch};
  Take(table_.Decide(request, Context{NewTicket(), Now()}));
}

void GroupDriver::EndTransaction(const Args& args) {
  const Producer producer = ProducerOf(args);
  Enqueue({.producer = producer},
          Marker{.committed = Get(args, "abort").empty()});
}

void GroupDriver::Fetch(const Args& args) {
  FetchRequest request{.group_id = Get(args, "group", "g"),
                       .require_stable = args.contains("stable")};
  if (args.contains("offsets")) {
    request.partitions.emplace();
    for (const auto& p : Split(Get(args, "offsets"), ';'))
      request.partitions->push_back(ParsePartition(p));
  }
  for (const auto& p : table_.Read(request).partitions)
    Print(ToString(p.partition) + " offset=" + std::to_string(p.value.offset) +
          " epoch=" + std::to_string(p.value.leader_epoch) + " '" +
          p.value.metadata + "'" +
          (p.error == ErrorCode::kNone
               ? ""
               : " " + std::string(ErrorName(p.error))));
}

void GroupDriver::Describe(const Args& args) {
  const GroupDescription d =
      table_.Read(DescribeRequest{Get(args, "group", "g")});
  Print(std::string(ErrorName(d.error)) + " " + d.state +
        " type=" + d.protocol_type + " protocol=" + d.protocol);
  for (const auto& m : d.members)
    Print("  " + m.id + " '" + m.metadata + "' '" + m.assignment + "'" +
          (m.instance_id ? " @" + *m.instance_id : ""));
}

void GroupDriver::List(const Args& args) {
  const ListRequest request{Split(Get(args, "states"), ';'),
                            Split(Get(args, "types"), ';')};
  for (const auto& group : table_.Read(request).groups)
    Print(group.id + " type=" + group.protocol_type + " " + group.state + " " +
          group.type);
}

void GroupDriver::Advance(int64_t ms) {
  const int64_t end = now_ms_ + ms;
  while (true) {
    const auto next = table_.NextDeadline();
    if (!next || *next > Instant{} + milliseconds(end)) break;
    const int64_t at =
        std::chrono::duration_cast<milliseconds>(next->time_since_epoch())
            .count();
    now_ms_ = std::max(now_ms_, at);
    for (Decision& d : table_.OnTimer(Now())) {
      if (!d.answers.empty() || !d.records.empty())
        Print("at " + std::to_string(now_ms_));
      Take(std::move(d));
    }
  }
  now_ms_ = end;
}

GroupTable GroupDriver::Replay() const {
  GroupTable fresh(config_);
  for (const Logged& logged : log_) {
    if (logged.marker) {
      fresh.ApplyMarker(*logged.marker);
      continue;
    }
    const auto decoded =
        DecodeGroupRecord(logged.record.key, logged.record.value);
    EXPECT_TRUE(decoded && *decoded);
    fresh.Apply(**decoded, logged.meta);
  }
  return fresh;
}

RecordMeta GroupDriver::NextMeta(
    const std::optional<Producer>& producer) const {
  RecordMeta meta{.offset = static_cast<Offset>(log_.size()),
                  .timestamp_ms = Now().wall_ms};
  if (producer) {
    meta.producer_id = producer->id;
    meta.producer_epoch = producer->epoch;
    meta.transactional = true;
  }
  return meta;
}

void GroupDriver::Failover() {
  GroupTable fresh = Replay();
  fresh.Activate(Now());
  table_.~GroupTable();
  new (&table_) GroupTable(std::move(fresh));
  waiting_.clear();
  unsettled_.clear();
}

void GroupDriver::Take(Decision decision) {
  const std::string of =
      decision.producer
          ? "producer " + std::to_string(decision.producer->id) + " " +
                std::to_string(decision.producer->epoch) + " "
          : "";
  for (const GroupRecord& record : decision.records) Print(of + Show(record));
  if (decision.records.empty()) {
    for (const Answer& answer : decision.answers)
      PrintAnswer(answer, ErrorCode::kNone);
    return;
  }
  Enqueue(std::move(decision), std::nullopt);
}

void GroupDriver::Enqueue(Decision decision, std::optional<Marker> marker) {
  unsettled_.push_back({std::move(decision), marker});
  if (!hold_) Settle(true);
}

void GroupDriver::Settle(bool committed) {
  Write write = std::move(unsettled_.front());
  unsettled_.pop_front();
  if (!write.marker)
    return SettleDecision(std::move(write.decision), committed);
  if (!committed) return;
  write.marker->meta = NextMeta(write.decision.producer);
  log_.push_back({{}, {}, write.marker});
  table_.ApplyMarker(*write.marker);
}

void GroupDriver::SettleDecision(Decision decision, bool committed) {
  if (committed) {
    for (const GroupRecord& record : decision.records) {
      const RecordMeta meta = NextMeta(decision.producer);
      log_.push_back({EncodeGroupRecord(record).value(), meta, {}});
      table_.Apply(record, meta);
    }
  }
  Decision next = table_.Settled(decision, committed, Now());
  for (const Answer& answer : decision.answers)
    PrintAnswer(answer, committed ? ErrorCode::kNone
                                  : ErrorCode::kCoordinatorNotAvailable);
  Take(std::move(next));
}

void GroupDriver::PrintAnswer(const Answer& answer, ErrorCode error) {
  EXPECT_EQ(waiting_.erase(answer.ticket), 1u)
      << "ticket " << answer.ticket << " answered twice";
  Response response = answer.response;
  if (error != ErrorCode::kNone)
    std::visit([&](auto& r) { r.Fail(error); }, response);
  Print("#" + std::to_string(answer.ticket) + " " +
        std::visit([](const auto& r) { return Show(r); }, response));
}

}  // namespace tidemark::coordinator
