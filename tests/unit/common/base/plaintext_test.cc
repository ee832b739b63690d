#include "common/base/plaintext.h"

#include <gtest/gtest.h>

#include "common/base/config.h"

namespace tidemark {
namespace {

TEST(Plaintext, SettingsThatProtectAreKnownByTheirNames) {
  for (const char* key :
       {"ssl.keystore.location", "ssl.client.auth", "sasl.enabled.mechanisms",
        "authorizer.class.name", "super.users", "principal.builder.class",
        "security.inter.broker.protocol", "delegation.token.secret.key",
        "listener.name.external.ssl.keystore.location",
        "listener.name.external.plain.sasl.jaas.config",
        "listener.name.external.principal.builder.class"}) {
    EXPECT_TRUE(AsksForSecurity(key, "x")) << key;
    EXPECT_FALSE(AsksForSecurity(key, "")) << key;
  }
  EXPECT_TRUE(AsksForSecurity("allow.everyone.if.no.acl.found", "false"));
}

TEST(Plaintext, OtherSettingsAndNeutralValuesDoNotProtect) {
  for (auto [key, value] : std::vector<std::pair<const char*, const char*>>{
           {"log.dirs", "/x"},
           {"listener.name.external.max.connections", "5"},
           {"ssl.client.auth", "none"},
           {"ssl.endpoint.identification.algorithm", ""},
           {"security.inter.broker.protocol", "PLAINTEXT"},
           {"allow.everyone.if.no.acl.found", "true"},
           {"connections.max.reauth.ms", "0"},
           {"sslx", "y"}}) {
    EXPECT_FALSE(AsksForSecurity(key, value)) << key;
  }
}

TEST(Plaintext, ASourceOfSettingsCannotBringThem) {
  constexpr ConfigKey kKeys[] = {{.name = "node.id"}};
  for (const Config::Sources& sources :
       {Config::Sources{.overrides = {"super.users=User:a"}},
        Config::Sources{.environment = {"TIDEMARK_SUPER_USERS=User:a"}}}) {
    auto config = Config::Load(kKeys, sources);
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, ErrorCode::kInvalidConfig);
    EXPECT_NE(config.error().message.find("super.users"), std::string::npos);
  }
  // One that is implemented is in the table, and nothing of the above applies.
  constexpr ConfigKey kBuilt[] = {{.name = "super.users"}};
  EXPECT_TRUE(Config::Load(kBuilt, {.overrides = {"super.users=User:a"}}));
}

}  // namespace
}  // namespace tidemark
