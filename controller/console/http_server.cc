#include "controller/console/http_server.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "controller/console/loop_watch.h"
#include "controller/console/metrics.h"

namespace tidemark::controller {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
constexpr Duration kStuck = std::chrono::seconds(10);

// Runs `ask` on the executor; nothing when it does not come in time.
template <class T>
std::optional<T> Ask(Executor* executor, std::function<T()> ask) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<T> value;
  };
  auto answer = std::make_shared<Answer>();
  executor->Post([answer, ask = std::move(ask)] {
    T value = ask();
    std::lock_guard lock(answer->mutex);
    answer->value = std::move(value);
    answer->came.notify_one();
  });
  std::unique_lock lock(answer->mutex);
  answer->came.wait_for(lock, kPatience,
                        [&] { return answer->value.has_value(); });
  return answer->value;
}

}  // namespace

Result<std::unique_ptr<rpc::HttpEndpoint>> StartHttpServer(
    rpc::HttpSettings settings, Controller* controller, Executor* executor) {
  rpc::HttpEndpoint::Handlers handlers;
  auto watch = std::make_shared<LoopWatch>(executor);
  handlers.alive = [watch]() -> Status {
    if (watch->Silent() < kStuck) return {};
    return Fail(ErrorCode::kRequestTimedOut, "the controller's loop is stuck");
  };
  handlers.ready = [controller, executor]() -> Status {
    auto leader = Ask<NodeId>(
        executor, [controller] { return controller->quorum()->leader(); });
    if (!leader) {
      return Fail(ErrorCode::kRequestTimedOut, "the controller is busy");
    }
    if (*leader != kNoNode) return {};
    return Fail(ErrorCode::kNotController,
                "no leader known: is a majority of the controllers running?");
  };
  handlers.notes = [controller, executor] {
    auto full = Ask<bool>(executor, [controller] {
      return controller->quorum()->status().disk_full;
    });
    return full.value_or(false)
               ? std::string(
                     "the disk is full: this controller neither votes "
                     "nor leads\n")
               : std::string();
  };
  handlers.metrics = [controller, executor, watch] {
    auto view = Ask<MetricsView>(executor, [controller, watch] {
      return MetricsView{controller->committed(),
                         controller->quorum()->status(),
                         controller->active(),
                         controller->feed_subscribers(),
                         controller->feed_queue(),
                         controller->counters(),
                         watch->lag(),
                         controller->LevelOnDisk()};
    });
    return view ? RenderMetrics(*view) : std::string();
  };
  return rpc::HttpEndpoint::Start(std::move(settings), std::move(handlers));
}

}  // namespace tidemark::controller
