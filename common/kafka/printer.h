#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "common/base/shared_bytes.h"
#include "common/base/uuid.h"

namespace tidemark::kafka {

// What a stranger sent, fit for one line of a log: in quotes, what is not
// printable ASCII as \xNN, cut behind 128 bytes.
std::string Quoted(std::string_view text);

}  // namespace tidemark::kafka

// How PrintMessage shows single values.
namespace tidemark::kafka::internal {

void PrintNumber(int64_t value, std::string& out);
void Print(bool value, std::string& out);
void Print(double value, std::string& out);
void Print(const Uuid& id, std::string& out);
// Quoted; what is not printable ASCII as \xNN.
void Print(const std::string& text, std::string& out);
// "<n bytes>": contents are the users' own.
void Print(const SharedBytes& bytes, std::string& out);

template <std::integral T>
void Print(T value, std::string& out) {
  PrintNumber(value, out);
}

}  // namespace tidemark::kafka::internal
