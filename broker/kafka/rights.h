#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/kafka/access.h"
#include "common/authorization/authorizer.h"
#include "common/metadata/image.h"

namespace tidemark::server {

struct RequestContext;
class AuditLog;

// Who sent a request, and what they may do by the rules of one image. Made for
// each request where there is an authorizer; immutable, any thread. The
// authorizer and the audit log outlive it.
class Rights {
 public:
  // Whether the audit log hears of it: of a denial where the client asked for
  // that resource and no other right would do, not where its answer just says
  // less; and of an allowance of what administrators do.
  enum class Audit : uint8_t { kYes, kNo, kIfAllowed };

  // `audit` null: nothing is written.
  Rights(const authorization::Authorizer& authorizer, AuditLog* audit,
         metadata::ImagePtr image, const RequestContext& context);

  bool May(AclOperation operation, AclResource type, std::string_view name,
           Audit audit = Audit::kYes) const {
    return MayOn(*image_, operation, type, name, audit);
  }
  // By the rules of another image, for what lasts.
  bool MayOn(const metadata::Image& image, AclOperation operation,
             AclResource type, std::string_view name, Audit audit) const;
  bool MayCluster(AclOperation operation, Audit audit = Audit::kYes) const {
    return May(operation, AclResource::kCluster, metadata::kClusterName, audit);
  }
  bool MayTopic(AclOperation operation, std::string_view topic,
                Audit audit = Audit::kYes) const {
    return May(operation, AclResource::kTopic, topic, audit);
  }
  bool MayGroup(AclOperation operation, std::string_view group,
                Audit audit = Audit::kYes) const {
    return May(operation, AclResource::kGroup, group, audit);
  }
  bool MayTransaction(AclOperation operation, std::string_view id,
                      Audit audit = Audit::kYes) const {
    return May(operation, AclResource::kTransactionalId, id, audit);
  }
  // There may be a topic that they may write to.
  bool MayWriteAnyTopic() const;

  // All that they may do there of what one can, in Kafka's bits.
  int32_t Operations(AclResource type, std::string_view name) const;

  const metadata::Image& image() const { return *image_; }

 private:
  const authorization::Authorizer& authorizer_;
  AuditLog* const audit_;
  const metadata::ImagePtr image_;
  const std::string principal_;
  const std::string host_;
  const std::string client_id_;
  const int16_t api_key_;
};

}  // namespace tidemark::server
