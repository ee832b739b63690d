// What the golden scenarios do not show: odd messages, leases, big snapshots.
#include "controller/raft/raft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tidemark::raft {
namespace {

Raft MakeNode(NodeId self, Stored stored = {}) {
  Config config;
  config.self = self;
  config.voters = {1, 2, 3};
  config.seed = self;
  return Raft(config, std::move(stored));
}

// Carries out every write at once; returns what the node says.
std::vector<Message> Drain(Raft& node) {
  std::vector<Message> said;
  while (true) {
    Ready ready = node.TakeReady();
    if (ready.empty()) return said;
    for (Message& m : ready.messages) said.push_back(std::move(m));
    if (!ready.write) continue;
    for (Message& m : ready.write->messages) said.push_back(std::move(m));
    node.OnWritten(ready.write->id);
  }
}

Message Make(MessageType type, NodeId from, NodeId to, Term term) {
  return {.type = type, .from = from, .to = to, .term = term};
}

void Lead(Raft& node) {
  node.Campaign();
  Drain(node);
  const Term term = node.term() + 1;
  ASSERT_TRUE(node.Step(Make(MessageType::kPreVoteReply, 2, 1, term)));
  Drain(node);
  ASSERT_TRUE(node.Step(Make(MessageType::kVoteReply, 2, 1, term)));
  ASSERT_TRUE(node.IsLeader());
  Drain(node);
}

TEST(Raft, MessagesNoVoterSendsAreRefused) {
  struct Case {
    const char* name;
    Message message;
  };
  auto with = [](auto change) {
    Message m = Make(MessageType::kAppend, 1, 2, 5);
    change(m);
    return m;
  };
  const Case cases[] = {
      {"OtherReceiver", with([](Message& m) { m.to = 3; })},
      {"FromItself", with([](Message& m) { m.from = 2; })},
      {"FromNobody", with([](Message& m) { m.from = kNoNode; })},
      {"TypeZero", with([](Message& m) { m.type = MessageType(0); })},
      {"TypeUnknown", with([](Message& m) { m.type = MessageType(200); })},
      {"NoTerm", with([](Message& m) { m.term = 0; })},
      {"HugeIndex", with([](Message& m) { m.index = UINT64_MAX; })},
      {"HugeTerm", with([](Message& m) { m.term = UINT64_MAX; })},
      {"EntriesWithAGap", with([](Message& m) {
         m.entries = {{1, 1, {}}, {3, 1, {}}};
       })},
      {"EntriesNotAfterPrevious", with([](Message& m) {
         m.entries = {{2, 1, {}}};
       })},
      {"TermsRunBackwards", with([](Message& m) {
         m.entries = {{1, 3, {}}, {2, 2, {}}};
       })},
      {"EntryOfTheFuture", with([](Message& m) {
         m.entries = {{1, 6, {}}};
       })},
      {"EntryOfTwoKinds", with([](Message& m) {
         m.entries = {{1, 1, SharedBytes("data"),
                       std::make_shared<Members>(Members::OfVoters({1}))}};
       })},
      {"EntriesInAHeartbeat", with([](Message& m) {
         m.type = MessageType::kHeartbeat;
         m.entries = {{1, 1, {}}};
       })},
      {"OversizedChunk", with([](Message& m) {
         m.type = MessageType::kSnapshot;
         m.snapshot = {{5, 1},
                       0,
                       SharedBytes(std::string(kSnapshotChunkBytes + 1, 'x')),
                       true};
       })},
      {"SnapshotOfNothing",
       with([](Message& m) { m.type = MessageType::kSnapshot; })},
  };
  for (const Case& c : cases) {
    Raft node = MakeNode(2);
    EXPECT_FALSE(node.Step(c.message)) << c.name;
    EXPECT_EQ(node.term(), 0u) << c.name;
    EXPECT_TRUE(Drain(node).empty()) << c.name;
  }
}

Uuid DirectoryOf(uint8_t n) {
  Uuid directory;
  directory.bytes[15] = n;
  return directory;
}

// One of three that know each other's directories: node n's is n.
Raft MakeAgreed(NodeId self) {
  Members members;
  for (NodeId id = 1; id <= 3; ++id)
    members.Put({.id = id, .directory = DirectoryOf(id)});
  Config config;
  config.self = self;
  config.directory = DirectoryOf(self);
  return Raft(config, {.members = std::make_shared<Members>(members)});
}

// two disks under one id do not both get the vote of a term.
TEST(Raft, AVoteIsForOneIdOnOneDisk) {
  Raft node = MakeAgreed(2);
  Message ask = Make(MessageType::kVote, 3, 2, 5);
  ask.from_directory = DirectoryOf(3);
  ask.to_directory = DirectoryOf(2);
  ask.index = ask.log_term = 4;
  auto granted = [&] {
    EXPECT_TRUE(node.Step(ask));
    const auto said = Drain(node);
    EXPECT_EQ(said.size(), 1u);
    return !said.empty() && !said[0].reject;
  };
  EXPECT_TRUE(granted());
  EXPECT_TRUE(granted());
  ask.from_directory = DirectoryOf(33);
  EXPECT_FALSE(granted());
}

// of two that know ids only, one has voted and got nothing else yet. It
// has its disk since, and must not let the other one wait for ever.
TEST(Raft, WhoHasVotedIsNotTakenForABlankDisk) {
  Config config;
  config.self = 2;
  config.directory = DirectoryOf(2);
  const auto members = std::make_shared<Members>(Members::OfVoters({1, 2}));
  Message ask = Make(MessageType::kVote, 1, 2, 1);
  ask.from_directory = DirectoryOf(1);
  Message longer = Make(MessageType::kPreVote, 1, 2, 4);
  longer.from_directory = DirectoryOf(1);
  longer.index = 13;
  longer.log_term = 1;
  for (bool voted : {true, false}) {
    Raft node(config, {.members = members});
    if (voted) {
      EXPECT_TRUE(node.Step(ask));
      EXPECT_FALSE(Drain(node).at(0).reject);
    }
    // Terms go on without it.
    EXPECT_TRUE(node.Step(Make(MessageType::kHeartbeat, 1, 2, 3)));
    Drain(node);
    for (int i = 0; i < 10; ++i) node.Tick();
    Drain(node);
    EXPECT_TRUE(node.Step(longer));
    const auto said = Drain(node);
    ASSERT_EQ(said.size(), voted ? 1u : 0u);
    if (voted) {
      EXPECT_FALSE(said[0].reject);
    }
  }
}

// R-18, F21: what a blank disk says under an old id makes no majority.
TEST(Raft, AnswersOfAnotherDiskCountForNothing) {
  Raft node = MakeAgreed(1);
  auto say = [&](MessageType type, uint8_t directory, Term term) {
    Message m = Make(type, 2, 1, term);
    m.from_directory = DirectoryOf(directory);
    m.to_directory = DirectoryOf(1);
    m.index = type == MessageType::kAppendReply ? 1 : 0;
    EXPECT_TRUE(node.Step(m));
    Drain(node);
  };
  node.Campaign();
  Drain(node);
  say(MessageType::kPreVoteReply, 22, 1);
  EXPECT_EQ(node.term(), 0u);
  say(MessageType::kPreVoteReply, 2, 1);
  EXPECT_EQ(node.term(), 1u);
  say(MessageType::kVoteReply, 22, 1);
  EXPECT_FALSE(node.IsLeader());
  say(MessageType::kVoteReply, 2, 1);
  ASSERT_TRUE(node.IsLeader());
  say(MessageType::kAppendReply, 22, 1);
  EXPECT_EQ(node.log().committed(), 0u);
  say(MessageType::kAppendReply, 2, 1);
  EXPECT_EQ(node.log().committed(), 1u);
}

// P-4: a proxy closes the stream amid a snapshot, and the leader goes on.
TEST(Raft, HalfASnapshotOutlivesTheStreamItCameOn) {
  Raft node = MakeNode(2);
  auto chunk = [](NodeId from, uint64_t position, bool is_last) {
    Message m = Make(MessageType::kSnapshot, from, 2, 1);
    m.snapshot = {{5, 1}, position, SharedBytes("half"), is_last};
    return m;
  };
  ASSERT_TRUE(node.Step(chunk(1, 0, false)));
  node.LeaderUnreachable(1);
  for (int i = 0; i < 20; ++i) node.Tick();
  EXPECT_EQ(node.leader(), kNoNode);
  Drain(node);
  ASSERT_TRUE(node.Step(chunk(1, 4, true)));
  EXPECT_EQ(node.log().committed(), 5u);
}

// Its bytes may be others.
TEST(Raft, HalfASnapshotOfAnotherLeaderIsNotGoneOnWith) {
  Raft node = MakeNode(2);
  Message first = Make(MessageType::kSnapshot, 1, 2, 1);
  first.snapshot = {{5, 1}, 0, SharedBytes("half"), false};
  ASSERT_TRUE(node.Step(first));
  Message other = Make(MessageType::kSnapshot, 3, 2, 2);
  other.snapshot = {{5, 1}, 4, SharedBytes("half"), true};
  ASSERT_TRUE(node.Step(other));
  EXPECT_EQ(node.log().committed(), 0u);
}

Raft MakeCheckingNode() {
  Config config;
  config.self = 2;
  config.voters = {1, 2, 3};
  config.check_snapshots = true;
  return Raft(config, {});
}

// Carries out everything else.
std::optional<SnapshotCheck> TakeCheck(Raft& node) {
  std::optional<SnapshotCheck> check;
  while (true) {
    Ready ready = node.TakeReady();
    if (ready.empty()) return check;
    if (ready.check) check = ready.check;
    if (ready.write) node.OnWritten(ready.write->id);
  }
}

Message WholeSnapshot(NodeId from, Term term, const std::string& data) {
  Message m = Make(MessageType::kSnapshot, from, 2, term);
  m.snapshot = {{5, 1}, 0, SharedBytes(std::string(data)), true};
  return m;
}

TEST(Raft, ASnapshotIsInstalledOnceItWasLookedAt) {
  Raft node = MakeCheckingNode();
  ASSERT_TRUE(node.Step(WholeSnapshot(1, 1, "s")));
  Ready ready = node.TakeReady();
  ASSERT_TRUE(ready.check);
  EXPECT_EQ(ready.check->data.view(), "s");
  EXPECT_FALSE(ready.snapshot || (ready.write && ready.write->snapshot));
  if (ready.write) node.OnWritten(ready.write->id);
  // It comes again meanwhile: once is enough.
  ASSERT_TRUE(node.Step(WholeSnapshot(1, 1, "s")));
  EXPECT_FALSE(node.TakeReady().check);
  EXPECT_EQ(node.log().committed(), 0u);
  node.SnapshotChecked(ready.check->id + 1, true);  // another one's
  EXPECT_EQ(node.log().committed(), 0u);
  node.SnapshotChecked(ready.check->id, true);
  EXPECT_EQ(node.log().committed(), 5u);
  Ready installs = node.TakeReady();
  ASSERT_TRUE(installs.write && installs.write->snapshot);
  ASSERT_EQ(installs.write->messages.size(), 1u);
  EXPECT_EQ(installs.write->messages[0].type, MessageType::kAppendReply);
  EXPECT_EQ(installs.write->messages[0].index, 5u);
}

TEST(Raft, ABadSnapshotIsForgottenAndAskedForAnew) {
  Raft node = MakeCheckingNode();
  ASSERT_TRUE(node.Step(WholeSnapshot(1, 1, "bad")));
  const uint64_t bad = TakeCheck(node)->id;
  node.SnapshotChecked(bad, false);
  EXPECT_EQ(node.log().committed(), 0u);
  ASSERT_TRUE(node.Step(WholeSnapshot(1, 1, "good")));
  const auto check = TakeCheck(node);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->data.view(), "good");
  node.SnapshotChecked(bad, true);  // late
  EXPECT_EQ(node.log().committed(), 0u);
  node.SnapshotChecked(check->id, true);
  EXPECT_EQ(node.log().committed(), 5u);
}

// Nobody leads when it was looked at, or another one: it is taken when it comes
// again from whom it was of, and from another one only looked at anew.
TEST(Raft, ASnapshotThatWasLookedAtBetweenLeadersIsTakenLater) {
  for (const bool same : {true, false}) {
    Raft node = MakeCheckingNode();
    ASSERT_TRUE(node.Step(WholeSnapshot(1, 1, "s")));
    const uint64_t check = TakeCheck(node)->id;
    ASSERT_TRUE(node.Step(Make(MessageType::kHeartbeat, 3, 2, 2)));
    node.SnapshotChecked(check, true);
    EXPECT_EQ(node.log().committed(), 0u);
    Drain(node);
    ASSERT_TRUE(node.Step(WholeSnapshot(same ? 1 : 3, 3, "s")));
    EXPECT_EQ(node.log().committed(), same ? 5u : 0u);
    EXPECT_EQ(TakeCheck(node).has_value(), !same);
  }
}

TEST(Raft, SecondLeaderInOneTermIsRefused) {
  Raft node = MakeNode(2);
  EXPECT_TRUE(node.Step(Make(MessageType::kHeartbeat, 1, 2, 1)));
  EXPECT_FALSE(node.Step(Make(MessageType::kHeartbeat, 3, 2, 1)));
  EXPECT_EQ(node.leader(), 1);
}

TEST(Raft, LeaderRefusesAnAcknowledgementOfWhatDoesNotExist) {
  Raft node = MakeNode(1);
  Lead(node);
  Message ack = Make(MessageType::kAppendReply, 2, 1, node.term());
  ack.index = 99;
  EXPECT_FALSE(node.Step(ack));
  EXPECT_EQ(node.log().committed(), 0u);
}

TEST(Raft, VoterThatHearsALeaderIgnoresACandidate) {
  Raft node = MakeNode(2);
  EXPECT_TRUE(node.Step(Make(MessageType::kHeartbeat, 1, 2, 1)));
  Drain(node);
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 7)));
  EXPECT_EQ(node.term(), 1u);
  EXPECT_TRUE(Drain(node).empty());
  // Not any more once the leader has been silent for the shortest timeout,
  // or its stream is gone.
  node.LeaderUnreachable(1);
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 7)));
  EXPECT_EQ(node.vote(), 3);
}

TEST(Raft, LeaseEndsWithTheShortestTimeout) {
  Raft node = MakeNode(2);
  EXPECT_TRUE(node.Step(Make(MessageType::kHeartbeat, 1, 2, 1)));
  for (uint32_t i = 1; i < node.config().election_ticks_min; ++i) node.Tick();
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 7)));
  EXPECT_EQ(node.term(), 1u);
  node.Tick();
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 7)));
  EXPECT_EQ(node.term(), 7u);
}

// a refused (pre-)vote must not put off the own election.
TEST(Raft, RefusedVoteDoesNotRestartTheClock) {
  Stored stored;
  stored.hard_state = {1, kNoNode};
  stored.entries = {{1, 1, {}}};
  Raft node = MakeNode(2, stored);
  for (int tick = 0; tick < 20; ++tick) {
    node.Tick();
    if (!std::holds_alternative<Follower>(node.role())) return;
    EXPECT_TRUE(node.Step(Make(MessageType::kPreVote, 3, 2, 100 + tick)));
    EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 100 + tick)));
  }
  FAIL() << "never stood for election";
}

TEST(Raft, OneVoteATerm) {
  Raft node = MakeNode(2);
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 1, 2, 4)));
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 3, 2, 4)));
  EXPECT_TRUE(node.Step(Make(MessageType::kVote, 1, 2, 4)));
  const auto said = Drain(node);
  ASSERT_EQ(said.size(), 3u);
  EXPECT_EQ(said[0].to, 1);
  EXPECT_FALSE(said[0].reject);
  EXPECT_EQ(said[1].to, 3);
  EXPECT_TRUE(said[1].reject);
}

// Votes of others can be enough while the own one is still being written.
TEST(Raft, LeadsOnlyOnceItsOwnVoteIsDurable) {
  Raft node = MakeNode(1);
  node.Campaign();
  Drain(node);
  ASSERT_TRUE(node.Step(Make(MessageType::kPreVoteReply, 2, 1, 1)));
  const Ready ready = node.TakeReady();
  ASSERT_TRUE(ready.write);
  EXPECT_TRUE(ready.messages.empty());
  ASSERT_TRUE(node.Step(Make(MessageType::kVoteReply, 2, 1, 1)));
  ASSERT_TRUE(node.Step(Make(MessageType::kVoteReply, 3, 1, 1)));
  EXPECT_FALSE(node.IsLeader());
  node.OnWritten(ready.write->id);
  EXPECT_TRUE(node.IsLeader());
}

// beyond what the leader has matched lie perhaps a dead leader's
// entries; the leader's commit index does not speak of them.
TEST(Raft, FollowerCommitsNoFurtherThanItMatches) {
  Stored stored;
  stored.hard_state = {1, kNoNode};
  stored.entries = {{1, 1, {}}, {2, 1, {}}, {3, 1, {}}};
  Raft node = MakeNode(2, stored);
  Message append = Make(MessageType::kAppend, 1, 2, 2);
  append.index = 1;
  append.log_term = 1;
  append.commit = 3;
  EXPECT_TRUE(node.Step(append));
  EXPECT_EQ(node.log().committed(), 1u);
}

// D-18: a leader that replaces in one term what it has sent in it is no honest
// one, and ends nobody's process.
TEST(Raft, WhatMatchedMayBeTakenBack) {
  for (const bool by_snapshot : {false, true}) {
    Raft node = MakeNode(2);
    Message append = Make(MessageType::kAppend, 1, 2, 9);
    for (LogIndex i = 1; i <= 10; ++i) append.entries.push_back({i, 1, {}});
    EXPECT_TRUE(node.Step(append));
    Message other = Make(MessageType::kAppend, 1, 2, 9);
    if (by_snapshot) {
      other.type = MessageType::kSnapshot;
      other.snapshot = {.last = {2, 2}, .is_last = true};
    } else {
      other.index = other.log_term = 1;
      other.entries = {{2, 2, {}}};
      other.commit = 10;
    }
    EXPECT_TRUE(node.Step(other));
    Message heartbeat = Make(MessageType::kHeartbeat, 1, 2, 9);
    heartbeat.commit = 10;
    EXPECT_FALSE(node.Step(heartbeat));
    heartbeat.commit = 2;
    EXPECT_TRUE(node.Step(heartbeat));
    EXPECT_EQ(node.log().last_index(), 2u);
    EXPECT_EQ(node.log().committed(), 2u);
  }
}

// Of a directory that was copied back: its leader knows what it has had.
TEST(Raft, ALogThatHasGoneBackIsNoticedAndNotCountedOn) {
  Message append = Make(MessageType::kAppend, 1, 2, 9);
  for (LogIndex i = 1; i <= 10; ++i) append.entries.push_back({i, 9, {}});
  Stored older;
  older.hard_state = {9, 1};
  older.entries = {append.entries.begin(), append.entries.begin() + 4};
  Raft node = MakeNode(2, older);
  Message heartbeat = Make(MessageType::kHeartbeat, 1, 2, 9);
  heartbeat.commit = 10;
  const Status taken = node.Step(heartbeat);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find("older copy"), std::string::npos);
  EXPECT_TRUE(Drain(node).empty()) << "no reply";
  // It has lost nothing: another leader may have told it less.
  heartbeat.commit = 4;
  EXPECT_TRUE(node.Step(heartbeat));
  EXPECT_FALSE(Drain(node).empty());
}

// Any message is safe to give (raft.h), in any order.
TEST(Raft, NoSequenceOfMessagesOfALeaderEndsTheProcess) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::minstd_rand random(seed);
    auto below = [&](uint64_t end) { return random() % end; };
    Raft node = MakeNode(2);
    for (int step = 0; step < 60; ++step) {
      Message m = Make(MessageType::kAppend, 1, 2, 9);
      m.index = below(8);
      m.log_term = m.index == 0 ? 0 : 1 + below(3);
      m.commit = below(12);
      switch (below(3)) {
        case 0: {
          Term term = std::max<Term>(m.log_term, 1);
          for (uint64_t i = below(6); i > 0; --i) {
            term = std::min<Term>(term + below(2), 9);
            m.entries.push_back({m.index + m.entries.size() + 1, term, {}});
          }
          break;
        }
        case 1:
          m = Make(MessageType::kHeartbeat, 1, 2, 9);
          m.commit = below(12);
          break;
        default:
          m = Make(MessageType::kSnapshot, 1, 2, 9);
          m.snapshot = {.last = {1 + below(8), 1 + below(3)}, .is_last = true};
      }
      (void)node.Step(std::move(m));
      if (below(2)) Drain(node);
      ASSERT_LE(node.log().committed(), node.log().last_index());
    }
  }
}

TEST(Raft, TermOfTheLogCountsAfterARestart) {
  Stored stored;
  stored.hard_state = {3, 1};
  stored.entries = {{1, 5, {}}};
  Raft node = MakeNode(2, stored);
  EXPECT_EQ(node.term(), 5u);
  EXPECT_EQ(node.vote(), kNoNode);
  EXPECT_EQ(node.TakeReady().write->hard_state, (HardState{5, kNoNode}));
}

TEST(Raft, ProposalsBeyondTheLimitAreRefused) {
  Config config;
  config.self = 1;
  config.voters = {1, 2, 3};
  config.max_uncommitted_bytes = 10;
  Raft node(config, {});
  Lead(node);
  EXPECT_TRUE(node.Propose(SharedBytes(std::string(20, 'x'))));
  EXPECT_EQ(node.Propose(SharedBytes("y")).error().code,
            ErrorCode::kThrottlingQuotaExceeded);
  Drain(node);
  Message ack = Make(MessageType::kAppendReply, 2, 1, node.term());
  ack.index = 2;
  EXPECT_TRUE(node.Step(ack));
  EXPECT_TRUE(node.Propose(SharedBytes("y")));
}

// A snapshot of several chunks, with one lost, one twice, and a restart of
// the follower in the middle.
TEST(Raft, SnapshotInChunks) {
  Stored stored;
  stored.hard_state = {1, kNoNode};
  stored.snapshot = stored.base = {100, 1};
  Raft leader = MakeNode(1, stored);
  Lead(leader);
  std::string state;
  for (size_t i = 0; i < 3 * kSnapshotChunkBytes + 5; ++i)
    state.push_back(static_cast<char>(i * 7));
  auto follower = std::make_unique<Raft>(MakeNode(3));
  int chunks = 0;
  std::optional<Snapshot> installed;
  for (int round = 0; round < 200 && !installed; ++round) {
    leader.Tick();
    Ready ready = leader.TakeReady();
    if (ready.write) leader.OnWritten(ready.write->id);
    if (ready.wants_snapshot)
      leader.ProvideSnapshot({{100, 1}, SharedBytes(std::string(state))});
    for (const Message& m : ready.messages) {
      if (m.to != 3) continue;
      if (m.type == MessageType::kSnapshot) {
        ++chunks;
        if (chunks == 2) continue;
        if (chunks == 3) {
          EXPECT_TRUE(follower->Step(m));
        }
        if (chunks == 4) follower = std::make_unique<Raft>(MakeNode(3));
      }
      EXPECT_TRUE(follower->Step(m));
    }
    // Keeps the leader in office.
    leader.Step(Make(MessageType::kHeartbeatReply, 2, 1, leader.term()));
    Ready answers = follower->TakeReady();
    if (answers.snapshot) installed = answers.snapshot;
    if (answers.write) {
      for (Message& m : answers.write->messages) leader.Step(std::move(m));
      follower->OnWritten(answers.write->id);
    }
    for (Message& m : answers.messages) leader.Step(std::move(m));
  }
  ASSERT_TRUE(installed);
  EXPECT_EQ(installed->data.view(), state);
  EXPECT_EQ(follower->log().base(), (LogPosition{100, 1}));
}

}  // namespace
}  // namespace tidemark::raft
