#include "common/metadata/acls_image.h"

#include <algorithm>
#include <utility>

namespace tidemark::metadata {
namespace {

AclsImage::Rule RuleOf(const Acl& acl) {
  return {acl.principal, acl.permission, acl.operation, acl.host};
}

Acl FromRecord(const v1::SetAcl& record) {
  return {
      {static_cast<AclResource>(record.resource_type()),
       static_cast<AclPattern>(record.pattern_type()), record.resource_name()},
      record.principal(),
      record.host(),
      static_cast<AclOperation>(record.operation()),
      static_cast<AclPermission>(record.permission())};
}

// The kinds are small numbers, and others must not be taken for them.
bool Fits(const v1::SetAcl& record) {
  const auto fits = [](int32_t kind) { return kind >= 0 && kind <= INT8_MAX; };
  return fits(record.resource_type()) && fits(record.pattern_type()) &&
         fits(record.operation()) && fits(record.permission());
}

size_t InCommon(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t length = 0;
  while (length < most && a[length] == b[length]) ++length;
  return length;
}

}  // namespace

const Acl* AclsImage::Find(const Uuid& id) const {
  const AclPtr* found = by_id_.Find(id);
  return found == nullptr ? nullptr : found->get();
}

bool AclsImage::contains(const Acl& acl) const {
  const Rules* rules = by_pattern_.Find(acl.resource);
  return rules != nullptr && rules->contains(RuleOf(acl));
}

const AclsImage::Rules* AclsImage::FindLiteral(AclResource type,
                                               std::string_view name) const {
  return by_pattern_.Find(View{type, AclPattern::kLiteral, name});
}

// The greatest pattern that is not behind `name` is a prefix of it, or every
// prefix is one of what both have in common.
const AclsImage::Rules* AclsImage::FindPrefix(AclResource type,
                                              std::string_view name,
                                              size_t* length) const {
  while (!name.empty()) {
    const auto at =
        by_pattern_.lower_bound(View{type, AclPattern::kPrefixed, name});
    if (at == by_pattern_.end() || at->first.type != type ||
        at->first.pattern != AclPattern::kPrefixed) {
      return nullptr;
    }
    const size_t common = InCommon(name, at->first.name);
    if (common == at->first.name.size()) {
      *length = common;
      return &at->second;
    }
    name = name.substr(0, common);
  }
  return nullptr;
}

size_t AclsImage::EachMatching(
    const AclFilter& filter,
    const std::function<void(const Uuid&, const Acl&)>& visit) const {
  const bool of_one = filter.type >= AclResource::kTopic && filter.name &&
                      (filter.pattern == AclPattern::kLiteral ||
                       filter.pattern == AclPattern::kPrefixed);
  if (!of_one) {
    for (const auto& [id, acl] : by_id_) {
      if (filter.Matches(*acl)) visit(id, *acl);
    }
    return by_id_.size();
  }
  const ResourcePattern pattern{filter.type, filter.pattern, *filter.name};
  const Rules* rules = by_pattern_.Find(pattern);
  if (rules == nullptr) return 1;
  for (const auto& [rule, id] : *rules) {
    const Acl acl{pattern, rule.principal, rule.host, rule.operation,
                  rule.permission};
    if (filter.Matches(acl)) visit(id, acl);
  }
  return rules->size();
}

Status AclsImage::Apply(const v1::SetAcl& record) {
  TM_ASSIGN_OR_RETURN(const Uuid id, ParseId(record.id(), "acl id"));
  if (!Fits(record)) return Bad("an acl of an unknown kind");
  auto acl = std::make_shared<const Acl>(FromRecord(record));
  if (Status checked = CheckAcl(*acl); !checked) {
    return Bad("acl: " + checked.error().message);
  }
  if (by_id_.contains(id) || contains(*acl)) return Bad("an acl comes twice");
  by_pattern_.Edit(acl->resource).Set(RuleOf(*acl), id);
  by_id_.Set(id, std::move(acl));
  state_ = std::make_shared<char>();
  return {};
}

Status AclsImage::Apply(const v1::RemoveAcl& record) {
  TM_ASSIGN_OR_RETURN(const Uuid id, ParseId(record.id(), "acl id"));
  const AclPtr* found = by_id_.Find(id);
  if (found == nullptr) return Bad("an unknown acl is removed");
  const AclPtr acl = *found;
  Rules& rules = by_pattern_.Edit(acl->resource);
  rules.Erase(RuleOf(*acl));
  if (rules.empty()) by_pattern_.Erase(acl->resource);
  by_id_.Erase(id);
  state_ = std::make_shared<char>();
  return {};
}

void AclsImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [id, acl] : by_id_) {
    v1::Record record;
    v1::SetAcl* set = record.mutable_set_acl();
    set->set_id(id.ToBytes());
    set->set_resource_type(static_cast<int32_t>(acl->resource.type));
    set->set_resource_name(acl->resource.name);
    set->set_pattern_type(static_cast<int32_t>(acl->resource.pattern));
    set->set_principal(acl->principal);
    set->set_host(acl->host);
    set->set_operation(static_cast<int32_t>(acl->operation));
    set->set_permission(static_cast<int32_t>(acl->permission));
    sink(std::move(record));
  }
}

bool AclsImage::operator==(const AclsImage& other) const {
  return std::equal(by_id_.begin(), by_id_.end(), other.by_id_.begin(),
                    other.by_id_.end(), [](const auto& a, const auto& b) {
                      return a.first == b.first && *a.second == *b.second;
                    });
}

}  // namespace tidemark::metadata
