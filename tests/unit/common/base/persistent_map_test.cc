#include "common/base/persistent_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

using Map = PersistentMap<std::string, int>;
using Model = std::map<std::string, int>;

void ExpectSame(const Map& map, const Model& model) {
  ASSERT_TRUE(map.IsSound());
  ASSERT_EQ(map.size(), model.size());
  auto expected = model.begin();
  for (const auto& [key, value] : map) {
    ASSERT_NE(expected, model.end());
    ASSERT_EQ(key, expected->first);
    ASSERT_EQ(value, expected->second);
    ++expected;
  }
  ASSERT_EQ(expected, model.end());
}

// Keys long enough to be on the heap: what is lost or freed twice is noticed.
std::string KeyOf(unsigned n) {
  std::string digits = std::to_string(n);
  return "a key of some length " + std::string(6 - digits.size(), '0') + digits;
}

using Difference = std::vector<std::pair<std::string, std::pair<int, int>>>;

Difference Between(const Map& from, const Map& to) {
  Difference out;
  ForEachDifference(from, to, [&](const Map::Entry* a, const Map::Entry* b) {
    out.push_back(
        {(a != nullptr ? a : b)->first,
         {a != nullptr ? a->second : -1, b != nullptr ? b->second : -1}});
  });
  return out;
}

Difference Between(const Model& from, const Model& to) {
  std::map<std::string, std::pair<int, int>> out;
  for (const auto& [key, value] : from) out[key] = {value, -1};
  for (const auto& [key, value] : to) {
    out.try_emplace(key, -1, -1).first->second.second = value;
  }
  std::erase_if(out, [](const auto& one) {
    return one.second.first == one.second.second;
  });
  return {out.begin(), out.end()};
}

// Random edits, most of them additions until `most`, then most erasures.
void EditAtRandom(std::mt19937& rng, unsigned most, bool grow, Map* map,
                  Model* model) {
  const std::string key = KeyOf(rng() % most);
  const int value = static_cast<int>(rng() % 1000);
  if ((rng() % 4 != 0) == grow) {
    map->Set(key, value);
    (*model)[key] = value;
  } else {
    ASSERT_EQ(map->Erase(key), model->erase(key) > 0);
  }
}

TEST(PersistentMap, EmptyHasNothing) {
  Map map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
  EXPECT_EQ(map.Find("x"), nullptr);
  EXPECT_EQ(map.lower_bound("x"), map.end());
  EXPECT_FALSE(map.Erase("x"));
  EXPECT_EQ(map, Map());
}

TEST(PersistentMap, BehavesAsAMap) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 rng(seed);
    const unsigned most = 1u << (2 + rng() % 12);
    Map map;
    Model model;
    for (unsigned step = 0; step < 6000; ++step) {
      EditAtRandom(rng, most, step / 1500 % 2 == 0, &map, &model);
      const std::string key = KeyOf(rng() % most);
      auto expected = model.find(key);
      const int* found = map.Find(key);
      ASSERT_EQ(found != nullptr, expected != model.end());
      ASSERT_TRUE(found == nullptr || *found == expected->second);
      ASSERT_EQ(map.find(key) != map.end(), found != nullptr);
      auto at = map.lower_bound(key);
      auto expected_at = model.lower_bound(key);
      ASSERT_EQ(at == map.end(), expected_at == model.end());
      ASSERT_TRUE(at == map.end() || at->first == expected_at->first);
      if (step % 500 == 0) ExpectSame(map, model);
    }
    ExpectSame(map, model);
    for (const auto& [key, value] : Model(model)) {
      ASSERT_TRUE(map.Erase(key));
      model.erase(key);
      if (model.size() % 97 == 0) ExpectSame(map, model);
    }
    EXPECT_TRUE(map.empty());
  }
}

TEST(PersistentMap, TakesSortedInputEitherWay) {
  for (int step : {1, -1}) {
    Map map;
    Model model;
    for (int i = 0; i < 5000; ++i) {
      const auto n = static_cast<unsigned>(step > 0 ? i : 4999 - i);
      map.Set(KeyOf(n), i);
      model[KeyOf(n)] = i;
    }
    ExpectSame(map, model);
    for (unsigned i = 0; i < 5000; i += 2) {
      map.Erase(KeyOf(i));
      model.erase(KeyOf(i));
    }
    ExpectSame(map, model);
  }
}

// Every version stays what it was, and any two can be compared.
TEST(PersistentMap, OldVersionsStayAndDifferencesAreFound) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 rng(seed);
    const unsigned most = 1u << (3 + rng() % 10);
    std::vector<std::pair<Map, Model>> versions(1);
    for (int round = 0; round < 60; ++round) {
      // From any version: a tree of versions, not a line.
      auto [map, model] = versions[rng() % versions.size()];
      const bool grow = round < 40;
      for (unsigned edits = rng() % 200; edits > 0; --edits) {
        EditAtRandom(rng, most, grow, &map, &model);
      }
      versions.emplace_back(std::move(map), std::move(model));
    }
    for (const auto& [map, model] : versions) ExpectSame(map, model);
    for (int i = 0; i < 200; ++i) {
      const auto& [a, model_a] = versions[rng() % versions.size()];
      const auto& [b, model_b] = versions[rng() % versions.size()];
      ASSERT_EQ(Between(a, b), Between(model_a, model_b)) << "seed " << seed;
      ASSERT_EQ(a == b, model_a == model_b);
    }
    std::shuffle(versions.begin(), versions.end(), rng);
    while (versions.size() > 1) {
      versions.pop_back();
      ExpectSame(versions[0].first, versions[0].second);
    }
  }
}

// Counts what is looked at.
struct CountedLess {
  static inline size_t calls = 0;
  bool operator()(int a, int b) const {
    ++calls;
    return a < b;
  }
};

TEST(PersistentMap, SharedPartsAreNotLookedAt) {
  using Counted = PersistentMap<int, int, CountedLess>;
  std::mt19937 rng(7);
  Counted old;
  while (old.size() < 200'000) old.Set(static_cast<int>(rng()), 0);
  for (int edits : {0, 1, 10, 100}) {
    Counted next = old;
    for (int i = 0; i < edits; ++i) {
      const int key = static_cast<int>(rng());
      auto near = next.lower_bound(key);
      switch (near == next.end() ? 0 : i % 3) {
        case 0:
          next.Set(key, 1);
          break;
        case 1:
          next.Erase(int{near->first});
          break;
        default:
          next.Set(int{near->first}, 2);
      }
    }
    CountedLess::calls = 0;
    int found = 0;
    ForEachDifference(old, next, [&](auto*, auto*) { ++found; });
    EXPECT_EQ(found, edits);
    // Some nodes' worth for each edit, of 200,000 entries.
    EXPECT_LE(CountedLess::calls, static_cast<size_t>(edits) * 300);
  }
}

// A value that counts how often it is copied.
struct Copied {
  static inline int copies = 0;
  Copied() = default;
  Copied(const Copied&) { ++copies; }
  Copied(Copied&&) = default;
  Copied& operator=(const Copied&) {
    ++copies;
    return *this;
  }
  Copied& operator=(Copied&&) = default;
};

TEST(PersistentMap, OnlyTheFirstEditOfANodeCopiesIt) {
  PersistentMap<int, Copied> map;
  for (int i = 0; i < 10'000; ++i) map.Edit(i);
  EXPECT_EQ(Copied::copies, 0) << "nobody shares it";
  auto old = map;
  EXPECT_EQ(Copied::copies, 0);
  map.Edit(5000);
  EXPECT_GT(Copied::copies, 0);
  EXPECT_LE(Copied::copies, 32) << "one leaf";
  Copied::copies = 0;
  for (int i = 0; i < 100; ++i) map.Edit(5000);
  EXPECT_EQ(Copied::copies, 0);
  for (int i = 0; i < 10'000; ++i) map.Edit(i);
  EXPECT_LE(Copied::copies, 10'000) << "each leaf once";
  Copied::copies = 0;
  EXPECT_FALSE(map.Erase(20'000));
  auto again = map;
  EXPECT_FALSE(map.Erase(20'000));
  EXPECT_EQ(Copied::copies, 0) << "to erase nothing copies nothing";
}

TEST(PersistentMap, ThreadsEditWhatTheyShare) {
  Map shared;
  Model model;
  for (unsigned i = 0; i < 2000; ++i) {
    shared.Set(KeyOf(i), 0);
    model[KeyOf(i)] = 0;
  }
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([seed, map = shared, model]() mutable {
      std::mt19937 rng(seed);
      for (int round = 0; round < 20; ++round) {
        const Map old = map;
        const Model old_model = model;
        for (int i = 0; i < 50; ++i) {
          EditAtRandom(rng, 3000, i % 2 == 0, &map, &model);
        }
        ExpectSame(old, old_model);
        ExpectSame(map, model);
      }
    });
  }
  shared = {};
  for (std::thread& thread : threads) thread.join();
}

TEST(PersistentMap, MapsNestAndSetsHaveNoValues) {
  PersistentMap<int, PersistentSet<int>> map;
  for (int i = 0; i < 1000; ++i) map.Edit(i % 7).Edit(i);
  auto old = map;
  map.Edit(3).Erase(3);
  EXPECT_TRUE(old.Find(3)->contains(3));
  EXPECT_FALSE(map.Find(3)->contains(3));
  EXPECT_FALSE(old == map);
  map.Edit(3).Edit(3);
  EXPECT_TRUE(old == map);
  static_assert(sizeof(PersistentSet<int>::Entry) == sizeof(int));
}

}  // namespace
}  // namespace tidemark
