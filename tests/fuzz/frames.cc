// A stream of bytes in pieces, as a socket gives them.

#include <glog/logging.h>

#include <algorithm>
#include <cstring>

#include "broker/kafka/frame_reader.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::fuzz {
namespace {

void RunFrames(std::string_view input) {
  if (input.empty()) return;
  const size_t step = 1 + static_cast<uint8_t>(input.front()) * 7u;
  auto budget = MemoryBudget::Make(1 << 20);
  {
    server::FrameReader reader(64 << 10, budget);
    std::string_view rest = input;
    size_t given = 0;
    while (!rest.empty()) {
      const std::span<char> space = reader.Space();
      if (space.empty()) break;
      const size_t count = std::min({step, space.size(), rest.size()});
      std::memcpy(space.data(), rest.data(), count);
      rest.remove_prefix(count);
      reader.Filled(count);
      while (true) {
        auto frame = reader.Next();
        if (!frame) return;
        if (!*frame) break;
        given += (*frame)->size();
      }
    }
    CHECK_LE(given, input.size());
  }
  CHECK_EQ(budget->used(), 0u);
}

std::vector<std::string> FrameCorpus() {
  std::vector<std::string> out;
  for (const auto& golden : kafka::LoadGoldenFrames()) {
    const auto size = static_cast<uint32_t>(golden.frame.size());
    std::string frame;
    for (int shift = 24; shift >= 0; shift -= 8) {
      frame += static_cast<char>(size >> shift);
    }
    out.push_back(frame + std::string(golden.frame.view()));
  }
  return out;
}

const Added kFrames({"frames", RunFrames, FrameCorpus});

}  // namespace
}  // namespace tidemark::fuzz
