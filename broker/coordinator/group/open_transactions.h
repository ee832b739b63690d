#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/ids.h"

namespace tidemark::coordinator {

// Which transactions are open in a log of groups, since where, and which groups
// have offsets in them (TransactionalOffsets). Pure; one owner.
class OpenTransactions {
 public:
  // A record of the producer's transaction about the group lies at `offset`.
  void Add(ProducerId producer, const std::string& group_id, Offset offset);
  // The group has nothing in it any more.
  void Remove(ProducerId producer, const std::string& group_id);
  // It has ended; gives the groups that have something in it.
  std::set<std::string> End(ProducerId producer);

  // Where the first of those that are open began.
  std::optional<Offset> oldest() const;
  size_t footprint() const { return footprint_; }

 private:
  struct Transaction {
    Offset first_offset = 0;
    std::set<std::string> groups;
  };
  std::map<ProducerId, Transaction> open_;
  std::multiset<Offset> first_offsets_;  // of all in open_
  size_t footprint_ = 0;
};

}  // namespace tidemark::coordinator
