#pragma once

#include <memory>
#include <string>

namespace re2 {
class RE2;
}  // namespace re2

namespace tidemark {

// A regular expression that somebody else has written; nullptr where it is
// none, or more than anybody writes by hand. RE2 never takes more time than the
// product of the lengths of pattern and text, so neither may be large.
std::shared_ptr<const re2::RE2> CompilePattern(const std::string& pattern);

}  // namespace tidemark
