// What a journal says after damage: what is torn at its end was promised to
// nobody, what is missing before was.
#include "broker/log/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/log/journal_rounds.h"
#include "tests/support/sim_disk.h"

namespace tidemark::log {
namespace {

constexpr char kJournalPath[] = "/d/journal";
constexpr uint64_t kFileBytes = 1 << 15;

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    key_.topic_id = *Uuid::FromBytes("0123456789abcdef");
    options_.file_bytes = kFileBytes;
    options_.max_files = 3;
    Clear();
  }
  void Clear() {
    (void)disk_.RemoveAll("/d");
    EXPECT_TRUE(disk_.CreateDirectories("/d"));
    EXPECT_TRUE(disk_.SyncDirectory("/"));
    next_ = 0;
  }

  void Open() {
    auto contents = ReadJournal(disk_, kJournalPath);
    ASSERT_TRUE(contents);
    journal_ =
        std::make_unique<Journal>(disk_, kJournalPath, *contents, options_);
  }

  // Batches [next_, next_ + 1), in a round of one block.
  void Append() {
    JournalRecord record;
    record.key = key_;
    record.offset = next_;
    record.next = ++next_;
    Write(record, std::string(100, 'b'));
  }
  void Write(const JournalRecord& record, const std::string& payload = {}) {
    std::string round(kJournalRoundHeader, '\0');
    AppendJournalRecordHeader(record, static_cast<uint32_t>(payload.size()),
                              &round);
    round += payload;
    ASSERT_TRUE(journal_->Append(&round));
  }
  // The path of the file that has ended.
  std::string NextFile() {
    auto ended = journal_->NextFile();
    EXPECT_TRUE(ended);
    return ended.value_or("");
  }
  std::string Path(int number) {
    return std::string(kJournalPath) + "/0000000" + std::to_string(number) +
           ".journal";
  }
  static uint64_t RoundAt(int index) {
    return kJournalRoundsAt + static_cast<uint64_t>(index) * kJournalBlock;
  }

  // What the journal promises; -1 when it is known to be damaged.
  Offset Promised() {
    auto contents = ReadJournal(disk_, kJournalPath);
    if (!contents) {
      EXPECT_EQ(contents.error().code, ErrorCode::kCorruptMessage);
      EXPECT_NE(contents.error().message.find("damaged"), std::string::npos);
      return -1;
    }
    return contents->plans.empty() ? 0 : contents->plans[key_].promised();
  }

  sim::SimDisk disk_{5};
  JournalOptions options_;
  JournalKey key_;
  std::unique_ptr<Journal> journal_;
  Offset next_ = 0;
};

TEST_F(JournalTest, ABadLastRoundWasPromisedToNobody) {
  Open();
  NextFile();
  for (int i = 0; i < 3; ++i) Append();
  disk_.FlipBit(Path(1), RoundAt(2) + 60, 3);
  EXPECT_EQ(Promised(), 2);
}

TEST_F(JournalTest, ABadRoundInFrontOfAGoodOneIsDamage) {
  for (const uint64_t at : {uint64_t{0}, uint64_t{10}, uint64_t{100}}) {
    SCOPED_TRACE(at);
    Clear();
    Open();
    NextFile();
    for (int i = 0; i < 3; ++i) Append();
    disk_.FlipBit(Path(1), RoundAt(1) + at, 3);
    EXPECT_EQ(Promised(), -1);
  }
}

TEST_F(JournalTest, ABadRoundAtTheEndOfAnOlderFileIsDamage) {
  Open();
  NextFile();
  Append();
  Append();
  NextFile();
  Append();
  EXPECT_EQ(Promised(), 3);
  disk_.FlipBit(Path(1), RoundAt(1) + 60, 3);
  EXPECT_EQ(Promised(), -1);
}

TEST_F(JournalTest, AMissingFileIsDamageAsLongAsItIsNeeded) {
  Open();
  NextFile();
  Append();
  const std::string first = NextFile();
  EXPECT_EQ(first, Path(1));
  Append();
  ASSERT_TRUE(disk_.Remove(Path(1)));
  EXPECT_EQ(Promised(), -1);
  // From the next file on it is known to be settled.
  journal_->Free(first);
  NextFile();
  Append();
  EXPECT_EQ(Promised(), 3);
}

TEST_F(JournalTest, NothingBeforeAnEndOfHistoryIsMissed) {
  Open();
  NextFile();
  Append();
  NextFile();
  JournalRecord record;
  record.kind = JournalRecord::Kind::kAllSynced;
  Write(record);
  ASSERT_TRUE(disk_.Remove(Path(1)));
  EXPECT_EQ(Promised(), 0);
}

// It was synced before there was a round, so no power cut took it.
TEST_F(JournalTest, ALostHeaderIsDamage) {
  Open();
  NextFile();
  Append();
  EXPECT_EQ(Promised(), 1);
  disk_.FlipBit(Path(1), 20, 3);
  EXPECT_EQ(Promised(), -1);
  disk_.FlipBit(Path(1), 20, 3);
  // Of a second file, and then of the first one's next use.
  const std::string first = NextFile();
  Append();
  disk_.FlipBit(Path(2), 20, 3);
  EXPECT_EQ(Promised(), -1);
  disk_.FlipBit(Path(2), 20, 3);
  journal_->Free(first);
  NextFile();
  disk_.FlipBit(Path(1), kJournalBlock + 20, 3);
  EXPECT_EQ(Promised(), 2);  // nothing was written behind it yet
  disk_.FlipBit(Path(1), kJournalBlock + 20, 3);
  Append();
  EXPECT_EQ(Promised(), 3);
  disk_.FlipBit(Path(1), kJournalBlock + 20, 3);
  EXPECT_EQ(Promised(), -1);
}

// A header that is torn leaves that of the use before.
TEST_F(JournalTest, AFileIsUsedAgainWithoutForgettingWhatIsStillNeeded) {
  options_.max_files = 2;
  for (int64_t kill = 1; kill < 40; ++kill) {
    SCOPED_TRACE(kill);
    Clear();
    Open();
    NextFile();
    std::string ended;
    Offset promised = 0;
    disk_.DieAfter(kill);
    while (!disk_.dead()) {
      JournalRecord record;
      record.key = key_;
      record.offset = next_;
      record.next = ++next_;
      std::string round(kJournalRoundHeader, '\0');
      AppendJournalRecordHeader(record, 0, &round);
      if (!journal_->Append(&round)) break;
      promised = next_;
      if (next_ % 2 != 0) continue;
      // What was in it is settled, as far as anybody here cares.
      if (!ended.empty()) journal_->Free(ended);
      auto next = journal_->NextFile();
      if (!next) break;
      ended = *next;
    }
    disk_.Crash();
    EXPECT_GE(Promised(), promised);
  }
}

TEST_F(JournalTest, GoesOnAcrossFilesThatAreUsedAgain) {
  for (int life = 0; life < 20; ++life) {
    Open();
    NextFile();
    Append();
    // What is in the others is settled now.
    const auto contents = ReadJournal(disk_, kJournalPath);
    ASSERT_TRUE(contents);
    for (size_t i = 0; i + 1 < contents->files.size(); ++i) {
      journal_->Free(contents->files[i].path);
    }
    NextFile();
    Append();
    EXPECT_EQ(Promised(), next_);
    disk_.Crash();
    EXPECT_EQ(Promised(), next_);
  }
}

// What the journal has of an earlier log of that name would count.
TEST(JournalRoundsTest, WhatIsKeptIsFreedOnceItIsReleased) {
  sim::SimDisk disk(1);
  JournalRounds::Options options;
  options.journal.file_bytes = 64 << 10;
  {
    JournalRounds rounds(disk, kJournalPath, JournalContents(), false, options);
    rounds.Note(JournalRecord::Kind::kCut, {}, 1);
    std::vector<JournalRounds::Item> none;
    ASSERT_TRUE(rounds.Run(none));
  }
  const auto contents = ReadJournal(disk, kJournalPath);
  ASSERT_TRUE(contents);
  ASSERT_EQ(contents->files.size(), 1u);
  JournalRounds rounds(disk, kJournalPath, *contents, true, options);
  EXPECT_FALSE(rounds.TakeEnded());
  rounds.Release();
  const auto ended = rounds.TakeEnded();
  ASSERT_TRUE(ended);
  EXPECT_THAT(ended->journal_files(),
              testing::ElementsAre(contents->files[0].path));
}

TEST(JournalRoundsTest, NothingIsPromisedOfALogThatIsNotNoted) {
  sim::SimDisk disk(5);
  JournalRounds rounds(disk, kJournalPath, JournalContents(), false, {});
  SyncWork work;
  work.mark = std::make_shared<LogMark>();
  work.appended.emplace();
  work.appended->size = 1 << 20;
  EXPECT_FALSE(rounds.Takes(work)) << "large: synced in place at once";
  work.mark->SetNoted(false);
  EXPECT_TRUE(rounds.Takes(work)) << "the note goes first";
}

// Whoever wrote them knew how to make a checksum.
TEST(JournalRecordTest, WhatCannotBeIsDamage) {
  const auto take = [](JournalRecord record, std::string_view payload) {
    std::string bytes;
    AppendJournalRecordHeader(record, static_cast<uint32_t>(payload.size()),
                              &bytes);
    bytes += payload;
    std::string_view all(bytes);
    return TakeJournalRecord(&all).has_value();
  };
  JournalRecord record;
  record.kind = JournalRecord::Kind::kCreated;
  EXPECT_TRUE(take(record, "orders"));
  using std::literals::operator""sv;
  for (const std::string_view name :
       {""sv, "../../etc/x"sv, "a/b"sv, "a\0b"sv}) {
    EXPECT_FALSE(take(record, name)) << name;
  }
  EXPECT_FALSE(take(record, std::string(250, 'a')));
  record.key.partition = -1;
  EXPECT_FALSE(take(record, "orders"));
  record.kind = JournalRecord::Kind::kStartOver;
  record.offset = record.next = Offset{1} << 62;
  EXPECT_TRUE(take(record, ""));
  ++record.next;
  EXPECT_FALSE(take(record, ""));
}

TEST(JournalPlanTest, OfTwoAppendsTheLaterCounts) {
  JournalPlan plan;
  JournalRecord record;
  for (const auto& [offset, next] :
       std::vector<std::pair<Offset, Offset>>{{0, 4}, {4, 9}, {6, 7}}) {
    record.offset = offset;
    record.next = next;
    plan.Apply(record, 0, 0);
  }
  ASSERT_EQ(plan.appends().size(), 3u);
  EXPECT_EQ(plan.appends()[1].until, 6);
  EXPECT_EQ(plan.promised(), 7);
}

TEST(JournalPlanTest, WhatWasCutIsNotPromised) {
  JournalPlan plan;
  JournalRecord record;
  record.next = 10;
  plan.Apply(record, 0, 0);
  EXPECT_FALSE(plan.cut());
  record.kind = JournalRecord::Kind::kCut;
  record.offset = record.next = 3;
  plan.Apply(record, 0, 0);
  EXPECT_TRUE(plan.cut());
  EXPECT_EQ(plan.promised(), 3);
  EXPECT_EQ(plan.recovery_at_most(), 3);
  record.kind = JournalRecord::Kind::kStartOver;
  record.offset = record.next = 50;
  plan.Apply(record, 0, 0);
  EXPECT_EQ(plan.promised(), 0);
  EXPECT_EQ(plan.start_over(), 50);
  record.kind = JournalRecord::Kind::kRemoved;
  plan.Apply(record, 0, 0);
  EXPECT_TRUE(plan.removed());
  record.kind = JournalRecord::Kind::kCreated;
  record.payload = "t";
  record.offset = record.next = 0;
  plan.Apply(record, 0, 0);
  EXPECT_FALSE(plan.removed());
  EXPECT_EQ(plan.created(), "t");
  EXPECT_FALSE(plan.cut());
}

}  // namespace
}  // namespace tidemark::log
