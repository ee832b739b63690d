#include "common/rpc/security.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "common/tls/reload.h"

namespace tidemark::rpc {
namespace {

namespace tls_api = grpc::experimental;

// Is it the controller that was meant? gRPC has verified the chain.
class ControllerVerifier final : public tls_api::ExternalCertificateVerifier {
 public:
  ControllerVerifier(tls::CertificateRoles roles, std::string host, NodeId id)
      : roles_(std::move(roles)), host_(std::move(host)), id_(id) {}

  bool Verify(tls_api::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const grpc::string_ref pem = request->peer_cert();
    const std::string why = Refuse({pem.data(), pem.size()});
    *status = why.empty()
                  ? grpc::Status::OK
                  : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, why);
    return true;
  }
  void Cancel(tls_api::TlsCustomVerificationCheckRequest*) override {}

 private:
  std::string Refuse(std::string_view pem) const {
    const tls::CertificatePtr certificate = tls::FirstCertificate(pem);
    if (certificate == nullptr) return "it shows no certificate";
    const tls::Holder holder = roles_.HolderOf(certificate.get());
    if (!holder.Is(tls::Role::kController, id_)) {
      return "its certificate is of " + holder.Describe() +
             ", not of controller" +
             (id_ == kNoNode ? "s" : " " + std::to_string(id_));
    }
    if (!host_.empty() && !tls::NamesHost(certificate.get(), host_)) {
      return "its certificate (" + holder.subject + ") does not name " + host_;
    }
    return "";
  }

  const tls::CertificateRoles roles_;
  const std::string host_;  // "": not checked
  const NodeId id_;
};

// gRPC's own C++ credentials of servers read PEM files alone, or nothing anew.
class ReloadingServerCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingServerCredentials(const Security& security)
      : security_(security) {
    auto* options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
            &ReloadingServerCredentials::Fetch, this);
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
  }
  ~ReloadingServerCredentials() override {
    grpc_server_credentials_release(credentials_);
  }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  // Before every handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* data, grpc_ssl_server_certificate_config** config) {
    auto* self = static_cast<ReloadingServerCredentials*>(data);
    const uint64_t now = self->security_.generation();
    if (self->given_.exchange(now) == now) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const auto material = self->security_.material();
    const grpc_ssl_pem_key_cert_pair pair{material->key.c_str(),
                                          material->chain.c_str()};
    *config = grpc_ssl_server_certificate_config_create(material->trust.c_str(),
                                                        &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const Security& security_;
  std::atomic<uint64_t> given_ = 0;  // the generation that gRPC has
  grpc_server_credentials* credentials_;
};

}  // namespace

Result<std::shared_ptr<Security>> Security::Open(tls::Settings settings,
                                                 tls::CertificateRoles roles) {
  const bool check_host = settings.check_host;
  TM_ASSIGN_OR_RETURN(auto source,
                      tls::Source<tls::PemMaterial>::Open(std::move(settings)));
  return std::shared_ptr<Security>(
      new Security(std::move(source), std::move(roles), check_host));
}

std::shared_ptr<grpc::ChannelCredentials> Security::ToController(
    const std::string& host, NodeId id) const {
  const auto now = material();
  const tls_api::IdentityKeyCertPair own{now->key, now->chain};
  tls_api::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<tls_api::StaticDataCertificateProvider>(
          now->trust, std::vector<tls_api::IdentityKeyCertPair>{own}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  // By the verifier.
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      tls_api::ExternalCertificateVerifier::Create<ControllerVerifier>(
          roles_, check_host_ ? host : "", id));
  return tls_api::TlsCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> Security::OfServer() const {
  return std::make_shared<ReloadingServerCredentials>(*this);
}

tls::Holder Security::CallerOf(const grpc::AuthContext& call) const {
  const auto pem = call.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.size() != 1) return {};
  return roles_.HolderOf(std::string_view(pem[0].data(), pem[0].size()));
}

Result<bool> Security::Reload() {
  TM_ASSIGN_OR_RETURN(const bool changed, source_->Reload());
  if (changed) ++generation_;
  return changed;
}

void ReloadForever(SecurityPtr security, const std::string& name,
                   Executor* executor) {
  if (security == nullptr) return;
  tls::ReloadForever({name, [security] { return security->Reload(); },
                      [security] { return security->material()->expires_s; }},
                     executor);
}

}  // namespace tidemark::rpc
