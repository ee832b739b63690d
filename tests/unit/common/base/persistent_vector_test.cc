#include "common/base/persistent_vector.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

namespace tidemark {
namespace {

using Vector = PersistentVector<int>;
using Model = std::vector<int>;

TEST(PersistentVector, EveryVersionStaysWhatItWas) {
  std::mt19937 rng(1);
  std::vector<std::pair<Vector, Model>> versions(1);
  EXPECT_TRUE(versions[0].first.empty());
  for (int i = 0; i < 300; ++i) {
    auto [vector, model] = versions[rng() % versions.size()];
    for (int edits = static_cast<int>(rng() % 40); edits > 0; --edits) {
      const int value = static_cast<int>(rng());
      if (!model.empty() && rng() % 3 == 0) {
        const size_t at = rng() % model.size();
        vector.Set(at, value);
        model[at] = value;
      } else {
        vector.push_back(value);
        model.push_back(value);
      }
    }
    versions.emplace_back(std::move(vector), std::move(model));
  }
  for (const auto& [vector, model] : versions) {
    ASSERT_EQ(vector.size(), model.size());
    ASSERT_EQ(Model(vector.begin(), vector.end()), model);
    for (size_t i = 0; i < model.size(); ++i) ASSERT_EQ(vector[i], model[i]);
  }
}

}  // namespace
}  // namespace tidemark
