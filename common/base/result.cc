#include "common/base/result.h"

namespace tidemark {

std::string ToString(const Error& error) {
  std::string out(ErrorName(error.code));
  if (!error.message.empty()) out += ": " + error.message;
  return out;
}

}  // namespace tidemark
