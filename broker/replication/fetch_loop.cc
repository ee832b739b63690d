#include "broker/replication/fetch_loop.h"

#include <algorithm>

namespace tidemark::replication {

namespace {

// Together 20 + 40 + 80 + 160 ms by default: longer than metadata takes.
constexpr int kEagerRetries = 4;

// What a leader answers that has not heard of the epoch yet.
bool LeaderMayBeLate(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kUnknownLeaderEpoch:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kUnknownTopicOrPartition:
      return true;
    default:
      return false;
  }
}

void Earliest(std::optional<Instant>* wake, Instant at) {
  if (!*wake || at < **wake) *wake = at;
}

bool SamePlace(const AskedWith& a, const AskedWith& b) {
  return a.leader_epoch == b.leader_epoch && a.fetch_offset == b.fetch_offset &&
         a.last_fetched_epoch == b.last_fetched_epoch;
}

}  // namespace

FetchLoop::FetchLoop(const FetcherOptions& options, NodeId leader)
    : options_(options),
      leader_(leader),
      reconnect_backoff_(options.reconnect_min) {}

void FetchLoop::Add(const TopicPartition& name, const Uuid& topic_id) {
  const auto [it, added] = partitions_.try_emplace(name);
  State& state = it->second;
  Undelay(name, state);
  if (!added && state.topic_id != topic_id) {
    LeaveSession(name, state);
    UncountTopic(state.topic_id);
  }
  if (added || state.topic_id != topic_id) CountTopic(topic_id, name.topic);
  state.topic_id = topic_id;
  state.backoff = Duration::zero();
  state.eager = kEagerRetries;
  forgotten_.erase({name, topic_id});
  dirty_.insert(name);
  recall_wanted_ = true;
  unflushed_.clear();  // a new epoch waits for nothing
}

void FetchLoop::Remove(const TopicPartition& name) {
  const auto it = partitions_.find(name);
  if (it == partitions_.end()) return;
  Undelay(name, it->second);
  LeaveSession(name, it->second);
  UncountTopic(it->second.topic_id);
  partitions_.erase(it);
  dirty_.erase(name);
  to_report_.erase(name);
  unflushed_.erase(name);
}

void FetchLoop::Flushed(const TopicPartition& name, Instant now) {
  if (!partitions_.contains(name)) return;
  if (unflushed_.erase(name) > 0 && unflushed_.empty()) {
    disk_is_slow_ = now - unflushed_since_ > options_.hold;
  }
  (fetch_out_ ? to_report_ : dirty_).insert(name);
}

void FetchLoop::Resume(const TopicPartition& name, bool moved, Instant now) {
  const auto it = partitions_.find(name);
  if (it == partitions_.end()) return;
  State& state = it->second;
  if (!moved) return Delay(name, state, false, now);
  Undelay(name, state);
  state.backoff = Duration::zero();
  forgotten_.erase({name, state.topic_id});
  dirty_.insert(name);
  recall_wanted_ = true;
  unflushed_.erase(name);
}

void FetchLoop::Pause(const TopicPartition& name, Instant until) {
  const auto it = partitions_.find(name);
  if (it == partitions_.end()) return;
  State& state = it->second;
  LeaveSession(name, state);
  Undelay(name, state);
  state.recalls = false;
  state.delayed_until = until;
  delayed_.emplace(until, name);
}

FetchLoop::Ready FetchLoop::Take(Instant now, BrokerEpoch broker_epoch,
                                 const PositionOf& position) {
  Ready ready;
  WakeDelayed(now);
  if (now < fetch_not_before_) {
    if (!partitions_.empty()) Earliest(&ready.wake, fetch_not_before_);
  } else if (!fetch_out_ && !IsHeld(now, &ready)) {
    BuildFetch(broker_epoch, position, &ready);
  }
  if (now < report_not_before_) {
    if (!to_report_.empty() || recall_wanted_) {
      Earliest(&ready.wake, report_not_before_);
    }
  } else if (fetch_out_ && !report_out_) {
    BuildReport(broker_epoch, Recalls(now, &ready), position, &ready);
  }
  if (!delayed_.empty()) Earliest(&ready.wake, delayed_.begin()->first);
  return ready;
}

bool FetchLoop::IsHeld(Instant now, Ready* ready) {
  if (unflushed_.empty() || disk_is_slow_) return false;
  const Instant until = unflushed_since_ + options_.hold;
  disk_is_slow_ = now >= until;
  if (!disk_is_slow_) Earliest(&ready->wake, until);
  return !disk_is_slow_;
}

void FetchLoop::WakeDelayed(Instant now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const TopicPartition name = delayed_.begin()->second;
    State& state = partitions_.at(name);
    Undelay(name, state);
    forgotten_.erase({name, state.topic_id});
    dirty_.insert(name);
    recall_wanted_ |= state.recalls;
  }
}

// Whether the leader is to answer now the fetch that is out.
bool FetchLoop::Recalls(Instant now, Ready* ready) {
  // The fetch may have ended meanwhile, and the next one carries it all.
  if (dirty_.empty()) recall_wanted_ = false;
  if (!recall_wanted_ || session_epoch_ == 0 || recalled_ == round_) {
    return false;
  }
  if (last_recall_ && now < *last_recall_ + options_.recall_every) {
    Earliest(&ready->wake, *last_recall_ + options_.recall_every);
    return false;
  }
  recall_wanted_ = false;
  recalled_ = round_;
  last_recall_ = now;
  return true;
}

kafka::FetchRequest FetchLoop::NewRequest(BrokerEpoch broker_epoch) const {
  kafka::FetchRequest request;
  request.replica_id = options_.self;
  request.replica_state.replica_id = options_.self;
  request.replica_state.replica_epoch = broker_epoch;
  return request;
}

std::optional<AskedWith> FetchLoop::Ask(const TopicPartition& name,
                                        const State& state,
                                        const PositionOf& position,
                                        int32_t max_bytes,
                                        kafka::FetchRequest* request) const {
  const auto at = position(name);
  if (!at || at->leader != leader_) return std::nullopt;
  kafka::FetchRequest::FetchPartition asked;
  asked.partition = name.partition;
  asked.current_leader_epoch = at->leader_epoch;
  asked.fetch_offset = at->fetch_offset;
  asked.last_fetched_epoch = at->last_fetched_epoch;
  asked.log_start_offset = at->log_start_offset;
  asked.flushed_offset = at->flushed_offset;
  asked.wants_committed = at->wants_committed;
  asked.forgotten = at->forgotten;
  asked.partition_max_bytes = max_bytes;
  if (request->topics.empty() ||
      request->topics.back().topic_id != state.topic_id) {
    request->topics.push_back({name.topic, state.topic_id, {}});
  }
  request->topics.back().partitions.push_back(asked);
  return at->asked();
}

int32_t FetchLoop::MaxWaitMs() const {
  if (session_epoch_ != 0) return options_.max_wait_ms;
  if (!session_refused_) return 0;
  return static_cast<int32_t>(options_.error_backoff_min /
                              std::chrono::milliseconds(1));
}

void FetchLoop::BuildFetch(BrokerEpoch broker_epoch, const PositionOf& position,
                           Ready* ready) {
  kafka::FetchRequest request = NewRequest(broker_epoch);
  request.max_wait_ms = MaxWaitMs();
  request.min_bytes = options_.min_bytes;
  request.max_bytes = options_.max_bytes;
  request.session_id = session_id_;
  request.session_epoch = session_epoch_;
  const auto add = [&](const TopicPartition& name, State& state) {
    if (state.delayed_until) return;
    const auto asked =
        Ask(name, state, position, options_.partition_max_bytes, &request);
    if (!asked) return LeaveSession(name, state);
    state.asked = *asked;
    if (!state.in_session) ++session_size_;
    state.in_session = true;
  };
  if (session_epoch_ == 0) {
    ResetSession();
    for (auto& [name, state] : partitions_) add(name, state);
  } else {
    // What waits to be reported goes with it.
    dirty_.merge(to_report_);
    for (const TopicPartition& name : dirty_) {
      const auto it = partitions_.find(name);
      if (it != partitions_.end()) add(name, it->second);
    }
    for (const auto& [name, topic_id] : forgotten_) {
      request.forgotten_topics_data.push_back(
          {name.topic, topic_id, {name.partition}});
    }
  }
  forgotten_.clear();
  dirty_.clear();
  to_report_.clear();
  recall_wanted_ = false;
  // A fetch for nothing would be answered at once, again and again.
  if (session_size_ == 0) return ResetSession();
  fetch_out_ = true;
  ready->round = ++round_;
  ready->fetch = std::move(request);
}

void FetchLoop::BuildReport(BrokerEpoch broker_epoch, bool recall,
                            const PositionOf& position, Ready* ready) {
  kafka::FetchRequest request = NewRequest(broker_epoch);
  request.session_epoch = -1;
  if (recall) request.ends_wait = {session_id_, session_epoch_};
  reported_.clear();
  for (const TopicPartition& name : std::exchange(to_report_, {})) {
    const auto it = partitions_.find(name);
    if (it == partitions_.end() || it->second.delayed_until) continue;
    const auto asked = Ask(name, it->second, position, 0, &request);
    if (asked) reported_[name] = *asked;
  }
  if (reported_.empty() && !recall) return;
  report_out_ = true;
  ready->report = std::move(request);
}

std::vector<FetchLoop::Arrival> FetchLoop::Arrivals(
    const kafka::FetchResponse& response) {
  std::vector<Arrival> arrivals;
  for (const auto& topic : response.responses) {
    const auto named = topics_.find(topic.topic_id);
    for (const auto& data : topic.partitions) {
      TopicPartition name;
      if (named != topics_.end()) name.topic = named->second.name;
      name.partition = data.partition_index;
      const auto it = partitions_.find(name);
      if (it == partitions_.end() || it->second.topic_id != topic.topic_id) {
        // Whatever the session still holds, it must not answer for it again.
        forgotten_.emplace(name, topic.topic_id);
        continue;
      }
      arrivals.push_back({name, it->second.asked, &data});
    }
  }
  return arrivals;
}

void FetchLoop::CountTopic(const Uuid& id, const std::string& name) {
  Topic& topic = topics_[id];
  topic.name = name;
  ++topic.partitions;
}

void FetchLoop::UncountTopic(const Uuid& id) {
  const auto it = topics_.find(id);
  if (--it->second.partitions == 0) topics_.erase(it);
}

std::vector<FetchLoop::Arrival> FetchLoop::FetchDone(
    uint64_t round, const Result<kafka::FetchResponse>& response, Instant now) {
  if (!fetch_out_ || round != round_) return {};
  fetch_out_ = false;
  const bool refused = response && response->error_code != 0;
  if (!response || refused) {
    if (refused) session_id_ = 0;
    ResetSession();
    fetch_not_before_ = now + reconnect_backoff_;
    reconnect_backoff_ =
        std::min(reconnect_backoff_ * 2, options_.reconnect_max);
    return {};
  }
  reconnect_backoff_ = options_.reconnect_min;
  session_id_ = response->session_id;
  session_refused_ = session_id_ == 0;
  if (session_id_ == 0) {
    session_epoch_ = 0;
  } else {
    session_epoch_ = session_epoch_ == INT32_MAX ? 1 : session_epoch_ + 1;
  }
  return Arrivals(*response);
}

void FetchLoop::Applied(const Arrival& arrival,
                        const std::optional<FetchPositionOfFollower>& position,
                        Instant now) {
  const auto it = partitions_.find(arrival.name);
  if (it == partitions_.end()) return;
  State& state = it->second;
  const auto& data = *arrival.data;
  const bool says_something = data.error_code != 0 ||
                              data.diverging_epoch.epoch >= 0 ||
                              (data.records && !data.records->empty());
  dirty_.insert(arrival.name);
  if (!position) return;  // until Resume, or another epoch
  if (says_something && SamePlace(position->asked(), arrival.asked)) {
    return Delay(arrival.name, state,
                 LeaderMayBeLate(static_cast<ErrorCode>(data.error_code)), now);
  }
  state.backoff = Duration::zero();
  state.eager = 0;
  if (position->flushed_offset < position->fetch_offset) {
    if (unflushed_.empty()) unflushed_since_ = now;
    unflushed_.insert(arrival.name);
  }
}

std::vector<FetchLoop::Arrival> FetchLoop::ReportDone(
    const Result<kafka::FetchResponse>& response, Instant now) {
  report_out_ = false;
  if (!response || response->error_code != 0) {
    for (const auto& [name, asked] : reported_) {
      if (partitions_.contains(name)) to_report_.insert(name);
    }
    report_not_before_ = now + options_.reconnect_min;
    // It may not have heard of the recall.
    if (fetch_out_ && recalled_ == round_) {
      recalled_ = 0;
      recall_wanted_ = true;
    }
    return {};
  }
  std::vector<Arrival> arrivals = Arrivals(*response);
  std::erase_if(arrivals, [this](Arrival& arrival) {
    const auto asked = reported_.find(arrival.name);
    if (asked == reported_.end() || arrival.data->error_code != 0 ||
        arrival.data->diverging_epoch.epoch >= 0) {
      return true;
    }
    arrival.asked = asked->second;
    return false;
  });
  return arrivals;
}

void FetchLoop::LeaveSession(const TopicPartition& name, State& state) {
  if (!state.in_session) return;
  state.in_session = false;
  --session_size_;
  forgotten_.emplace(name, state.topic_id);
}

void FetchLoop::ResetSession() {
  session_epoch_ = 0;
  session_size_ = 0;
  for (auto& [name, state] : partitions_) state.in_session = false;
  forgotten_.clear();
}

void FetchLoop::Delay(const TopicPartition& name, State& state,
                      bool leader_may_be_late, Instant now) {
  LeaveSession(name, state);
  Undelay(name, state);
  state.recalls = leader_may_be_late && state.eager > 0;
  state.eager = state.recalls ? state.eager - 1 : 0;
  state.backoff = std::clamp(state.backoff * 2, options_.error_backoff_min,
                             options_.error_backoff_max);
  state.delayed_until = now + state.backoff;
  delayed_.emplace(*state.delayed_until, name);
}

void FetchLoop::Undelay(const TopicPartition& name, State& state) {
  if (!state.delayed_until) return;
  delayed_.erase({*state.delayed_until, name});
  state.delayed_until.reset();
}

}  // namespace tidemark::replication
