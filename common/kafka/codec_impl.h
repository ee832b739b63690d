#pragma once

// The visitors that read, write and print a message by its list of fields.
// Included by the .cc files of the messages only, each of which ends with
// `template struct MessageCodec<...>` for its messages.

#include <algorithm>
#include <bit>
#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/utf8.h"
#include "common/kafka/codec.h"
#include "common/kafka/message.h"
#include "common/kafka/printer.h"

namespace tidemark::kafka {
namespace internal {

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsOptionalVector = false;
template <class T>
inline constexpr bool kIsOptionalVector<std::optional<std::vector<T>>> = true;

// What is said about a value that had to be cut.
inline constexpr ErrorCode kCurtailedError = ErrorCode::kUnknownServerError;

// A std::vector grows as elements really arrive: never by a stranger's count.
inline constexpr uint32_t kReserveAtMost = 64;

template <class T>
void ReadValue(Decoder& in, T& value, bool nullable);

struct PlainFieldReader {
  Decoder& in;

  template <class T>
  void operator()(const char*, T& value, FieldSpec spec = {}) {
    if (spec.tag >= 0 || !spec.Has(in.version()) || !in.ok()) return;
    ReadValue(in, value, spec.IsNullable(in.version()));
  }
};

struct TaggedFieldReader {
  Decoder& in;
  int32_t tag;
  bool found = false;

  template <class T>
  void operator()(const char*, T& value, FieldSpec spec = {}) {
    if (spec.tag != tag || !spec.Has(in.version())) return;
    found = true;
    ReadValue(in, value, spec.IsNullable(in.version()));
  }
};

template <class T>
void ReadTaggedFields(Decoder& in, T& message) {
  const uint32_t count = in.ReadUnsignedVarint();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const auto tag = static_cast<int32_t>(
        std::min<uint32_t>(in.ReadUnsignedVarint(), INT32_MAX));
    const uint32_t size = in.ReadUnsignedVarint();
    const size_t outer_end = in.PushLimit(size);
    TaggedFieldReader reader{in, tag};
    if (in.ok()) T::VisitFields(message, reader);
    if (!reader.found) in.Skip(in.remaining());
    in.PopLimit(outer_end);
  }
}

template <class T>
void ReadStruct(Decoder& in, T& message) {
  PlainFieldReader reader{in};
  T::VisitFields(message, reader);
  if (in.flexible() && in.ok()) ReadTaggedFields(in, message);
}

template <class T>
void ReadElements(Decoder& in, std::vector<T>& values, uint32_t count) {
  values.clear();
  values.reserve(std::min(count, kReserveAtMost));
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    in.CountElement(sizeof(T));
    if (in.ok()) ReadValue(in, values.emplace_back(), false);
  }
}

template <class T>
void ReadValue(Decoder& in, T& value, bool nullable) {
  if constexpr (std::same_as<T, bool>) {
    value = in.ReadBool();
  } else if constexpr (std::same_as<T, int8_t>) {
    value = in.ReadInt8();
  } else if constexpr (std::same_as<T, int16_t>) {
    value = in.ReadInt16();
  } else if constexpr (std::same_as<T, int32_t>) {
    value = in.ReadInt32();
  } else if constexpr (std::same_as<T, int64_t>) {
    value = in.ReadInt64();
  } else if constexpr (std::same_as<T, double>) {
    value = std::bit_cast<double>(in.ReadInt64());
  } else if constexpr (std::same_as<T, Uuid>) {
    value = in.ReadUuid();
  } else if constexpr (std::same_as<T, std::optional<std::string>>) {
    value = in.ReadNullableString();
    if (!value && !nullable) in.FailWith("null string");
  } else if constexpr (std::same_as<T, std::optional<SharedBytes>>) {
    value = in.ReadNullableBytes();
    if (!value && !nullable) in.FailWith("null bytes");
  } else if constexpr (std::same_as<T, std::optional<Payload>>) {
    std::optional<SharedBytes> bytes;
    ReadValue(in, bytes, nullable);
    if (bytes)
      value = std::move(*bytes);
    else
      value.reset();
  } else if constexpr (std::same_as<T, std::string> ||
                       std::same_as<T, SharedBytes>) {
    std::optional<T> optional;
    ReadValue(in, optional, false);
    if (optional) value = std::move(*optional);
  } else if constexpr (kIsVector<T>) {
    const std::optional<uint32_t> count = in.ReadNullableCount();
    if (!count) return in.FailWith("null array");
    ReadElements(in, value, *count);
  } else if constexpr (kIsOptionalVector<T>) {
    value.reset();
    const std::optional<uint32_t> count = in.ReadNullableCount();
    if (count) return ReadElements(in, value.emplace(), *count);
    if (!nullable) in.FailWith("null array");
  } else if constexpr (kIsOptional<T>) {
    value.reset();
    const int8_t present = in.ReadInt8();
    if (present > 0) return ReadStruct(in, value.emplace());
    if (!nullable || present != -1) in.FailWith("null structure");
  } else {
    ReadStruct(in, value);
  }
}

template <class T>
void WriteValue(Encoder& out, const T& value, bool nullable);

struct PlainFieldWriter {
  Encoder& out;

  template <class T>
  void operator()(const char*, const T& value, FieldSpec spec = {}) {
    if (spec.tag >= 0 || !spec.Has(out.version())) return;
    WriteValue(out, value, spec.IsNullable(out.version()));
  }
};

// A tagged field at its default is not sent. Structures, strings and arrays
// start out at the schema's default; numbers name theirs in the list.
template <class T>
bool IsDefault(const T& value, FieldSpec spec) {
  if constexpr (std::integral<T>) {
    return value == static_cast<T>(spec.default_number);
  } else if constexpr (kIsOptional<T>) {
    return !value.has_value();
  } else {
    return value == T{};
  }
}

struct TaggedFieldWriter {
  Encoder& out;
  std::vector<std::pair<int32_t, std::string>> fields;

  template <class T>
  void operator()(const char*, const T& value, FieldSpec spec = {}) {
    if (spec.tag < 0 || !spec.Has(out.version())) return;
    if (IsDefault(value, spec)) return;
    Encoder field(out.version(), out.flexible());
    WriteValue(field, value, spec.IsNullable(out.version()));
    if (!field.ok()) out.FailWith("a tagged field does not fit");
    fields.emplace_back(spec.tag, std::move(field).FinishBytes());
  }
};

template <class T>
void WriteStruct(Encoder& out, const T& message) {
  PlainFieldWriter plain{out};
  T::VisitFields(message, plain);
  if (!out.flexible()) return;
  TaggedFieldWriter tagged{out, {}};
  T::VisitFields(message, tagged);
  std::sort(tagged.fields.begin(), tagged.fields.end());
  out.WriteUnsignedVarint(static_cast<uint32_t>(tagged.fields.size()));
  for (const auto& [tag, bytes] : tagged.fields) {
    out.WriteUnsignedVarint(static_cast<uint32_t>(tag));
    out.WriteUnsignedVarint(static_cast<uint32_t>(bytes.size()));
    out.WriteRaw(bytes);
  }
}

template <class T>
void WriteValue(Encoder& out, const T& value, bool nullable) {
  if constexpr (std::same_as<T, bool>) {
    out.WriteBool(value);
  } else if constexpr (std::same_as<T, int8_t>) {
    out.WriteInt8(value);
  } else if constexpr (std::same_as<T, int16_t>) {
    out.WriteInt16(value);
  } else if constexpr (std::same_as<T, int32_t>) {
    out.WriteInt32(value);
  } else if constexpr (std::same_as<T, int64_t>) {
    out.WriteInt64(value);
  } else if constexpr (std::same_as<T, double>) {
    out.WriteInt64(std::bit_cast<int64_t>(value));
  } else if constexpr (std::same_as<T, Uuid>) {
    out.WriteUuid(value);
  } else if constexpr (std::same_as<T, std::string>) {
    out.WriteString(value);
  } else if constexpr (std::same_as<T, SharedBytes> ||
                       std::same_as<T, Payload>) {
    out.WriteBytes(value);
  } else if constexpr (kIsVector<T>) {
    out.WriteCount(value.size());
    for (const auto& element : value) WriteValue(out, element, false);
  } else if constexpr (kIsOptional<T>) {
    using Inner = typename T::value_type;
    constexpr bool kIsStruct = !std::same_as<Inner, std::string> &&
                               !std::same_as<Inner, SharedBytes> &&
                               !std::same_as<Inner, Payload> &&
                               !kIsVector<Inner>;
    if constexpr (kIsStruct) out.WriteInt8(value ? 1 : -1);
    if (value) {
      WriteValue(out, *value, false);
    } else if (!nullable) {
      if constexpr (!kIsStruct) WriteValue(out, Inner{}, false);
    } else if constexpr (std::same_as<Inner, std::string>) {
      out.WriteNullString();
    } else if constexpr (!kIsStruct) {
      out.WriteNullCount();
    }
  } else {
    WriteStruct(out, value);
  }
}

// Says UNKNOWN_SERVER_ERROR in a value's own error code or, where it has none,
// in all below. False: there is none.
template <class T>
bool FailValue(T& value);

struct ErrorCodeSetter {
  bool own = false;  // setting the structure's own code, not those below
  bool found = false;

  template <class T>
  void operator()(const char* name, T& value, FieldSpec = {}) {
    if constexpr (std::same_as<T, int16_t>) {
      if (!own || std::string_view(name) != "error_code") return;
      if (value == 0) value = static_cast<int16_t>(kCurtailedError);
      found = true;
    } else if (!own) {
      found |= FailValue(value);
    }
  }
};

template <class T>
bool FailValue(T& value) {
  if constexpr (kIsVector<T>) {
    bool found = false;
    for (auto& element : value) found |= FailValue(element);
    return found;
  } else if constexpr (kIsOptional<T>) {
    return value && FailValue(*value);
  } else if constexpr (requires(ErrorCodeSetter & s) {
                         T::VisitFields(value, s);
                       }) {
    for (const bool own : {true, false}) {
      ErrorCodeSetter setter{own};
      T::VisitFields(value, setter);
      if (setter.found) return true;
    }
  }
  return false;
}

// True: a string was cut, and nobody has been told yet.
template <class T>
bool CurtailValue(T& value);

struct FieldCurtailer {
  bool untold = false;

  template <class T>
  void operator()(const char* name, T& value, FieldSpec = {}) {
    const bool cut = CurtailValue(value);
    untold |= cut && std::string_view(name) != "error_message";
  }
};

template <class T>
bool CurtailValue(T& value) {
  if constexpr (std::same_as<T, std::string>) {
    const size_t fitting = CutUtf8(value, kMaxStringLength).size();
    if (fitting == value.size()) return false;
    value.resize(fitting);
    return true;
  } else if constexpr (kIsVector<T>) {
    bool untold = false;
    for (auto& element : value) untold |= CurtailValue(element);
    return untold;
  } else if constexpr (kIsOptional<T>) {
    return value && CurtailValue(*value);
  } else if constexpr (requires(FieldCurtailer & c) {
                         T::VisitFields(value, c);
                       }) {
    FieldCurtailer curtailer;
    T::VisitFields(value, curtailer);
    return curtailer.untold && !FailValue(value);
  } else {
    return false;
  }
}

template <class T>
void PrintValue(const T& value, int16_t version, std::string& out);

struct FieldPrinter {
  int16_t version;
  std::string& out;
  bool first = true;

  template <class T>
  void operator()(const char* name, const T& value, FieldSpec spec = {}) {
    if (!spec.Has(version)) return;
    if (!first) out += ", ";
    first = false;
    out += name;
    out += ": ";
    PrintValue(value, version, out);
  }
};

template <class T>
void PrintValue(const T& value, int16_t version, std::string& out) {
  if constexpr (kIsVector<T>) {
    out += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ", ";
      PrintValue(value[i], version, out);
    }
    out += ']';
  } else if constexpr (kIsOptional<T>) {
    if (value) {
      PrintValue(*value, version, out);
    } else {
      out += "null";
    }
  } else if constexpr (std::integral<T> || std::same_as<T, double> ||
                       std::same_as<T, Uuid> || std::same_as<T, std::string> ||
                       std::same_as<T, SharedBytes>) {
    Print(value, out);
  } else if constexpr (std::same_as<T, Payload>) {
    Print(value.bytes(), out);
  } else {
    out += '{';
    FieldPrinter printer{version, out};
    T::VisitFields(value, printer);
    out += '}';
  }
}

}  // namespace internal

template <class T>
void MessageCodec<T>::Decode(Decoder& in, T& message) {
  internal::ReadStruct(in, message);
}

template <class T>
void MessageCodec<T>::Encode(const T& message, Encoder& out) {
  internal::WriteStruct(out, message);
}

template <class T>
bool MessageCodec<T>::Curtail(T& message) {
  return !internal::CurtailValue(message);
}

template <class T>
void MessageCodec<T>::Print(const T& message, int16_t version,
                            std::string& out) {
  internal::PrintValue(message, version, out);
}

}  // namespace tidemark::kafka
