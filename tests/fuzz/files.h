#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/io/file.h"

// Files in an input: what a target that starts from a disk is given.
namespace tidemark::fuzz {

using Files = std::vector<std::pair<std::string, std::string>>;

// One after the other: length of the name (1 byte), name, size (3 bytes, the
// lowest first), bytes.
std::string PackFiles(const Files& files);
// Any input is some files; the last one may be cut off. Names have no slash.
Files UnpackFiles(std::string_view input);

// The files of a directory, and the other way round. REQUIRES: it exists.
Files ReadFiles(io::FileSystem& fs, const std::string& dir);
void WriteFiles(io::FileSystem& fs, const std::string& dir, const Files& files);

// Numbers in front of an input.
class Numbers {
 public:
  explicit Numbers(std::string_view* input) : input_(*input) {}
  // 0 when nothing is left.
  uint8_t Byte();
  int64_t Number();

 private:
  std::string_view& input_;
};
std::string PackNumber(int64_t number);

}  // namespace tidemark::fuzz
