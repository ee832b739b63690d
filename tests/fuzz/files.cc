#include "tests/fuzz/files.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::fuzz {

std::string PackFiles(const Files& files) {
  std::string out;
  for (const auto& [name, bytes] : files) {
    CHECK_LT(name.size(), 256u);
    CHECK_LT(bytes.size(), size_t{1} << 24);
    out += static_cast<char>(name.size());
    out += name;
    for (int shift = 0; shift < 24; shift += 8) {
      out += static_cast<char>(bytes.size() >> shift);
    }
    out += bytes;
  }
  return out;
}

Files UnpackFiles(std::string_view input) {
  Files files;
  const auto take = [&input](size_t count) {
    const std::string_view taken = input.substr(0, count);
    input.remove_prefix(taken.size());
    return taken;
  };
  while (!input.empty()) {
    const size_t length = static_cast<uint8_t>(take(1).front());
    std::string name(take(length));
    std::replace(name.begin(), name.end(), '/', '_');
    std::replace(name.begin(), name.end(), '\0', '_');
    size_t size = 0;
    int shift = 0;
    for (const char byte : take(3)) {
      size |= size_t{static_cast<uint8_t>(byte)} << shift;
      shift += 8;
    }
    const bool real = !name.empty() && name != "." && name != "..";
    const std::string_view bytes = take(size);
    if (real) files.emplace_back(std::move(name), bytes);
  }
  return files;
}

Files ReadFiles(io::FileSystem& fs, const std::string& dir) {
  Files files;
  const auto names = fs.List(dir).value();
  for (const std::string& name : names) {
    auto bytes = io::ReadFile(fs, dir + "/" + name);
    if (bytes) files.emplace_back(name, std::move(*bytes));
  }
  return files;
}

void WriteFiles(io::FileSystem& fs, const std::string& dir,
                const Files& files) {
  for (const auto& [name, bytes] : files) {
    auto file = fs.Open(dir + "/" + name, true);
    if (!file) continue;  // a directory has the name
    CHECK((*file)->Truncate(0) && (*file)->WriteAt(0, bytes));
  }
}

uint8_t Numbers::Byte() {
  if (input_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(input_.front());
  input_.remove_prefix(1);
  return byte;
}

int64_t Numbers::Number() {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | Byte();
  return static_cast<int64_t>(number);
}

std::string PackNumber(int64_t number) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> shift);
  }
  return out;
}

}  // namespace tidemark::fuzz
