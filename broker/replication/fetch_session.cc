#include "broker/replication/fetch_session.h"

#include <utility>

namespace tidemark::replication {

FetchSession::Key FetchSession::KeyOf(const std::string& topic, const Uuid& id,
                                      PartitionIndex partition) {
  return Key{id, id.IsZero() ? topic : std::string(), partition};
}

void FetchSession::Update(const kafka::FetchRequest& request) {
  for (const auto& topic : request.forgotten_topics_data) {
    for (const PartitionIndex partition : topic.partitions) {
      const auto it =
          index_.find(KeyOf(topic.topic, topic.topic_id, partition));
      if (it == index_.end()) continue;
      order_.erase(it->second);
      index_.erase(it);
    }
  }
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) {
      const Key key = KeyOf(topic.topic, topic.topic_id, asked.partition);
      const auto it = index_.find(key);
      if (it != index_.end()) {
        it->second->asked = asked;
        continue;
      }
      FetchedPartition partition;
      partition.topic = topic.topic;
      partition.topic_id = topic.topic_id;
      partition.asked = asked;
      order_.push_back(std::move(partition));
      index_.emplace(key, std::prev(order_.end()));
    }
  }
}

bool FetchSession::Tell(std::list<FetchedPartition>::iterator partition,
                        const kafka::FetchResponse::PartitionData& data) {
  const bool has_data = data.records && !data.records->empty();
  const bool error = data.error_code != 0 || data.diverging_epoch.epoch >= 0;
  const bool changed = has_data || error || !partition->told ||
                       partition->high_watermark != data.high_watermark ||
                       partition->log_start_offset != data.log_start_offset;
  partition->told = !error;
  partition->high_watermark = data.high_watermark;
  partition->log_start_offset = data.log_start_offset;
  if (has_data) order_.splice(order_.end(), order_, partition);
  return changed;
}

Result<FetchSessionCache::Begun> FetchSessionCache::Begin(
    const kafka::FetchRequest& request, bool by_id, bool follower,
    Instant now) {
  constexpr int32_t kFinalEpoch = -1, kFirstEpoch = 0;
  std::lock_guard lock(mutex_);
  const int32_t epoch = request.session_epoch;
  if (epoch == kFinalEpoch || epoch == kFirstEpoch) {
    if (request.session_id != 0) Erase(request.session_id);
    if (epoch == kFinalEpoch || !MakeRoom(follower, now)) return Begun{};
    int32_t id = 0;
    while (id == 0 || sessions_.contains(id)) {
      id = static_cast<int32_t>(random_() & INT32_MAX);
    }
    auto session = std::make_shared<FetchSession>(id, by_id, follower);
    session->busy_ = true;
    session->last_used_ = now;
    session->Update(request);
    sessions_.emplace(id, session);
    if (stats_ != nullptr) Stats::Add(stats_->fetch_sessions, 1);
    return Begun{std::move(session), false};
  }
  const auto it = sessions_.find(request.session_id);
  if (it == sessions_.end()) {
    return Fail(ErrorCode::kFetchSessionIdNotFound);
  }
  FetchSession& session = *it->second;
  // A session in use belongs to a fetch whose connection is gone or which
  // another client guessed.
  if (session.busy_ || session.next_epoch_ != epoch) {
    return Fail(ErrorCode::kInvalidFetchSessionEpoch);
  }
  if (session.by_id_ != by_id) {
    return Fail(ErrorCode::kFetchSessionTopicIdError);
  }
  session.busy_ = true;
  session.last_used_ = now;
  session.next_epoch_ = epoch == INT32_MAX ? 1 : epoch + 1;
  session.Update(request);
  return Begun{it->second, true};
}

void FetchSessionCache::Release(const std::shared_ptr<FetchSession>& session) {
  std::lock_guard lock(mutex_);
  session->busy_ = false;
}

void FetchSessionCache::Erase(int32_t id) {
  if (sessions_.erase(id) != 0 && stats_ != nullptr) {
    Stats::Add(stats_->fetch_sessions, -1);
  }
}

bool FetchSessionCache::MakeRoom(bool follower, Instant now) {
  if (sessions_.size() < limit_) return true;
  const FetchSession* oldest = nullptr;
  for (const auto& [id, session] : sessions_) {
    const bool evictable = now - session->last_used_ >= evict_after_ ||
                           (follower && !session->follower_);
    if (!evictable) continue;
    if (oldest == nullptr || session->last_used_ < oldest->last_used_) {
      oldest = session.get();
    }
  }
  if (oldest == nullptr) return false;
  Erase(oldest->id());
  return true;
}

size_t FetchSessionCache::size() const {
  std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace tidemark::replication
