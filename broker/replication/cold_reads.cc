#include "broker/replication/cold_reads.h"

#include <utility>

namespace tidemark::replication {
namespace {

// A fetch that is answered with something else before its turn comes will ask
// again, and then finds what was read for it; unless there are too many.
constexpr size_t kMostUnwanted = 64;

}  // namespace

void ColdReads::Read(io::NoWait::Missed missed,
                     std::weak_ptr<const void> wanted,
                     std::function<void(const Status&)> done) {
  Stats::Add(stats_.cold_reads, 1);
  waiting_->fetch_add(1);
  readers_[next_++ % readers_.size()]->Post(
      [&shard = shard_, waiting = waiting_, missed = std::move(missed), wanted,
       done = std::move(done)]() mutable {
        const size_t were_waiting = waiting->fetch_sub(1);
        if (wanted.expired() && were_waiting > kMostUnwanted) return;
        Status read = io::ReadMissed(std::exchange(missed, {}));
        shard.Post([wanted, done = std::move(done), read = std::move(read)] {
          if (!wanted.expired()) done(read);
        });
      });
}

}  // namespace tidemark::replication
