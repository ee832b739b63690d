#include "tests/sim/cluster/peer_calls.h"

#include <algorithm>
#include <utility>

#include "broker/kafka/handlers/handlers.h"
#include "broker/log/transaction.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/write_txn_markers.h"
#include "tests/sim/cluster/kafka_client.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr int16_t kMarkersVersion = 2;
constexpr int16_t kAddVersion = 5;
// Shorter than in production, so that more is asked twice.
constexpr Duration kMarkersLimit = seconds(4);
constexpr Duration kAddLimit = seconds(2);

class SimPeerCalls final : public coordinator::PeerCalls {
 public:
  SimPeerCalls(Machine& machine, const Process& process, Executor& executor)
      : machine_(machine), process_(process), executor_(executor) {}
  ~SimPeerCalls() override {
    for (auto* links : {&for_markers_, &for_questions_}) {
      for (auto& [broker, link] : *links) link->Close();
    }
  }

  Executor& executor() override { return executor_; }

  void WriteMarkers(NodeId broker, kafka::WriteTxnMarkersRequest request,
                    Answered<kafka::WriteTxnMarkersResponse> done) override {
    const bool repeatable =
        std::ranges::all_of(request.markers, [](const auto& marker) {
          return marker.transaction_version >= log::kEpochPerTransaction;
        });
    if (repeatable && machine_.scheduler().Chance(50)) Repeat(broker, request);
    // Or it is late, perhaps too late: somebody else coordinates by then, and
    // only the coordinator's epoch tells it from one that is in time.
    Later(repeatable ? 20 : 80, milliseconds(800),
          [this, broker, request, done] {
            Ask<kafka::WriteTxnMarkersResponse>(
                LinkTo(broker, for_markers_), server::HandleWriteTxnMarkers,
                kMarkersVersion, request, kMarkersLimit, done);
          });
  }

  void AddPartitions(
      NodeId broker, kafka::AddPartitionsToTxnRequest request,
      Answered<kafka::AddPartitionsToTxnResponse> done) override {
    // The answer may be old when it is heard.
    Ask<kafka::AddPartitionsToTxnResponse>(
        LinkTo(broker, for_questions_), server::HandleAddPartitionsToTxn,
        kAddVersion, std::move(request), kAddLimit,
        [this, done](Result<kafka::AddPartitionsToTxnResponse> response) {
          Later(60, milliseconds(60), [done, response] { done(response); });
        });
  }

 private:
  void Later(int per_mille, Duration most, Executor::Task task) {
    Scheduler& scheduler = machine_.scheduler();
    if (!scheduler.Chance(per_mille)) return task();
    executor_.PostAfter(scheduler.Between(milliseconds(1), most),
                        std::move(task));
  }
  using Links = std::map<NodeId, std::shared_ptr<Connection>>;

  std::shared_ptr<Connection> Connect(NodeId broker) {
    return std::make_shared<Connection>(
        machine_.network(),
        Connection::Caller{machine_.id(), &process_, &executor_}, broker,
        machine_.peer());
  }
  std::shared_ptr<Connection> LinkTo(NodeId broker, Links& links) {
    auto& link = links[broker];
    if (link == nullptr || link->failed()) link = Connect(broker);
    return link;
  }
  template <class Response, class Request>
  void Ask(const std::shared_ptr<Connection>& link,
           Handler<Request, Response> handler, int16_t version, Request request,
           Duration limit, Answered<Response> done) {
    link->Send(limit,
               ServeBy<Request, Response>(
                   handler, version, std::move(request),
                   [done](Response response) { done(std::move(response)); }),
               [done, weak = std::weak_ptr(link)] {
                 const auto broken = weak.lock();
                 const bool refused = broken != nullptr && broken->refused();
                 done(Fail(refused ? ErrorCode::kBrokerNotAvailable
                                   : ErrorCode::kNetworkException));
               });
    Scheduler& scheduler = machine_.scheduler();
    if (!scheduler.Chance(20)) return;
    executor_.PostAfter(machine_.network().Delay() * 2,
                        [link] { link->Close(); });
  }
  void Repeat(NodeId broker, const kafka::WriteTxnMarkersRequest& request) {
    executor_.PostAfter(
        machine_.scheduler().Between(milliseconds(1), seconds(3)),
        [this, broker, request] {
          const auto link = Connect(broker);
          link->Send(kMarkersLimit,
                     ServeBy<kafka::WriteTxnMarkersRequest,
                             kafka::WriteTxnMarkersResponse>(
                         server::HandleWriteTxnMarkers, kMarkersVersion,
                         request, [](const auto&) {}),
                     [] {});
        });
  }

  Machine& machine_;
  const Process& process_;
  Executor& executor_;
  Links for_markers_, for_questions_;
};

}  // namespace

std::unique_ptr<coordinator::PeerCalls> MakePeerCalls(Machine& machine,
                                                      const Process& process,
                                                      Executor& executor) {
  return std::make_unique<SimPeerCalls>(machine, process, executor);
}

}  // namespace tidemark::sim
