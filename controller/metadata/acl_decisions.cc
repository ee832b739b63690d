#include "controller/metadata/acl_decisions.h"

#include <set>

#include "common/metadata/acl_messages.h"

namespace tidemark::controller {
namespace {

using metadata::Acl;
using metadata::AclFilter;
using metadata::AclsImage;

// Filters that name no pattern look at every rule. So many comparisons take the
// controllers' thread some 50 ms.
constexpr size_t kMaxLooks = 1'000'000;
// What an answer has of them; no more are removed, then.
constexpr size_t kMaxTold = kMaxRecordsPerBatch;

template <class Out>
void Refuse(const Error& error, Out* result) {
  result->set_code(static_cast<int32_t>(error.code));
  result->set_message(error.message);
}

Status CheckRoom(size_t acls, size_t records) {
  if (records >= kMaxRecordsPerBatch) {
    return Fail(ErrorCode::kPolicyViolation,
                "too many access control lists in one request");
  }
  if (acls < kMaxAcls) return {};
  return Fail(ErrorCode::kPolicyViolation,
              "there are " + std::to_string(kMaxAcls) +
                  " access control lists: delete others first, or use "
                  "prefixed patterns");
}

record_v1::Record SetAcl(const Acl& acl, const Uuid& id) {
  record_v1::Record record;
  record_v1::SetAcl* set = record.mutable_set_acl();
  set->set_id(id.ToBytes());
  set->set_resource_type(static_cast<int32_t>(acl.resource.type));
  set->set_resource_name(acl.resource.name);
  set->set_pattern_type(static_cast<int32_t>(acl.resource.pattern));
  set->set_principal(acl.principal);
  set->set_host(acl.host);
  set->set_operation(static_cast<int32_t>(acl.operation));
  set->set_permission(static_cast<int32_t>(acl.permission));
  return record;
}

// The removals of one request, each rule once.
class Removal {
 public:
  explicit Removal(const AclsImage& acls) : acls_(acls) {}

  Status Add(const AclFilter& filter,
             admin_v1::DeleteAclsResponse::Result* out) {
    TM_RETURN_IF_ERROR(metadata::CheckFilter(filter));
    if (looks_ > kMaxLooks) {
      return Fail(ErrorCode::kPolicyViolation,
                  "too many filters that name no resource in one request");
    }
    std::vector<Uuid> found;
    const size_t told_before = told_;
    looks_ += acls_.EachMatching(filter, [&](const Uuid& id, const Acl& acl) {
      if (++told_ > kMaxTold) return;
      if (ids_.insert(id).second) found.push_back(id);
      metadata::ToMessage(acl, out->add_acls());
    });
    if (told_ <= kMaxTold) return {};
    for (const Uuid& id : found) ids_.erase(id);
    told_ = told_before;
    out->clear_acls();
    return Fail(ErrorCode::kPolicyViolation,
                "the filters find more than one request may delete");
  }

  Records Take() const {
    Records out;
    for (const Uuid& id : ids_) {
      out.emplace_back().mutable_remove_acl()->set_id(id.ToBytes());
    }
    return out;
  }

 private:
  const AclsImage& acls_;
  std::set<Uuid> ids_;
  size_t looks_ = 0, told_ = 0;
};

}  // namespace

Decision<admin_v1::CreateAclsResponse> Decide(
    const View& view, const admin_v1::CreateAclsRequest& request) {
  const AclsImage& present = view.image.acls();
  Decision<admin_v1::CreateAclsResponse> out;
  std::set<Acl> created;
  for (const admin_v1::Acl& message : request.acls()) {
    auto* result = out.response.add_results();
    Acl acl = metadata::FromMessage(message);
    if (Status checked = metadata::CheckAcl(acl); !checked) {
      Refuse(checked.error(), result);
      continue;
    }
    if (present.contains(acl) || created.contains(acl)) continue;
    if (Status room =
            CheckRoom(present.size() + created.size(), created.size());
        !room) {
      Refuse(room.error(), result);
      continue;
    }
    out.records.push_back(SetAcl(acl, view.random->topic_id()));
    created.insert(std::move(acl));
  }
  return out;
}

Decision<admin_v1::DeleteAclsResponse> Decide(
    const View& view, const admin_v1::DeleteAclsRequest& request) {
  Decision<admin_v1::DeleteAclsResponse> out;
  Removal removal(view.image.acls());
  for (const admin_v1::AclFilter& message : request.filters()) {
    auto* result = out.response.add_results();
    if (Status added = removal.Add(metadata::FromMessage(message), result);
        !added) {
      Refuse(added.error(), result);
    }
  }
  out.records = removal.Take();
  return out;
}

admin_v1::DescribeAclsResponse Describe(
    const View& view, const admin_v1::DescribeAclsRequest& request) {
  AclFilter filter;
  if (request.has_filter()) filter = metadata::FromMessage(request.filter());
  admin_v1::DescribeAclsResponse out;
  view.image.acls().EachMatching(filter, [&](const Uuid&, const Acl& acl) {
    metadata::ToMessage(acl, out.add_acls());
  });
  return out;
}

Status CheckSize(const admin_v1::DescribeAclsRequest& request) {
  if (!request.has_filter()) return {};
  return metadata::CheckFilter(metadata::FromMessage(request.filter()));
}

}  // namespace tidemark::controller
