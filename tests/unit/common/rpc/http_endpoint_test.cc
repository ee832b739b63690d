#include "common/rpc/http_endpoint.h"

#include <gtest/gtest.h>
#include <httplib.h>

namespace tidemark::rpc {
namespace {

TEST(HttpEndpoint, ServesHealthAndMetrics) {
  std::atomic<bool> ready = false;
  auto endpoint = HttpEndpoint::Start("127.0.0.1", 0,
                                      {[&]() -> Status {
                                         if (ready) return {};
                                         return Fail(ErrorCode::kNotController,
                                                     "no leader yet");
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
  auto first = HttpEndpoint::Start("127.0.0.1", 0, handlers);
  ASSERT_TRUE(first);
  auto second = HttpEndpoint::Start("127.0.0.1", (*first)->port(), handlers);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string((*first)->port())),
            std::string::npos);
}

}  // namespace
}  // namespace tidemark::rpc
