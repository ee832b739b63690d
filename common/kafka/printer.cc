#include "common/kafka/printer.h"

#include <cstdio>

namespace tidemark::kafka {

std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 128;
  std::string out;
  internal::Print(std::string(text.substr(0, kLongest)), out);
  return out;
}

namespace internal {

void PrintNumber(int64_t value, std::string& out) {
  out += std::to_string(value);
}

void Print(bool value, std::string& out) { out += value ? "true" : "false"; }

void Print(double value, std::string& out) { out += std::to_string(value); }

void Print(const Uuid& id, std::string& out) { out += ToString(id); }

void Print(const std::string& text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x",
                    static_cast<unsigned char>(c));
      out += escaped;
    }
  }
  out += '"';
}

void Print(const SharedBytes& bytes, std::string& out) {
  out += '<' + std::to_string(bytes.size()) + " bytes>";
}

}  // namespace internal
}  // namespace tidemark::kafka
