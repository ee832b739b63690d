#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "common/tls/context_source.h"
#include "common/tls/session.h"
#include "tests/support/certificates.h"

namespace tidemark::tls {
namespace {

using test::Identity;
using test::MakeIdentity;
using Step = Session::Step;

// Both ends of a socket, and TLS of a client at one.
struct Pair {
  explicit Pair(std::shared_ptr<const ServerContext> context,
                const Identity* client = nullptr,
                const std::string& ciphers = "") {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    server = Session::Accept(std::move(context), fds[0]).value();
    client_context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_options(client_context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (client != nullptr) {
      SSL_CTX_use_certificate(client_context.get(), client->certificate.get());
      SSL_CTX_use_PrivateKey(client_context.get(), client->key.get());
    }
    if (!ciphers.empty()) {
      SSL_CTX_set_max_proto_version(client_context.get(), TLS1_2_VERSION);
      SSL_CTX_set_cipher_list(client_context.get(), ciphers.c_str());
    }
    ssl.reset(SSL_new(client_context.get()));
    SSL_set_fd(ssl.get(), fds[1]);
    SSL_set_connect_state(ssl.get());
  }
  ~Pair() {
    for (const int fd : fds) close(fd);
  }

  Step Shake() {
    for (int i = 0; i < 20; ++i) {
      (void)SSL_do_handshake(ssl.get());
      const Step step = server->Handshake();
      if (step != Step::kWantRead) return step;
    }
    return Step::kWantRead;
  }

  int fds[2];
  std::unique_ptr<Session> server;
  ContextPtr client_context;
  SslPtr ssl;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    char name[] = "/tmp/tidemark-tls-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~TlsTest() override {
    for (const char* file : {"key", "trust"}) unlink(Path(file).c_str());
    rmdir(folder_.c_str());
  }
  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }
  Settings Pem() const {
    Settings settings;
    settings.keystore.type = "PEM";
    settings.keystore.key = own_.KeyPem();
    settings.keystore.certificates = own_.CertificatePem();
    return settings;
  }
  static std::string ErrorOf(const Settings& settings) {
    const auto made = ServerContext::Make(settings);
    return made ? "" : made.error().message;
  }

  std::string folder_;
  const Identity authority_ = MakeIdentity("authority", nullptr);
  const Identity own_ = MakeIdentity("broker", &authority_, 5);
};

TEST_F(TlsTest, WhatOneEndWritesTheOtherReads) {
  Pair pair(ServerContext::Make(Pem()).value());
  ASSERT_EQ(pair.Shake(), Step::kDone);
  size_t count = 0;
  char got[100];
  EXPECT_EQ(pair.server->Read(got, &count), Step::kWantRead);
  ASSERT_EQ(SSL_write(pair.ssl.get(), "hello", 5), 5);
  ASSERT_EQ(pair.server->Read(got, &count), Step::kDone);
  EXPECT_EQ(std::string(got, count), "hello");
  // More than the socket takes: goes on with the same bytes elsewhere.
  std::string sent(3 << 20, '\0'), received;
  std::minstd_rand random(7);
  for (char& c : sent) c = static_cast<char>(random());
  size_t done = 0;
  bool waited = false;
  while (received.size() < sent.size()) {
    while (done < sent.size()) {
      const std::string moved = sent.substr(done, 16 << 10);
      const Step step = pair.server->Write(moved, &count);
      if (step == Step::kWantWrite) break;
      ASSERT_EQ(step, Step::kDone);
      done += count;
    }
    waited |= done < sent.size();
    std::string part(1 << 16, '\0');
    const int size = SSL_read(pair.ssl.get(), part.data(), 1 << 16);
    if (size > 0) received.append(part, 0, static_cast<size_t>(size));
  }
  EXPECT_TRUE(waited);
  EXPECT_EQ(received, sent);
  // Who closes without a word has ended all the same.
  shutdown(pair.fds[1], SHUT_RDWR);
  EXPECT_EQ(pair.server->Read(got, &count), Step::kEnd);
}

// Records that say nothing do not keep the thread of a read.
TEST_F(TlsTest, AStreamOfNewKeysIsReadAFewAtATime) {
  Pair pair(ServerContext::Make(Pem()).value());
  ASSERT_EQ(pair.Shake(), Step::kDone);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(SSL_key_update(pair.ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(pair.ssl.get()), 1);
  }
  ASSERT_EQ(SSL_write(pair.ssl.get(), "hello", 5), 5);
  char got[100];
  size_t count = 0;
  int reads = 1;
  while (pair.server->Read(got, &count) == Step::kWantRead) ++reads;
  EXPECT_EQ(std::string(got, count), "hello");
  EXPECT_GT(reads, 5);
}

TEST_F(TlsTest, WhatIsNoHandshakeBreaksAndSaysWhy) {
  const auto context = ServerContext::Make(Pem()).value();
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(300, '\0'),
        std::string("\x16\x03\x01\x00\x05hello", 10)}) {
    Pair pair(context);
    ASSERT_EQ(write(pair.fds[1], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(pair.server->Handshake(), Step::kBroken);
    EXPECT_FALSE(pair.server->reason().empty());
  }
  Pair gone(context);
  shutdown(gone.fds[1], SHUT_RDWR);
  const Step step = gone.server->Handshake();
  EXPECT_TRUE(step == Step::kBroken || step == Step::kEnd);
}

TEST_F(TlsTest, AClientShowsACertificateThatIsTrusted) {
  Settings settings = Pem();
  settings.client_auth = ClientAuth::kRequired;
  settings.truststore.certificates = authority_.CertificatePem();
  const auto required = ServerContext::Make(settings).value();
  settings.client_auth = ClientAuth::kRequested;
  const auto requested = ServerContext::Make(settings).value();
  const Identity stranger_authority = MakeIdentity("authority", nullptr);
  const Identity client = MakeIdentity("client", &authority_),
                 stranger = MakeIdentity("client", &stranger_authority),
                 expired = MakeIdentity("client", &authority_, -1);
  EXPECT_EQ(Pair(required, &client).Shake(), Step::kDone);
  EXPECT_EQ(Pair(requested, &client).Shake(), Step::kDone);
  EXPECT_EQ(Pair(requested).Shake(), Step::kDone);
  EXPECT_EQ(Pair(required).Shake(), Step::kBroken);
  for (const auto& context : {required, requested}) {
    for (const Identity* bad : {&stranger, &expired}) {
      Pair pair(context, bad);
      EXPECT_EQ(pair.Shake(), Step::kBroken);
      EXPECT_NE(pair.server->reason().find("("), std::string::npos)
          << pair.server->reason();
    }
  }
  // One that is trusted by itself needs no authority.
  settings.truststore.certificates = stranger.CertificatePem();
  EXPECT_EQ(Pair(ServerContext::Make(settings).value(), &stranger).Shake(),
            Step::kDone);
}

TEST_F(TlsTest, StoresOfEveryKind) {
  // A setting is one line.
  Settings settings = Pem();
  for (std::string* text :
       {&settings.keystore.key, &settings.keystore.certificates}) {
    for (char& c : *text) c = c == '\n' ? ' ' : c;
  }
  settings.keystore.certificates += authority_.CertificatePem();
  EXPECT_EQ(Pair(ServerContext::Make(settings).value()).Shake(), Step::kDone);
  EXPECT_GT(ServerContext::Make(settings).value()->expires_s(),
            time(nullptr) + 80'000);
  EXPECT_LT(ServerContext::Make(settings).value()->expires_s(),
            time(nullptr) + 90'000);  // the chain's
  settings.keystore.key = own_.KeyPem("secret");
  EXPECT_NE(ErrorOf(settings).find("ssl.key.password"), std::string::npos);
  settings.keystore.key_password = "secret";
  EXPECT_EQ(ErrorOf(settings), "");
  // In files.
  settings.keystore = {.type = "PEM", .location = Path("key")};
  Write("key",
        own_.CertificatePem() + authority_.CertificatePem() + own_.KeyPem());
  EXPECT_EQ(Pair(ServerContext::Make(settings).value()).Shake(), Step::kDone);
  settings.keystore = {
      .type = "JKS", .location = Path("key"), .password = "secret"};
  EXPECT_NE(ErrorOf(settings).find("it is PEM"), std::string::npos);
  Write("key", own_.Pkcs12("secret", authority_));
  EXPECT_EQ(Pair(ServerContext::Make(settings).value()).Shake(), Step::kDone);
  settings.keystore.type = "PKCS12";
  EXPECT_EQ(ErrorOf(settings), "");
  settings.keystore.password = "wrong";
  EXPECT_NE(ErrorOf(settings).find("password"), std::string::npos);
}

TEST_F(TlsTest, WhatCannotBeUsedSaysWhichFileAndWhy) {
  Settings settings;
  EXPECT_NE(ErrorOf(settings).find("ssl.keystore.location"), std::string::npos);
  settings.keystore = {.type = "PEM", .location = Path("key")};
  EXPECT_NE(ErrorOf(settings).find("No such file"), std::string::npos);
  const std::string good = own_.CertificatePem() + own_.KeyPem();
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"rubbish", "not PEM"},
      {own_.CertificatePem(), "no private key"},
      {own_.KeyPem(), "no certificate"},
      {authority_.CertificatePem() + own_.KeyPem(), "not that of the key"},
      {good.substr(0, good.size() / 4), "no private key"},
  };
  for (const auto& [bytes, why] : cases) {
    Write("key", bytes);
    EXPECT_NE(ErrorOf(settings).find(why), std::string::npos)
        << ErrorOf(settings) << " not " << why;
  }
  settings.keystore.certificates = own_.CertificatePem();
  EXPECT_NE(ErrorOf(settings).find("unset one"), std::string::npos);
  settings.keystore.certificates.clear();
  settings.keystore.type = "JKS";
  Write("key", "\xfe\xed\xfe\xed and more");
  EXPECT_NE(ErrorOf(settings).find("keytool -importkeystore"),
            std::string::npos);
  // Any byte of a store may be wrong.
  const std::string store = own_.Pkcs12("secret", authority_);
  settings.keystore.password = "secret";
  std::minstd_rand random(3);
  for (int i = 0; i < 200; ++i) {
    std::string bad = store;
    bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    Write("key",
          bad.substr(0, i % 3 == 0 ? random() % bad.size() : bad.size()));
    (void)ServerContext::Make(settings);
  }
}

TEST_F(TlsTest, ProtocolsAndCiphers) {
  Settings settings = Pem();
  settings.protocols = {"SSLv3"};
  EXPECT_NE(ErrorOf(settings).find("ssl.enabled.protocols"), std::string::npos);
  settings.protocols = {"TLSv1.2"};
  settings.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  const auto context = ServerContext::Make(settings).value();
  Pair pair(context);
  ASSERT_EQ(pair.Shake(), Step::kDone);
  EXPECT_STREQ(SSL_get_version(pair.ssl.get()), "TLSv1.2");
  EXPECT_STREQ(SSL_get_cipher(pair.ssl.get()), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(Pair(context, nullptr, "ECDHE-ECDSA-AES256-GCM-SHA384").Shake(),
            Step::kBroken);
  settings.protocols = {"TLSv1.3"};
  settings.cipher_suites = {"TLS_CHACHA20_POLY1305_SHA256"};
  Pair current(ServerContext::Make(settings).value());
  ASSERT_EQ(current.Shake(), Step::kDone);
  EXPECT_STREQ(SSL_get_cipher(current.ssl.get()),
               "TLS_CHACHA20_POLY1305_SHA256");
  // Only of one version: the other is not spoken.
  settings.protocols = {"TLSv1.2", "TLSv1.3"};
  Pair newer(ServerContext::Make(settings).value(), nullptr, "DEFAULT");
  EXPECT_EQ(newer.Shake(), Step::kBroken);
  settings.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  Pair older(ServerContext::Make(settings).value());
  ASSERT_EQ(older.Shake(), Step::kDone);
  EXPECT_STREQ(SSL_get_version(older.ssl.get()), "TLSv1.2");
  settings.protocols = {"TLSv1.3"};
  EXPECT_NE(ErrorOf(settings).find("ssl.enabled.protocols"), std::string::npos);
  settings.protocols = {"TLSv1.2", "TLSv1.3"};
  settings.cipher_suites = {"TLS_NO_SUCH_CIPHER"};
  EXPECT_NE(ErrorOf(settings).find("ssl.cipher.suites"), std::string::npos);
}

// What gRPC and librdkafka are given, whatever it was made of.
TEST_F(TlsTest, MaterialIsPemWhateverItComesFrom) {
  Settings settings = Pem();
  settings.truststore = {.type = "PEM",
                         .certificates = authority_.CertificatePem()};
  const auto plain = PemMaterial::Make(settings).value();
  EXPECT_EQ(plain->chain, own_.CertificatePem());
  EXPECT_EQ(plain->trust, authority_.CertificatePem());
  settings.keystore = {
      .type = "PKCS12", .location = Path("key"), .password = "secret"};
  Write("key", own_.Pkcs12("secret", authority_));
  const auto store = PemMaterial::Make(settings).value();
  EXPECT_EQ(store->key, plain->key);
  EXPECT_EQ(store->chain, own_.CertificatePem() + authority_.CertificatePem());
  EXPECT_EQ(store->expires_s,
            ServerContext::Make(settings).value()->expires_s());
  // Nothing of it may be missing, or be another's.
  const auto refused = [](const Settings& one, const char* says) {
    const auto made = PemMaterial::Make(one);
    return !made && made.error().message.find(says) != std::string::npos;
  };
  Settings lacks = settings;
  lacks.keystore = {};
  EXPECT_TRUE(refused(lacks, "ssl.keystore"));
  lacks = settings;
  lacks.truststore = {};
  EXPECT_TRUE(refused(lacks, "ssl.truststore"));
  lacks = Pem();
  lacks.truststore = settings.truststore;
  lacks.keystore.certificates = authority_.CertificatePem();
  EXPECT_TRUE(refused(lacks, "ssl.keystore"));
}

TEST_F(TlsTest, ChangedFilesAreReadAgain) {
  Settings settings;
  settings.keystore = {.type = "PEM", .location = Path("key")};
  Write("key", own_.CertificatePem() + own_.KeyPem());
  const auto source = ContextSource::Open(settings).value();
  const auto first = source->Get();
  EXPECT_FALSE(source->Reload().value());
  EXPECT_EQ(source->Get(), first);
  // One that is bad leaves the one before, and is complained of once.
  Write("key", "rubbish");
  EXPECT_FALSE(source->Reload());
  EXPECT_FALSE(source->Reload().value());
  EXPECT_EQ(source->Get(), first);
  const Identity next = MakeIdentity("broker", &authority_, 30);
  Write("key", next.CertificatePem() + next.KeyPem());
  EXPECT_TRUE(source->Reload().value());
  EXPECT_GT(source->Get()->expires_s(), first->expires_s());
  Pair pair(source->Get());
  ASSERT_EQ(pair.Shake(), Step::kDone);
  const CertificatePtr seen(SSL_get1_peer_certificate(pair.ssl.get()));
  EXPECT_EQ(X509_cmp(seen.get(), next.certificate.get()), 0);
}

}  // namespace
}  // namespace tidemark::tls
