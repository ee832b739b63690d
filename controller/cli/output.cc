#include "controller/cli/output.h"

#include <glog/logging.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace tidemark::cli {
namespace {

bool IsNumber(const std::string& cell) {
  size_t from = cell.starts_with('-') && cell.size() > 1 ? 1 : 0;
  return !cell.empty() &&
         cell.find_first_not_of("0123456789", from) == std::string::npos;
}

}  // namespace

Table::Table(std::vector<std::string> header) {
  rows_.push_back(std::move(header));
}

void Table::Add(std::vector<std::string> row) {
  CHECK_EQ(row.size(), rows_[0].size());
  rows_.push_back(std::move(row));
}

std::string Table::ToString() const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns, 0);
  std::vector<bool> right(columns, rows_.size() > 1);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], rows_[r][c].size());
      if (r > 0 && !IsNumber(rows_[r][c])) right[c] = false;
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      std::string space(widths[c] - row[c].size(), ' ');
      line += right[c] ? space + row[c] : row[c] + space;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

void Print(const Table& table) { std::fputs(table.ToString().c_str(), stdout); }

void Print(const std::string& line) { std::puts(line.c_str()); }

Status FlushOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  std::string why = errno == 0 ? "" : std::string(": ") + strerror(errno);
  return Fail(ErrorCode::kUnknownServerError, "cannot write the output" + why);
}

void PrintJson(const nlohmann::ordered_json& json) {
  // Bytes that are no UTF-8 come out as U+FFFD instead of ending the program.
  std::puts(
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
          .c_str());
}

}  // namespace tidemark::cli
