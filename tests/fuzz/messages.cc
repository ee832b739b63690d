// Kafka's requests and responses.

#include <glog/logging.h>

#include "tests/fuzz/targets.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::fuzz {
namespace {

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

const Added kRequests({"requests", RunRequests, RequestCorpus});
const Added kResponses({"responses", RunResponses, ResponseCorpus});

}  // namespace
}  // namespace tidemark::fuzz
