#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error_code.h"

namespace tidemark::sim {

// The only one that is up: a move to others, which are known but down, ends
// with another one only.
inline constexpr int kBroker = 100;
inline constexpr int kBrokersDown[] = {101, 102};
inline constexpr int kNoBroker = 109;

// One topic, as who administers it knows it.
struct TopicModel {
  bool exists = false;
  int partitions = 0;
  std::string value;  // of one setting; "": its default
  // Of partition 0: it moves unless it has the only broker that is there.
  std::string replicas = std::to_string(kBroker);

  bool operator==(const TopicModel&) const = default;
};

// What a client asked about that topic, and was told.
struct AdminOp {
  enum class Kind : uint8_t {
    kCreate,  // with `partitions`
    kDelete,
    kGrow,        // to `partitions`
    kSet,         // the setting to `value`
    kPartitions,  // reads how many there are
    kValue,       // reads the setting
    kMove,        // partition 0 to the brokers `value`: "100,101"
    kCancel,      // its move
    kReplicas,    // reads them
  };
  static constexpr uint64_t kNever = UINT64_MAX;

  Kind kind = Kind::kPartitions;
  int partitions = 0;  // wanted, or read
  std::string value;   // wanted, or read
  uint64_t begun = 0;
  uint64_t ended = kNever;  // the outcome is unknown
  ErrorCode code = ErrorCode::kNone;
};

std::string ToString(const AdminOp& op);

// What `op` makes of the topic; nullopt: it cannot have been answered so.
std::optional<TopicModel> After(const TopicModel& before, const AdminOp& op);

// Whether all that was answered may have happened one after the other, each
// between its beginning and its end, from no topic on; what was not answered
// may have happened at any time after its beginning, or never (Wing and Gong
// 1993, with the memory of Lowe 2017). REQUIRES: at most 64 operations.
bool IsLinearizable(const std::vector<AdminOp>& history);

}  // namespace tidemark::sim
