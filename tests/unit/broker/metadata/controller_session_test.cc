#include "broker/metadata/controller_session.h"

#include <gmock/gmock.h>

#include "broker/metadata/controller_channels.h"
#include "common/io/event_loop.h"
#include "tests/unit/broker/metadata/fake_controller.h"

namespace tidemark {
namespace {

class ControllerSessionTest : public testing::Test {
 protected:
  void Start(std::vector<std::string> addresses) {
    SessionOptions options;
    options.node_id = 3;
    options.cluster_id = "cluster";
    options.incarnation = incarnation_;
    options.previous_epoch = 42;
    options.heartbeat_interval = std::chrono::milliseconds(10);
    options.session_timeout = std::chrono::milliseconds(300);
    ControllerSession::Events events;
    events.fenced = [this](bool fenced) { fenced_.Push(fenced); };
    events.silent = [this](bool silent) { silent_.Push(silent); };
    events.refused = [this](Error error) { refused_.Push(error); };
    channels_ = MakeChannels(std::move(addresses));
    session_ =
        std::make_unique<ControllerSession>(options, channels_, loop_, events);
    session_->Start({{"PLAINTEXT", "host", 9092, "PLAINTEXT"}});
  }
  void TearDown() override {
    session_->Stop();
    channels_->Close();
    first_.Stop();
    second_.Stop();
  }

  const Uuid incarnation_ = Uuid::Random();
  FakeControllerServer first_, second_;
  Channel<bool> fenced_, silent_;
  Channel<Error> refused_;
  io::EventLoop loop_{"session"};
  std::shared_ptr<ControllerChannels> channels_;
  std::unique_ptr<ControllerSession> session_;
};

TEST_F(ControllerSessionTest, RegistersThenAsksToBeUnfencedOnlyWhenReady) {
  Start({first_.address()});
  auto registration = first_.registrations.Pop().value();
  EXPECT_EQ(registration.broker_id(), 3);
  EXPECT_EQ(registration.cluster_id(), "cluster");
  EXPECT_EQ(registration.incarnation_id(), incarnation_.ToBytes());
  EXPECT_EQ(registration.previous_broker_epoch(), 42);
  EXPECT_EQ(registration.endpoints(0).host(), "host");
  auto heartbeat = first_.heartbeats.Pop().value();
  EXPECT_EQ(heartbeat.broker_epoch(), 101);
  EXPECT_TRUE(heartbeat.want_fence());
  EXPECT_EQ(session_->broker_epoch(), 101);
  session_->SetApplied(77);
  session_->SetReadyToUnfence();
  EXPECT_EQ(fenced_.Pop(), false);
  while (heartbeat.want_fence()) heartbeat = first_.heartbeats.Pop().value();
  EXPECT_EQ(heartbeat.metadata_offset(), 77);
}

TEST_F(ControllerSessionTest, KnowsWhenItsSessionHasRunOut) {
  Start({first_.address()});
  ASSERT_TRUE(first_.heartbeats.Pop().has_value());
  const Instant stopped = SystemClock().Now();
  first_.Stop();
  EXPECT_EQ(silent_.Pop(), true);
  const Duration took = SystemClock().Now() - stopped;
  EXPECT_GE(took, std::chrono::milliseconds(200));
  EXPECT_LE(took, std::chrono::seconds(2));
}

TEST_F(ControllerSessionTest, AnEpochTheControllersForgotIsRegisteredAgain) {
  // STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED
  for (int error : {77, 102}) first_.heartbeat_errors.Push(error);
  Start({first_.address()});
  for (int i = 0; i < 3; ++i) {
    auto registration = first_.registrations.Pop();
    ASSERT_TRUE(registration.has_value()) << i;
    EXPECT_EQ(registration->incarnation_id(), incarnation_.ToBytes());
  }
  EXPECT_EQ(first_.heartbeats.Pop()->broker_epoch(), 103);
}

TEST_F(ControllerSessionTest, ADuplicateRegistrationIsTriedUntilItSucceeds) {
  first_.register_errors.Push(101);
  Start({first_.address()});
  EXPECT_TRUE(first_.registrations.Pop().has_value());
  EXPECT_TRUE(first_.registrations.Pop().has_value());
  EXPECT_TRUE(first_.heartbeats.Pop().has_value());
}

TEST_F(ControllerSessionTest, AnotherClusterIsFinal) {
  first_.register_errors.Push(104);
  Start({first_.address()});
  EXPECT_EQ(refused_.Pop()->code, ErrorCode::kInconsistentClusterId);
}

TEST_F(ControllerSessionTest, FollowsTheHintOfAStandby) {
  // The active one is not in the configuration.
  first_.standby = "2@" + second_.address();
  Start({first_.address()});
  EXPECT_TRUE(second_.registrations.Pop().has_value());
}

TEST_F(ControllerSessionTest, TriesTheOthersWithoutAHint) {
  first_.standby = "?";
  Start({"127.0.0.1:1", first_.address(), second_.address()});
  EXPECT_TRUE(second_.registrations.Pop().has_value());
}

TEST_F(ControllerSessionTest, SurvivesTheActiveController) {
  Start({first_.address(), second_.address()});
  EXPECT_TRUE(first_.heartbeats.Pop().has_value());
  first_.Stop();
  EXPECT_TRUE(second_.heartbeats.Pop().has_value());
}

TEST_F(ControllerSessionTest, ShutdownIsAskedForAtOnceAndGranted) {
  Start({first_.address()});
  session_->SetReadyToUnfence();
  EXPECT_EQ(fenced_.Pop(), false);
  Channel<bool> granted;
  session_->RequestShutdown([&](bool done) { granted.Push(done); });
  EXPECT_EQ(granted.Pop(), true);
}

TEST_F(ControllerSessionTest, NobodyIsAskedForAShutdownWhenNobodyIsThere) {
  Start({first_.address()});
  session_->SetReadyToUnfence();
  EXPECT_EQ(fenced_.Pop(), false);
  first_.Stop();
  Channel<bool> answers;
  const auto ask = [&] {
    session_->RequestShutdown([&](bool done) { answers.Push(done); });
    return answers.Pop(std::chrono::seconds(2));
  };
  EXPECT_EQ(ask(), false);  // at the end of the session
  EXPECT_EQ(ask(), false);  // it has ended
}

TEST_F(ControllerSessionTest, AFailedCallCarriesKafkasCode) {
  Start({first_.address()});
  Channel<Error> errors;
  session_->CreateTopics({}, std::chrono::seconds(5),
                         [&](Result<admin::v1::CreateTopicsResponse> result) {
                           errors.Push(result.error());
                         });
  auto error = errors.Pop().value();
  EXPECT_EQ(error.code, ErrorCode::kPolicyViolation);
  EXPECT_EQ(error.message, "because");
}

TEST_F(ControllerSessionTest, NoActiveControllerIsATimeOut) {
  first_.standby = "?";
  Start({first_.address()});
  Channel<Error> errors;
  session_->CreateTopics({}, std::chrono::milliseconds(200),
                         [&](Result<admin::v1::CreateTopicsResponse> result) {
                           errors.Push(result.error());
                         });
  EXPECT_EQ(errors.Pop()->code, ErrorCode::kRequestTimedOut);
}

TEST_F(ControllerSessionTest, NoCallbackComesOnceTheChannelsAreClosed) {
  first_.slow = true;
  Start({first_.address()});
  Channel<Error> errors;
  auto done = [&](Result<admin::v1::CreateTopicsResponse> result) {
    errors.Push(result.error());
  };
  session_->CreateTopics({}, std::chrono::seconds(5), done);
  ASSERT_TRUE(first_.creations.Pop().has_value());
  const Instant closed = SystemClock().Now();
  channels_->Close();
  EXPECT_LE(SystemClock().Now() - closed, std::chrono::milliseconds(800));
  auto error = errors.Pop(std::chrono::milliseconds(0));
  ASSERT_TRUE(error.has_value()) << "it is still to come";
  EXPECT_EQ(error->code, ErrorCode::kBrokerNotAvailable);
  session_->CreateTopics({}, std::chrono::seconds(5), done);
  EXPECT_EQ(errors.Pop(std::chrono::milliseconds(0))->code,
            ErrorCode::kBrokerNotAvailable);
  EXPECT_FALSE(first_.creations.Pop(std::chrono::milliseconds(0)).has_value());
}

TEST(ActiveHint, IsFoundInAnyText) {
  // message, address
  for (auto [message, address] :
       std::vector<std::pair<const char*, const char*>>{
           {"active=1@h:9093", "h:9093"},
           {"not active; active=1@h:9093, try there", "h:9093"},
           {"(active=1@[::1]:9093)", "[::1]:9093"},
           {"active=", ""},
           {"active=1", ""},
           {"active=1@h", ""},
           {"", ""}}) {
    EXPECT_EQ(ActiveHint(message), address) << message;
  }
}

}  // namespace
}  // namespace tidemark
