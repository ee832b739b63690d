#pragma once

#include <string>
#include <string_view>
#include <vector>

// What must survive any bytes: no crash, no CHECK, no hang, no memory without
// bound; and what is said in the target itself, which ends the process when it
// does not hold. A target is one file of this folder and its name in
// CMakeLists.txt.
namespace tidemark::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  // Good inputs, to be spoiled; made by the code whose reader is tested.
  std::vector<std::string> (*corpus)();
};

// In order of their names.
const std::vector<Target>& Targets();

// A namespace-scope constant of this type adds a target.
struct Added {
  explicit Added(Target target);
};

}  // namespace tidemark::fuzz
