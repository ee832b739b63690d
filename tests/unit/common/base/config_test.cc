#include "common/base/config.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace tidemark {
namespace {

constexpr ConfigKey kKeys[] = {
    {"node.id", ConfigType::kInt, "", "id of this process", 0, 100, "", true},
    {"log.dirs", ConfigType::kList, "/tmp/a", "data directories"},
    {"mode", ConfigType::kString, "fast", "how", 1, 0, "fast|safe"},
    {"on", ConfigType::kBool, "true", "switch"},
};

TEST(Properties, JavaSyntax) {
  auto got = ParseProperties(
      "# comment\n! too\n\na=1\nb : 2\nc 3\nd=x\\\n   y\ne\\=f=\\u0041\\t\n"
      "empty=\r\nkey\n");
  ASSERT_TRUE(got) << got.error().message;
  std::map<std::string, std::string> want{
      {"a", "1"},     {"b", "2"},    {"c", "3"}, {"d", "xy"},
      {"e=f", "A\t"}, {"empty", ""}, {"key", ""}};
  EXPECT_EQ(*got, want);
}

TEST(Properties, BadUnicodeEscapeIsRefused) {
  EXPECT_FALSE(ParseProperties("a=\\u00"));
  EXPECT_FALSE(ParseProperties("a=\\u00zz"));
}

TEST(ConfigLoad, LaterSourceWins) {
  std::string path = ::testing::TempDir() + "config_test.properties";
  std::ofstream(path) << "node.id=1\nmode=safe\nlog.dirs=/x, /y\n";
  auto config = Config::Load(
      kKeys, {path, {"node.id=3"}, {"TIDEMARK_NODE_ID=2", "HOME=/", "X"}});
  std::remove(path.c_str());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->GetInt("node.id"), 3);
  EXPECT_EQ(config->GetString("mode"), "safe");
  EXPECT_TRUE(config->GetBool("on"));
  EXPECT_FALSE(config->IsSet("on"));
  EXPECT_EQ(config->GetList("log.dirs"),
            (std::vector<std::string>{"/x", "/y"}));
}

TEST(ConfigLoad, UnknownKeyNamesTheNearest) {
  auto config = Config::Load(kKeys, {"", {"node.id=1", "log.dir=/x"}, {}});
  ASSERT_TRUE(config);
  ASSERT_EQ(config->warnings().size(), 1u);
  EXPECT_NE(config->warnings()[0].find("did you mean 'log.dirs'"),
            std::string::npos);
}

TEST(ConfigLoad, RefusesBadValues) {
  auto load = [](std::vector<std::string> overrides) {
    return Config::Load(kKeys, {"", std::move(overrides), {}});
  };
  EXPECT_FALSE(load({})) << "node.id is required";
  EXPECT_FALSE(load({"node.id=x"}));
  EXPECT_FALSE(load({"node.id=101"}));
  EXPECT_FALSE(load({"node.id=1", "mode=slow"}));
  EXPECT_FALSE(load({"node.id=1", "on=yes"}));
  EXPECT_FALSE(load({"node.id"}));
  EXPECT_FALSE(Config::Load(kKeys, {"/nonexistent/file", {}, {}}));
  auto bad = load({"node.id=x"});
  for (const char* part : {"node.id", "'x'", "0 to 100"}) {
    EXPECT_NE(bad.error().message.find(part), std::string::npos) << part;
  }
}

TEST(NearestKey, FarNamesHaveNone) {
  EXPECT_EQ(NearestKey(kKeys, "node.idd"), "node.id");
  EXPECT_EQ(NearestKey(kKeys, "something.else.entirely"), "");
}

}  // namespace
}  // namespace tidemark
