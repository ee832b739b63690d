#pragma once

#include <cstdint>
#include <string>

#include "broker/log/log.h"
#include "common/base/ids.h"

namespace tidemark::fuzz {

inline constexpr int64_t kNow = 1'700'000'000'000;

// A batch; with `producer` >= 0 that producer's, from sequence `first` on.
std::string SomeRecords(int first, int count, ProducerId producer);

// Makes the checksums of the batches in `segment` right, up to what is no
// batch: as a bug of whoever wrote them would have them. Without, hardly any
// spoiled batch is looked at closely.
void CorrectChecksums(std::string* segment);

// Reads as a partition does, in pieces of `max_bytes`. Returns where the first
// thing at or behind `from` is that is not as it was written: the end of the
// log when nothing is. A compacted log has gaps.
Offset ReadUntilWrong(log::Log& log, Offset from, size_t max_bytes,
                      bool compacted);

}  // namespace tidemark::fuzz
