// Random records, transactions, cleanings, cuts, crashes and copies, beside a
// model that remembers everything.

#include <random>

#include "tests/unit/broker/log/cleaning_fixture.h"

namespace tidemark::log {
namespace {

class CompactionModelTest : public CleaningTest,
                            public testing::WithParamInterface<uint64_t> {
 protected:
  CompactionModelTest() : random_(GetParam()) {
    options_.config.segment_bytes = 400 + static_cast<int64_t>(Pick(2000));
    options_.config.delete_retention_ms = 50;
  }

  uint64_t Pick(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Pick(n) == 0; }

  struct Said {
    SeenRecord record;
    ProducerId transaction_of = -1;
    enum { kOpen, kCommitted, kAborted } state = kCommitted;
  };

  void AppendSome() {
    const ProducerId id = OneIn(2) ? -1 : 1 + static_cast<ProducerId>(Pick(4));
    record::BatchOptions options;
    if (id >= 0) {
      // Those in transactions are in nothing else.
      options = id <= 2 ? Transactional(id, sequences_[id])
                        : Idempotent(id, sequences_[id]);
    }
    options.codec = static_cast<record::Codec>(Pick(5));
    std::vector<Rec> records;
    for (uint64_t i = 0; i <= Pick(4); ++i) {
      Rec rec{"k" + std::to_string(Pick(12)), std::nullopt};
      if (!OneIn(4)) rec.value = "v" + std::to_string(++values_);
      records.push_back(rec);
    }
    now_ += static_cast<int64_t>(Pick(5));
    const auto done = Append(Records(records, options));
    ASSERT_TRUE(done) << ToString(done.error());
    ASSERT_FALSE(done->duplicate);
    if (id >= 0) sequences_[id] += static_cast<int32_t>(records.size());
    Offset at = done->first_offset;
    for (const Rec& rec : records) {
      Said said;
      said.record = {rec.key, rec.value};
      if (id == 1 || id == 2) {
        said.transaction_of = id;
        said.state = Said::kOpen;
      }
      ASSERT_TRUE(history_.emplace(at++, said).second) << "an offset came back";
    }
  }

  void EndSome(ProducerId id) {
    const bool commit = OneIn(2);
    ASSERT_TRUE(log_->AppendFromCoordinator(Marker(id, commit), 0, now_));
    for (auto& [offset, said] : history_) {
      if (said.transaction_of != id || said.state != Said::kOpen) continue;
      said.state = commit ? Said::kCommitted : Said::kAborted;
    }
  }

  Table Expected(Offset stable) const {
    Seen committed;
    for (const auto& [offset, said] : history_) {
      if (offset < stable && said.state == Said::kCommitted) {
        committed.emplace(offset, said.record);
      }
    }
    return TableOf(committed);
  }

  void Check(Log& log) {
    const size_t at_once = 1 + Pick(1500);
    const Offset stable = log.LastStableOffset(log.end_offset());
    const Seen committed = ReadLog(log, true, at_once);
    EXPECT_EQ(TableOf(committed), Expected(stable));
    for (const auto& [offset, record] : committed) {
      const auto said = history_.find(offset);
      ASSERT_NE(said, history_.end()) << offset;
      EXPECT_EQ(said->second.record, record);
      EXPECT_EQ(said->second.state, Said::kCommitted) << offset;
    }
    const Seen all = ReadLog(log, false, at_once);
    for (const auto& [offset, record] : all) {
      const auto said = history_.find(offset);
      ASSERT_NE(said, history_.end()) << offset;
      EXPECT_EQ(said->second.record, record);
    }
    // What is not decided is all there.
    for (const auto& [offset, said] : history_) {
      if (said.state != Said::kOpen || offset >= log.end_offset()) continue;
      EXPECT_TRUE(all.contains(offset)) << offset;
    }
    // Nobody who has no record of it learns less of a producer.
    for (const auto& [id, producer] :
         static_cast<const PartitionLog&>(log).producers().producers()) {
      if (producer.count == 0 || &log != log_.get()) continue;
      EXPECT_EQ(static_cast<uint32_t>(sequences_[id]),
                static_cast<uint32_t>(producer.last().last_sequence) + 1);
    }
  }

  OpenOptions FollowerOptions() {
    OpenOptions options = options_;
    options.dir = "/data/copy-0";
    options.partition = {"copy", 0};
    return options;
  }
  void Follow() {
    for (uint64_t i = 0; i <= Pick(20); ++i) {
      if (follower_->end_offset() >= log_->end_offset()) break;
      const auto bytes =
          log_->Read(follower_->end_offset(), INT64_MAX, Pick(900), true);
      ASSERT_TRUE(bytes);
      const auto appended = follower_->AppendAsFollower(bytes->view());
      ASSERT_TRUE(appended) << ToString(appended.error());
    }
    FlushFollower();
  }
  void FlushFollower() {
    while (auto work = follower_->TakeSync()) {
      ASSERT_TRUE(PerformSync(disk_, *work));
      follower_->Flushed(*work);
    }
  }

  void CleanSome(Log& log) {
    const auto cleaned = Clean(log, {}, 24 * (4 + Pick(40)));
    ASSERT_TRUE(cleaned) << ToString(cleaned.error());
    ASSERT_EQ(*cleaned, LogCleaning::Outcome::kDone);
  }

  void Restart(bool crash) {
    if (!crash) {
      ASSERT_TRUE(log_->Close());
      ASSERT_TRUE(follower_->Close());
    }
    log_.reset();
    follower_.reset();
    crash ? disk_.Crash() : disk_.KillProcess();
    options_.config.compacted = false;
    ASSERT_TRUE(Open(!crash));
    OpenOptions options = FollowerOptions();
    options.clean = !crash;
    follower_ = OpenLog(disk_, options, kNow).value();
    options_.config.compacted = true;
    log_->UpdateConfig(options_.config);
    follower_->UpdateConfig(options_.config);
    options_.recovery_point = 0;
  }

  std::mt19937_64 random_;
  std::map<Offset, Said> history_;
  std::map<ProducerId, int32_t> sequences_;
  std::unique_ptr<Log> follower_;
  int values_ = 0;
};

TEST_P(CompactionModelTest, ReadersSeeWhatTheModelSays) {
  ASSERT_TRUE(Open());
  follower_ = OpenLog(disk_, FollowerOptions(), kNow).value();
  for (int round = 0; round < 120; ++round) {
    for (uint64_t i = 0; i <= Pick(10); ++i) AppendSome();
    for (const ProducerId id : {1, 2}) {
      if (OneIn(2)) EndSome(id);
    }
    Flush();
    if (OneIn(3)) Follow();
    if (OneIn(3)) CleanSome(*log_);
    if (OneIn(6)) CleanSome(*follower_);
    if (OneIn(12)) {
      const Offset cut = follower_->end_offset() - static_cast<Offset>(Pick(6));
      const Offset keep = Find(*follower_).value()
                              ? Find(*follower_).value()->segments.back().end
                              : 0;
      ASSERT_TRUE(follower_->TruncateTo(std::max(cut, keep)));
    }
    if (OneIn(10)) Restart(OneIn(2));
    if (OneIn(3)) Check(*log_);
    if (HasFatalFailure() || HasNonfatalFailure()) {
      FAIL() << "seed " << GetParam() << " round " << round;
    }
  }
  while (follower_->end_offset() < log_->end_offset()) Follow();
  Check(*follower_);
  Check(*log_);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CompactionModelTest,
                         testing::Range<uint64_t>(1, 25));

}  // namespace
}  // namespace tidemark::log
