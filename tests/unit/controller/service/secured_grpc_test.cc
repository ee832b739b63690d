// Who is let in, over real gRPC by TLS: attacks of those who have some
// certificate, or none.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "common/io/event_loop.h"
#include "common/rpc/channel.h"
#include "common/rpc/security.h"
#include "controller/service/admin_service.h"
#include "controller/service/backup_service.h"
#include "controller/service/broker_service.h"
#include "controller/service/grpc_server.h"
#include "proto/admin.grpc.pb.h"
#include "proto/backup.grpc.pb.h"
#include "proto/controller.grpc.pb.h"
#include "tests/support/certificates.h"
#include "tests/unit/controller/service/fakes.h"

namespace tidemark::controller {
namespace {

using grpc::StatusCode;
using test::Identity;
using test::MakeIdentity;

constexpr char kHere[] = "127.0.0.1";
constexpr char kController[] = "URI:tidemark:controller/1,IP:127.0.0.1";

rpc::SecurityPtr SecurityWith(const Identity& own, const Identity& trusted,
                              bool check_host = true) {
  tls::Settings settings;
  settings.keystore.type = settings.truststore.type = "PEM";
  settings.keystore.key = own.KeyPem();
  settings.keystore.certificates = own.CertificatePem();
  settings.truststore.certificates = trusted.CertificatePem();
  settings.check_host = check_host;
  auto security = rpc::Security::Open(settings, {});
  EXPECT_TRUE(security) << security.error().message;
  return *security;
}

class SecuredGrpc : public testing::Test {
 protected:
  void SetUp() override { Serve(SecurityWith(own_, authority_)); }
  ~SecuredGrpc() override { Shut(); }

  void Serve(rpc::SecurityPtr security) {
    Shut();
    security_ = std::move(security);
    loop_ = std::make_unique<io::EventLoop>("ctl");
    controller_ = std::make_unique<Controller>(TestOptions(1), loop_.get(),
                                               TestRandomness(), loop_.get());
    quorum_ = std::make_unique<FakeQuorum>(1, controller_.get());
    controller_->Attach(quorum_.get());
    brokers_ = MakeBrokerService(controller_.get(), loop_.get(), security_);
    admin_ = MakeAdminService(controller_.get(), loop_.get(), security_);
    backups_ =
        MakeBackupService(controller_.get(), "c", loop_.get(), security_);
    static uint16_t next = static_cast<uint16_t>(20000 + getpid() % 10000);
    for (int i = 0; i < 100 && server_ == nullptr; ++i) {
      auto server = GrpcServer::Start(
          kHere, next++, {brokers_.get(), admin_.get(), backups_.get()},
          security_.get());
      if (server) server_ = std::move(*server);
    }
    ASSERT_NE(server_, nullptr);
    OnLoop([this] { quorum_->Elect(1); });
  }
  void Shut() {
    if (server_ == nullptr) return;
    OnLoop([this] { controller_->Stop(); });
    server_.reset();
    loop_->Stop();
  }
  void OnLoop(std::function<void()> task) {
    std::promise<void> done;
    loop_->Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  grpc::Status Describe(const rpc::Security* as,
                        const std::string& host = kHere) {
    return Call(as, host, [](auto channel, auto* context) {
      admin::v1::DescribeClusterResponse response;
      return admin::v1::Admin::NewStub(channel)->DescribeCluster(context, {},
                                                                 &response);
    });
  }
  grpc::Status Heartbeat(const rpc::Security* as, NodeId id) {
    return Call(as, kHere, [&](auto channel, auto* context) {
      v1::HeartbeatRequest request;
      request.set_broker_id(id);
      v1::HeartbeatResponse response;
      return v1::BrokerLifecycle::NewStub(channel)->Heartbeat(context, request,
                                                              &response);
    });
  }
  grpc::Status Subscribe(const rpc::Security* as, NodeId id) {
    return Call(as, kHere, [&](auto channel, auto* context) {
      v1::SubscribeRequest request;
      request.set_broker_id(id);
      auto stub = v1::BrokerLifecycle::NewStub(channel);
      auto reader = stub->Subscribe(context, request);
      v1::FeedMessage message;
      while (reader->Read(&message)) context->TryCancel();
      return reader->Finish();
    });
  }
  grpc::Status Backup(const rpc::Security* as) {
    return Call(as, kHere, [&](auto channel, auto* context) {
      auto stub = backup::v1::Backup::NewStub(channel);
      auto reader = stub->Save(context, {});
      backup::v1::SavePart part;
      while (reader->Read(&part)) {
      }
      return reader->Finish();
    });
  }

  template <class Ask>
  grpc::Status Call(const rpc::Security* as, const std::string& host, Ask ask) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    return ask(rpc::MakeChannel(as, host, server_->port()), &context);
  }

  Identity Of(const std::string& also, int days = 1, long begins_s = -3600) {
    return MakeIdentity("n", &authority_, days, also, begins_s);
  }

  const Identity authority_ = MakeIdentity("authority", nullptr);
  const Identity own_ = MakeIdentity("c1", &authority_, 1, kController);
  const rpc::SecurityPtr admin_of_it_ =
      SecurityWith(Of("URI:tidemark:admin/ops"), authority_);
  const rpc::SecurityPtr broker_ =
      SecurityWith(Of("URI:tidemark:broker/1"), authority_);

  rpc::SecurityPtr security_;
  std::unique_ptr<io::EventLoop> loop_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<FakeQuorum> quorum_;
  std::unique_ptr<grpc::Service> brokers_, admin_, backups_;
  std::unique_ptr<GrpcServer> server_;
};

TEST_F(SecuredGrpc, EachMayWhatItsCertificateSays) {
  EXPECT_TRUE(Describe(admin_of_it_.get()).ok());
  EXPECT_NE(Backup(admin_of_it_.get()).error_code(),
            StatusCode::PERMISSION_DENIED);
  // Known, if not registered.
  const auto heartbeat = Heartbeat(broker_.get(), 1);
  EXPECT_NE(heartbeat.error_code(), StatusCode::PERMISSION_DENIED)
      << heartbeat.error_message();
  EXPECT_NE(heartbeat.error_code(), StatusCode::UNAVAILABLE)
      << heartbeat.error_message();
}

TEST_F(SecuredGrpc, ABrokerIsNoAdministratorAndTheReverse) {
  const auto described = Describe(broker_.get());
  EXPECT_EQ(described.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_NE(described.error_message().find("broker 1"), std::string::npos)
      << described.error_message();
  EXPECT_EQ(Backup(broker_.get()).error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Heartbeat(admin_of_it_.get(), 1).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Subscribe(admin_of_it_.get(), 1).error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(SecuredGrpc, ABrokerDoesNotSpeakForAnother) {
  const auto status = Heartbeat(broker_.get(), 2);
  EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_NE(status.error_message().find("broker 2"), std::string::npos);
  EXPECT_EQ(Subscribe(broker_.get(), 2).error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(SecuredGrpc, ACertificateWithoutARoleIsAStrangers) {
  const auto stranger = SecurityWith(Of("DNS:broker-1"), authority_);
  EXPECT_EQ(Describe(stranger.get()).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Heartbeat(stranger.get(), 1).error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(SecuredGrpc, CertificatesThatAreNotValidAreRefused) {
  const Identity other = MakeIdentity("authority", nullptr);
  constexpr long kDay = 86400;
  const Identity bad[] = {
      MakeIdentity("n", &other, 1, "URI:tidemark:admin/x"),
      MakeIdentity("n", nullptr, 1, "URI:tidemark:admin/x"),
      Of("URI:tidemark:admin/x", -1, -2 * kDay),
      Of("URI:tidemark:admin/x", 2, kDay),
  };
  for (const Identity& own : bad) {
    const auto security = SecurityWith(own, authority_);
    EXPECT_EQ(Describe(security.get()).error_code(), StatusCode::UNAVAILABLE);
  }
}

TEST_F(SecuredGrpc, PlaintextAndTlsDoNotMix) {
  EXPECT_EQ(Describe(nullptr).error_code(), StatusCode::UNAVAILABLE);
  Serve(nullptr);
  EXPECT_TRUE(Describe(nullptr).ok());
  EXPECT_EQ(Describe(admin_of_it_.get()).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(SecuredGrpc, AClientKnowsControllersByTheirCertificates) {
  // Of the cluster, but no controller: a broker could pose as one.
  Serve(SecurityWith(Of("URI:tidemark:broker/1,IP:127.0.0.1"), authority_));
  const auto posed = Describe(admin_of_it_.get());
  EXPECT_EQ(posed.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_NE(rpc::FailedHandshake(posed.error_message()).find("broker 1"),
            std::string::npos)
      << posed.error_message();
  // Of another host.
  Serve(SecurityWith(Of("URI:tidemark:controller/1,IP:127.0.0.2"), authority_));
  const auto elsewhere = Describe(admin_of_it_.get());
  EXPECT_EQ(elsewhere.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_NE(rpc::FailedHandshake(elsewhere.error_message()).find(kHere),
            std::string::npos)
      << elsewhere.error_message();
  const auto careless =
      SecurityWith(Of("URI:tidemark:admin/ops"), authority_, false);
  EXPECT_TRUE(Describe(careless.get()).ok());
  // Of nobody who is trusted.
  const Identity other = MakeIdentity("authority", nullptr);
  Serve(SecurityWith(MakeIdentity("c", &other, 1, kController), authority_));
  EXPECT_EQ(Describe(admin_of_it_.get()).error_code(), StatusCode::UNAVAILABLE);
  // Another controller's.
  Serve(SecurityWith(own_, authority_));
  const auto ask = [&](NodeId id) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    auto channel = grpc::CreateChannel(rpc::HostPort(kHere, server_->port()),
                                       admin_of_it_->ToController(kHere, id));
    admin::v1::DescribeClusterResponse response;
    return admin::v1::Admin::NewStub(channel)->DescribeCluster(&context, {},
                                                               &response);
  };
  EXPECT_TRUE(ask(1).ok());
  EXPECT_EQ(ask(2).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(SecuredGrpc, CertificatesAreReadAgainWhileItRuns) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("tidemark-secured-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const auto write = [&](const char* name, const std::string& pem) {
    std::ofstream(folder / name, std::ios::trunc) << pem;
  };
  tls::Settings settings;
  settings.keystore = {.type = "PEM", .location = folder / "own"};
  settings.truststore = {.type = "PEM", .location = folder / "trust"};
  write("own", own_.KeyPem() + own_.CertificatePem());
  write("trust", authority_.CertificatePem());
  Serve(rpc::Security::Open(settings, {}).value());
  EXPECT_TRUE(Describe(admin_of_it_.get()).ok());
  // A new authority, together with the old one at first.
  const Identity next = MakeIdentity("next authority", nullptr);
  const auto newer =
      SecurityWith(MakeIdentity("n", &next, 1, "URI:tidemark:admin/ops"), next);
  const Identity renewed = MakeIdentity("c1", &next, 1, kController);
  EXPECT_EQ(Describe(newer.get()).error_code(), StatusCode::UNAVAILABLE);
  write("trust", authority_.CertificatePem() + next.CertificatePem());
  EXPECT_TRUE(security_->Reload().value());
  EXPECT_TRUE(Describe(admin_of_it_.get()).ok());
  write("own", renewed.KeyPem() + renewed.CertificatePem());
  EXPECT_TRUE(security_->Reload().value());
  EXPECT_TRUE(Describe(newer.get()).ok());
  write("trust", next.CertificatePem());
  EXPECT_TRUE(security_->Reload().value());
  EXPECT_TRUE(Describe(newer.get()).ok());
  EXPECT_EQ(Describe(admin_of_it_.get()).error_code(), StatusCode::UNAVAILABLE);
  // Half a file changes nothing.
  write("own", renewed.KeyPem() + own_.CertificatePem());
  EXPECT_FALSE(security_->Reload());
  EXPECT_TRUE(Describe(newer.get()).ok());
  Shut();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tidemark::controller
