#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/kafka/decoder.h"
#include "common/kafka/encoder.h"
#include "common/kafka/header.h"

// Whole messages. The machinery behind MessageCodec is instantiated once per
// message, in the .cc file of the message; users of this header compile none
// of it.
namespace tidemark::kafka {

template <class T>
struct MessageCodec {
  static void Decode(Decoder& in, T& message);
  static void Encode(const T& message, Encoder& out);
  static void Print(const T& message, int16_t version, std::string& out);
  // Cuts strings that no encoding holds. Whoever is asked about such a string
  // is told UNKNOWN_SERVER_ERROR: in the innermost structure around it that
  // has an error code, or in all error codes below that; unless it was the
  // text of an error itself. False: there is no error code to say it in.
  static bool Curtail(T& message);
};

// REQUIRES of every encoding function: T::kMinVersion <= version <=
// T::kMaxVersion; a handler encodes for a version it accepted.
void CheckVersion(int16_t version, int16_t min, int16_t max);
Status UnsupportedVersion(int16_t version, int16_t min, int16_t max);

namespace internal {

enum class Trailing { kRefuse, kIgnore };

template <class T>
Result<T> DecodeBody(const SharedBytes& body, int16_t version,
                     Trailing trailing, size_t* elements = nullptr) {
  if (version < T::kMinVersion || version > T::kMaxVersion) {
    return Fail(
        UnsupportedVersion(version, T::kMinVersion, T::kMaxVersion).error());
  }
  Decoder in(body, version, version >= T::kFirstFlexible);
  T message;
  MessageCodec<T>::Decode(in, message);
  if (trailing == Trailing::kRefuse && in.ok() && in.remaining() != 0) {
    in.FailWith("bytes after the message");
  }
  if (!in.ok()) return Fail(in.status().error());
  if (elements != nullptr) *elements = in.elements();
  return message;
}

}  // namespace internal

// The body of a request or an answer: what DecodeRequestHeader or
// DecodeResponseHeader leave. Bytes and records of the message are slices of
// `body`. kInvalidRequest: not such a message. kUnsupportedVersion.
//
// Bytes after a request are ignored, as Kafka does: librdkafka up to 2.1 sends
// some after ListGroups v4. `elements`: bytes of memory that the elements of
// its arrays take, which may be a multiple of the body's.
template <class T>
Result<T> DecodeRequest(const SharedBytes& body, int16_t version,
                        size_t* elements = nullptr) {
  return internal::DecodeBody<T>(body, version, internal::Trailing::kIgnore,
                                 elements);
}
template <class T>
Result<T> DecodeResponse(const SharedBytes& body, int16_t version) {
  return internal::DecodeBody<T>(body, version, internal::Trailing::kRefuse);
}

// A frame for the socket: length, header, message. kUnknownServerError: a
// length has no room in its field.
template <class T>
Result<EncodedFrame> EncodeResponse(const T& message, int16_t version,
                                    int32_t correlation_id) {
  CheckVersion(version, T::kMinVersion, T::kMaxVersion);
  const bool flexible = version >= T::kFirstFlexible;
  Encoder out(version, flexible);
  WriteResponseHeader(T::kKey, correlation_id, flexible, &out);
  MessageCodec<T>::Encode(message, out);
  return std::move(out).FinishFrame();
}

// The same, of an answer made of what clients sent and disks keep: where
// something does not fit, an answer that says so. An error is left only for
// what has no error code to say it in, and for 2 GiB.
template <class T>
Result<EncodedFrame> EncodeAnswer(T message, int16_t version,
                                  int32_t correlation_id) {
  auto frame = EncodeResponse(message, version, correlation_id);
  if (frame || !MessageCodec<T>::Curtail(message)) return frame;
  return EncodeResponse(message, version, correlation_id);
}

template <class T>
Result<EncodedFrame> EncodeRequest(
    const T& message, int16_t version, int32_t correlation_id,
    std::optional<std::string_view> client_id = {}) {
  CheckVersion(version, T::kMinVersion, T::kMaxVersion);
  const bool flexible = version >= T::kFirstFlexible;
  Encoder out(version, flexible);
  WriteRequestHeader(
      RequestHeader{
          T::kKey, version, correlation_id,
          client_id ? std::optional<std::string>(*client_id) : std::nullopt},
      flexible, &out);
  MessageCodec<T>::Encode(message, out);
  return std::move(out).FinishFrame();
}

// "{max_wait_ms: 500, topics: [{...}]}": the fields that `version` has, bytes
// as their number. For logs and tests.
template <class T>
std::string PrintMessage(const T& message, int16_t version = T::kMaxVersion) {
  std::string out;
  MessageCodec<T>::Print(message, version, out);
  return out;
}

// Messages of internal topics: an int16 version, then the message. Errors as
// EncodeResponse.
template <class T>
Result<std::string> EncodeVersioned(const T& message,
                                    int16_t version = T::kMaxVersion) {
  CheckVersion(version, T::kMinVersion, T::kMaxVersion);
  Encoder out(version, version >= T::kFirstFlexible);
  out.WriteInt16(version);
  MessageCodec<T>::Encode(message, out);
  TM_RETURN_IF_ERROR(out.status());
  return std::move(out).FinishBytes();
}

// The version in front. kInvalidRequest: fewer than two bytes.
Result<int16_t> PeekVersion(std::string_view bytes);

template <class T>
Result<T> DecodeVersioned(const SharedBytes& bytes) {
  auto version = PeekVersion(bytes.view());
  if (!version) return Fail(std::move(version).error());
  return internal::DecodeBody<T>(
      bytes.Slice(sizeof(int16_t), bytes.size() - sizeof(int16_t)), *version,
      internal::Trailing::kRefuse);
}

}  // namespace tidemark::kafka
