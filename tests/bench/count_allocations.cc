// Preloaded into a process, counts what it allocates: the number of its calls
// of malloc and its kind, as eight bytes in the file
// $COUNT_ALLOCATIONS/<pid>.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// glibc's own, under the names it keeps for whoever replaces malloc.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

std::atomic<uint64_t> before_the_file = 0;
std::atomic<uint64_t>* counter = &before_the_file;

void Count() { counter->fetch_add(1, std::memory_order_relaxed); }

__attribute__((constructor)) void Begin() {
  const char* folder = std::getenv("COUNT_ALLOCATIONS");
  if (folder == nullptr) return;
  char path[4096];
  std::snprintf(path, sizeof path, "%s/%d", folder, getpid());
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return;
  if (ftruncate(fd, sizeof *counter) == 0) {
    void* mapped = mmap(nullptr, sizeof *counter, PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) {
      counter = static_cast<std::atomic<uint64_t>*>(mapped);
    }
  }
  close(fd);
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  Count();
  return __libc_realloc(old, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** out, size_t alignment, size_t size) {
  Count();
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}

}  // extern "C"
