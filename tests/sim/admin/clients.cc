#include "tests/sim/admin/clients.h"

#include <utility>

#include "common/base/uuid.h"

namespace tidemark::sim {
namespace {

namespace admin_v1 = tidemark::admin::v1;
using Kind = AdminOp::Kind;

constexpr const char* kTopics[] = {"a", "b", "c", "d", "e", "f"};
constexpr const char* kKey = "retention.ms";
// So that the search for an order ends; three are kept for Finish.
constexpr size_t kMostOfOneTopic = 57;
constexpr int kMostTries = 6;
constexpr uint64_t kPatienceUs = 2'000'000;

bool Reads(const AdminOp& op) {
  return op.kind == Kind::kPartitions || op.kind == Kind::kValue ||
         op.kind == Kind::kReplicas;
}

}  // namespace

AdminClients::AdminClients(Timeline& timeline, Processes& processes, int count)
    : timeline_(timeline),
      random_(timeline.random),
      processes_(processes),
      clients_(static_cast<size_t>(count)) {}

void AdminClients::Start() {
  for (size_t who = 0; who < clients_.size(); ++who) Next(who);
}

// More of them come: one for each topic and way to read it.
void AdminClients::Finish() {
  finishing_ = true;
  for (const char* topic : kTopics) {
    for (const Kind kind : {Kind::kPartitions, Kind::kValue, Kind::kReplicas}) {
      Client client;
      client.topic = topic;
      client.op.kind = kind;
      client.op.begun = timeline_.now();
      client.reads_only = true;
      clients_.push_back(std::move(client));
      ++left_;
      Later(clients_.size() - 1, 1);
    }
  }
}

// Now and then with a broker that nobody knows.
std::string AdminClients::Target() {
  std::vector<int> brokers = {kBroker, kBrokersDown[0], kBrokersDown[1]};
  if (random_.Chance(10)) brokers.push_back(kNoBroker);
  std::string target;
  const uint64_t count = random_.Between(1, 3);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t at = random_.Below(brokers.size());
    target += (i == 0 ? "" : ",") + std::to_string(brokers[at]);
    brokers.erase(brokers.begin() + static_cast<ptrdiff_t>(at));
  }
  return target;
}

AdminOp AdminClients::Invent() {
  AdminOp op;
  op.kind = static_cast<Kind>(random_.Below(9));
  if (op.kind == Kind::kCreate || op.kind == Kind::kGrow)
    op.partitions = static_cast<int>(random_.Between(1, 6));
  if (op.kind == Kind::kSet) op.value = std::to_string(next_value_++);
  if (op.kind == Kind::kMove) op.value = Target();
  return op;
}

void AdminClients::Next(size_t who) {
  if (finishing_) return;
  Client& client = clients_[who];
  client.topic = kTopics[random_.Below(std::size(kTopics))];
  if (++begun_[client.topic] > kMostOfOneTopic)
    return timeline_.At(100'000, [this, who] { Next(who); });
  client.op = Invent();
  client.op.begun = timeline_.now();
  Uuid id;
  id.bytes[0] = 1;
  for (int i = 0; i < 8; ++i)
    id.bytes[15 - i] = static_cast<uint8_t>(next_id_ >> (8 * i));
  ++next_id_;
  client.request_id = id.ToBytes();
  client.tries = 0;
  client.maybe = false;
  client.asks = true;
  Try(who);
}

// The one that leads, or any.
void AdminClients::Try(size_t who) {
  Client& client = clients_[who];
  NodeId to = processes_.Active();
  if (to == kNoNode || random_.Chance(20))
    to = static_cast<NodeId>(
        1 + random_.Below(static_cast<uint64_t>(processes_.count())));
  ++client.tries;
  const uint64_t attempt = ++client.attempt;
  SendOp(who, to);
  timeline_.At(kPatienceUs, [this, who, attempt] {
    if (clients_[who].attempt != attempt) return;
    clients_[who].maybe = true;
    Unanswered(who);
  });
}

void AdminClients::Later(size_t who, uint64_t delay_us) {
  const uint64_t attempt = ++clients_[who].attempt;
  timeline_.At(delay_us, [this, who, attempt] {
    if (clients_[who].attempt == attempt) Try(who);
  });
}

void AdminClients::Unanswered(size_t who) {
  Client& client = clients_[who];
  // Those of the end do not: a quorum that answers nobody is found out.
  if (client.tries < kMostTries || client.reads_only)
    return Later(who, random_.Between(10'000, 200'000));
  ++client.attempt;  // nothing that comes now is heard
  client.asks = false;
  if (client.maybe && !Reads(client.op)) {
    ++unknown_;
    client.op.ended = AdminOp::kNever;
    Record(client);
  }
  Next(who);
}

void AdminClients::Record(const Client& client) {
  history_[client.topic].push_back(client.op);
  timeline_.Note(Fold(kFoldStart, ToString(client.op)));
}

void AdminClients::Heard(size_t who, uint64_t attempt,
                         const Result<AdminOp>& answer) {
  Client& client = clients_[who];
  if (client.attempt != attempt) return;
  if (!answer) {
    // Every other failure says that nothing has changed.
    client.maybe |= answer.error().code == ErrorCode::kRequestTimedOut;
    return Unanswered(who);
  }
  client.op = *answer;
  client.op.ended = timeline_.now();
  client.asks = false;
  ++answered_;
  again_ += client.maybe;
  Record(client);
  if (client.reads_only) {
    ++client.attempt;
    --left_;
    return;
  }
  ++client.attempt;
  timeline_.At(random_.Between(1'000, 400'000), [this, who] { Next(who); });
}

// `read` takes the answer out of the response.
template <class Request, class Read>
void AdminClients::Ask(size_t who, NodeId to, Request request, Read read) {
  Client& client = clients_[who];
  if constexpr (requires { request.set_request_id(""); })
    request.set_request_id(client.request_id);
  using Response = controller::ResponseTo<Request>;
  auto reply = [this, who, attempt = client.attempt, op = client.op,
                read](Result<Response> response) {
    Result<AdminOp> answer = op;
    if (response) {
      read(*response, &*answer);
    } else {
      answer = Fail(response.error());
    }
    processes_.Answer(
        [this, who, attempt, answer] { Heard(who, attempt, answer); });
  };
  processes_.Send(to, timeline_.now() + kPatienceUs,
                  [request, reply](controller::Controller& controller) {
                    controller.Call(request,
                                    controller::Reply<Response>(reply));
                  });
}

void AdminClients::SendOp(size_t who, NodeId to) {
  const Client& client = clients_[who];
  const auto code_of = [](const auto& of, AdminOp* op) {
    op->code = static_cast<ErrorCode>(of.code());
  };
  const auto first = [code_of](const auto& response, AdminOp* op) {
    code_of(response.topics(0), op);
  };
  switch (client.op.kind) {
    case Kind::kCreate: {
      admin_v1::CreateTopicsRequest request;
      auto* topic = request.add_topics();
      topic->set_name(client.topic);
      topic->set_partitions(client.op.partitions);
      topic->set_replication_factor(1);
      return Ask(who, to, request, first);
    }
    case Kind::kDelete: {
      admin_v1::DeleteTopicsRequest request;
      request.add_names(client.topic);
      return Ask(who, to, request, first);
    }
    case Kind::kGrow: {
      admin_v1::CreatePartitionsRequest request;
      auto* topic = request.add_topics();
      topic->set_name(client.topic);
      topic->set_count(client.op.partitions);
      return Ask(who, to, request, first);
    }
    case Kind::kSet: {
      admin_v1::AlterConfigsRequest request;
      auto* of = request.add_resources();
      of->mutable_resource()->set_type(2);
      of->mutable_resource()->set_name(client.topic);
      auto* change = of->add_changes();
      change->set_key(kKey);
      change->set_value(client.op.value);
      return Ask(who, to, request, [code_of](const auto& response, auto* op) {
        code_of(response.resources(0), op);
      });
    }
    case Kind::kPartitions: {
      admin_v1::DescribeTopicsRequest request;
      request.add_names(client.topic);
      return Ask(who, to, request, [code_of](const auto& response, auto* op) {
        code_of(response.topics(0), op);
        op->partitions = response.topics(0).topic().partitions_size();
      });
    }
    case Kind::kMove:
    case Kind::kCancel: {
      admin_v1::AlterPartitionReassignmentsRequest request;
      auto* partition = request.add_partitions();
      partition->set_topic(client.topic);
      if (client.op.kind == Kind::kMove) {
        auto* target = partition->mutable_replicas();
        // Ids of three digits.
        for (size_t at = 0; at < client.op.value.size(); at += 4)
          target->add_broker_ids(std::stoi(client.op.value.substr(at, 3)));
      }
      return Ask(who, to, request, [code_of](const auto& response, auto* op) {
        code_of(response.partitions(0), op);
      });
    }
    case Kind::kReplicas: {
      admin_v1::DescribeTopicsRequest request;
      request.add_names(client.topic);
      return Ask(who, to, request, [code_of](const auto& response, auto* op) {
        code_of(response.topics(0), op);
        for (const auto& partition : response.topics(0).topic().partitions()) {
          if (partition.partition() != 0) continue;
          for (const int broker : partition.replicas())
            op->value +=
                (op->value.empty() ? "" : ",") + std::to_string(broker);
        }
      });
    }
    case Kind::kValue: {
      admin_v1::DescribeConfigsRequest request;
      request.add_resources()->set_type(2);
      request.mutable_resources(0)->set_name(client.topic);
      return Ask(who, to, request, [code_of](const auto& response, auto* op) {
        code_of(response.resources(0), op);
        for (const auto& entry : response.resources(0).entries())
          if (entry.key() == kKey && entry.source() == "DYNAMIC_TOPIC_CONFIG")
            op->value = entry.value();
      });
    }
  }
}

std::string AdminClients::Check() const {
  auto all = history_;
  for (const Client& client : clients_)
    if (client.asks && !Reads(client.op))
      all[client.topic].push_back(client.op);
  for (const auto& [topic, history] : all) {
    if (IsLinearizable(history)) continue;
    std::string text =
        "C-26: no order explains what was said of topic " + topic;
    for (const AdminOp& op : history) text += "\n  " + ToString(op);
    return text;
  }
  return "";
}

}  // namespace tidemark::sim
