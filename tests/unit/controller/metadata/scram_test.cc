#include <gmock/gmock.h>

#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/scram_decisions.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using metadata::ScramImage;
using metadata::ScramMechanism;
using Alteration = admin_v1::AlterScramCredentialsRequest;

class ScramTest : public ::testing::Test {
 protected:
  View view() const {
    return {.image = *state_, .settings = settings_, .random = &random_};
  }
  static Alteration::Upsertion* Set(Alteration* request,
                                    const std::string& user,
                                    int32_t mechanism = 1, char key = 'k') {
    const size_t bytes = mechanism == 2 ? 64 : 32;
    auto* set = request->add_upsertions();
    set->set_user(user);
    set->set_mechanism(mechanism);
    set->set_iterations(8192);
    set->set_salt("salt");
    set->set_stored_key(std::string(bytes, key));
    set->set_server_key(std::string(bytes, 's'));
    return set;
  }
  static void Delete(Alteration* request, const std::string& user,
                     int32_t mechanism = 1) {
    auto* remove = request->add_deletions();
    remove->set_user(user);
    remove->set_mechanism(mechanism);
  }
  // By user.
  std::map<std::string, ErrorCode> Do(const Alteration& request) {
    const auto decision = Decide(view(), request).value();
    std::map<std::string, ErrorCode> out;
    for (const auto& result : decision.response.results()) {
      out[result.user()] = static_cast<ErrorCode>(result.code());
    }
    state_.Apply(decision.records);
    return out;
  }
  const metadata::ScramCredential* Find(
      const std::string& user,
      ScramMechanism mechanism = ScramMechanism::kSha256) const {
    return state_->scram().Find(user, mechanism);
  }

  const Settings settings_;
  int ids_ = 0;
  const Randomness random_{[this] { return TestId(++ids_); }, nullptr};
  State state_;
};

TEST_F(ScramTest, EachUserWholeOrNotAtAll) {
  Alteration request;
  Set(&request, "alice");
  Set(&request, "alice", 2);
  Set(&request, "bob");
  Set(&request, "bob")->set_iterations(9000);
  Set(&request, "carol")->set_iterations(4095);
  Set(&request, "dora", 2)->set_iterations(16385);
  Set(&request, "");
  Set(&request, "emil", 3);
  Set(&request, "frank")->set_stored_key("short");
  Set(&request, "gerd")->clear_salt();
  Set(&request, std::string(2000, 'x'));
  Delete(&request, "hans");
  const auto codes = Do(request);
  EXPECT_EQ(codes.at("alice"), ErrorCode::kNone);
  EXPECT_EQ(codes.at("bob"), ErrorCode::kDuplicateResource);
  EXPECT_EQ(codes.at("carol"), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(codes.at("dora"), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(codes.at(""), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(codes.at("emil"), ErrorCode::kUnsupportedSaslMechanism);
  EXPECT_EQ(codes.at("frank"), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(codes.at("gerd"), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(codes.at("hans"), ErrorCode::kResourceNotFound);
  EXPECT_NE(Find("alice"), nullptr);
  EXPECT_NE(Find("alice", ScramMechanism::kSha512), nullptr);
  for (const char* user : {"bob", "carol", "dora", "emil", "frank", "gerd"}) {
    EXPECT_EQ(Find(user), nullptr) << user;
  }
}

TEST_F(ScramTest, IsChangedAndDeleted) {
  Alteration request;
  Set(&request, "alice");
  EXPECT_EQ(Do(request).at("alice"), ErrorCode::kNone);
  Alteration again;
  Set(&again, "alice", 1, 'n');
  EXPECT_EQ(Do(again).at("alice"), ErrorCode::kNone);
  EXPECT_EQ(Find("alice")->stored_key, std::string(32, 'n'));
  Alteration both;
  Delete(&both, "alice");
  Set(&both, "alice");
  EXPECT_EQ(Do(both).at("alice"), ErrorCode::kDuplicateResource);
  Alteration gone;
  Delete(&gone, "alice");
  EXPECT_EQ(Do(gone).at("alice"), ErrorCode::kNone);
  EXPECT_EQ(Find("alice"), nullptr);
  EXPECT_EQ(Do(gone).at("alice"), ErrorCode::kResourceNotFound);
}

// What unknown users are answered with stays while there are others.
TEST_F(ScramTest, NobodyComesWithTheFirstAndGoesWithTheLast) {
  Alteration first;
  Set(&first, "alice");
  Do(first);
  const auto* nobody = Find(ScramImage::kNobody);
  ASSERT_NE(nobody, nullptr);
  EXPECT_EQ(nobody->iterations, 8192);
  EXPECT_EQ(Find(ScramImage::kNobody, ScramMechanism::kSha512), nullptr);
  const std::string secret = nobody->stored_key;
  Alteration more;
  Set(&more, "bob");
  Set(&more, "bob", 2);
  Delete(&more, "alice");
  Do(more);
  EXPECT_EQ(Find(ScramImage::kNobody)->stored_key, secret);
  ASSERT_NE(Find(ScramImage::kNobody, ScramMechanism::kSha512), nullptr);
  EXPECT_NE(Find(ScramImage::kNobody, ScramMechanism::kSha512)
                ->stored_key.substr(0, 32),
            secret);
  Alteration last;
  Delete(&last, "bob");
  Do(last);
  EXPECT_EQ(Find(ScramImage::kNobody), nullptr);
  EXPECT_NE(Find(ScramImage::kNobody, ScramMechanism::kSha512), nullptr);
  Alteration nobodys;
  Delete(&nobodys, ScramImage::kNobody, 2);
  EXPECT_EQ(Do(nobodys).at(""), ErrorCode::kUnacceptableCredential);
}

TEST_F(ScramTest, IsDescribed) {
  Alteration request;
  Set(&request, "bob", 2);
  Set(&request, "alice");
  Set(&request, "alice", 2);
  Do(request);
  const auto all =
      Describe(view(), admin_v1::DescribeScramCredentialsRequest());
  ASSERT_EQ(all.results_size(), 2) << "nobody is not shown";
  EXPECT_EQ(all.results(0).user(), "alice");
  EXPECT_EQ(all.results(0).credentials_size(), 2);
  EXPECT_EQ(all.results(1).credentials(0).mechanism(), 2);
  EXPECT_EQ(all.results(1).credentials(0).iterations(), 8192);
  admin_v1::DescribeScramCredentialsRequest one;
  one.add_users("carol");
  one.add_users("");
  const auto none = Describe(view(), one);
  ASSERT_EQ(none.results_size(), 2);
  for (const auto& result : none.results()) {
    EXPECT_EQ(result.code(),
              static_cast<int32_t>(ErrorCode::kResourceNotFound));
  }
}

TEST_F(ScramTest, BoundsARequest) {
  Alteration request;
  for (int i = 0; i < 10'000; ++i) Delete(&request, std::to_string(i));
  const auto refused = Decide(view(), request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPolicyViolation);
}

TEST_F(ScramTest, FirstCredentialsAreThoseGiven) {
  record_v1::SetScramCredential given;
  Alteration request;
  const auto* alice = Set(&request, "alice");
  given.set_user(alice->user());
  given.set_mechanism(record_v1::SCRAM_SHA_256);
  given.set_salt(alice->salt());
  given.set_stored_key(alice->stored_key());
  given.set_server_key(alice->server_key());
  given.set_iterations(4096);
  state_.Apply(DecideFirstCredentials({given}, random_));
  EXPECT_NE(Find("alice"), nullptr);
  EXPECT_NE(Find(ScramImage::kNobody), nullptr);
  EXPECT_TRUE(DecideFirstCredentials({}, random_).empty());
  EXPECT_EQ(KindAbove(*state_, metadata::kMovesLevel), "credentials of users");
  EXPECT_EQ(KindAbove(*state_, metadata::kSecurityLevel), "");
}

}  // namespace
}  // namespace tidemark::controller
