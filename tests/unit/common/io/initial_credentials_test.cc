#include "common/io/initial_credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tidemark::io {
namespace {

class InitialCredentialsTest : public ::testing::Test {
 protected:
  InitialCredentialsTest() { std::filesystem::create_directories(directory_); }
  ~InitialCredentialsTest() override {
    std::filesystem::remove_all(directory_);
  }
  const std::string directory_ =
      (std::filesystem::temp_directory_path() /
       ("tidemark-credentials-" + std::to_string(getpid())))
          .string();
  const std::string file_ = directory_ + "/initial-credentials";
};

TEST_F(InitialCredentialsTest, AreReadAsTheyWereWritten) {
  EXPECT_TRUE(LoadInitialCredentials(directory_).value().empty());
  const std::vector<InitialCredential> all = {
      {"alice", "SCRAM-SHA-256", 4096, "salt", "stored", "server"},
      {"a b\nc", "SCRAM-SHA-512", 8192, std::string("\0x", 2), "\xff", "s"}};
  ASSERT_TRUE(SaveInitialCredentials(directory_, all));
  EXPECT_EQ(LoadInitialCredentials(directory_), all);
  struct stat seen {};
  ASSERT_EQ(stat(file_.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600u) << "nobody else reads them";
}

TEST_F(InitialCredentialsTest, ADamagedFileIsRefused) {
  for (const char* bad :
       {"SCRAM-SHA-256", "SCRAM-SHA-256 x 61 61 61 61\n",
        "SCRAM-SHA-256 4096 61 61 61\n", "SCRAM-SHA-256 4096 6 61 61 61\n",
        "SCRAM-SHA-256 4096 61 61 61 6g\n",
        "SCRAM-SHA-256 4096 61 61 61 61 61\n", "\n"}) {
    std::ofstream(file_) << bad;
    const auto loaded = LoadInitialCredentials(directory_);
    ASSERT_FALSE(loaded) << bad;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidConfig);
  }
}

}  // namespace
}  // namespace tidemark::io
