// Records of __consumer_offsets, as a coordinator finds them in its log: what
// is understood can be written again.

#include <glog/logging.h>

#include "broker/coordinator/group/group_records.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

using coordinator::GroupRecord;

// Key and value, packed as two files: a record is that, and its name says
// whether there is a value.
void RunGroups(std::string_view input) {
  const Files parts = UnpackFiles(input);
  if (parts.empty()) return;
  std::optional<std::string_view> value;
  if (parts.size() > 1) value = parts[1].second;
  const auto record = coordinator::DecodeGroupRecord(parts[0].second, value);
  if (!record || !*record) return;
  const auto encoded = coordinator::EncodeGroupRecord(**record);
  CHECK(encoded) << ToString(encoded.error());
  const auto again =
      coordinator::DecodeGroupRecord(encoded->key, encoded->value);
  CHECK(again && *again && **again == **record);
}

std::string Packed(const GroupRecord& record) {
  const auto encoded = coordinator::EncodeGroupRecord(record).value();
  Files parts = {{"key", encoded.key}};
  if (encoded.value) parts.emplace_back("value", *encoded.value);
  return PackFiles(parts);
}

std::vector<std::string> GroupCorpus() {
  coordinator::StoredGroup group;
  group.protocol_type = "consumer";
  group.generation = 3;
  std::vector<std::string> out = {
      Packed(coordinator::GroupMetadataRecord{"empty", group})};
  group.protocol = "range";
  group.leader = "member-1";
  group.state_timestamp_ms = 1'700'000'000'000;
  group.members.push_back({"member-1", std::nullopt, "client", "/127.0.0.1",
                           300000, 45000, "subscription", "assignment"});
  group.members.push_back(
      {"member-2", "instance", "client", "/::1", 1, 2, "", ""});
  out.push_back(Packed(coordinator::GroupMetadataRecord{"group", group}));
  out.push_back(Packed(coordinator::GroupMetadataRecord{"gone", std::nullopt}));
  coordinator::CommittedOffset offset;
  offset.offset = 17;
  out.push_back(Packed(coordinator::OffsetRecord{"group", {"t", 3}, offset}));
  out.push_back(
      Packed(coordinator::OffsetRecord{"group", {"t", 3}, std::nullopt}));
  return out;
}

const Added kGroups({"groups", RunGroups, GroupCorpus});

}  // namespace
}  // namespace tidemark::fuzz
