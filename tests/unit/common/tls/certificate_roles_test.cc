#include "common/tls/certificate_roles.h"

#include <gtest/gtest.h>

#include "tests/support/certificates.h"

namespace tidemark::tls {
namespace {

Holder HolderWith(const std::string& also, const std::string& rules = "") {
  const test::Identity authority = test::MakeIdentity("a", nullptr);
  const test::Identity own = test::MakeIdentity("b", &authority, 1, also);
  return CertificateRoles::Parse(rules).value().HolderOf(own.CertificatePem());
}

TEST(CertificateRoles, ACertificateSaysWhoseItIs) {
  const Holder broker = HolderWith("DNS:h,URI:tidemark:broker/7");
  EXPECT_TRUE(broker.Is(Role::kBroker));
  EXPECT_TRUE(broker.Is(Role::kBroker, 7));
  EXPECT_FALSE(broker.Is(Role::kBroker, 8));
  EXPECT_FALSE(broker.Is(Role::kController, 7));
  EXPECT_FALSE(broker.Is(Role::kAdmin));
  EXPECT_EQ(broker.Describe(), "broker 7");
  EXPECT_TRUE(HolderWith("URI:tidemark:admin/ops").Is(Role::kAdmin));
  // A machine with two nodes.
  const Holder both =
      HolderWith("URI:tidemark:broker/1,URI:tidemark:controller/101");
  EXPECT_TRUE(both.Is(Role::kBroker, 1));
  EXPECT_TRUE(both.Is(Role::kController, 101));
  EXPECT_FALSE(both.Is(Role::kBroker, 101));
}

TEST(CertificateRoles, WhatSaysNothingUsefulIsAStrangers) {
  for (const char* also :
       {"", "DNS:tidemark-broker-1", "URI:tidemark:broker",
        "URI:tidemark:broker/", "URI:tidemark:broker/-1",
        "URI:tidemark:broker/1x", "URI:tidemark:broker/99999999999",
        "URI:tidemark:Broker/1", "URI:tidemarks:broker/1",
        "URI:https://x/tidemark:broker/1",
        // One of them is wrong: none counts.
        "URI:tidemark:broker/1,URI:tidemark:king/1"}) {
    const Holder holder = HolderWith(also);
    EXPECT_TRUE(holder.places.empty()) << also;
    EXPECT_NE(holder.Describe().find("CN=b"), std::string::npos);
  }
  EXPECT_TRUE(CertificateRoles().HolderOf("no certificate").places.empty());
}

TEST(CertificateRoles, ASettingKnowsOthersByTheirSubjects) {
  const char kRules[] = "broker/1:CN=b; controller/2:CN=c,O=x;admin:CN=ops";
  EXPECT_TRUE(HolderWith("", kRules).Is(Role::kBroker, 1));
  EXPECT_FALSE(HolderWith("", "broker/1:CN=B").Is(Role::kBroker));
  // What a certificate says itself is all that counts.
  EXPECT_FALSE(HolderWith("URI:tidemark:admin/x", kRules).Is(Role::kBroker));
  EXPECT_TRUE(HolderWith("URI:tidemark:x", kRules).places.empty());
  for (const char* bad : {"broker:CN=b", "broker/1", "broker/1:", "king:CN=b",
                          "CN=b", "broker/x:CN=b"}) {
    EXPECT_FALSE(CertificateRoles::Parse(bad)) << bad;
  }
}

TEST(CertificateRoles, AHostIsNamedAsANameOrAsAnAddress) {
  const test::Identity own = test::MakeIdentity(
      "b", nullptr, 1, "DNS:b.example,DNS:*.w.example,IP:10.0.0.1,IP:::1");
  const auto names = [&](const char* host) {
    return NamesHost(own.certificate.get(), host);
  };
  EXPECT_TRUE(names("b.example"));
  EXPECT_TRUE(names("B.Example"));
  EXPECT_TRUE(names("x.w.example"));
  EXPECT_TRUE(names("10.0.0.1"));
  EXPECT_TRUE(names("::1"));
  EXPECT_FALSE(names("c.example"));
  EXPECT_FALSE(names("x.y.w.example"));
  EXPECT_FALSE(names("10.0.0.2"));
  EXPECT_FALSE(names(""));
}

}  // namespace
}  // namespace tidemark::tls
