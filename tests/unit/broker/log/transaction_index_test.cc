// Which transactions were aborted where: the index, and what becomes of it.

#include "broker/log/transaction_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/record/big_endian.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// --- the file

class TransactionIndexTest : public testing::Test {
 protected:
  std::vector<Offset> FirstOffsets(Offset from, Offset below,
                                   bool done = false) {
    std::vector<AbortedTransaction> found;
    const auto all = index_.Collect(from, below, &found);
    EXPECT_TRUE(all);
    EXPECT_EQ(all.value_or(!done), done);
    std::vector<Offset> offsets;
    for (const auto& aborted : found) offsets.push_back(aborted.first_offset);
    return offsets;
  }
  ErrorCode CodeOf(Offset from) {
    std::vector<AbortedTransaction> found;
    const auto all = index_.Collect(from, INT64_MAX, &found);
    return all ? ErrorCode::kNone : all.error().code;
  }

  sim::SimDisk disk_{1};
  TransactionIndex index_{disk_, "/1000.txnindex", 1000};
};

TEST_F(TransactionIndexTest, IsKafkasFile) {
  ASSERT_TRUE(index_.Load()) << "none";
  ASSERT_TRUE(index_.Append({7, 990, 1005, 1002}));
  ASSERT_TRUE(index_.file().Flush());
  const auto bytes = io::ReadFile(disk_, "/1000.txnindex");
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 34u);
  EXPECT_EQ(record::LoadBigEndian<int16_t>(bytes->data()), 0);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes->data() + 2), 7);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes->data() + 10), 990);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes->data() + 18), 1005);
  EXPECT_EQ(record::LoadBigEndian<int64_t>(bytes->data() + 26), 1002);
}

TEST_F(TransactionIndexTest, FindsWhatOverlaps) {
  ASSERT_TRUE(index_.Append({1, 1000, 1002, 1001}));
  ASSERT_TRUE(index_.Append({1, 1003, 1004, 1001}));
  ASSERT_TRUE(index_.Append({2, 1001, 1006, 1005}));
  ASSERT_TRUE(index_.Append({3, 1005, 1008, 1009}));
  EXPECT_THAT(FirstOffsets(1000, 2000), ElementsAre(1000, 1003, 1001, 1005));
  EXPECT_THAT(FirstOffsets(1003, 1004, true), ElementsAre(1003, 1001))
      << "the third says that what follows lies behind";
}

TEST_F(TransactionIndexTest, EndsWhereEverythingBeforeIsDecided) {
  ASSERT_TRUE(index_.Append({1, 1000, 1002, 1003}));
  ASSERT_TRUE(index_.Append({1, 1003, 1004, 1005}));
  EXPECT_THAT(FirstOffsets(1000, 1003, true), ElementsAre(1000));
  EXPECT_THAT(FirstOffsets(1000, 1004, true), ElementsAre(1000, 1003));
  EXPECT_THAT(FirstOffsets(1003, 1006), ElementsAre(1003));
  EXPECT_THAT(FirstOffsets(1005, 1006), IsEmpty());
}

TEST_F(TransactionIndexTest, IsCutByMarkers) {
  for (Offset at = 1000; at < 3000; at += 2) {
    ASSERT_TRUE(index_.Append({1, at, at + 1, at + 2}));
  }
  ASSERT_TRUE(index_.TruncateTo(2501));
  EXPECT_EQ(index_.count(), 750u);
  ASSERT_TRUE(index_.TruncateTo(2502));
  EXPECT_EQ(index_.count(), 750u);
  EXPECT_THAT(FirstOffsets(2495, 9999), ElementsAre(2494, 2496, 2498));
  EXPECT_EQ(FirstOffsets(0, 9999).size(), 750u);
  ASSERT_TRUE(index_.TruncateTo(0));
  EXPECT_EQ(index_.count(), 0u);
}

TEST_F(TransactionIndexTest, WhatCannotBeIsNotBelieved) {
  const AbortedTransaction good{1, 1003, 1004, 1005};
  const AbortedTransaction bad[] = {
      {1, -1, 1004, 1005}, {1, 1004, 1004, 1005},
      {1, 990, 999, 1000}, {1, 1003, 1004, 1006},
      {1, 1003, 1004, -1}, {1, 1003, Offset{1} << 40, 1005}};
  for (const auto& entry : bad) {
    ASSERT_TRUE(index_.file().Remove());
    ASSERT_TRUE(index_.Append(entry));
    EXPECT_EQ(CodeOf(0), ErrorCode::kCorruptMessage) << entry.first_offset;
    ASSERT_TRUE(index_.file().Flush());
    EXPECT_EQ(index_.Load().error().code, ErrorCode::kCorruptMessage);
  }
  ASSERT_TRUE(index_.file().Remove());
  ASSERT_TRUE(index_.Append(good));
  ASSERT_TRUE(index_.Append(good));
  EXPECT_EQ(CodeOf(0), ErrorCode::kCorruptMessage) << "twice the same";
  ASSERT_TRUE(index_.file().Flush());
  auto file = *disk_.Open("/1000.txnindex", false);
  ASSERT_TRUE(file->Truncate(67));
  EXPECT_EQ(index_.Load().error().code, ErrorCode::kCorruptMessage);
}

// --- of a log

// What follows from the batches of a log alone.
struct Model {
  explicit Model(std::string_view batches) {
    record::BatchIterator it(batches);
    while (auto view = it.Next().value()) {
      const auto& header = view->header;
      if (!header.IsTransactional()) continue;
      if (!header.IsControl()) {
        open.try_emplace(header.producer_id, header.base_offset);
        continue;
      }
      const auto ended = open.find(header.producer_id);
      if (ended == open.end()) continue;
      if (MarkerIn(header, view->bytes)->type ==
          record::ControlRecordType::kAbort) {
        aborted.emplace_back(ended->second, header.base_offset);
      }
      open.erase(ended);
    }
  }
  // First offsets of those that overlap.
  std::vector<Offset> In(Offset from, Offset below) const {
    std::vector<Offset> found;
    for (const auto& [first, last] : aborted) {
      if (last >= from && first < below) found.push_back(first);
    }
    return found;
  }
  Offset Stable(Offset end) const {
    for (const auto& [producer, first] : open) end = std::min(end, first);
    return end;
  }

  std::map<ProducerId, Offset> open;
  std::vector<std::pair<Offset, Offset>> aborted;
};

class AbortedTest : public LogTest {
 protected:
  AbortedTest() {
    options_.config.verifies_transactions = false;
    options_.config.segment_bytes = 1000;
  }
  void Data(ProducerId id) {
    const auto batch = Batch(1, kNow, Transactional(id, next_[id]++));
    ASSERT_TRUE(log_->AppendAsLeader(batch, 0, kNow));
  }
  void End(ProducerId id, bool commit) {
    ASSERT_TRUE(log_->AppendFromCoordinator(Marker(id, commit), 0, kNow));
  }
  // `count` random steps of five producers.
  void Play(int count) {
    for (int i = 0; i < count; ++i) {
      const auto id = static_cast<ProducerId>(random_() % 5);
      switch (random_() % 4) {
        case 0:
          End(id, random_() % 3 == 0);
          break;
        case 1:
          ASSERT_TRUE(Append(Batch(1)));
          break;
        default:
          Data(id);
      }
    }
  }
  void Learn() {
    next_.clear();
    const auto active = log_->ActiveProducers();
    ASSERT_TRUE(active);
    for (const auto& producer : *active) {
      next_[producer.producer_id] = producer.last_sequence + 1;
    }
  }
  std::vector<Offset> In(Offset from, Offset below) {
    std::vector<Offset> found;
    const auto aborted = log_->AbortedIn(from, below);
    EXPECT_TRUE(aborted);
    for (const auto& one : *aborted) found.push_back(one.first_offset);
    return found;
  }
  void Check() {
    const Model model(ReadAll());
    const Offset end = log_->end_offset();
    ASSERT_EQ(log_->LastStableOffset(end), model.Stable(end));
    if (!model.aborted.empty()) {
      ASSERT_TRUE(log_->HasAborted());
    }
    for (Offset from = 0; from < end; from += 3) {
      for (Offset below = from + 1; below <= end; below += 5) {
        ASSERT_EQ(In(from, below), model.In(from, below))
            << from << " to " << below;
      }
    }
  }
  std::vector<std::string> Indexes() {
    std::vector<std::string> names;
    const auto all = disk_.List(kDir).value();
    for (const auto& name : all) {
      if (name.ends_with(".txnindex")) names.push_back(name);
    }
    return names;
  }

  std::map<ProducerId, int32_t> next_;
  std::mt19937 random_{7};
};

TEST_F(AbortedTest, ALogWithoutThemHasNoFile) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 30; ++i) {
    Data(1);
    End(1, true);
  }
  Reopen();
  EXPECT_THAT(Indexes(), IsEmpty());
  EXPECT_FALSE(log_->HasAborted());
  EXPECT_THAT(In(0, 60), IsEmpty());
}

TEST_F(AbortedTest, AreFoundAcrossSegments) {
  ASSERT_TRUE(Open());
  Play(300);
  EXPECT_GT(CountFiles(".log"), 10u);
  Check();
}

TEST_F(AbortedTest, AreThereAfterACleanStop) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 4; ++i) {
    Play(60);
    Reopen();
    Learn();
    Check();
  }
}

TEST_F(AbortedTest, AreFoundAgainAfterAPowerCut) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 6; ++i) {
    Play(60);
    Flush();
    if (i % 2 == 0) {
      const auto point = log_->RecoveryPoint();
      ASSERT_TRUE(point);
      options_.recovery_point = *point;
    }
    Play(10);
    CrashAndReopen();
    Learn();
    Check();
  }
}

// Whatever is lost of it, or is wrong: the batches tell.
TEST_F(AbortedTest, AreFoundAgainWhereTheFileIsDamaged) {
  ASSERT_TRUE(Open());
  Play(200);
  ASSERT_TRUE(log_->Close());
  log_.reset();
  const auto names = Indexes();
  ASSERT_GT(names.size(), 3u);
  for (size_t i = 0; i < names.size(); ++i) {
    auto file = *disk_.Open(std::string(kDir) + "/" + names[i], false);
    if (i % 2 == 0) {
      ASSERT_TRUE(file->Truncate(*file->Size() - 1));
    } else {
      ASSERT_TRUE(file->WriteAt(10, "\xff"));
    }
  }
  ASSERT_TRUE(Open(true));
  Check();
}

TEST_F(AbortedTest, AreCutWithTheLog) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 20; ++i) {
    Play(40);
    Flush();
    ASSERT_TRUE(log_->TruncateTo(log_->end_offset() -
                                 static_cast<Offset>(random_() % 30)));
    Learn();
    Check();
  }
}

// F104: however many batches a fetch brings at a time.
TEST_F(AbortedTest, AFollowerHasTheSameIndexAsItsLeader) {
  ASSERT_TRUE(Open());
  Play(200);
  const std::string all = ReadAll();
  std::map<std::string, std::string> files;
  ASSERT_TRUE(log_->Close());
  for (const auto& name : Indexes()) {
    files[name] = *io::ReadFile(disk_, std::string(kDir) + "/" + name);
  }
  ASSERT_GT(files.size(), 3u);
  for (const size_t at_least : {size_t{1}, size_t{700}, all.size()}) {
    ASSERT_TRUE(log_->TruncateFullyAndStartAt(0));
    EXPECT_THAT(Indexes(), IsEmpty());
    record::BatchIterator it(all);
    size_t from = 0;
    while (auto view = it.Next().value()) {
      if (it.position() - from < at_least && it.position() < all.size()) {
        continue;
      }
      ASSERT_TRUE(
          log_->AppendAsFollower(all.substr(from, it.position() - from)));
      from = it.position();
    }
    Check();
    ASSERT_TRUE(log_->Close());
    for (const auto& name : Indexes()) {
      EXPECT_EQ(*io::ReadFile(disk_, std::string(kDir) + "/" + name),
                files[name])
          << name;
    }
    EXPECT_EQ(Indexes().size(), files.size());
  }
}

TEST_F(AbortedTest, GoWithTheirSegments) {
  ASSERT_TRUE(Open());
  Play(200);
  Flush();
  ASSERT_TRUE(log_->Close());
  const size_t before = Indexes().size();
  ASSERT_TRUE(log_->AdvanceStartOffset(100));
  EXPECT_LT(Indexes().size(), before);
  const Offset first = *ParseSegmentFileName(Indexes().front(), ".txnindex");
  EXPECT_GE(first, BaseOffsets(ReadAll(100)).front() - 20);
  // One without its segment is what a crash has left.
  ASSERT_TRUE(disk_.Open(
      std::string(kDir) + "/" + SegmentFileName(1, ".txnindex"), true));
  ASSERT_TRUE(disk_.SyncDirectory(kDir));
  options_.start_offset = 100;
  CrashAndReopen();
  EXPECT_NE(Indexes().front(), SegmentFileName(1, ".txnindex"));
}

}  // namespace
}  // namespace tidemark::log
