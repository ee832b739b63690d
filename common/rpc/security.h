#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/tls/certificate_roles.h"
#include "common/tls/context_source.h"

namespace grpc {
class AuthContext;
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace tidemark::rpc {

// How a process speaks gRPC by TLS: with which certificate, whom it trusts,
// and as whom it knows others. TLS 1.2 and 1.3, by gRPC's ciphers; both sides
// show certificates, always. New connections are made by what is in the files
// now, older ones keep theirs. Any thread.
//
// Where there is none (nullptr) gRPC is spoken in plaintext.
class Security {
 public:
  // Error kInvalidConfig: which setting or file, and why.
  static Result<std::shared_ptr<Security>> Open(tls::Settings settings,
                                                tls::CertificateRoles roles);

  // To a controller: one whose certificate says that it is one, with this id
  // (kNoNode: any), and, where that is checked, names the host. Of the files
  // as they are now.
  std::shared_ptr<grpc::ChannelCredentials> ToController(
      const std::string& host, NodeId id) const;
  // REQUIRES: this, and what it returns, outlive the server.
  std::shared_ptr<grpc::ServerCredentials> OfServer() const;

  // Who is at the other end of a call. A stranger: what is there is no
  // certificate of the cluster's.
  tls::Holder CallerOf(const grpc::AuthContext& call) const;

  // As tls::Source.
  Result<bool> Reload();
  // Changes with every reload: channels made before have older certificates.
  uint64_t generation() const { return generation_; }
  std::shared_ptr<const tls::PemMaterial> material() const {
    return source_->Get();
  }

 private:
  Security(std::shared_ptr<tls::Source<tls::PemMaterial>> source,
           tls::CertificateRoles roles, bool check_host)
      : source_(std::move(source)),
        roles_(std::move(roles)),
        check_host_(check_host) {}

  const std::shared_ptr<tls::Source<tls::PemMaterial>> source_;
  const tls::CertificateRoles roles_;
  const bool check_host_;
  std::atomic<uint64_t> generation_ = 1;
};

using SecurityPtr = std::shared_ptr<Security>;

// As tls::ReloadForever; nothing without security.
void ReloadForever(SecurityPtr security, const std::string& name,
                   Executor* executor);

}  // namespace tidemark::rpc
