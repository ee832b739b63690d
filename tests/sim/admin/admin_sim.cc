#include "tests/sim/admin/admin_sim.h"

#include <glog/logging.h>

#include <map>
#include <memory>
#include <utility>

#include "common/metadata/features.h"
#include "common/metadata/image.h"
#include "common/metadata/snapshot.h"
#include "controller/quorum/node.h"
#include "tests/sim/admin/clients.h"
#include "tests/sim/quorum/network.h"
#include "tests/sim/quorum/platter.h"

namespace tidemark::sim {
namespace {

namespace rpc_v1 = tidemark::controller::v1;
using controller::Controller;
using controller::ControllerOptions;

constexpr char kCluster[] = "simulated";
constexpr int kClients = 4;
constexpr uint64_t kHealUs = 10'000'000;

struct Silent final : controller::FeedSink {
  void Send(controller::FeedBytes) override {}
  void Close(const Error&) override {}
};

// One life of a controller process.
struct Life {
  Life(Timeline& timeline, Platter& platter, ControllerOptions options)
      : loop(timeline, 1, 0),
        background(timeline, 1, 0, 300'000),
        disk(timeline, loop, platter, false, [](const raft::Snapshot&) {}),
        controller(std::move(options), &loop,
                   {[&random = timeline.random] {
                      Uuid id;
                      for (auto& byte : id.bytes)
                        byte = static_cast<uint8_t>(random.Below(256));
                      return id;
                    },
                    [&random = timeline.random](size_t bound) {
                      return random.Below(bound);
                    }}) {}

  Loop loop, background;
  SimDisk disk;
  std::unique_ptr<quorum::Transport> transport;
  Controller controller;
  std::unique_ptr<quorum::Node> node;
};

struct Place {
  quorum::Options options;
  io::MetaProperties meta;
  Platter platter;
  std::unique_ptr<Life> life;  // nullptr: it is down
  uint64_t led = 0;            // by those that ended
};

// A broker that is never lost: replicas have to be somewhere.
ControllerOptions OptionsOf(NodeId id) {
  ControllerOptions options;
  options.self = id;
  options.settings.cluster_id = kCluster;
  options.liveness.session = std::chrono::hours(100);
  options.liveness.reconnect_grace = std::chrono::hours(100);
  options.liveness.suspicion = std::chrono::hours(100);
  options.bootstrap_levels = {
      {std::string(metadata::kMetadataVersion), metadata::kNewestLevel}};
  return options;
}

class AdminSim final : public Processes {
 public:
  explicit AdminSim(const AdminSimOptions& options)
      : options_(options),
        timeline_(options.seed),
        random_(timeline_.random),
        network_(timeline_),
        clients_(timeline_, *this, kClients),
        faults_left_(options.faults) {
    const uint64_t every = random_.Between(5, 60);
    raft::Members members;
    for (NodeId id = 1; id <= options_.nodes; ++id) {
      Uuid directory;
      directory.bytes[15] = static_cast<uint8_t>(id);
      members.Put({id, directory, true, "sim", static_cast<uint16_t>(id)});
    }
    const auto first = std::make_shared<const raft::Members>(members);
    for (const auto& [id, member] : members.all()) {
      Place& place = places_[id];
      place.meta = {kCluster, id, member.directory};
      place.options.self = id;
      place.options.directory = "disk-" + std::to_string(id);
      place.options.host = "sim";
      place.options.port = member.port;
      place.options.snapshot_every_entries = every;
      place.options.snapshot_slack_entries = random_.Below(every);
      place.platter.raft.Format(first);
      Start(id);
    }
  }

  AdminSimResult Run() {
    timeline_.At(0, [this] { BringBroker(); });
    uint64_t deadline = UINT64_MAX;
    while (!result_.failure && !timeline_.empty() && !over_) {
      timeline_.RunNext();
      ++result_.events;
      if (!healed_) continue;
      if (deadline == UINT64_MAX)
        deadline = timeline_.now() + kHealUs + 3'000'000;  // of a pause
      if (clients_.Finished() && AllEqual()) over_ = true;
      if (timeline_.now() > deadline)
        Fail(clients_.Finished()
                 ? "C-27: ten seconds after everything was healed the "
                   "controllers have not the same metadata"
                 : "R-27: ten seconds after everything was healed somebody "
                   "has no answer");
    }
    if (const std::string why = clients_.Check(); !why.empty()) Fail(why);
    for (auto& [id, place] : places_) Kill(id);
    for (auto& [id, place] : places_) result_.leaders += place.led;
    result_.answered = clients_.answered();
    result_.unknown = clients_.unknown();
    result_.again = clients_.again();
    result_.digest = timeline_.digest();
    return result_;
  }

  int count() const override { return options_.nodes; }
  NodeId Active() override {
    for (const auto& [id, place] : places_)
      if (place.life && place.life->controller.active()) return id;
    return kNoNode;
  }
  void Send(NodeId to, uint64_t deadline_us,
            std::function<void(Controller&)> call) override {
    if (IsLost()) return;
    timeline_.At(Delay(), [this, to, deadline_us, call = std::move(call)] {
      Life* life = places_.at(to).life.get();
      if (life == nullptr) return;
      life->loop.Arrive([this, life, deadline_us, call] {
        if (timeline_.now() < deadline_us) call(life->controller);
      });
    });
  }
  void Answer(std::function<void()> task) override {
    if (!IsLost()) timeline_.At(Delay(), std::move(task));
  }

 private:
  bool IsLost() { return !healed_ && random_.Chance(5); }
  uint64_t Delay() {
    // Some come late, after who has asked has asked again.
    return !healed_ && random_.Chance(3) ? random_.Between(0, 5'000'000)
                                         : random_.Between(50, 5'000);
  }

  void Fail(const std::string& what) {
    if (result_.failure) return;
    result_.failure = "seed " + std::to_string(options_.seed) + ", " +
                      std::to_string(options_.nodes) + " nodes, at " +
                      std::to_string(timeline_.now() / 1000) + " ms: " + what;
  }

  void Start(NodeId id) {
    Place& place = places_[id];
    place.options.seed = random_.Next() | 1;
    place.life =
        std::make_unique<Life>(timeline_, place.platter, OptionsOf(id));
    Life& life = *place.life;
    life.transport = network_.MakeTransport(id);
    life.node = std::make_unique<quorum::Node>(
        place.options, place.meta,
        quorum::Node::World{life.loop, life.background, life.disk,
                            *life.transport,
                            [this, id, &life](const std::string&) {
                              life.loop.After(0, [this, id] { Kill(id); });
                            }},
        life.controller, place.platter.Find());
    life.controller.Attach(life.node.get());
    network_.Listen({&life.loop,
                     {kCluster, id, place.meta.directory_id},
                     life.node->inbox()});
    life.loop.After(random_.Below(50'000), [&life] { life.node->Start(); });
    timeline_.Note(static_cast<uint64_t>(id));
  }

  void Kill(NodeId id) {
    Place& place = places_[id];
    if (!place.life) return;
    place.led += place.life->controller.counters().became_active;
    place.life->disk.LosePower();
    network_.Die(id);
    place.life.reset();
    timeline_.Note(static_cast<uint64_t>(id) + 1000);
  }

  // Registers it and has it unfenced; then everything else begins.
  void BringBroker() {
    const NodeId active = Active();
    timeline_.At(20'000, [this, active] {
      if (active == kNoNode || !Bring(active)) return BringBroker();
      clients_.Start();
      timeline_.At(500'000, [this] { Fault(); });
    });
  }
  static Uuid IncarnationOf(NodeId broker) {
    Uuid incarnation;
    incarnation.bytes[0] = static_cast<uint8_t>(broker);
    return incarnation;
  }
  static void Register(Controller& controller, NodeId broker) {
    rpc_v1::RegisterRequest request;
    request.set_cluster_id(kCluster);
    request.set_broker_id(broker);
    request.set_incarnation_id(IncarnationOf(broker).ToBytes());
    request.add_directory_ids(IncarnationOf(broker).ToBytes());
    request.set_previous_broker_epoch(-1);
    auto* endpoint = request.add_endpoints();
    endpoint->set_name("PLAINTEXT");
    endpoint->set_host("h");
    endpoint->set_port(9092);
    controller.Call(request, controller::Reply<rpc_v1::RegisterResponse>(
                                 [](const auto&) {}));
  }
  // One step of it; true: it is there.
  bool Bring(NodeId active) {
    if (!places_.at(active).life) return false;
    Controller& controller = places_.at(active).life->controller;
    for (const NodeId down : kBrokersDown) {
      if (controller.committed()->FindBroker(down) == nullptr) {
        Register(controller, down);
        return false;
      }
    }
    const auto* broker = controller.committed()->FindBroker(kBroker);
    if (broker != nullptr && !broker->fenced) return true;
    const Uuid incarnation = IncarnationOf(kBroker);
    if (broker == nullptr) {
      Register(controller, kBroker);
      return false;
    }
    rpc_v1::SubscribeRequest feed;
    feed.set_broker_id(kBroker);
    feed.set_cluster_id(kCluster);
    feed.set_incarnation_id(incarnation.ToBytes());
    (void)controller.Subscribe(feed, std::make_shared<Silent>());
    rpc_v1::HeartbeatRequest beat;
    beat.set_broker_id(kBroker);
    beat.set_broker_epoch(broker->epoch);
    beat.set_metadata_offset(controller.committed()->offset());
    controller.Call(
        beat, controller::Reply<rpc_v1::HeartbeatResponse>([](const auto&) {}));
    return false;
  }

  NodeId Any() {
    return static_cast<NodeId>(
        1 + random_.Below(static_cast<uint64_t>(options_.nodes)));
  }

  void Fault() {
    if (faults_left_-- <= 0) return Heal();
    // Often who leads: what is on its way there is what may come twice.
    const NodeId leads = Active();
    const NodeId a = leads != kNoNode && random_.Chance(50) ? leads : Any();
    Place& place = places_[a];
    switch (random_.Below(9)) {
      case 0:
      case 1:
        Kill(a);
        timeline_.At(random_.Between(10'000, 3'000'000), [this, a] {
          if (!places_[a].life) Start(a);
        });
        break;
      case 2:
        for (NodeId other = 1; other <= options_.nodes; ++other) {
          if (other == a) continue;
          if (random_.Chance(70)) network_.cuts.insert({a, other});
          if (random_.Chance(70)) network_.cuts.insert({other, a});
        }
        break;
      case 3:
        network_.cuts.clear();
        break;
      case 4:
        network_.drop_percent = random_.Chance(50) ? 0 : random_.Between(1, 20);
        network_.duplicate_percent = random_.Chance(50) ? 0 : 10;
        break;
      case 5:
        if (place.life) {
          const uint64_t lasts = random_.Between(100'000, 3'000'000);
          place.life->loop.Pause(lasts);
          place.life->background.Pause(lasts);
        }
        break;
      case 6:
        if (place.life) (void)place.life->node->Transfer(Any());
        break;
      case 7:
        place.platter.hung_until =
            timeline_.now() + random_.Between(300'000, 5'000'000);
        break;
      case 8:
        network_.Reset(a, Any());
        break;
    }
    timeline_.At(random_.Between(20'000, 1'500'000), [this] { Fault(); });
  }

  void Heal() {
    healed_ = true;
    network_.cuts.clear();
    network_.drop_percent = network_.duplicate_percent = 0;
    for (auto& [id, place] : places_) {
      place.platter.hung_until = 0;
      if (!place.life) Start(id);
    }
    clients_.Finish();
  }

  bool AllEqual() {
    metadata::ImagePtr first;
    for (const auto& [id, place] : places_) {
      if (!place.life) return false;
      const auto image = place.life->controller.committed();
      if (!first) first = image;
      if (image->offset() != first->offset()) return false;
      if (metadata::Equal(*image, *first)) continue;
      Fail("C-27: controller " + std::to_string(id) +
           " has other metadata at offset " + std::to_string(image->offset()));
    }
    return true;
  }

  const AdminSimOptions options_;
  Timeline timeline_;
  Random& random_;
  Network network_;
  std::map<NodeId, Place> places_;
  AdminClients clients_;
  int faults_left_;
  bool healed_ = false, over_ = false;
  AdminSimResult result_;
};

}  // namespace

AdminSimResult RunAdminSim(const AdminSimOptions& options) {
  return AdminSim(options).Run();
}

}  // namespace tidemark::sim
