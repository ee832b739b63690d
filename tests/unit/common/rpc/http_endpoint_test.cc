#include "common/rpc/http_endpoint.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <unistd.h>

namespace tidemark::rpc {
namespace {

// On some free port below the ephemeral ones.
Result<std::unique_ptr<HttpEndpoint>> StartAnywhere(
    HttpEndpoint::Handlers handlers) {
  static uint16_t next = static_cast<uint16_t>(20000 + getpid() % 10000);
  auto out = HttpEndpoint::Start("127.0.0.1", next++, handlers);
  for (int i = 0; i < 100 && !out; ++i) {
    out = HttpEndpoint::Start("127.0.0.1", next++, handlers);
  }
  return out;
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

TEST(HttpEndpoint, APortInUseIsNamed) {
  HttpEndpoint::Handlers handlers{[]() -> Status { return {}; },
                                  [] { return std::string(); }};
  auto first = StartAnywhere(handlers);
  ASSERT_TRUE(first);
  auto second = HttpEndpoint::Start("127.0.0.1", (*first)->port(), handlers);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string((*first)->port())),
            std::string::npos);
}

}  // namespace
}  // namespace tidemark::rpc
