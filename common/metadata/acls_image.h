#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/persistent_map.h"
#include "common/metadata/acl.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// The access control lists, and the index by which they are asked: the rules of
// a resource pattern, those of a principal together, denials first. It is part
// of the image, so that a change of one rule costs the logarithm of all and
// nobody builds anything when an image comes (common/authorization asks).
class AclsImage {
 public:
  using AclPtr = std::shared_ptr<const Acl>;

  // What a rule says besides where it applies.
  struct Rule {
    std::string principal;
    AclPermission permission = AclPermission::kUnknown;
    AclOperation operation = AclOperation::kUnknown;
    std::string host;

    auto operator<=>(const Rule&) const = default;
  };
  struct RuleOrder {
    using is_transparent = void;
    bool operator()(const Rule& a, const Rule& b) const { return a < b; }
    // A principal is before its first rule.
    bool operator()(const Rule& a, std::string_view principal) const {
      return a.principal < principal;
    }
    bool operator()(std::string_view principal, const Rule& b) const {
      return principal <= b.principal;
    }
  };
  using Rules = PersistentMap<Rule, Uuid, RuleOrder>;

  size_t size() const { return by_id_.size(); }
  // nullptr when there is none.
  const Acl* Find(const Uuid& id) const;
  bool contains(const Acl& acl) const;
  // In the order of their ids: entries of an id and a pointer.
  const PersistentMap<Uuid, AclPtr>& by_id() const { return by_id_; }

  // Of the literal pattern of that name; nullptr: there are none.
  const Rules* FindLiteral(AclResource type, std::string_view name) const;
  // Of the longest prefixed pattern that `name` begins with, whose length it
  // says; nullptr: there is none.
  const Rules* FindPrefix(AclResource type, std::string_view name,
                          size_t* length) const;
  // Calls visit(pattern, rules) for every pattern of a type.
  template <class Visit>
  void EachOf(AclResource type, const Visit& visit) const {
    for (auto at =
             by_pattern_.lower_bound(View{type, AclPattern::kUnknown, ""});
         at != by_pattern_.end() && at->first.type == type; ++at) {
      visit(at->first, at->second);
    }
  }

  // Calls visit(id, acl) for all that the filter finds, and says how many it
  // looked at: where the filter names a pattern, no others.
  size_t EachMatching(
      const AclFilter& filter,
      const std::function<void(const Uuid&, const Acl&)>& visit) const;

  // Another one after every change, as long as anybody holds it.
  const std::shared_ptr<const void>& state() const { return state_; }

  Status Apply(const v1::SetAcl& record);
  Status Apply(const v1::RemoveAcl& record);
  void ToRecords(const RecordSink& sink) const;
  // Nobody is told what differs.
  bool operator==(const AclsImage& other) const;

 private:
  struct View {
    AclResource type;
    AclPattern pattern;
    std::string_view name;
  };
  // Names go down: what a name begins with comes behind it.
  struct PatternOrder {
    using is_transparent = void;
    static View ViewOf(const ResourcePattern& pattern) {
      return {pattern.type, pattern.pattern, pattern.name};
    }
    static const View& ViewOf(const View& view) { return view; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const View x = ViewOf(a), y = ViewOf(b);
      if (x.type != y.type) return x.type < y.type;
      if (x.pattern != y.pattern) return x.pattern < y.pattern;
      return x.name > y.name;
    }
  };

  PersistentMap<Uuid, AclPtr> by_id_;
  PersistentMap<ResourcePattern, Rules, PatternOrder> by_pattern_;
  std::shared_ptr<const void> state_;
};

}  // namespace tidemark::metadata
