#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "proto/metadata.pb.h"

namespace tidemark::controller {

namespace record_v1 = tidemark::metadata::v1;
using Records = std::vector<record_v1::Record>;

// A line for the log, once what it tells of is committed.
struct Note {
  enum class Severity : uint8_t { kInfo, kWarning, kError };
  Severity severity = Severity::kInfo;
  std::string text;
};

// What else follows from a decision once it is committed: soft state, which is
// not in the records.
struct Effects {
  std::vector<Note> notes;
  // It is shutting down from here on (C-06).
  std::optional<NodeId> shutdown_begun;
  // What keeps a partition without a leader, or a leader from committing, may
  // be allowed now.
  bool look_for_leaders = false;
};

// What a decider returns: the records to write, in order, and the answer to
// give when they are committed (at once when there are none). A decider reads
// the state and changes nothing: the metadata changes when the records are
// applied (common/metadata/apply.h).
template <class Response>
struct Decision {
  Records records;
  Response response;
  Effects effects = {};
};

// No raft entry holds more, and no request may need more (KAFKA-14204). What
// happens to a broker may; its records are then split in order.
inline constexpr size_t kMaxRecordsPerBatch = 10'000;

// Of the controllers' own configuration file.
struct Settings {
  std::string cluster_id;
  int32_t default_replication_factor = 1;
  int32_t default_partitions = 1;
  // By broker key, for what no one configured dynamically.
  std::map<std::string, std::string> static_configs;
};

}  // namespace tidemark::controller
