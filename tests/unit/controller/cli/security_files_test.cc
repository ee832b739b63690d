#include "controller/cli/security_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/tls/authority.h"
#include "common/tls/certificate_roles.h"
#include "controller/cli/tls_options.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

class SecurityFilesTest : public testing::Test {
 protected:
  SecurityFilesTest() {
    std::string name = fs::temp_directory_path() / "security_files_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    cluster_.brokers = {1, 2};
    cluster_.controllers = {101};
    cluster_.hosts = {"localhost"};
    cluster_.hosts_of["broker-2"] = {"b2.example", "10.0.0.2"};
  }
  ~SecurityFilesTest() override { fs::remove_all(folder_); }

  std::string Read(const fs::path& path) const {
    std::ifstream file(folder_ / path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Trusts(const char* whom, const char* authority) const {
    return Read(fs::path(whom) / "trust.pem").find(Read(authority)) !=
           std::string::npos;
  }

  fs::path folder_;
  NewCluster cluster_;
};

TEST_F(SecurityFilesTest, EachHasItsOwnAndTrustsTheAuthority) {
  ASSERT_TRUE(MakeSecurity(folder_, cluster_));
  const tls::CertificateRoles roles;
  const std::string broker = Read("broker-2/node.pem");
  EXPECT_TRUE(roles.HolderOf(broker).Is(tls::Role::kBroker, 2));
  EXPECT_TRUE(roles.HolderOf(Read("controller-101/node.pem"))
                  .Is(tls::Role::kController, 101));
  EXPECT_TRUE(roles.HolderOf(Read("admin/admin.pem")).Is(tls::Role::kAdmin));
  const auto certificate = tls::FirstCertificate(broker);
  for (const char* host : {"localhost", "b2.example", "10.0.0.2"})
    EXPECT_TRUE(tls::NamesHost(certificate.get(), host)) << host;
  EXPECT_FALSE(tls::NamesHost(
      tls::FirstCertificate(Read("broker-1/node.pem")).get(), "b2.example"));
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    struct stat at {};
    ASSERT_EQ(::stat(entry.path().c_str(), &at), 0);
    const bool secret =
        Read(fs::relative(entry.path(), folder_)).find("PRIVATE KEY") !=
        std::string::npos;
    EXPECT_EQ(at.st_mode & 0777, secret ? 0600u : 0644u) << entry.path();
  }
  // A second time would make strangers of all that there are.
  EXPECT_FALSE(MakeSecurity(folder_, cluster_));
  EXPECT_EQ(Read("broker-2/node.pem"), broker);
}

TEST_F(SecurityFilesTest, ToolsReadWhatTheAdministratorGets) {
  ASSERT_TRUE(MakeSecurity(folder_, cluster_));
  TlsOptions options;
  EXPECT_EQ(SecurityOf(options).value(), nullptr);
  options.command_config = folder_ / "admin/client.properties";
  EXPECT_NE(SecurityOf(options).value(), nullptr);
  TlsOptions flags;
  flags.ca = folder_ / "admin/trust.pem";
  EXPECT_FALSE(SecurityOf(flags)) << "gRPC wants a certificate";
  EXPECT_TRUE(TlsOf(flags).value());
  flags.certificate = folder_ / "admin/admin.pem";
  EXPECT_NE(SecurityOf(flags).value(), nullptr);
  flags.key = folder_ / "admin/admin.pem";
  EXPECT_NE(SecurityOf(flags).value(), nullptr);
  flags.key = folder_ / "broker-1/node.pem";
  EXPECT_FALSE(SecurityOf(flags)) << "another's key";
  flags.certificate.clear();
  EXPECT_FALSE(TlsOf(flags));
  options.command_config = folder_ / "none";
  EXPECT_FALSE(TlsOf(options));
}

TEST_F(SecurityFilesTest, AnAuthorityIsReplacedInThreeSteps) {
  ASSERT_TRUE(MakeSecurity(folder_, cluster_));
  const std::string before = Read("broker-1/node.pem");
  const auto again = RenewCertificates(folder_, 30);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->size(), 4u);
  EXPECT_NE(Read("broker-1/node.pem"), before);
  EXPECT_TRUE(tls::IsIssuedBy(Read("broker-1/node.pem"), Read("ca/1.pem")));

  ASSERT_TRUE(AddAuthority(folder_, 100));
  EXPECT_TRUE(Trusts("broker-1", "ca/1.pem"));
  EXPECT_TRUE(Trusts("broker-1", "ca/2.pem"));
  // Somebody's certificate is of the old one still.
  EXPECT_FALSE(DropOldAuthorities(folder_));
  EXPECT_TRUE(Trusts("admin", "ca/1.pem"));

  ASSERT_TRUE(RenewCertificates(folder_, 30));
  EXPECT_TRUE(tls::IsIssuedBy(Read("admin/admin.pem"), Read("ca/2.pem")));
  const std::string old = Read("ca/1.pem");
  ASSERT_TRUE(DropOldAuthorities(folder_));
  EXPECT_EQ(Read("controller-101/trust.pem"), Read("ca/2.pem"));
  EXPECT_FALSE(fs::exists(folder_ / "ca/1.key"));
  const auto certificate = tls::FirstCertificate(Read("broker-2/node.pem"));
  EXPECT_TRUE(tls::NamesHost(certificate.get(), "b2.example"));
}

}  // namespace
}  // namespace tidemark::cli
