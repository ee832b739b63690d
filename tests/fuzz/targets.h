#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

// What must survive any bytes: no crash, no CHECK, no hang; and what is said
// in the target itself, which ends the process when it does not hold.
namespace tidemark::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
  // Good inputs, to be spoiled.
  std::vector<std::string> (*corpus)();
};

std::span<const Target> Targets();

}  // namespace tidemark::fuzz
