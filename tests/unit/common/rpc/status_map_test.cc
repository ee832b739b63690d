#include "common/rpc/status_map.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace tidemark::rpc {
namespace {

TEST(StatusMap, NearestGrpcCode) {
  auto code = [](ErrorCode c) { return ToGrpc({c, "m"}).error_code(); };
  EXPECT_EQ(code(ErrorCode::kNotController), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(code(ErrorCode::kTopicAlreadyExists),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(code(ErrorCode::kUnknownTopicOrPartition),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(code(ErrorCode::kInvalidConfig),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(ErrorCode::kNone), grpc::StatusCode::OK);
  EXPECT_EQ(ToGrpc({ErrorCode::kInvalidConfig, ""}).error_message(),
            "INVALID_CONFIG");
}

TEST(StatusMap, WithoutTrailersTheGrpcCodeDecides) {
  Error error =
      FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"), nullptr);
  EXPECT_EQ(error.code, ErrorCode::kNotController);
  EXPECT_EQ(error.message, "gone");
}

TEST(ActiveHint, RoundTripInsideAMessage) {
  ActiveHint hint{3, "host-c", 9093};
  EXPECT_EQ(ParseActiveHint("not active; " + FormatActiveHint(hint)), hint);
  ActiveHint v6{1, "[::1]", 19093};
  EXPECT_EQ(ParseActiveHint(FormatActiveHint(v6) + " retry"), v6);
}

TEST(ActiveHint, GarbageGivesNone) {
  for (const char* text :
       {"", "active=", "active=1", "active=1@", "active=1@h",
        "active=1@h:", "active=x@h:1", "active=1@h:99999", "active=1@:9",
        "active=-2@h:9", "active=1@h:0", "active=:@"}) {
    EXPECT_EQ(ParseActiveHint(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tidemark::rpc
