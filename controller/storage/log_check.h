#pragma once

#include <cstddef>
#include <string_view>

namespace tidemark::storage {

// Whether a file of RocksDB's log format (its write-ahead logs and its
// MANIFEST) still holds all that was synced to it. RocksDB itself takes some
// flipped bytes for the end of the log, so that what follows them would be
// rolled back in silence: a length that now reaches beyond the file, a type
// that now belongs to a recycled log.
//
// The format is LevelDB's: blocks of 32 KiB of records, each a masked CRC-32C
// (4 bytes) of type and data, a length (2), a type (1: whole, 2: first, 3:
// middle, 4: last part) and the data; what is left at the end of a block and
// too short for a header is zero. Compressed and recycled logs are not known.
struct LogVerdict {
  enum class Kind {
    kWhole,
    // The last write is there up to some byte: it was never synced. RocksDB
    // drops it.
    kCut,
    // The last write lacks sectors that never came to the disk: not synced
    // either. RocksDB takes it for damage.
    kTorn,
    // Bytes that were synced have changed.
    kDamaged,
  };
  Kind kind = Kind::kWhole;
  size_t at = 0;  // of the first record that is not whole
};

// `bytes`: the whole file.
LogVerdict CheckLog(std::string_view bytes);

}  // namespace tidemark::storage
