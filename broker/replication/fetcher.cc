#include "broker/replication/fetcher.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::replication {

Fetcher::Fetcher(Executor& executor, const FetcherOptions& options,
                 NodeId leader, std::string host, uint16_t port,
                 const TransportFactory& connect, FetchTarget& target)
    : executor_(executor),
      leader_(leader),
      host_(std::move(host)),
      port_(port),
      target_(target),
      loop_(options, leader),
      main_(connect(executor, host_, port_)),
      reports_(connect(executor, host_, port_)),
      watcher_(executor, std::chrono::milliseconds(options.max_wait_ms),
               [&target, leader](PeerStanding standing) {
                 target.Standing(leader, standing);
               }) {}

Fetcher::~Fetcher() {
  *alive_ = false;
  main_->Close();
  reports_->Close();
}

void Fetcher::Add(const TopicPartition& name, const Uuid& topic_id) {
  loop_.Add(name, topic_id);
  Kick();
}

void Fetcher::Remove(const TopicPartition& name) { loop_.Remove(name); }

void Fetcher::Flushed(const TopicPartition& name) {
  loop_.Flushed(name, executor_.Now());
  Kick();
}

void Fetcher::Resume(const TopicPartition& name, bool moved) {
  loop_.Resume(name, moved, executor_.Now());
  Kick();
}

// On the next turn, so that changes made in one turn go together.
void Fetcher::Kick() {
  if (kicked_) return;
  kicked_ = true;
  executor_.Post([this, alive = alive_] {
    if (!*alive) return;
    kicked_ = false;
    Run();
  });
}

std::optional<FetchPositionOfFollower> Fetcher::PositionOf(
    const TopicPartition& name) {
  const Partition* partition = target_.Find(name);
  if (partition == nullptr) return std::nullopt;
  return partition->FollowerPosition();
}

void Fetcher::Run() {
  FetchLoop::Ready ready =
      loop_.Take(executor_.Now(), target_.broker_epoch(),
                 [this](const TopicPartition& n) { return PositionOf(n); });
  if (ready.fetch) {
    watcher_.Sent();
    main_->Send(std::move(*ready.fetch),
                [this, alive = alive_, round = ready.round](
                    const Result<kafka::FetchResponse>& response) {
                  if (*alive) FetchDone(round, response);
                });
  }
  if (ready.report) {
    reports_->Send(
        std::move(*ready.report),
        [this, alive = alive_](const Result<kafka::FetchResponse>& response) {
          if (*alive) ReportDone(response);
        });
  }
  if (ready.wake) WakeAt(*ready.wake);
}

void Fetcher::WakeAt(Instant when) {
  if (armed_ && *armed_ <= when) return;
  armed_ = when;
  const Duration delay = std::max(Duration::zero(), when - executor_.Now());
  executor_.PostAfter(delay, [this, alive = alive_, when] {
    if (!*alive) return;
    if (armed_ == when) armed_.reset();
    Run();
  });
}

void Fetcher::FetchDone(uint64_t round,
                        const Result<kafka::FetchResponse>& response) {
  watcher_.Done(response ? Status() : Fail(response.error()));
  for (const auto& arrival :
       loop_.FetchDone(round, response, executor_.Now())) {
    Handle(arrival);
  }
  Run();
}

void Fetcher::Handle(const FetchLoop::Arrival& arrival) {
  Partition* partition = target_.Find(arrival.name);
  if (partition == nullptr) return;
  if (const Status status = Apply(*partition, arrival);
      !status && status.error().code == ErrorCode::kCorruptMessage) {
    LOG(ERROR) << "bad data from leader=" << leader_
               << " partition=" << ToString(arrival.name)
               << " error=" << ToString(status.error());
  }
  const Instant now = executor_.Now();
  loop_.Applied(arrival, partition->FollowerPosition(), now);
  const size_t bytes =
      arrival.data->records ? arrival.data->records->size() : 0;
  const Duration pause = partition->FetchedThrottled(bytes, now);
  if (pause > Duration::zero()) loop_.Pause(arrival.name, now + pause);
  target_.Changed(*partition);
}

Status Fetcher::Apply(Partition& partition, const FetchLoop::Arrival& arrival) {
  const kafka::FetchResponse::PartitionData& data = *arrival.data;
  const auto error = static_cast<ErrorCode>(data.error_code);
  if (error == ErrorCode::kOffsetOutOfRange && data.begin_anew.id > 0) {
    return partition.BeginAnew(arrival.asked, data.log_start_offset,
                               {data.begin_anew.below, data.begin_anew.id});
  }
  if (error == ErrorCode::kOffsetOutOfRange) {
    return partition.OutOfRange(arrival.asked, data.log_start_offset);
  }
  if (error != ErrorCode::kNone) return {};
  if (data.diverging_epoch.epoch >= 0) {
    return partition.Diverged(arrival.asked, {data.diverging_epoch.epoch,
                                              data.diverging_epoch.end_offset});
  }
  TM_RETURN_IF_ERROR(partition.AppendFetched(
      arrival.asked, data.records.value_or(Payload()).bytes(),
      data.high_watermark, data.log_start_offset));
  partition.KeepStart(data.keep_start);
  return {};
}

void Fetcher::ReportDone(const Result<kafka::FetchResponse>& response) {
  for (const auto& arrival : loop_.ReportDone(response, executor_.Now())) {
    Partition* partition = target_.Find(arrival.name);
    if (partition == nullptr) continue;
    // Only brings the high watermark; a log that has moved on refuses it, and
    // gets it with its next fetch.
    if (partition->AppendFetched(arrival.asked, SharedBytes(),
                                 arrival.data->high_watermark,
                                 arrival.data->log_start_offset)) {
      target_.Changed(*partition);
    }
  }
  Run();
}

}  // namespace tidemark::replication
