#include "tests/unit/controller/raft/scenario.h"

#include <glog/logging.h>

#include <algorithm>
#include <sstream>

namespace tidemark::raft {
namespace {

std::vector<std::string> Split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string Option(const std::vector<std::string>& words,
                   const std::string& name) {
  for (const std::string& word : words)
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  return "";
}

Uuid DirectoryOf(NodeId id, uint8_t life) {
  Uuid directory;
  directory.bytes[14] = life;
  directory.bytes[15] = static_cast<uint8_t>(id);
  return directory;
}

std::string RoleName(const Role& role) {
  struct Namer {
    std::string operator()(const Follower&) { return "follower"; }
    std::string operator()(const PreCandidate&) { return "pre-candidate"; }
    std::string operator()(const Candidate&) { return "candidate"; }
    std::string operator()(const Leader&) { return "leader"; }
  };
  return std::visit(Namer{}, role);
}

std::string List(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries)
    text += (text.empty() ? "" : ", ") + ToString(entry);
  return "[" + text + "]";
}

}  // namespace

Scenario::Node& Scenario::At(NodeId id) {
  auto it = nodes_.find(id);
  CHECK(it != nodes_.end()) << "no node " << id;
  return it->second;
}

std::string Scenario::Run(const std::string& command) {
  out_.clear();
  const Words words = Split(command);
  const std::string& verb = words.at(0);
  auto number = [&](size_t at, uint64_t otherwise) -> uint64_t {
    return at < words.size() ? std::stoull(words[at]) : otherwise;
  };
  if (verb == "quiet") {
    quiet_ = words.at(1) == "on";
    return "ok\n";
  }
  if (verb == "add-nodes") {
    AddNodes(words);
  } else if (verb == "join") {
    Join(number(1, 0));
  } else if (verb == "cut" || verb == "heal") {
    const NodeId a = number(1, 0), b = number(2, 0);
    for (auto pair : {std::pair{a, b}, std::pair{b, a}})
      verb == "cut" ? (void)cuts_.insert(pair) : (void)cuts_.erase(pair);
  } else if (verb == "stabilize") {
    std::set<NodeId> ids;
    for (size_t i = 1; i < words.size(); ++i) ids.insert(number(i, 0));
    Stabilize(std::move(ids));
  } else {
    const NodeId id = number(1, 0);
    Node& node = At(id);
    if (verb == "campaign") {
      node.core->Campaign();
    } else if (verb == "propose") {
      auto result = node.core->Propose(SharedBytes(command.substr(
          command.find(words.at(2), verb.size() + words[1].size() + 2))));
      Say(result ? "at " + ToString(*result) : ToString(result.error()));
    } else if (verb == "read-index") {
      auto status = node.core->ReadIndex(number(2, 0));
      if (!status) Say(ToString(status.error()));
    } else if (verb == "tick") {
      for (uint64_t i = number(2, 1); i > 0; --i) node.core->Tick();
    } else if (verb == "heartbeat") {
      for (uint32_t i = node.config.heartbeat_ticks; i > 0; --i)
        node.core->Tick();
    } else if (verb == "unreachable") {
      node.core->LeaderUnreachable(number(2, 0));
    } else if (verb == "transfer") {
      auto status = node.core->TransferLeadership(
          words.size() > 2 ? std::stoi(words[2]) : kNoNode);
      if (!status) Say(ToString(status.error()));
    } else if (verb == "change") {
      Change(node, words);
    } else if (verb == "wipe") {
      Wipe(node);
    } else if (verb == "process-ready") {
      if (!ProcessReady(id)) Say("nothing to do");
    } else if (verb == "async") {
      node.async = words.at(2) == "on";
    } else if (verb == "sync") {
      for (uint64_t i = number(2, 1); i > 0; --i)
        if (!Sync(id)) Say("nothing to sync");
    } else if (verb == "deliver" || verb == "duplicate") {
      if (!Deliver(id, words, verb == "duplicate")) Say("no messages");
    } else if (verb == "drop") {
      Drop(id, words);
    } else if (verb == "crash") {
      node.core.reset();
      node.writes.clear();
      network_[id].clear();
      node.role.clear();
    } else if (verb == "restart") {
      Start(node);
    } else if (verb == "compact") {
      Compact(id, number(2, 0));
    } else if (verb == "raft-log") {
      PrintLog(id);
    } else if (verb == "status") {
      PrintStatus(id);
    } else {
      Say("unknown command " + verb);
    }
  }
  for (auto& [id, node] : nodes_) PrintRole(id);
  Check();
  return out_.empty() ? "ok\n" : out_;
}

void Scenario::AddNodes(const Words& words) {
  Config config;
  const int count = std::stoi(words.at(1));
  for (NodeId id = 1; id <= count; ++id) config.voters.insert(id);
  MembersPtr agreed;
  if (std::find(words.begin(), words.end(), "agreed") != words.end()) {
    Members members;
    for (NodeId id : config.voters)
      members.Put({.id = id, .directory = DirectoryOf(id, 0)});
    agreed = std::make_shared<Members>(std::move(members));
  }
  if (auto text = Option(words, "election"); !text.empty()) {
    config.election_ticks_min = std::stoul(text);
    config.election_ticks_max = std::stoul(text.substr(text.find(',') + 1));
  }
  if (auto text = Option(words, "inflight"); !text.empty())
    config.max_inflight_messages = std::stoul(text);
  if (auto text = Option(words, "append-bytes"); !text.empty())
    config.max_append_bytes = std::stoul(text);
  checker_ = std::make_unique<InvariantChecker>();
  joining_ = config;
  joining_.voters.clear();
  const std::set<NodeId> ids = config.voters;
  if (agreed) config.voters.clear();
  for (NodeId id : ids) {
    config.self = id;
    config.seed = id;
    config.directory = DirectoryOf(id, 0);
    nodes_[id].config = config;
    nodes_[id].disk.Format(agreed);
    Start(nodes_[id]);
  }
}

void Scenario::Join(NodeId id) {
  Node& node = nodes_[id];
  node.config = joining_;
  node.config.self = node.config.seed = id;
  node.config.directory = DirectoryOf(id, 0);
  Start(node);
}

void Scenario::Wipe(Node& node) {
  node.core.reset();
  node.writes.clear();
  network_[node.config.self].clear();
  node.role.clear();
  node.disk = RaftDisk();
  node.config.directory = DirectoryOf(node.config.self, ++wiped_);
  Start(node);
}

void Scenario::Change(Node& node, const Words& words) {
  Members next = *node.core->members();
  for (size_t i = 2; i < words.size(); ++i) {
    const size_t split = words[i].find('=');
    const std::string what = words[i].substr(0, split);
    if (what == "agree") {
      for (NodeId id : next.Voters())
        next.Put({.id = id, .directory = At(id).config.directory});
      continue;
    }
    const NodeId id = std::stoi(words[i].substr(split + 1));
    if (what == "remove") {
      next.Remove(id);
    } else {
      next.Put({.id = id,
                .directory = At(id).config.directory,
                .votes = what == "voter"});
    }
  }
  auto result = node.core->ChangeMembers(std::move(next));
  Say(result ? "at " + ToString(*result) : ToString(result.error()));
}

void Scenario::Start(Node& node) {
  node.core = std::make_unique<Raft>(node.config, node.disk.stored());
  node.state = node.disk.snapshot().data.view();
}

void Scenario::Send(const Message& message) {
  const bool cut = cuts_.contains({message.from, message.to});
  Say((cut ? "  lost " : "  send ") + ToString(message));
  if (!cut && At(message.to).core) network_[message.to].push_back(message);
}

bool Scenario::ProcessReady(NodeId id) {
  Node& node = At(id);
  if (!node.core) return false;
  Ready ready = node.core->TakeReady();
  if (ready.empty()) return false;
  Say("ready " + std::to_string(id));
  for (const Message& message : ready.messages) Send(message);
  if (ready.write) {
    const Write& write = *ready.write;
    std::string text = "  write " + std::to_string(write.id);
    if (write.hard_state)
      text += " term=" + std::to_string(write.hard_state->term) +
              " vote=" + std::to_string(write.hard_state->vote);
    if (write.snapshot) text += " snapshot=" + ToString(write.snapshot->last);
    if (!write.entries.empty()) text += " " + List(write.entries);
    Say(text);
    node.writes.push_back(std::move(*ready.write));
    if (!node.async) Sync(id);
  }
  if (ready.snapshot) {
    Say("  load snapshot " + ToString(ready.snapshot->last) + " \"" +
        std::string(ready.snapshot->data.view()) + "\"");
    node.state = ready.snapshot->data.view();
  }
  if (!ready.committed.empty()) Say("  apply " + List(ready.committed));
  for (const Entry& entry : ready.committed) node.state += entry.data.view();
  for (const ReadState& read : ready.reads)
    Say("  read " + std::to_string(read.context) + " at " +
        std::to_string(read.index));
  if (ready.wants_snapshot) {
    Say("  wants a snapshot");
    node.core->ProvideSnapshot(node.disk.snapshot());
  }
  PrintRole(id);
  return true;
}

bool Scenario::Sync(NodeId id) {
  Node& node = At(id);
  if (node.writes.empty() || !node.core) return false;
  Write write = std::move(node.writes.front());
  node.writes.pop_front();
  if (node.async)
    Say("node " + std::to_string(id) + " synced write " +
        std::to_string(write.id));
  node.disk.Apply(write);
  for (const Message& message : write.messages) Send(message);
  node.core->OnWritten(write.id);
  PrintRole(id);
  return true;
}

void Scenario::Step(NodeId id, Message message) {
  Node& node = At(id);
  if (!node.core) return;
  Say("got " + ToString(message));
  auto status = node.core->Step(std::move(message));
  if (!status) Say("  refused: " + ToString(status.error()));
  PrintRole(id);
}

bool Scenario::Deliver(NodeId id, const Words& options, bool keep) {
  const std::string from = Option(options, "from");
  const std::string count = Option(options, "count");
  size_t left = count.empty() ? SIZE_MAX : std::stoul(count);
  std::deque<Message> waiting = std::move(network_[id]);
  network_[id].clear();
  bool any = false;
  for (Message& message : waiting) {
    const bool wanted =
        left > 0 && (from.empty() || std::stoi(from) == message.from);
    if (!wanted || keep) network_[id].push_back(message);
    if (!wanted) continue;
    any = true;
    --left;
    Step(id, message);
  }
  return any;
}

void Scenario::Drop(NodeId id, const Words& options) {
  const std::string from = Option(options, "from");
  std::erase_if(network_[id], [&](const Message& message) {
    const bool wanted = from.empty() || std::stoi(from) == message.from;
    if (wanted) Say("dropped " + ToString(message));
    return wanted;
  });
}

void Scenario::Stabilize(std::set<NodeId> ids) {
  if (ids.empty())
    for (auto& [id, node] : nodes_) ids.insert(id);
  for (int round = 0; round < 1000; ++round) {
    bool moved = false;
    for (NodeId id : ids)
      while (ProcessReady(id)) moved = true;
    for (NodeId id : ids)
      while (Sync(id)) moved = true;
    for (NodeId id : ids) {
      if (Deliver(id, {}, false)) moved = true;
      Check();
    }
    if (!moved) return;
  }
  Say("never stable");
}

void Scenario::Compact(NodeId id, LogIndex up_to) {
  Node& node = At(id);
  const Log& log = node.core->log();
  Snapshot snapshot{{log.applied(), *log.TermAt(log.applied())},
                    SharedBytes(node.state),
                    log.MembersAt(log.applied())};
  node.disk.SaveSnapshot(std::move(snapshot), up_to);
  node.core->Compact(up_to);
}

void Scenario::PrintRole(NodeId id) {
  Node& node = At(id);
  if (!node.core) return;
  std::string role = RoleName(node.core->role()) +
                     " term=" + std::to_string(node.core->term());
  if (node.core->leader() != kNoNode && !node.core->IsLeader())
    role += " of " + std::to_string(node.core->leader());
  if (role == node.role) return;
  node.role = role;
  Say("node " + std::to_string(id) + " is " + role);
}

void Scenario::PrintLog(NodeId id) {
  const Log& log = At(id).core->log();
  out_ += "base " + ToString(log.base()) + " committed " +
          std::to_string(log.committed()) + " applied " +
          std::to_string(log.applied()) + " durable " +
          std::to_string(log.durable()) + "\n";
  for (LogIndex i = log.first(); i <= log.last_index(); ++i)
    out_ += "  " + ToString(log.At(i)) + "\n";
}

void Scenario::PrintStatus(NodeId id) {
  Node& node = At(id);
  out_ += node.role + " vote=" + std::to_string(node.core->vote()) + "\n";
  if (node.core->log().members_index() > 0)
    out_ += "  members " + ToString(*node.core->members()) + "\n";
  if (const auto* leader = std::get_if<Leader>(&node.core->role()))
    for (const auto& [peer, progress] : leader->peers)
      out_ += "  " + std::to_string(peer) + ": " + ToString(progress) + "\n";
}

void Scenario::Check() {
  std::vector<NodeView> views;
  for (auto& [id, node] : nodes_)
    views.push_back(
        {id, node.config.directory, node.core.get(), &node.disk.stored()});
  if (auto broken = checker_->Check(views)) out_ += "BROKEN " + *broken + "\n";
}

}  // namespace tidemark::raft
