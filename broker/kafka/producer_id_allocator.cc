#include "broker/kafka/producer_id_allocator.h"

#include <utility>

#include "broker/metadata/controller_client.h"

namespace tidemark::server {
namespace {

// Ids left in a block when the next is asked for.
constexpr int64_t kFetchBelow = 200;

}  // namespace

void ProducerIdAllocator::Next(Done done) {
  std::unique_lock lock(mutex_);
  if (current_.left() == 0) current_ = std::exchange(spare_, {});
  const bool fetch =
      !fetching_ && spare_.left() == 0 && current_.left() <= kFetchBelow;
  fetching_ = fetching_ || fetch;
  if (current_.left() == 0) {
    waiting_.push_back(std::move(done));
    lock.unlock();
    if (fetch) Fetch();
    return;
  }
  const ProducerId id = current_.next++;
  lock.unlock();
  if (fetch) Fetch();
  done(id);
}

void ProducerIdAllocator::Fetch() {
  controller_.AllocateProducerIds([this](Result<controller::v1::
                                                    AllocateProducerIdsResponse>
                                             response) {
    if (!response) return OnBlock(Fail(response.error()));
    OnBlock(Block{response->first(), response->first() + response->count()});
  });
}

void ProducerIdAllocator::OnBlock(Result<Block> block) {
  std::unique_lock lock(mutex_);
  fetching_ = false;
  if (block) (current_.left() == 0 ? current_ : spare_) = *block;
  std::vector<std::pair<Done, Result<ProducerId>>> answers;
  std::vector<Done> still_waiting;
  for (Done& done : std::exchange(waiting_, {})) {
    if (!block) {
      answers.emplace_back(
          std::move(done),
          Fail(ErrorCode::kCoordinatorLoadInProgress, block.error().message));
    } else if (current_.left() > 0) {
      answers.emplace_back(std::move(done), current_.next++);
    } else {
      still_waiting.push_back(std::move(done));
    }
  }
  waiting_ = std::move(still_waiting);
  const bool fetch = !waiting_.empty() && block && block->left() > 0;
  fetching_ = fetch;
  if (!fetch) {
    // An empty block would be asked for again and again.
    for (Done& done : std::exchange(waiting_, {})) {
      answers.emplace_back(std::move(done),
                           Fail(ErrorCode::kCoordinatorLoadInProgress));
    }
  }
  lock.unlock();
  if (fetch) Fetch();
  for (auto& [done, answer] : answers) done(std::move(answer));
}

}  // namespace tidemark::server
