#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tidemark::cli {

// Rows of text as aligned columns, for people. Numbers align to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void Add(std::vector<std::string> row);
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

void Print(const Table& table);
void Print(const std::string& line);
// Sends on what was printed. Fails when any of it, now or before, could not be
// written: a full disk, a reader that has gone away.
Status FlushOutput();
// For programs: keys in the order they were set, two spaces of indent.
void PrintJson(const nlohmann::ordered_json& json);

// "1,2,3"
template <class Range>
std::string Join(const Range& values) {
  std::string out;
  for (auto value : values) {
    if (!out.empty()) out += ',';
    out += std::to_string(value);
  }
  return out;
}

}  // namespace tidemark::cli
