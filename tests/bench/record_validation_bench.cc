// What it costs a leader to read what producers send: per codec, beside the
// checksum that is computed anyway. Bytes are those of the batch as sent; the
// counter unpacked/s is what they unpack to.

#include <benchmark/benchmark.h>

#include <random>

#include "broker/log/record_validation.h"
#include "common/record/batch_builder.h"

namespace tidemark::log {
namespace {

using record::Codec;

// Half of each value is noise, half repeats: packs to about a half.
std::string BatchOf(Codec codec, size_t value_size, size_t bytes) {
  std::mt19937 random(1);
  record::BatchBuilder builder({.codec = codec});
  std::string value(value_size, 'v');
  while (builder.size() < bytes) {
    for (size_t i = 0; i < value_size / 2; ++i) {
      value[i] = static_cast<char>(random());
    }
    builder.Add(1'700'000'000'000, std::nullopt, value);
  }
  return builder.Build();
}

void Validate(benchmark::State& state, const RecordRules& rules) {
  const auto codec = static_cast<Codec>(state.range(0));
  const auto value_size = static_cast<size_t>(state.range(1));
  const std::string batch = BatchOf(codec, value_size, 64 << 10);
  const auto header = record::ParseBatchHeader(batch).value();
  for (auto _ : state) {
    auto verdict = ValidateRecords(batch, header, rules, 1'700'000'000'000);
    if (!verdict) state.SkipWithError("refused");
    benchmark::DoNotOptimize(verdict);
  }
  state.SetBytesProcessed(static_cast<int64_t>(batch.size()) *
                          state.iterations());
  state.counters["unpacked/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * (64 << 10),
      benchmark::Counter::kIsRate, benchmark::Counter::kIs1024);
}

void ReadRecords(benchmark::State& state) { Validate(state, RecordRules()); }
BENCHMARK(ReadRecords)
    ->ArgNames({"codec", "value"})
    ->ArgsProduct({{0, 1, 2, 3, 4}, {100, 1024}});

void StoreAsZstd(benchmark::State& state) {
  RecordRules rules;
  rules.stored_codec = Codec::kZstd;
  Validate(state, rules);
}
BENCHMARK(StoreAsZstd)
    ->ArgNames({"codec", "value"})
    ->ArgsProduct({{0, 1}, {1024}});

void Checksum(benchmark::State& state) {
  const std::string batch = BatchOf(Codec::kNone, 1024, 64 << 10);
  for (auto _ : state) benchmark::DoNotOptimize(record::ComputeCrc(batch));
  state.SetBytesProcessed(static_cast<int64_t>(batch.size()) *
                          state.iterations());
}
BENCHMARK(Checksum);

}  // namespace
}  // namespace tidemark::log

BENCHMARK_MAIN();
