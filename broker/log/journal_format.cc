#include "broker/log/journal_format.h"

#include <algorithm>

#include "broker/log/checkpoint.h"
#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::log {
namespace {

using record::AppendBigEndian;
using record::LoadBigEndian;
using record::StoreBigEndian;

constexpr uint32_t kFileMagic = 0x544d4a46;   // TMJF
constexpr uint32_t kRoundMagic = 0x544d4a52;  // TMJR
constexpr uint32_t kVersion = 1;
constexpr size_t kFileHeader = 36;
constexpr size_t kCovered = 8;  // where what the checksum covers begins
constexpr size_t kLongestTopic = 249;

// Recovery makes a directory by that name: it stays in the log directory.
bool IsPartOfFileName(std::string_view name) {
  return !name.empty() && name.size() <= kLongestTopic &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

}  // namespace

std::string EncodeJournalFileHeader(const JournalFileHeader& header) {
  std::string covered;
  AppendBigEndian(kVersion, &covered);
  AppendBigEndian(header.sequence, &covered);
  AppendBigEndian(header.first_round, &covered);
  AppendBigEndian(header.oldest, &covered);
  std::string bytes;
  AppendBigEndian(kFileMagic, &bytes);
  AppendBigEndian(record::Crc32c(covered), &bytes);
  bytes += covered;
  bytes.resize(kJournalBlock);
  return bytes;
}

std::optional<JournalFileHeader> DecodeJournalFileHeader(
    std::string_view bytes) {
  if (bytes.size() < kFileHeader) return std::nullopt;
  const char* at = bytes.data();
  if (LoadBigEndian<uint32_t>(at) != kFileMagic ||
      LoadBigEndian<uint32_t>(at + 4) !=
          record::Crc32c(bytes.substr(kCovered, kFileHeader - kCovered)) ||
      LoadBigEndian<uint32_t>(at + 8) != kVersion) {
    return std::nullopt;
  }
  return JournalFileHeader{LoadBigEndian<uint64_t>(at + 12),
                           LoadBigEndian<uint64_t>(at + 20),
                           LoadBigEndian<uint64_t>(at + 28)};
}

void AppendJournalRecordHeader(const JournalRecord& record, uint32_t size,
                               std::string* out) {
  AppendBigEndian(static_cast<uint8_t>(record.kind), out);
  *out += record.key.topic_id.ToBytes();
  AppendBigEndian(record.key.partition, out);
  AppendBigEndian(record.offset, out);
  AppendBigEndian(record.next, out);
  AppendBigEndian(size, out);
}

void SealJournalRound(uint64_t sequence, uint64_t number, std::string* round) {
  char* at = round->data();
  StoreBigEndian(kRoundMagic, at);
  StoreBigEndian(sequence, at + 8);
  StoreBigEndian(number, at + 16);
  StoreBigEndian(static_cast<uint32_t>(round->size() - kJournalRoundHeader),
                 at + 24);
  StoreBigEndian(record::Crc32c(std::string_view(*round).substr(kCovered)),
                 at + 4);
}

std::optional<JournalRoundHeader> DecodeJournalRoundHeader(
    std::string_view bytes) {
  if (bytes.size() < kJournalRoundHeader) return std::nullopt;
  const char* at = bytes.data();
  if (LoadBigEndian<uint32_t>(at) != kRoundMagic) return std::nullopt;
  JournalRoundHeader header;
  header.crc = LoadBigEndian<uint32_t>(at + 4);
  header.sequence = LoadBigEndian<uint64_t>(at + 8);
  header.round = LoadBigEndian<uint64_t>(at + 16);
  header.size = LoadBigEndian<uint32_t>(at + 24);
  return header;
}

bool IsIntactJournalRound(std::string_view round) {
  const auto header = DecodeJournalRoundHeader(round);
  return header && round.size() == kJournalRoundHeader + header->size &&
         record::Crc32c(round.substr(kCovered)) == header->crc;
}

Result<JournalRecord> TakeJournalRecord(std::string_view* records) {
  if (records->size() < kJournalRecordHeader) {
    return Fail(ErrorCode::kCorruptMessage, "a journal record is cut off");
  }
  const char* at = records->data();
  const auto kind = LoadBigEndian<uint8_t>(at);
  if (kind < static_cast<uint8_t>(JournalRecord::Kind::kAppend) ||
      kind > static_cast<uint8_t>(JournalRecord::Kind::kAllSynced)) {
    return Fail(ErrorCode::kCorruptMessage,
                "a journal record of kind " + std::to_string(kind));
  }
  JournalRecord record;
  record.kind = static_cast<JournalRecord::Kind>(kind);
  record.key.topic_id = *Uuid::FromBytes(records->substr(1, 16));
  record.key.partition = LoadBigEndian<int32_t>(at + 17);
  record.offset = LoadBigEndian<int64_t>(at + 21);
  record.next = LoadBigEndian<int64_t>(at + 29);
  const auto size = LoadBigEndian<uint32_t>(at + 37);
  if (size > records->size() - kJournalRecordHeader || record.offset < 0 ||
      record.next < record.offset || record.next > kMaxOffset) {
    return Fail(ErrorCode::kCorruptMessage, "a journal record is damaged");
  }
  record.payload = records->substr(kJournalRecordHeader, size);
  if (record.kind == JournalRecord::Kind::kCreated &&
      (!IsPartOfFileName(record.payload) || record.key.partition < 0)) {
    return Fail(ErrorCode::kCorruptMessage,
                "a journal record names a log that cannot be");
  }
  records->remove_prefix(kJournalRecordHeader + size);
  return record;
}

void JournalPlan::CutAppends(Offset from) {
  while (!appends_.empty() && appends_.back().base >= from) {
    appends_.pop_back();
  }
  if (!appends_.empty()) {
    appends_.back().until = std::min(appends_.back().until, from);
  }
}

void JournalPlan::Apply(const JournalRecord& record, size_t file,
                        uint64_t position) {
  removed_ = false;
  switch (record.kind) {
    case JournalRecord::Kind::kAppend:
      // Two of the same offsets: the later one counts.
      CutAppends(record.offset);
      appends_.push_back({record.offset, record.next, file, position,
                          static_cast<uint32_t>(record.payload.size())});
      return;
    case JournalRecord::Kind::kCut:
      CutAppends(record.offset);
      recovery_at_most_ = std::min(recovery_at_most_, record.offset);
      cut_ = true;
      return;
    case JournalRecord::Kind::kStartOver:
      appends_.clear();
      start_over_ = record.offset;
      recovery_at_most_ = 0;
      start_at_most_ = std::min(start_at_most_, record.offset);
      cut_ = true;
      return;
    case JournalRecord::Kind::kRemoved:
      *this = JournalPlan();
      removed_ = true;
      return;
    case JournalRecord::Kind::kCreated:
      *this = JournalPlan();
      created_ = record.payload;
      start_over_ = 0;
      return;
    case JournalRecord::Kind::kAllSynced:
      return;  // ends all plans
  }
}

}  // namespace tidemark::log
