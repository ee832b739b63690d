#include "common/base/pattern.h"

#include <re2/re2.h>

namespace tidemark {
namespace {

constexpr size_t kLongestPattern = 1024;
constexpr int kLargestProgram = 1000;

}  // namespace

std::shared_ptr<const re2::RE2> CompilePattern(const std::string& pattern) {
  if (pattern.size() > kLongestPattern) return nullptr;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  const bool fine =
      compiled->ok() && compiled->ProgramSize() <= kLargestProgram;
  return fine ? compiled : nullptr;
}

}  // namespace tidemark
