#include "common/tls/authority.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/tls/certificate_roles.h"
#include "common/tls/session.h"

namespace tidemark::tls {
namespace {

TEST(Authority, WhatItIssuesSpeaksAndIsKnown) {
  const Issued authority = MakeAuthority("authority", 10).value();
  const Issued broker =
      IssueCertificate(authority, {.common_name = "b",
                                   .uris = {"tidemark:broker/1"},
                                   .hosts = {"b.example", "127.0.0.1", "::1"},
                                   .days = 2})
          .value();
  EXPECT_TRUE(
      CertificateRoles().HolderOf(broker.certificate).Is(Role::kBroker, 1));
  EXPECT_TRUE(IsIssuedBy(broker.certificate, authority.certificate));
  EXPECT_FALSE(IsIssuedBy(broker.certificate,
                          MakeAuthority("authority", 10)->certificate));
  Settings settings;
  settings.keystore.type = settings.truststore.type = "PEM";
  settings.keystore.key = broker.key;
  settings.keystore.certificates = broker.certificate;
  settings.truststore.certificates = authority.certificate;
  settings.client_auth = ClientAuth::kRequired;
  const auto shake = [&](const char* host) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    const auto server =
        Session::Accept(ServerContext::Make(settings).value(), fds[0]).value();
    const auto client =
        Session::Connect(ClientContext::Make(settings).value(), fds[1], host)
            .value();
    auto step = Session::Step::kWantRead;
    for (int i = 0; i < 10 && step != Session::Step::kDone; ++i) {
      // What was found is said once.
      if (client->Handshake() == Session::Step::kBroken) break;
      step = server->Handshake();
    }
    for (const int fd : fds) close(fd);
    return step == Session::Step::kDone ? "" : client->reason();
  };
  for (const char* host : {"b.example", "127.0.0.1", "::1"}) {
    EXPECT_EQ(shake(host), "") << host;
  }
  // The client sees that somebody else has it.
  for (const char* host : {"c.example", "127.0.0.2"}) {
    EXPECT_NE(shake(host).find("mismatch"), std::string::npos) << host;
  }
}

TEST(Authority, ARenewalIsForTheSame) {
  const Issued authority = MakeAuthority("authority", 10).value();
  const CertificateRequest first = {.common_name = "tidemark broker 1",
                                    .uris = {"tidemark:broker/1"},
                                    .hosts = {"b", "10.0.0.1", "fe80::1"},
                                    .days = 2};
  const Issued issued = IssueCertificate(authority, first).value();
  const CertificateRequest again = RequestOf(issued.certificate).value();
  EXPECT_EQ(again.common_name, first.common_name);
  EXPECT_EQ(again.uris, first.uris);
  EXPECT_EQ(again.hosts, first.hosts);
  EXPECT_NE(IssueCertificate(authority, again)->key, issued.key);
}

TEST(Authority, SignsNothingThatMeansSomethingElse) {
  const Issued authority = MakeAuthority("authority", 10).value();
  for (const char* host :
       {"", "a b", "a,URI:tidemark:admin/x", "a\nb", "a/b"}) {
    EXPECT_FALSE(IssueCertificate(
        authority, {.common_name = "n", .uris = {}, .hosts = {host}}))
        << host;
  }
  // Nor does what it has issued sign anything that others take.
  const Issued node =
      IssueCertificate(authority, {.common_name = "n", .uris = {}, .hosts = {}})
          .value();
  EXPECT_FALSE(IssueCertificate({authority.key, node.certificate},
                                {.common_name = "n", .uris = {}, .hosts = {}}));
  EXPECT_FALSE(RequestOf("nothing"));
}

}  // namespace
}  // namespace tidemark::tls
