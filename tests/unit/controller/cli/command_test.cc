#include "controller/cli/command.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

#include "common/io/initial_voters.h"
#include "common/io/meta_properties.h"

namespace tidemark::cli {
namespace {

class CommandTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TIDEMARK_CONTROLLERS", "env:1", 1);
    setenv("TIDEMARK_SERVERS", "env:2", 1);
  }
  void TearDown() override {
    unsetenv("TIDEMARK_CONTROLLERS");
    unsetenv("TIDEMARK_SERVERS");
  }

  // What the command line, without the program's name, sets; nothing runs.
  Context Parse(const std::string& line) {
    Context context;
    MakeApp(context)->parse(line, /*program_name_included=*/false);
    EXPECT_TRUE(context.action) << line;
    return context;
  }
};

// Every verb there is, with what it cannot do without.
const char* const kVerbs[] = {
    "topic list",      "topic create t",         "topic delete t",
    "topic describe",  "topic alter t",          "cluster info",
    "broker list",     "broker describe 1",      "quorum status",
    "group list",      "group describe g",       "config get topic t",
    "produce t",       "config set topic t a=b", "config delete topic t a",
    "consume t",       "storage random-uuid",    "topic reassign --status",
    "security init d", "security rotate d"};

TEST_F(CommandTest, AFlagBeatsTheEnvironmentForEveryVerb) {
  const std::string flags =
      " --bootstrap-controllers flag:1 --bootstrap-servers flag:2 "
      "--format json --timeout-ms 7 ";
  for (const char* verb : kVerbs) {
    for (const std::string& line : {verb + flags, flags + verb}) {
      Context context = Parse(line);
      EXPECT_EQ(context.controllers, "flag:1") << line;
      EXPECT_EQ(context.bootstrap_servers, "flag:2") << line;
      EXPECT_EQ(context.format, Format::kJson) << line;
      EXPECT_EQ(context.timeout_ms, 7) << line;
    }
  }
}

TEST_F(CommandTest, TheEnvironmentBeatsTheDefault) {
  for (const char* verb : kVerbs) {
    Context context = Parse(verb);
    EXPECT_EQ(context.controllers, "env:1") << verb;
    EXPECT_EQ(context.bootstrap_servers, "env:2") << verb;
  }
  TearDown();
  Context context = Parse("topic list");
  EXPECT_EQ(context.controllers, "127.0.0.1:9093");
  EXPECT_EQ(context.bootstrap_servers, "127.0.0.1:9092");
}

TEST_F(CommandTest, NamesOfOtherCommandsAreArguments) {
  Context context;
  auto app = MakeApp(context);
  app->parse("topic create broker list --partitions 3", false);
  EXPECT_TRUE(context.action);
  EXPECT_THROW(MakeApp(context)->parse("topic list --nonsense", false),
               CLI::ParseError);
}

// D-2: the one permission there is to make a controller's database.
TEST_F(CommandTest, FormatMarksTheMetadataOfVotersOnly) {
  namespace fs = std::filesystem;
  std::string name = fs::temp_directory_path() / "command_test_XXXXXX";
  const fs::path base = ::mkdtemp(name.data());
  auto marked = [&](const std::string& settings) {
    const fs::path a = base / "a", b = base / "b", config = base / "config";
    fs::remove_all(a);
    fs::remove_all(b);
    std::ofstream(config) << "log.dirs=" << a.string() << "," << b.string()
                          << "\n"
                          << settings;
    Context context = Parse("storage format --config " + config.string());
    EXPECT_TRUE(context.action());
    EXPECT_TRUE(io::LoadMetaProperties(a) && io::LoadMetaProperties(b));
    return std::string(io::IsMarked(a, io::kUnusedMark) ? "a" : "") +
           (io::IsMarked(b, io::kUnusedMark) ? "b" : "");
  };
  const std::string voters = "controller.quorum.voters=1@h:1,12@h:2\n";
  EXPECT_EQ(marked(voters + "node.id=12\n"), "a");
  EXPECT_EQ(marked(voters + "node.id=2\n"), "") << "a broker";
  EXPECT_EQ(marked("node.id=2\n"), "a") << "it may be either";
  EXPECT_EQ(marked(voters + "node.id=1\nmetadata.log.dir=" +
                   (base / "b").string() + "\n"),
            "b");
  fs::remove_all(base);
}

// A quorum begins with the directories that its controllers are formatted with.
TEST_F(CommandTest, FormatWritesDownWhomTheQuorumBeginsWith) {
  namespace fs = std::filesystem;
  std::string name = fs::temp_directory_path() / "command_test_XXXXXX";
  const fs::path base = ::mkdtemp(name.data());
  const fs::path config = base / "config", data = base / "data";
  std::ofstream(config) << "node.id=2\nlog.dirs=" << data.string()
                        << "\nlisteners=CONTROLLER://h:9093\n";
  auto format = [&](const std::string& flags) {
    fs::remove_all(data);
    Context context =
        Parse("storage format --config " + config.string() + " " + flags);
    return context.action().has_value();
  };
  const Uuid own = Uuid::Random(), other = Uuid::Random();
  ASSERT_TRUE(format("--initial-controllers 2@h:9093:" + ToString(own) +
                     ",3@i:9093:" + ToString(other)));
  EXPECT_EQ(io::LoadMetaProperties(data)->directory_id, own);
  auto voters = io::LoadInitialVoters(data);
  ASSERT_TRUE(voters);
  EXPECT_EQ(*voters, (std::vector<io::InitialVoter>{{2, "h", 9093, own},
                                                    {3, "i", 9093, other}}));
  ASSERT_TRUE(format("--standalone"));
  voters = io::LoadInitialVoters(data);
  ASSERT_EQ(voters->size(), 1u);
  EXPECT_EQ(voters->at(0).directory,
            io::LoadMetaProperties(data)->directory_id);
  EXPECT_EQ(voters->at(0).port, 9093);
  ASSERT_TRUE(format("--no-initial-controllers"));
  EXPECT_TRUE(io::LoadInitialVoters(data)->empty());
  EXPECT_TRUE(io::IsMarked(data, io::kUnusedMark));
  EXPECT_FALSE(format("--standalone --no-initial-controllers"));
  EXPECT_FALSE(format("--initial-controllers 2@h:9093"));
  fs::remove_all(base);
}

}  // namespace
}  // namespace tidemark::cli
