#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/error_code.h"

namespace tidemark {

// Why an operation failed: a code for programs and a sentence for people that
// says what to do. An empty message stands for the code's name.
struct Error {
  ErrorCode code = ErrorCode::kUnknownServerError;
  std::string message;

  bool operator==(const Error&) const = default;
};

// "INVALID_CONFIG: retention.ms must be ..." for logs and terminals.
std::string ToString(const Error& error);

// The one way functions of tidemark report failure; exceptions do not cross
// our own functions.
template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace tidemark

// Returns the error of `expr` from the enclosing function, if it has one.
#define TM_RETURN_IF_ERROR(expr)                             \
  do {                                                       \
    if (auto tm_status = (expr); !tm_status)                 \
      return ::tidemark::Fail(std::move(tm_status).error()); \
  } while (false)

#define TM_CONCAT_INNER(a, b) a##b
#define TM_CONCAT(a, b) TM_CONCAT_INNER(a, b)

// TM_ASSIGN_OR_RETURN(auto x, Compute()): declares x or returns the error.
#define TM_ASSIGN_OR_RETURN(lhs, expr) \
  TM_ASSIGN_OR_RETURN_(TM_CONCAT(tm_result_, __LINE__), lhs, expr)
#define TM_ASSIGN_OR_RETURN_(tmp, lhs, expr)                 \
  auto tmp = (expr);                                         \
  if (!tmp) return ::tidemark::Fail(std::move(tmp).error()); \
  lhs = std::move(*tmp)
