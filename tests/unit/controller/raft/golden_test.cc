// Runs every scenario of tests/data/raft and compares its trace with the one
// in the file. TIDEMARK_UPDATE_GOLDEN=1 writes the files anew: read the diff.
//
// A file is a list of blocks: comment lines, one command, "----", its output,
// an empty line.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/controller/raft/scenario.h"

namespace tidemark::raft {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Scenarios() {
  std::vector<std::string> names;
  for (const auto& entry :
       fs::directory_iterator(fs::path(TIDEMARK_TEST_DATA) / "raft"))
    if (entry.path().extension() == ".txt")
      names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The file as it would be if every command printed what it prints now.
std::string Rerun(const std::string& text) {
  Scenario scenario;
  std::istringstream in(text);
  std::string out;
  bool in_output = false;
  for (std::string line; std::getline(in, line);) {
    if (in_output) {
      in_output = !line.empty();
      continue;
    }
    if (line == "----") {
      in_output = true;
      continue;
    }
    out += line + "\n";
    if (line.empty() || line.starts_with("#")) continue;
    out += "----\n" + scenario.Run(line) + "\n";
  }
  // Commands may stand line by line before the first update.
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, TraceIsTheRecordedOne) {
  const fs::path path =
      fs::path(TIDEMARK_TEST_DATA) / "raft" / (GetParam() + ".txt");
  const std::string expected = Read(path);
  const std::string actual = Rerun(expected);
  EXPECT_EQ(actual.find("BROKEN"), std::string::npos);
  if (std::getenv("TIDEMARK_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, expected);
}

INSTANTIATE_TEST_SUITE_P(Raft, Golden, testing::ValuesIn(Scenarios()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tidemark::raft
