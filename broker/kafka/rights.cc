#include "broker/kafka/rights.h"

#include <span>
#include <utility>

#include "broker/kafka/audit_log.h"
#include "broker/kafka/handler.h"
#include "common/kafka/api_key.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

constexpr AclOperation kOfTopics[] = {
    kRead,  kWrite,    kCreate,          kDelete,
    kAlter, kDescribe, kDescribeConfigs, kAlterConfigs};
constexpr AclOperation kOfGroups[] = {kRead, kDelete, kDescribe,
                                      kDescribeConfigs, kAlterConfigs};
constexpr AclOperation kOfTheCluster[] = {
    kCreate,          kAlter,        kDescribe,       kClusterAction,
    kDescribeConfigs, kAlterConfigs, kIdempotentWrite};

std::span<const AclOperation> OperationsOn(AclResource type) {
  switch (type) {
    case AclResource::kTopic:
      return kOfTopics;
    case AclResource::kGroup:
      return kOfGroups;
    case AclResource::kCluster:
      return kOfTheCluster;
    default:
      return {};
  }
}

int32_t BitOf(AclOperation operation) {
  return int32_t{1} << static_cast<int>(operation);
}

// What administrators do: noted when it was allowed too.
bool IsAdministrative(AclOperation operation) {
  return operation == kCreate || operation == kDelete || operation == kAlter ||
         operation == kAlterConfigs;
}

std::string HostOf(const RequestContext& context) {
  const std::string& host = context.client_host;
  return host.starts_with('/') ? host.substr(1) : host;
}

}  // namespace

Rights::Rights(const authorization::Authorizer& authorizer, AuditLog* audit,
               metadata::ImagePtr image, const RequestContext& context)
    : authorizer_(authorizer),
      audit_(audit),
      image_(std::move(image)),
      principal_(context.principal),
      host_(HostOf(context)),
      client_id_(context.client_id),
      api_key_(context.api_key) {}

bool Rights::MayOn(const metadata::Image& image, AclOperation operation,
                   AclResource type, std::string_view name, Audit audit) const {
  const authorization::Verdict verdict = authorizer_.Authorize(
      image.acls(), {principal_, host_}, {operation, type, name});
  const bool noted = verdict.allowed
                         ? audit != Audit::kNo && IsAdministrative(operation)
                         : audit == Audit::kYes;
  if (noted && audit_ != nullptr) {
    audit_->Note(
        {.allowed = verdict.allowed,
         .principal = principal_,
         .host = host_,
         .client_id = client_id_,
         .request = kafka::ApiName(static_cast<kafka::ApiKey>(api_key_)),
         .operation = operation,
         .resource = type,
         .name = name,
         .rule = [&] { return ToText(verdict, type); }});
  }
  return verdict.allowed;
}

bool Rights::MayWriteAnyTopic() const {
  return authorizer_.AuthorizeAny(image_->acls(), {principal_, host_}, kWrite,
                                  AclResource::kTopic);
}

int32_t Rights::Operations(AclResource type, std::string_view name) const {
  int32_t bits = 0;
  for (const AclOperation operation : OperationsOn(type)) {
    if (May(operation, type, name, Audit::kNo)) bits |= BitOf(operation);
  }
  return bits;
}

}  // namespace tidemark::server
