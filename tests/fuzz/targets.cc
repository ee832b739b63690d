#include "tests/fuzz/targets.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>

#include "broker/kafka/frame_reader.h"
#include "broker/log/append_validation.h"
#include "broker/log/record_validation.h"
#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::fuzz {
namespace {

// --- frames: a stream of bytes in pieces, as a socket gives them

void RunFrames(std::string_view input) {
  if (input.empty()) return;
  const size_t step = 1 + static_cast<uint8_t>(input.front()) * 7u;
  auto budget = MemoryBudget::Make(1 << 20);
  {
    server::FrameReader reader(64 << 10, budget);
    std::string_view rest = input;
    size_t given = 0;
    while (!rest.empty()) {
      const std::span<char> space = reader.Space();
      if (space.empty()) break;
      const size_t count = std::min({step, space.size(), rest.size()});
      std::memcpy(space.data(), rest.data(), count);
      rest.remove_prefix(count);
      reader.Filled(count);
      while (true) {
        auto frame = reader.Next();
        if (!frame) return;
        if (!*frame) break;
        given += (*frame)->size();
      }
    }
    CHECK_LE(given, input.size());
  }
  CHECK_EQ(budget->used(), 0u);
}

std::vector<std::string> FrameCorpus() {
  std::vector<std::string> out;
  for (const auto& golden : kafka::LoadGoldenFrames()) {
    const auto size = static_cast<uint32_t>(golden.frame.size());
    std::string frame;
    for (int shift = 24; shift >= 0; shift -= 8) {
      frame += static_cast<char>(size >> shift);
    }
    out.push_back(frame + std::string(golden.frame.view()));
  }
  return out;
}

// --- requests: what was understood is understood again when encoded

template <class T>
void Recode(const SharedBytes& body, int16_t version) {
  const auto message = kafka::DecodeRequest<T>(body, version);
  if (!message) return;
  (void)kafka::PrintMessage(*message, version);
  kafka::Encoder out(version, version >= T::kFirstFlexible);
  kafka::MessageCodec<T>::Encode(*message, out);
  CHECK(out.ok()) << "a message that fitted does not fit";
  const auto again = kafka::DecodeRequest<T>(
      SharedBytes(std::move(out).FinishBytes()), version);
  CHECK(again && *again == *message) << kafka::PrintMessage(*message, version);
}

void RunRequests(std::string_view input) {
  const auto frame =
      kafka::DecodeRequestHeader(SharedBytes(std::string(input)));
  if (!frame) return;
  kafka::ForEachApi([&]<class Request, class Response>(const char*) {
    if (Request::kKey != frame->header.api_key) return;
    Recode<Request>(frame->body, frame->header.api_version);
  });
}

std::vector<std::string> RequestCorpus() {
  std::vector<std::string> out;
  for (const auto& golden : kafka::LoadGoldenFrames()) {
    if (golden.is_request) out.emplace_back(golden.frame.view());
  }
  return out;
}

// --- responses: api key and version in front; any content can be answered

// Lengthens a string of a message, the `left`-th.
struct Lengthener {
  size_t left;
  template <class T>
  void operator()(const char*, T& value, kafka::FieldSpec = {}) {
    Visit(value);
  }
  template <class T>
  void Visit(T& value) {
    if constexpr (std::same_as<T, std::string>) {
      if (left-- == 0) value.append(33'000, '\xe2');
    } else if constexpr (requires { value.has_value(); }) {
      if (value) Visit(*value);
    } else if constexpr (
        requires { value.front().size(); } ||
        requires { T::value_type::VisitFields; }) {
      for (auto& element : value) Visit(element);
    } else if constexpr (requires {
                           value.begin();
                           value.emplace_back();
                         }) {
      for (auto& element : value) Visit(element);
    } else if constexpr (requires { T::VisitFields(value, *this); }) {
      T::VisitFields(value, *this);
    }
  }
};

template <class T>
void Answer(const SharedBytes& body, int16_t version, size_t which) {
  auto message = kafka::DecodeResponse<T>(body, version);
  if (!message) return;
  (void)kafka::PrintMessage(*message, version);
  CHECK(kafka::EncodeResponse(*message, version, 1));
  Lengthener lengthener{which};
  T::VisitFields(*message, lengthener);
  const auto frame = kafka::EncodeAnswer(std::move(*message), version, 1);
  if (!frame) return;
  const SharedBytes bytes(frame->Flatten().substr(sizeof(int32_t)));
  const auto parts = kafka::DecodeResponseHeader(bytes, T::kKey, version);
  CHECK(parts && kafka::DecodeResponse<T>(parts->body, version));
}

void RunResponses(std::string_view input) {
  if (input.size() < 3) return;
  const auto key = static_cast<kafka::ApiKey>(static_cast<int8_t>(input[0]));
  const int16_t version = static_cast<int8_t>(input[1]);
  const size_t which = static_cast<uint8_t>(input[2]) % 8;
  const SharedBytes body(std::string(input.substr(3)));
  kafka::ForEachApi([&]<class Request, class Response>(const char*) {
    if (Response::kKey == key) Answer<Response>(body, version, which);
  });
}

std::vector<std::string> ResponseCorpus() {
  std::vector<std::string> out;
  for (const auto& golden : kafka::LoadGoldenFrames()) {
    if (golden.is_request) continue;
    std::string input;
    input += static_cast<char>(golden.key);
    input += static_cast<char>(golden.version);
    input += static_cast<char>(out.size() % 8);
    out.push_back(input + std::string(kafka::BodyOf(golden).view()));
  }
  return out;
}

// --- batches: what is accepted can be read

bool IsReadable(std::string_view batch) {
  return record::ForEachRecord(
             batch, [](const record::Record&) -> Status { return {}; })
      .has_value();
}

void RunBatches(std::string_view input) {
  // A checksum that is right, as a producer's bug would have it.
  std::string batch(input);
  if (batch.size() >= record::kBatchHeaderSize) {
    if (auto header = record::ParseBatchHeader(batch);
        header && header->FullSize() == batch.size()) {
      header->crc = record::ComputeCrc(batch);
      record::WriteBatchHeader(*header, batch.data());
    }
  }
  for (const bool compacted : {false, true}) {
    log::LogConfig config;
    config.compacted = compacted;
    const auto header =
        log::ValidateAppend(batch, config, log::BatchOrigin::kClient);
    if (!header) return;
    for (const auto codec : {record::Codec::kNone, record::Codec::kZstd}) {
      log::RecordRules rules;
      rules.compacted = compacted;
      rules.stored_codec = codec;
      const auto stored =
          log::ValidateRecords(batch, *header, rules, 1'700'000'000'000);
      if (!stored) continue;
      const std::string_view bytes = stored->empty() ? batch : *stored;
      CHECK(record::ParseAndVerifyBatch(bytes));
      CHECK(IsReadable(bytes)) << "accepted, but cannot be read";
    }
  }
}

std::vector<std::string> BatchCorpus() {
  std::vector<std::string> out;
  const std::vector<record::RecordHeader> headers = {{"key", "value"},
                                                     {"", std::nullopt}};
  for (const auto codec :
       {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy,
        record::Codec::kLz4, record::Codec::kZstd}) {
    for (const int count : {1, 3, 40}) {
      record::BatchBuilder builder({.codec = codec});
      for (int i = 0; i < count; ++i) {
        builder.Add(1'700'000'000'000 + i,
                    i % 5 == 4 ? std::nullopt : std::optional("key"),
                    "some value of a record", headers);
      }
      out.push_back(builder.Build());
    }
  }
  return out;
}

}  // namespace

std::span<const Target> Targets() {
  static constexpr Target kTargets[] = {
      {"frames", RunFrames, FrameCorpus},
      {"requests", RunRequests, RequestCorpus},
      {"responses", RunResponses, ResponseCorpus},
      {"batches", RunBatches, BatchCorpus},
  };
  return kTargets;
}

}  // namespace tidemark::fuzz
