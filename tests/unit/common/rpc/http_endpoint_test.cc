#include "common/rpc/http_endpoint.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "tests/support/certificates.h"

namespace tidemark::rpc {
namespace {

// On some free port below the ephemeral ones.
Result<std::unique_ptr<HttpEndpoint>> StartAnywhere(
    HttpSettings settings, HttpEndpoint::Handlers handlers) {
  static uint16_t next = static_cast<uint16_t>(20000 + getpid() % 10000);
  settings.port = next++;
  auto out = HttpEndpoint::Start(settings, handlers);
  for (int i = 0; i < 100 && !out; ++i) {
    settings.port = next++;
    out = HttpEndpoint::Start(settings, handlers);
  }
  return out;
}

Result<std::unique_ptr<HttpEndpoint>> StartAnywhere(
    HttpEndpoint::Handlers handlers) {
  return StartAnywhere({"127.0.0.1"}, handlers);
}

TEST(HttpEndpoint, ServesHealthAndMetrics) {
  std::atomic<bool> ready = false;
  auto endpoint =
      StartAnywhere({[&]() -> Status {
                       if (ready) return {};
                       return Fail(ErrorCode::kNotController, "no leader yet");
                     },
                     [] { return std::string("x 1\n"); }});
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  httplib::Client client("127.0.0.1", (*endpoint)->port());
  EXPECT_EQ(client.Get("/livez")->status, 200);
  auto waiting = client.Get("/readyz");
  EXPECT_EQ(waiting->status, 503);
  EXPECT_EQ(waiting->body, "no leader yet\n");
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/metrics")->body, "x 1\n");
  EXPECT_EQ(client.Get("/nope")->status, 404);
}

std::vector<int> SilentConnections(uint16_t port, int count) {
  std::vector<int> out;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    out.push_back(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(connect(out.back(), reinterpret_cast<sockaddr*>(&address),
                      sizeof address),
              0);
  }
  return out;
}

TEST(HttpEndpoint, SilentConnectionsHoldUpNobody) {
  auto endpoint = StartAnywhere(
      {[]() -> Status { return {}; }, [] { return std::string("x 1\n"); }});
  ASSERT_TRUE(endpoint);
  const uint16_t port = (*endpoint)->port();
  std::vector<int> silent = SilentConnections(port, 24);
  for (const char* path : {"/livez", "/readyz", "/metrics"}) {
    httplib::Client client("127.0.0.1", port);
    const auto began = std::chrono::steady_clock::now();
    auto answer = client.Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_LT(std::chrono::steady_clock::now() - began,
              std::chrono::milliseconds(500))
        << path;
  }
  for (int socket : silent) close(socket);
}

// P-3: a byte now and then is no request.
TEST(HttpEndpoint, AConnectionThatTricklesIsClosedInTime) {
  auto endpoint =
      StartAnywhere({[]() -> Status { return {}; }, [] { return "x 1\n"; }});
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  const int slow = SilentConnections((*endpoint)->port(), 1)[0];
  const auto begin = std::chrono::steady_clock::now();
  const std::string head = "GET /livez HTTP/1.1\r\nX-Slow: ";
  size_t sent = 0;
  auto closed = [slow] {
    char byte;
    const ssize_t got = recv(slow, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  };
  while (!closed()) {
    const char byte = sent < head.size() ? head[sent] : 'x';
    ++sent;
    send(slow, &byte, 1, MSG_NOSIGNAL);
    ASSERT_LT(sent, 1000u) << "it went on";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  close(slow);
  EXPECT_GT(sent, head.size());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST(HttpEndpoint, LivezSaysWhatIsWrong) {
  Status status;
  HttpEndpoint::Handlers handlers{[]() -> Status { return {}; },
                                  [] { return std::string("x 1\n"); }};
  handlers.alive = [&] { return status; };
  auto endpoint = StartAnywhere(handlers);
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  httplib::Client client("127.0.0.1", (*endpoint)->port());
  EXPECT_EQ(client.Get("/livez")->status, 200);
  status = Fail(ErrorCode::kRequestTimedOut, "stuck");
  EXPECT_EQ(client.Get("/livez")->status, 503);
  EXPECT_EQ(client.Get("/livez")->body, "stuck\n");
}

TEST(HttpEndpoint, AHangingHandlerHoldsUpNobodyButIsWaitedForAtTheEnd) {
  std::promise<void> entered, released;
  std::atomic<bool> left = false;
  auto endpoint = StartAnywhere({[]() -> Status { return {}; },
                                 [&] {
                                   entered.set_value();
                                   released.get_future().wait();
                                   left = true;
                                   return std::string("x 1\n");
                                 }});
  ASSERT_TRUE(endpoint);
  const uint16_t port = (*endpoint)->port();
  std::thread scraper([port] {
    httplib::Client client("127.0.0.1", port);
    client.Get("/metrics");
  });
  entered.get_future().wait();
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(2, 0);
  for (const char* path : {"/livez", "/readyz"}) {
    auto answer = client.Get(path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200);
  }
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    released.set_value();
  });
  endpoint->reset();
  EXPECT_TRUE(left);
  release.join();
  scraper.join();
}

TEST(HttpEndpoint, MetricsThatCannotBeToldAreAnError) {
  auto endpoint = StartAnywhere(
      {[]() -> Status { return {}; }, [] { return std::string(); }});
  ASSERT_TRUE(endpoint);
  httplib::Client client("127.0.0.1", (*endpoint)->port());
  EXPECT_EQ(client.Get("/metrics")->status, 503);
}

HttpEndpoint::Handlers Something() {
  return {[]() -> Status { return {}; },
          [] { return std::string(100'000, 'm'); }};
}

tls::Settings TlsOf(const test::Identity& own) {
  tls::Settings settings;
  settings.keystore.type = "PEM";
  settings.keystore.key = own.KeyPem();
  settings.keystore.certificates = own.CertificatePem();
  return settings;
}

TEST(HttpEndpoint, SpeaksTlsWhereThatIsSet) {
  const test::Identity authority = test::MakeIdentity("a", nullptr);
  const std::string trust = std::filesystem::temp_directory_path() /
                            ("http-trust-" + std::to_string(getpid()));
  std::ofstream(trust) << authority.CertificatePem();
  HttpSettings settings{"127.0.0.1"};
  settings.tls = TlsOf(test::MakeIdentity("n", &authority, 1, "IP:127.0.0.1"));
  const auto endpoint = StartAnywhere(settings, Something());
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_NE((*endpoint)->tls(), nullptr);
  const uint16_t port = (*endpoint)->port();
  httplib::SSLClient client("127.0.0.1", port);
  client.set_ca_cert_path(trust.c_str());
  client.enable_server_certificate_verification(true);
  for (int i = 0; i < 3; ++i) {
    const auto got = client.Get("/metrics");
    ASSERT_TRUE(got) << httplib::to_string(got.error());
    EXPECT_EQ(got->body, std::string(100'000, 'm'));
  }
  httplib::Client plain("127.0.0.1", port);
  EXPECT_FALSE(plain.Get("/livez"));
  EXPECT_TRUE(client.Get("/livez"));
  std::filesystem::remove(trust);
  settings.tls->keystore.key = "no key";
  EXPECT_FALSE(StartAnywhere(settings, Something()));
}

TEST(HttpEndpoint, AsksForAPasswordWhereThatIsSet) {
  HttpSettings settings{"127.0.0.1"};
  settings.credentials = "watch:se:cret";
  const auto endpoint = StartAnywhere(settings, Something());
  ASSERT_TRUE(endpoint);
  for (const char* path : {"/livez", "/readyz", "/metrics", "/nothing"}) {
    httplib::Client client("127.0.0.1", (*endpoint)->port());
    const auto stranger = client.Get(path);
    ASSERT_TRUE(stranger);
    EXPECT_EQ(stranger->status, 401) << path;
    EXPECT_TRUE(stranger->has_header("WWW-Authenticate"));
    EXPECT_EQ(stranger->body, "");
    for (const auto& [user, password] :
         {std::pair("watch", "se"), std::pair("watch", "se:cret "),
          std::pair("Watch", "se:cret"), std::pair("", "")}) {
      client.set_basic_auth(user, password);
      EXPECT_EQ(client.Get(path)->status, 401) << user << " " << password;
    }
    client.set_basic_auth("watch", "se:cret");
    EXPECT_EQ(client.Get(path)->status,
              path == std::string("/nothing") ? 404 : 200);
  }
}

TEST(HttpEndpoint, APortInUseIsNamed) {
  HttpEndpoint::Handlers handlers{[]() -> Status { return {}; },
                                  [] { return std::string(); }};
  auto first = StartAnywhere(handlers);
  ASSERT_TRUE(first);
  auto second = HttpEndpoint::Start({"127.0.0.1", (*first)->port()}, handlers);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string((*first)->port())),
            std::string::npos);
}

}  // namespace
}  // namespace tidemark::rpc
