#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/asn1.h>
#include <openssl/x509.h>

#include "common/tls/distinguished_name.h"
#include "common/tls/openssl.h"
#include "common/tls/principal_rules.h"

namespace tidemark::tls {
namespace {

using testing::Optional;

struct Attribute {
  const char* name;
  std::string value;
  int type = MBSTRING_UTF8;
  int set = 0;  // -1: of the one before
};

std::string SubjectWith(const std::vector<Attribute>& attributes) {
  const CertificatePtr certificate(X509_new());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  for (const Attribute& attribute : attributes) {
    EXPECT_EQ(
        X509_NAME_add_entry_by_txt(
            name, attribute.name, attribute.type,
            reinterpret_cast<const unsigned char*>(attribute.value.data()),
            static_cast<int>(attribute.value.size()), -1, attribute.set),
        1);
  }
  return SubjectOf(certificate.get());
}

// What Java's X500Principal.getName says of the same names.
TEST(Subject, IsAsJavaPrintsIt) {
  EXPECT_EQ(SubjectWith({}), "");
  EXPECT_EQ(SubjectWith({{"C", "DE"},
                         {"ST", "S"},
                         {"L", "l"},
                         {"street", "s t"},
                         {"O", "Some, Inc."},
                         {"OU", "a+b=c"},
                         {"CN", "kafka"}}),
            "CN=kafka,OU=a\\+b\\=c,O=Some\\, Inc.,STREET=s t,L=l,ST=S,C=DE");
  EXPECT_EQ(SubjectWith({{"CN", " \"x\"<y>;#\\ "}}),
            "CN=\\ \\\"x\\\"\\<y\\>\\;\\#\\\\\\ ");
  EXPECT_EQ(SubjectWith({{"CN",
                          "Gr\xc3\xbc\xc3\x9f"
                          "e"},
                         {"DC", "org"}}),
            "DC=org,CN=Gr\xc3\xbc\xc3\x9f"
            "e");
  EXPECT_EQ(
      SubjectWith({{"emailAddress", "a@b", V_ASN1_IA5STRING}, {"UID", "u"}}),
      "UID=u,1.2.840.113549.1.9.1=#1603614062");
  EXPECT_EQ(
      SubjectWith({{"O", "x"}, {"CN", "a"}, {"OU", "b", MBSTRING_UTF8, -1}}),
      "CN=a+OU=b,O=x");
}

std::optional<std::string> Map(const std::string& rules,
                               const std::string& subject) {
  const auto parsed = PrincipalRules::Parse(rules);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed->Apply(subject);
}

// The examples of Kafka's documentation and of its tests.
TEST(PrincipalRules, AreKafkas) {
  const std::string kRules =
      "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/, "
      "RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, "
      "RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U, "
      "RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L,  DEFAULT";
  EXPECT_THAT(Map(kRules, "CN=serviceuser,OU=ServiceUsers,O=Unknown,C=U"),
              Optional(std::string("serviceuser")));
  EXPECT_THAT(Map(kRules, "CN=adminUser,OU=Admin,O=Unknown,L=U,ST=U,C=U"),
              Optional(std::string("adminuser@admin")));
  EXPECT_THAT(Map(kRules, "cn=duke,ou=JavaSoft,dc=Sun,dc=Com"),
              Optional(std::string("DUKE@JAVASOFT")));
  EXPECT_THAT(Map(kRules, "O=Raleigh,CN=Broker.1,ST=NC"),
              Optional(std::string("broker.1")));
  EXPECT_THAT(Map(kRules, "OU=JavaSoft,O=x"),
              Optional(std::string("OU=JavaSoft,O=x")));
  EXPECT_THAT(Map("", "CN=a"), Optional(std::string("CN=a")));
  EXPECT_EQ(Map("RULE:^CN=b$/x/", "CN=a"), std::nullopt);
  EXPECT_EQ(Map("RULE:CN/x/", "CN=a"), std::nullopt) << "all of it has to fit";
  EXPECT_THAT(Map("RULE:CN=(.)\\/(.)/$2\\/$1$3/", "CN=a/b"),
              Optional(std::string("b/a$3")));
}

TEST(PrincipalRules, ThatAreNoneAreRefused) {
  for (const char* bad : {"deny", "RULE:", "RULE:a", "RULE:a/b", "RULE:a/b/X",
                          "RULE:(/b/", "DEFAULT DEFAULT", "RULE:a/b/L,x"}) {
    EXPECT_FALSE(PrincipalRules::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace tidemark::tls
