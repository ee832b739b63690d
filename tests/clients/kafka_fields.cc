// Prints the field tables of every Kafka request and response that the codec
// knows, a line a field and version, for schema_cases.py to hold against
// Kafka's own:
//
//   message version path type nullable tag default
//
// Fields are in the order of the wire, those that are tagged behind the others.

#include <concepts>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::kafka {
namespace {

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// "" for a structure.
template <class T>
std::string TypeName() {
  if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::integral<T>) {
    return "int" + std::to_string(8 * sizeof(T));
  } else if constexpr (std::same_as<T, double>) {
    return "float64";
  } else if constexpr (std::same_as<T, std::string>) {
    return "string";
  } else if constexpr (std::same_as<T, Uuid>) {
    return "uuid";
  } else if constexpr (std::same_as<T, SharedBytes> ||
                       std::same_as<T, Payload>) {
    return "bytes";
  } else if constexpr (kIsVector<T>) {
    return "[]" + TypeName<typename T::value_type>();
  } else if constexpr (kIsOptional<T>) {
    return TypeName<typename T::value_type>();
  } else {
    return "";
  }
}

template <class T>
std::string DefaultOf(const T& value) {
  if constexpr (std::integral<T>) {
    return std::to_string(static_cast<int64_t>(value));
  } else {
    return "-";
  }
}

// What is behind vectors and optionals.
template <class T>
struct Inner {
  using Type = T;
};
template <class T>
struct Inner<std::vector<T>> : Inner<T> {};
template <class T>
struct Inner<std::optional<T>> : Inner<T> {};

struct Printer {
  const std::string& message;
  int16_t version;
  std::string path;
  bool tagged = false;

  template <class T>
  void operator()(const char* name, const T& value, FieldSpec spec = {}) {
    if (!spec.Has(version) || (spec.tag >= 0) != tagged) return;
    const bool nullable = kIsOptional<T> && spec.IsNullable(version);
    std::string initial = DefaultOf(value);
    // What is not sent has to be what is read when nothing came.
    if constexpr (std::integral<T>) {
      if (tagged && value != static_cast<T>(spec.default_number)) {
        initial += "/" + std::to_string(spec.default_number);
      }
    }
    std::printf(
        "%s %d %s%s %s %s %s %s\n", message.c_str(), version, path.c_str(),
        name, (TypeName<T>() + "*").c_str(), nullable ? "nullable" : "-",
        tagged ? std::to_string(spec.tag).c_str() : "-", initial.c_str());
    using Element = typename Inner<T>::Type;
    if constexpr (requires(Printer & p, Element & e) {
                    Element::VisitFields(e, p);
                  }) {
      Walk(Element{}, message, version, path + name + ".");
    }
  }

  template <class T>
  static void Walk(const T& value, const std::string& message, int16_t version,
                   const std::string& path) {
    for (const bool tagged : {false, true}) {
      Printer printer{message, version, path, tagged};
      T::VisitFields(value, printer);
    }
  }
};

template <class T>
void Print(const std::string& name) {
  for (int16_t version = T::kMinVersion; version <= T::kMaxVersion; ++version) {
    std::printf("%s %d flexible=%d\n", name.c_str(), version,
                version >= T::kFirstFlexible);
    Printer::Walk(T{}, name, version, "");
  }
}

void PrintAll() {
  ForEachApi([]<class Request, class Response>(const std::string&) {
    const std::string api(ApiName(Request::kKey));
    Print<Request>(api + "Request");
    Print<Response>(api + "Response");
  });
}

}  // namespace
}  // namespace tidemark::kafka

int main() { tidemark::kafka::PrintAll(); }
