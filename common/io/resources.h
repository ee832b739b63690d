#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/error_code.h"

// What the system gives this process.
namespace tidemark::io {

// kOutOfSpace and kOutOfHandles for an `errno` that says so, otherwise
// kKafkaStorageError.
ErrorCode CodeOfErrno(int error);

// Raises the soft limit of this process's open files (RLIMIT_NOFILE) to the
// hard one, which is as far as it may go by itself. The limit in force after
// that. Call it before threads start.
size_t RaiseDescriptorLimit();

// The limit in force.
size_t DescriptorLimit();

// Bytes of memory this process may have: the machine's, or less where a control
// group says so.
uint64_t MemoryLimit();

// A setting of bytes of memory; below 0: an eighth of what there may be.
size_t MemoryShare(int64_t setting);

// Another one each time the machine starts; empty where the system has none.
std::string BootId();

}  // namespace tidemark::io
