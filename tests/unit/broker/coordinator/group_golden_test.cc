#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/broker/coordinator/group_driver.h"

namespace tidemark::coordinator {
namespace {

// A file is a list of steps: a command, "----", what came of it, an empty
// line. A line "new" starts over. TIDEMARK_UPDATE_GOLDEN=1 rewrites the
// expectations.
std::string Replay(std::istream& in) {
  auto driver = std::make_unique<GroupDriver>();
  std::string line, out;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') {
      out += line + "\n";
      continue;
    }
    if (line == "new") {
      driver = std::make_unique<GroupDriver>();
      out += line + "\n";
      continue;
    }
    const std::string command = line.substr(0, line.find("  #"));
    out += line + "\n----\n" + driver->Run(command) + "\n";
    while (std::getline(in, line) && !line.empty()) {
    }
  }
  return out;
}

TEST(GroupGolden, EveryScenarioDoesWhatTheFileSays) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::string(TIDEMARK_TEST_DATA) + "/groups")) {
    SCOPED_TRACE(entry.path().filename());
    ++files;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const std::string replayed = Replay(text);
    if (std::getenv("TIDEMARK_UPDATE_GOLDEN")) {
      std::ofstream(entry.path()) << replayed;
    } else {
      EXPECT_EQ(text.str(), replayed);
    }
  }
  EXPECT_GT(files, 5);
}

}  // namespace
}  // namespace tidemark::coordinator
