// Brokers among themselves by TLS: whom one asks, and who is turned away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "broker/kafka/dispatcher.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/replication/peer_connection.h"
#include "common/kafka/messages/metadata.h"
#include "tests/support/certificates.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using test::MakeIdentity;

// As many topics as are asked for, with the names that they are asked for by.
void HandleMetadataHere(RequestContext, kafka::MetadataRequest request,
                        Reply<kafka::MetadataResponse> reply) {
  kafka::MetadataResponse response;
  for (const auto& topic : *request.topics) {
    response.topics.emplace_back().name = topic.name;
  }
  reply(response);
}

constexpr Api kMetadataTable[] = {MakeApi<HandleMetadataHere>()};

class PeerTlsTest : public testing::Test {
 protected:
  ~PeerTlsTest() override {
    listener_.reset();
    disk_reader_.Stop();
    handshakes_.Stop();
    asking_.Stop();
    shard_.Stop();
  }

  tls::Settings SettingsWith(const test::Identity& own,
                             const test::Identity& trusted) {
    tls::Settings settings;
    settings.keystore.type = settings.truststore.type = "PEM";
    settings.keystore.key = own.KeyPem();
    settings.keystore.certificates = own.CertificatePem();
    settings.truststore.certificates = trusted.CertificatePem();
    settings.client_auth = tls::ClientAuth::kRequired;
    return settings;
  }
  void Listen(const std::optional<tls::Settings>& settings) {
    ListenerOptions options;
    options.host = "127.0.0.1";
    if (settings) options.tls = tls::ContextSource::Open(*settings).value();
    listener_ =
        KafkaListener::Open(options, {&shard_}, {&disk_reader_}, &handshakes_,
                            dispatcher_, metrics_, admission_)
            .value();
  }
  Result<kafka::MetadataResponse> Ask(
      const std::optional<tls::Settings>& settings, size_t topics = 1,
      const std::string& host = "127.0.0.1") {
    replication::PeerSecurity security;
    if (settings) {
      security = {tls::ClientSource::Open(*settings).value(), &handshakes_};
    }
    kafka::MetadataRequest request;
    request.topics.emplace();
    for (size_t i = 0; i < topics; ++i) {
      request.topics->emplace_back().name =
          std::string(200, 'n') + std::to_string(i);
    }
    std::unique_ptr<replication::PeerConnection> peer;
    std::promise<Result<kafka::MetadataResponse>> answered;
    asking_.Post([&] {
      peer = std::make_unique<replication::PeerConnection>(
          asking_.context(), host, listener_->port(), "broker-1",
          std::chrono::seconds(5), security);
      peer->Ask<kafka::MetadataResponse>(
          std::move(request), 9, std::chrono::seconds(5),
          [&](auto response) { answered.set_value(std::move(response)); });
    });
    auto response = answered.get_future().get();
    std::promise<void> gone;
    asking_.Post([&] {
      peer.reset();
      gone.set_value();
    });
    gone.get_future().wait();
    return response;
  }

  const test::Identity authority_ = MakeIdentity("authority", nullptr);
  const test::Identity broker_ =
      MakeIdentity("b1", &authority_, 1, "IP:127.0.0.1,DNS:localhost");
  const tls::Settings good_ = SettingsWith(broker_, authority_);
  Admission admission_{Admission::Options{}};
  io::EventLoop shard_{"shard"}, asking_{"asking"};
  io::EventLoop disk_reader_{"disk-reader"}, handshakes_{"handshakes"};
  Services services_;
  NetworkMetrics metrics_;
  Dispatcher dispatcher_{kMetadataTable, services_, metrics_};
  std::unique_ptr<KafkaListener> listener_;
};

TEST_F(PeerTlsTest, AsksAndIsAnsweredWhateverTheSize) {
  Listen(good_);
  for (const size_t topics : {1u, 20'000u}) {
    const auto answer = Ask(good_, topics);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->topics.size(), topics);
    EXPECT_EQ(answer->topics.back().name,
              std::string(200, 'n') + std::to_string(topics - 1));
  }
  EXPECT_TRUE(Ask(good_, 1, "localhost"));
  Listen(std::nullopt);
  const auto plain = Ask(std::nullopt, 20'000);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->topics.size(), 20'000u);
}

TEST_F(PeerTlsTest, NobodyElseIsAsked) {
  const test::Identity other = MakeIdentity("authority", nullptr);
  constexpr long kDay = 86400;
  const auto why = [&](const test::Identity& server) {
    Listen(SettingsWith(server, authority_));
    const auto answer = Ask(good_);
    return answer ? "" : answer.error().message;
  };
  const std::string here = "IP:127.0.0.1";
  EXPECT_THAT(why(MakeIdentity("b", &other, 1, here)),
              testing::HasSubstr("certificate"));
  EXPECT_THAT(why(MakeIdentity("b", &authority_, 1, "IP:127.0.0.2")),
              testing::HasSubstr("mismatch"));
  EXPECT_THAT(why(MakeIdentity("b", &authority_, -1, here, -2 * kDay)),
              testing::HasSubstr("expired"));
  EXPECT_THAT(why(MakeIdentity("b", &authority_, 2, here, kDay)),
              testing::HasSubstr("not yet valid"));
  // The name is not looked at where that is said.
  Listen(SettingsWith(MakeIdentity("b", &authority_, 1, "IP:127.0.0.2"),
                      authority_));
  tls::Settings careless = good_;
  careless.check_host = false;
  EXPECT_TRUE(Ask(careless));
}

TEST_F(PeerTlsTest, WhoHasNoGoodCertificateIsTurnedAway) {
  Listen(good_);
  const test::Identity other = MakeIdentity("authority", nullptr);
  EXPECT_FALSE(Ask(SettingsWith(MakeIdentity("b", &other), authority_)));
  tls::Settings none = good_;
  none.keystore = {};
  EXPECT_FALSE(Ask(none));
  EXPECT_FALSE(Ask(std::nullopt));
  EXPECT_TRUE(Ask(good_));
  Listen(std::nullopt);
  EXPECT_FALSE(Ask(good_));
}

}  // namespace
}  // namespace tidemark::server
