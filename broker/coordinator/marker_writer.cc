#include "broker/coordinator/marker_writer.h"

#include <memory>
#include <mutex>
#include <utility>

namespace tidemark::coordinator {
namespace {

using replication::MarkerItem;

// Waits for all parts, on whatever threads they end.
struct Gather {
  std::mutex mutex;
  std::vector<ErrorCode> errors;
  size_t left = 0;
  Executor& on;
  std::function<void(std::vector<ErrorCode>)> done;

  explicit Gather(Executor& executor) : on(executor) {}

  void Set(const std::vector<size_t>& places,
           const std::vector<ErrorCode>& some) {
    std::unique_lock lock(mutex);
    for (size_t i = 0; i < places.size(); ++i) errors[places[i]] = some[i];
    left -= places.size();
    if (left > 0) return;
    lock.unlock();
    on.Post(
        [done = std::move(done), errors = std::move(errors)] { done(errors); });
  }
};

}  // namespace

void WriteMarkersHere(replication::ReplicaManager& replicas,
                      GroupCoordinator& groups, std::vector<MarkerItem> items,
                      Duration timeout, Executor& on,
                      std::function<void(std::vector<ErrorCode>)> done) {
  if (items.empty()) {
    on.Post([done = std::move(done)] { done({}); });
    return;
  }
  auto gather = std::make_shared<Gather>(on);
  gather->errors.resize(items.size());
  gather->left = items.size();
  gather->done = std::move(done);
  std::vector<MarkerItem> plain;
  std::vector<size_t> places;
  for (size_t i = 0; i < items.size(); ++i) {
    MarkerItem& item = items[i];
    if (item.partition.topic != kOffsetsTopic) {
      plain.push_back(std::move(item));
      places.push_back(i);
      continue;
    }
    groups.EndTransaction(
        item.partition.partition,
        {item.producer_id, item.producer_epoch, item.commit,
         item.coordinator_epoch, item.transaction_version},
        [gather, i](ErrorCode error) { gather->Set({i}, {error}); });
  }
  if (plain.empty()) return;
  replicas.AppendMarkers(std::move(plain), timeout, on,
                         [gather, places = std::move(places)](
                             const std::vector<ErrorCode>& errors) {
                           gather->Set(places, errors);
                         });
}

}  // namespace tidemark::coordinator
