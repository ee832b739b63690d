#include "tests/sim/quorum/network.h"

#include <algorithm>
#include <string>

namespace tidemark::sim {
namespace {

constexpr uint64_t kMinPauseUs = 50'000, kMaxPauseUs = 500'000;
constexpr auto kDeadAfter = std::chrono::seconds(2);
constexpr size_t kKept = 8;  // messages, while there is no stream

uint64_t Digest(const raft::Message& message) {
  uint64_t digest = static_cast<uint64_t>(message.type);
  for (uint64_t part :
       {static_cast<uint64_t>(message.from), static_cast<uint64_t>(message.to),
        message.term, message.index, message.log_term, message.commit,
        message.context, uint64_t{message.reject}, message.entries.size(),
        message.snapshot.position})
    digest = Fold(digest, part);
  return digest;
}

}  // namespace

class Network::Link final : public quorum::PeerLink,
                            public std::enable_shared_from_this<Link> {
 public:
  Link(Network& network, Loop& loop, uint64_t life, NodeId from, NodeId to,
       raft::v1::Hello hello)
      : network_(network),
        loop_(loop),
        number_(network.next_link_++),
        life_(life),
        from_(from),
        to_(to),
        hello_(std::move(hello)) {
    network_.links_[number_] = this;
  }
  ~Link() override {
    network_.links_.erase(number_);
    if (open() && network_.Find(from_, life_) != nullptr) EndThere();
  }

  void Connect() override;
  void Send(const raft::Message& message) override;
  void SetHello(raft::v1::Hello hello) override { hello_ = std::move(hello); }
  void Heard() override { unanswered_ = false; }
  void Tick() override;
  uint64_t dropped() const override { return dropped_; }

  // In this process: the other one has said yes; the stream is gone.
  void Established(uint64_t stream, uint64_t there);
  void Ended(uint64_t stream);
  // There: it is gone.
  void EndThere() { network_.EndAt(to_, there_, sender(), stream_); }
  // Calls Ended in a while, unless this process ends before.
  void EndAfter(uint64_t us, uint64_t stream);
  void EndAfter(uint64_t us) { EndAfter(us, stream_); }

  bool open() const { return there_ != 0; }
  NodeId from() const { return from_; }
  NodeId to() const { return to_; }
  uint64_t there() const { return there_; }
  Loop& loop() { return loop_; }
  const raft::v1::Hello& said() const { return said_; }
  Sender sender() const {
    return {from_, Uuid::FromBytes(said_.directory_id()).value_or(Uuid())};
  }

 private:
  void Deliver(const raft::Message& message);

  Network& network_;
  Loop& loop_;
  const uint64_t number_;
  const uint64_t life_;  // of this side
  const NodeId from_, to_;
  raft::v1::Hello hello_, said_;
  uint64_t stream_ = 0;  // 0: there is none
  uint64_t there_ = 0;   // life of the other side, once it is open
  bool waiting_ = false;
  uint64_t pause_us_ = kMinPauseUs;
  uint64_t dropped_ = 0;
  bool unanswered_ = false;
  Instant since_{};
  std::deque<raft::Message> kept_;
};

void Network::Link::Connect() {
  if (stream_ != 0) return;
  stream_ = network_.next_stream_++;
  said_ = hello_;
  const uint64_t stream = stream_;
  network_.timeline_.At(network_.Delay(), [weak = weak_from_this(), stream] {
    auto link = weak.lock();
    if (link && link->stream_ == stream) link->network_.Meet(link, stream);
  });
}

void Network::Link::Send(const raft::Message& message) {
  if (!unanswered_) {
    unanswered_ = true;
    since_ = loop_.Now();
  }
  if (open()) return Deliver(message);
  kept_.push_back(message);
  if (kept_.size() <= kKept) return;
  kept_.pop_front();
  ++dropped_;
}

void Network::Link::Deliver(const raft::Message& message) {
  Random& random = network_.timeline_.random;
  if (network_.IsCut(from_, to_)) return;
  if (random.Chance(network_.drop_percent)) return;
  const int copies = random.Chance(network_.duplicate_percent) ? 2 : 1;
  auto sent = std::make_shared<raft::Message>(message);
  sent->from_directory = sender().second;
  sent->to_directory =
      Uuid::FromBytes(said_.to_directory_id()).value_or(Uuid());
  for (int i = 0; i < copies; ++i) {
    network_.timeline_.At(
        network_.Delay(), [&network = network_, to = to_, there = there_, sent,
                           weak = weak_from_this(), stream = stream_] {
          Place* place = network.Find(to, there);
          if (place == nullptr) {
            // Whoever is there now does not know the connection.
            auto link = weak.lock();
            if (link && network.places_[to].life != 0)
              link->EndAfter(network.Delay(), stream);
            return;
          }
          network.timeline_.Note(Digest(*sent));
          place->endpoint.loop->Arrive([weak = place->endpoint.inbox, sent] {
            if (auto inbox = weak.lock()) inbox->Receive(*sent);
          });
        });
  }
}

void Network::Link::Tick() {
  if (stream_ == 0 || !unanswered_) return;
  if (loop_.Now() - since_ < kDeadAfter) return;
  if (open() && !network_.IsCut(from_, to_)) EndThere();
  Ended(stream_);
}

void Network::Link::Established(uint64_t stream, uint64_t there) {
  if (stream_ != stream) return;
  there_ = there;
  pause_us_ = kMinPauseUs;
  unanswered_ = false;
  for (const raft::Message& message : std::exchange(kept_, {}))
    Deliver(message);
}

void Network::Link::EndAfter(uint64_t us, uint64_t stream) {
  loop_.After(us, [weak = weak_from_this(), stream, this] {
    if (!weak.lock()) return;
    loop_.Arrive([weak, stream] {
      if (auto link = weak.lock()) link->Ended(stream);
    });
  });
}

void Network::Link::Ended(uint64_t stream) {
  if (stream_ != stream || stream == 0) return;
  stream_ = there_ = 0;
  unanswered_ = false;
  if (std::exchange(waiting_, true)) return;
  loop_.PostAfter(std::chrono::microseconds(pause_us_),
                  [weak = weak_from_this()] {
                    auto link = weak.lock();
                    if (!link) return;
                    link->waiting_ = false;
                    link->Connect();
                  });
  pause_us_ = std::min(pause_us_ * 2, kMaxPauseUs);
}

class Network::LinkTransport final : public quorum::Transport {
 public:
  LinkTransport(Network& network, NodeId from)
      : network_(network), from_(from) {}
  std::shared_ptr<quorum::PeerLink> Open(const quorum::Voter& peer,
                                         raft::v1::Hello hello) override {
    const Place& here = network_.places_[from_];
    return std::make_shared<Link>(network_, *here.endpoint.loop, here.life,
                                  from_, static_cast<NodeId>(peer.port),
                                  std::move(hello));
  }

 private:
  Network& network_;
  const NodeId from_;
};

std::unique_ptr<quorum::Transport> Network::MakeTransport(NodeId from) {
  return std::make_unique<LinkTransport>(*this, from);
}

Network::Place* Network::Find(NodeId id, uint64_t life) {
  auto found = places_.find(id);
  if (found == places_.end() || life == 0 || found->second.life != life)
    return nullptr;
  return &found->second;
}

void Network::Listen(Endpoint endpoint) {
  Place& place = places_[endpoint.admission.self];
  place.life = next_life_++;
  place.endpoint = std::move(endpoint);
  place.newest.clear();
}

// Who is gone for good takes its own streams with it; those that do not notice
// see it when nothing is answered any more.
void Network::Die(NodeId id) {
  const uint64_t life = std::exchange(places_[id].life, 0);
  for (auto& [unused, link] : links_) {
    // While it is said Hello to, it is waited for.
    if (link->open() && !timeline_.random.Chance(70)) continue;
    if (link->from() == id) {
      if (link->open()) link->EndThere();
    } else if (link->to() == id && (link->there() == life || !link->open())) {
      link->EndAfter(timeline_.random.Between(100, 5'000));
    }
  }
}

void Network::Reset(NodeId from, NodeId to) {
  for (auto& [unused, link] : links_) {
    if (link->from() != from || link->to() != to || !link->open()) continue;
    link->EndThere();
    link->EndAfter(timeline_.random.Between(100, 5'000));
  }
}

void Network::EndAt(NodeId to, uint64_t life, const Sender& from,
                    uint64_t stream) {
  timeline_.At(
      timeline_.random.Between(100, 5'000), [this, to, life, from, stream] {
        Place* place = Find(to, life);
        if (place == nullptr) return;
        // A newer stream has taken over: nothing is lost.
        auto newest = place->newest.find(from);
        if (newest == place->newest.end() || newest->second != stream) return;
        place->newest.erase(newest);
        place->endpoint.loop->Arrive([weak = place->endpoint.inbox, from] {
          if (auto inbox = weak.lock())
            inbox->StreamEnded(from.first, from.second);
        });
      });
}

void Network::Meet(const std::shared_ptr<Link>& link, uint64_t stream) {
  const NodeId from = link->from(), to = link->to();
  auto found = places_.find(to);
  // Nothing answers; or a process that is not there refuses at once.
  if (IsCut(from, to) || IsCut(to, from)) return link->EndAfter(kMaxPauseUs);
  if (found == places_.end() || found->second.life == 0)
    return link->EndAfter(Delay());
  Place& place = found->second;
  if (!place.endpoint.admission.Refuse(link->said()).empty())
    return link->EndAfter(Delay());
  place.endpoint.loop->Arrive([this, weak = std::weak_ptr(link), stream,
                               inbox = place.endpoint.inbox, life = place.life,
                               hello = link->said()] {
    auto open = inbox.lock();
    if (!open) return;
    open->Meet(hello, [this, weak, stream, life, hello](const Status& status) {
      Met(weak, stream, life, hello, status);
    });
  });
}

void Network::Met(const std::weak_ptr<Link>& weak, uint64_t stream,
                  uint64_t life, const raft::v1::Hello& hello,
                  const Status& status) {
  auto link = weak.lock();
  if (!link) return;
  Place* place = Find(link->to(), life);
  if (place == nullptr || !status) return link->EndAfter(Delay(), stream);
  const Sender from = {hello.from(),
                       Uuid::FromBytes(hello.directory_id()).value_or(Uuid())};
  uint64_t& newest = place->newest[from];
  newest = std::max(newest, stream);
  place->endpoint.loop->Post([inbox = place->endpoint.inbox, from] {
    if (auto open = inbox.lock()) open->StreamBegan(from.first, from.second);
  });
  link->loop().After(Delay(), [weak, stream, life, &loop = link->loop()] {
    if (!weak.lock()) return;
    loop.Arrive([weak, stream, life] {
      if (auto open = weak.lock()) open->Established(stream, life);
    });
  });
}

}  // namespace tidemark::sim
