#include "controller/quorum/proposals.h"

#include <gtest/gtest.h>

namespace tidemark::quorum {
namespace {

class ProposalsTest : public testing::Test {
 protected:
  // What became of the proposal at `index`, once it is known.
  std::shared_ptr<std::optional<ErrorCode>> Propose(raft::LogIndex index,
                                                    raft::Term term) {
    auto code = std::make_shared<std::optional<ErrorCode>>();
    proposals_.Add({index, term}, [code](Result<MetadataOffset> result) {
      *code = result ? ErrorCode::kNone : result.error().code;
    });
    return code;
  }

  Proposals proposals_;
};

TEST_F(ProposalsTest, AnotherEntryInItsPlaceMeansThatItNeverHappens) {
  const auto first = Propose(5, 2), second = Propose(6, 2);
  proposals_.Applied({5, 2, SharedBytes(std::string("x"))});
  EXPECT_EQ(*first, ErrorCode::kNone);
  EXPECT_FALSE(*second);
  proposals_.Applied({6, 3, SharedBytes(std::string("y"))});
  EXPECT_EQ(*second, ErrorCode::kNotController);
}

TEST_F(ProposalsTest, WhenLeadershipIsLostTheOutcomeIsUnknown) {
  const auto proposal = Propose(5, 2);
  std::optional<ErrorCode> read, confirmed;
  proposals_.AddRead([&](Status status) { read = status.error().code; });
  const uint64_t context = proposals_.AddRead(
      [&](Status status) { confirmed = status.error().code; });
  proposals_.Confirmed({context, 9});
  proposals_.FailAll();
  EXPECT_EQ(*proposal, kOutcomeUnknown);
  EXPECT_EQ(read, ErrorCode::kNotController) << "a read changes nothing";
  EXPECT_EQ(confirmed, ErrorCode::kNotController);
}

}  // namespace
}  // namespace tidemark::quorum
