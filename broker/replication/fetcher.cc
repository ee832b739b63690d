#include "broker/replication/fetcher.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::replication {

namespace {

constexpr Duration kInterruptEvery = std::chrono::milliseconds(20);

ErrorCode CodeOf(int16_t code) { return static_cast<ErrorCode>(code); }

}  // namespace

Fetcher::Fetcher(Executor& executor, FetcherOptions options, NodeId leader,
                 std::string host, uint16_t port,
                 const TransportFactory& connect, FetchTarget& target)
    : executor_(executor),
      options_(options),
      leader_(leader),
      host_(std::move(host)),
      port_(port),
      target_(target),
      main_(connect(executor, host_, port_)),
      reports_(connect(executor, host_, port_)),
      backoff_(options.reconnect_min) {}

Fetcher::~Fetcher() {
  *alive_ = false;
  main_->Close();
  reports_->Close();
}

void Fetcher::Add(const TopicPartition& name, const Uuid& topic_id) {
  State& state = partitions_[name];
  state.topic_id = topic_id;
  state.generation = next_generation_++;
  state.delayed = false;
  state.backoff = Duration::zero();
  topic_names_[topic_id] = name.topic;
  forgotten_.erase(name);
  dirty_.insert(name);
  if (fetch_out_) {
    Interrupt();
  } else {
    Kick();
  }
}

void Fetcher::Remove(const TopicPartition& name) {
  const auto it = partitions_.find(name);
  if (it == partitions_.end()) return;
  if (it->second.in_session) forgotten_[name] = it->second.topic_id;
  partitions_.erase(it);
  dirty_.erase(name);
  to_report_.erase(name);
}

void Fetcher::Flushed(const TopicPartition& name) {
  if (!partitions_.contains(name)) return;
  if (!fetch_out_) {
    dirty_.insert(name);
    Kick();
    return;
  }
  to_report_.insert(name);
  Kick();
}

void Fetcher::Kick() {
  if (kicked_) return;
  kicked_ = true;
  executor_.Post([this, alive = alive_] {
    if (!*alive) return;
    kicked_ = false;
    SendFetch();
    SendReport();
  });
}

kafka::FetchRequest Fetcher::NewRequest() const {
  kafka::FetchRequest request;
  request.replica_id = options_.self;
  request.replica_state.replica_id = options_.self;
  request.replica_state.replica_epoch = target_.broker_epoch();
  return request;
}

bool Fetcher::AddToRequest(const TopicPartition& name, State& state,
                           bool report, kafka::FetchRequest* request) {
  Partition* partition = target_.Find(name);
  if (partition == nullptr) return false;
  const auto position = partition->FollowerPosition();
  if (!position || position->leader != leader_) return false;
  kafka::FetchRequest::FetchPartition asked;
  asked.partition = name.partition;
  asked.current_leader_epoch = position->leader_epoch;
  asked.fetch_offset = position->fetch_offset;
  asked.last_fetched_epoch = position->last_fetched_epoch;
  asked.log_start_offset = position->log_start_offset;
  asked.flushed_offset = position->flushed_offset;
  asked.partition_max_bytes = report ? 0 : options_.partition_max_bytes;
  if (report) {
    reported_[name] = position->asked();
  } else {
    state.asked = position->asked();
    state.in_session = true;
  }
  if (request->topics.empty() ||
      request->topics.back().topic_id != state.topic_id) {
    request->topics.push_back({name.topic, state.topic_id, {}});
  }
  request->topics.back().partitions.push_back(asked);
  return true;
}

void Fetcher::SendFetch() {
  if (fetch_out_ || backing_off_ || partitions_.empty()) return;
  kafka::FetchRequest request = NewRequest();
  request.max_wait_ms = options_.max_wait_ms;
  request.min_bytes = options_.min_bytes;
  request.max_bytes = options_.max_bytes;
  request.session_id = session_id_;
  request.session_epoch = session_epoch_;
  size_t in_session = 0;
  if (session_epoch_ == 0) {
    for (auto& [name, state] : partitions_) {
      state.in_session = false;
      if (state.delayed) continue;
      if (AddToRequest(name, state, false, &request)) ++in_session;
    }
    forgotten_.clear();
  } else {
    // What waits to be reported goes with it.
    dirty_.insert(to_report_.begin(), to_report_.end());
    for (const TopicPartition& name : dirty_) {
      const auto it = partitions_.find(name);
      if (it == partitions_.end() || it->second.delayed) continue;
      AddToRequest(name, it->second, false, &request);
    }
    for (const auto& [name, topic_id] : forgotten_) {
      request.forgotten_topics_data.push_back(
          {name.topic, topic_id, {name.partition}});
    }
    forgotten_.clear();
    for (const auto& [name, state] : partitions_) {
      in_session += state.in_session ? 1 : 0;
    }
  }
  dirty_.clear();
  if (in_session == 0) {
    // A fetch for nothing would be answered at once, again and again.
    ResetSession();
    return;
  }
  to_report_.clear();
  fetch_out_ = true;
  const uint64_t round = ++round_;
  main_->Send(std::move(request), [this, alive = alive_, round](
                                      Result<kafka::FetchResponse> response) {
    if (*alive) FetchDone(round, std::move(response));
  });
}

void Fetcher::FetchDone(uint64_t round, Result<kafka::FetchResponse> response) {
  if (round != round_) return;
  fetch_out_ = false;
  if (!response) {
    ResetSession();
    Backoff();
    return;
  }
  const ErrorCode error = CodeOf(response->error_code);
  if (error != ErrorCode::kNone) {
    session_id_ = 0;
    ResetSession();
    Backoff();
    return;
  }
  backoff_ = options_.reconnect_min;
  session_id_ = response->session_id;
  if (session_id_ == 0) {
    session_epoch_ = 0;
  } else {
    session_epoch_ = session_epoch_ == INT32_MAX ? 1 : session_epoch_ + 1;
  }
  for (const auto& topic : response->responses) {
    const auto named = topic_names_.find(topic.topic_id);
    if (named == topic_names_.end()) continue;
    for (const auto& data : topic.partitions) {
      const TopicPartition name{named->second, data.partition_index};
      const auto it = partitions_.find(name);
      if (it == partitions_.end() || it->second.topic_id != topic.topic_id) {
        continue;
      }
      Handle(name, it->second.asked, data);
    }
  }
  SendFetch();
}

void Fetcher::Handle(const TopicPartition& name, AskedWith asked,
                     const kafka::FetchResponse::PartitionData& data) {
  Partition* partition = target_.Find(name);
  if (partition == nullptr) return;
  const ErrorCode error = CodeOf(data.error_code);
  const Offset end_before = partition->log().end_offset();
  const Offset start_before = partition->log().start_offset();
  const LeaderEpoch epoch_before = partition->log().latest_epoch();
  Status status;
  if (error == ErrorCode::kNone && data.diverging_epoch.epoch >= 0) {
    status = partition->Diverged(
        asked, {data.diverging_epoch.epoch, data.diverging_epoch.end_offset});
    // A cut that cuts nothing must not be asked for in a tight loop.
    if (status && partition->log().end_offset() == end_before &&
        partition->log().latest_epoch() == epoch_before) {
      Delay(name);
    }
  } else if (error == ErrorCode::kNone) {
    status =
        partition->AppendFetched(asked, data.records.value_or(SharedBytes()),
                                 data.high_watermark, data.log_start_offset);
    if (const auto it = partitions_.find(name); it != partitions_.end()) {
      it->second.backoff = Duration::zero();
    }
  } else if (error == ErrorCode::kOffsetOutOfRange) {
    status = partition->OutOfRange(asked, data.log_start_offset);
    if (partition->log().end_offset() == end_before &&
        partition->log().start_offset() == start_before) {
      Delay(name);
    }
  } else {
    Delay(name);
  }
  if (!status && status.error().code == ErrorCode::kCorruptMessage) {
    LOG(ERROR) << "bad data from leader=" << leader_
               << " partition=" << ToString(name)
               << " error=" << ToString(status.error());
    Delay(name);
  }
  dirty_.insert(name);
  target_.Changed(*partition);
}

void Fetcher::Delay(const TopicPartition& name) {
  const auto it = partitions_.find(name);
  if (it == partitions_.end() || it->second.delayed) return;
  State& state = it->second;
  state.delayed = true;
  if (state.in_session) forgotten_[name] = state.topic_id;
  state.in_session = false;
  state.backoff = std::clamp(state.backoff * 2, options_.error_backoff_min,
                             options_.error_backoff_max);
  executor_.PostAfter(state.backoff, [this, alive = alive_, name,
                                      generation = state.generation] {
    if (!*alive) return;
    const auto it = partitions_.find(name);
    if (it == partitions_.end() || it->second.generation != generation) {
      return;
    }
    it->second.delayed = false;
    forgotten_.erase(name);
    dirty_.insert(name);
    if (fetch_out_) {
      Interrupt();
    } else {
      Kick();
    }
  });
}

// Frees the main connection of a parked fetch. Not more often than every
// kInterruptEvery: many partitions change one after the other.
void Fetcher::Interrupt() {
  if (interrupt_armed_) return;
  interrupt_armed_ = true;
  const Instant now = executor_.Now();
  const Duration delay =
      std::max(Duration::zero(), last_interrupt_ + kInterruptEvery - now);
  auto interrupt = [this, alive = alive_] {
    if (!*alive) return;
    interrupt_armed_ = false;
    last_interrupt_ = executor_.Now();
    // The fetch may have ended meanwhile, and the next one carries it all.
    if (!fetch_out_ || dirty_.empty()) return;
    ++round_;
    fetch_out_ = false;
    main_->Close();
    ResetSession();
    SendFetch();
  };
  if (delay <= Duration::zero()) {
    executor_.Post(std::move(interrupt));
  } else {
    executor_.PostAfter(delay, std::move(interrupt));
  }
}

void Fetcher::ResetSession() {
  session_epoch_ = 0;
  for (auto& [name, state] : partitions_) state.in_session = false;
  forgotten_.clear();
}

void Fetcher::Backoff() {
  if (backing_off_) return;
  backing_off_ = true;
  executor_.PostAfter(backoff_, [this, alive = alive_] {
    if (!*alive) return;
    backing_off_ = false;
    SendFetch();
  });
  backoff_ = std::min(backoff_ * 2, options_.reconnect_max);
}

void Fetcher::SendReport() {
  if (report_out_ || report_backing_off_ || !fetch_out_) return;
  kafka::FetchRequest request = NewRequest();
  request.session_epoch = -1;
  reported_.clear();
  for (const TopicPartition& name : std::exchange(to_report_, {})) {
    const auto it = partitions_.find(name);
    if (it == partitions_.end() || it->second.delayed) continue;
    AddToRequest(name, it->second, true, &request);
  }
  if (request.topics.empty()) return;
  report_out_ = true;
  reports_->Send(std::move(request),
                 [this, alive = alive_](Result<kafka::FetchResponse> response) {
                   if (*alive) ReportDone(std::move(response));
                 });
}

void Fetcher::ReportDone(Result<kafka::FetchResponse> response) {
  report_out_ = false;
  if (!response || response->error_code != 0) {
    for (const auto& [name, position] : reported_) to_report_.insert(name);
    report_backing_off_ = true;
    executor_.PostAfter(options_.reconnect_min, [this, alive = alive_] {
      if (!*alive) return;
      report_backing_off_ = false;
      SendReport();
    });
    return;
  }
  for (const auto& topic : response->responses) {
    const auto named = topic_names_.find(topic.topic_id);
    if (named == topic_names_.end()) continue;
    for (const auto& data : topic.partitions) {
      if (data.error_code != 0 || data.diverging_epoch.epoch >= 0) continue;
      const TopicPartition name{named->second, data.partition_index};
      const auto asked = reported_.find(name);
      Partition* partition = target_.Find(name);
      if (asked == reported_.end() || partition == nullptr ||
          partition->topic_id() != topic.topic_id) {
        continue;
      }
      // Only brings the high watermark; a log that has moved on refuses it,
      // and gets it with its next fetch.
      if (partition->AppendFetched(asked->second, SharedBytes(),
                                   data.high_watermark,
                                   data.log_start_offset)) {
        target_.Changed(*partition);
      }
    }
  }
  SendReport();
}

}  // namespace tidemark::replication
