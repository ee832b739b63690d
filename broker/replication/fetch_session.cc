#include "broker/replication/fetch_session.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tidemark::replication {

bool FetchedPartition::Tell(const kafka::FetchResponse::PartitionData& data) {
  const bool has_data = data.records && !data.records->empty();
  const bool error = data.error_code != 0 || data.diverging_epoch.epoch >= 0 ||
                     data.preferred_read_replica >= 0;
  const bool changed = has_data || error || !told ||
                       high_watermark != data.high_watermark ||
                       log_start_offset != data.log_start_offset ||
                       keep_start != data.keep_start;
  told = !error;
  high_watermark = data.high_watermark;
  log_start_offset = data.log_start_offset;
  keep_start = data.keep_start;
  return changed;
}

namespace {

size_t MostBytes(const kafka::FetchRequest::FetchPartition& asked) {
  return static_cast<size_t>(std::max(asked.partition_max_bytes, 0));
}

int32_t EpochAfter(int32_t epoch) { return epoch == INT32_MAX ? 1 : epoch + 1; }

size_t PartitionsIn(const kafka::FetchRequest& request) {
  size_t count = 0;
  for (const auto& topic : request.topics) count += topic.partitions.size();
  return count;
}

}  // namespace

FetchSession::Key FetchSession::KeyOf(const std::string& topic, const Uuid& id,
                                      PartitionIndex partition) {
  return Key{id, id.IsZero() ? topic : std::string(), partition};
}

FetchSession::Changes FetchSession::Update(const kafka::FetchRequest& request) {
  Changes changes;
  for (const auto& topic : request.forgotten_topics_data) {
    for (const PartitionIndex partition : topic.partitions) {
      const auto it =
          partitions_.find(KeyOf(topic.topic, topic.topic_id, partition));
      if (it == partitions_.end()) continue;
      unknown_.erase(it->second.get());
      refused_.erase(it->second.get());
      most_bytes_ -= MostBytes(it->second->asked);
      changes.forgotten.push_back(std::move(it->second));
      partitions_.erase(it);
    }
  }
  std::set<FetchedPartition*> seen;
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) {
      auto& partition =
          partitions_[KeyOf(topic.topic, topic.topic_id, asked.partition)];
      if (partition == nullptr) {
        partition = std::make_unique<FetchedPartition>();
        partition->topic = topic.topic;
        partition->topic_id = topic.topic_id;
      }
      most_bytes_ -= MostBytes(partition->asked);
      most_bytes_ += MostBytes(asked);
      partition->asked = asked;
      if (seen.insert(partition.get()).second) {
        changes.asked.push_back(partition.get());
      }
    }
  }
  return changes;
}

std::shared_ptr<FetchSession> FetchSessionCache::NewSession(int32_t id,
                                                            bool by_id,
                                                            bool follower) {
  return std::make_shared<FetchSession>(id, by_id, follower, next_list_++,
                                        ended_);
}

void FetchSessionCache::Touch(FetchSession& session, Instant now) {
  auto& by_use = by_use_[session.follower_ ? 1 : 0];
  by_use.erase({session.last_used_, session.id_});
  session.last_used_ = now;
  by_use.emplace(now, session.id_);
}

void FetchSessionCache::Count(FetchSession& session, size_t partitions) {
  if (session.follower_) return;
  partitions_ += partitions - session.counted_;
  session.counted_ = partitions;
}

Result<FetchSessionCache::Begun> FetchSessionCache::Begin(
    const kafka::FetchRequest& request, bool by_id, bool follower,
    Instant now) {
  constexpr int32_t kFinalEpoch = -1, kFirstEpoch = 0;
  const size_t asked = PartitionsIn(request);
  // Ended when the lock is free again.
  std::shared_ptr<FetchSession> ended;
  Sessions evicted;
  std::lock_guard lock(mutex_);
  const int32_t epoch = request.session_epoch;
  if (epoch == kFinalEpoch || epoch == kFirstEpoch) {
    if (request.session_id != 0) ended = Erase(request.session_id);
    if (epoch == kFinalEpoch || !MakeRoom(follower, asked, now, &evicted)) {
      return Begun{NewSession(0, by_id, follower), false};
    }
    int32_t id = 0;
    while (id == 0 || sessions_.contains(id)) {
      id = static_cast<int32_t>(random_() & INT32_MAX);
    }
    auto session = NewSession(id, by_id, follower);
    session->busy_ = true;
    Count(*session, asked);
    Touch(*session, now);
    sessions_.emplace(id, session);
    if (stats_ != nullptr) Stats::Add(stats_->fetch_sessions, 1);
    return Begun{std::move(session), false};
  }
  const auto it = sessions_.find(request.session_id);
  if (it == sessions_.end() || it->second->follower_ != follower) {
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
  // Its client asks for everything anew, and gets no session for it.
  if (!follower && asked > 0 && partitions_ + asked > limits_.partitions) {
    ended = Erase(request.session_id);
    return Fail(ErrorCode::kFetchSessionIdNotFound);
  }
  session.busy_ = true;
  Count(session, session.counted_ + asked);
  Touch(session, now);
  session.next_epoch_ = EpochAfter(epoch);
  return Begun{it->second, true, session.hurried_epoch_ == epoch};
}

void FetchSessionCache::UsedBy(FetchSession& session,
                               std::weak_ptr<FetchOperation> user) {
  std::lock_guard lock(mutex_);
  session.user_ = std::move(user);
}

std::shared_ptr<FetchOperation> FetchSessionCache::Hurry(
    const kafka::FetchRequest::Waiting& fetch) {
  std::lock_guard lock(mutex_);
  const auto it = sessions_.find(fetch.session_id);
  if (it == sessions_.end() || !it->second->follower_) return nullptr;
  FetchSession& session = *it->second;
  session.hurried_epoch_ = fetch.session_epoch;
  const bool begun = session.next_epoch_ == EpochAfter(fetch.session_epoch);
  return begun ? session.user_.lock() : nullptr;
}

void FetchSessionCache::Release(const std::shared_ptr<FetchSession>& session) {
  std::lock_guard lock(mutex_);
  session->busy_ = false;
  session->user_.reset();
  // Fewer than was reckoned with: what is asked for again is there already.
  if (const auto it = sessions_.find(session->id_);
      it != sessions_.end() && it->second == session) {
    Count(*session, session->size());
  }
}

std::shared_ptr<FetchSession> FetchSessionCache::Erase(int32_t id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return nullptr;
  std::shared_ptr<FetchSession> session = std::move(it->second);
  sessions_.erase(it);
  by_use_[session->follower_ ? 1 : 0].erase({session->last_used_, id});
  Count(*session, 0);
  if (stats_ != nullptr) Stats::Add(stats_->fetch_sessions, -1);
  return session;
}

bool FetchSessionCache::IsFull(bool follower, size_t partitions) const {
  return sessions_.size() >= limits_.sessions ||
         (!follower && partitions_ + partitions > limits_.partitions);
}

bool FetchSessionCache::MakeRoom(bool follower, size_t partitions, Instant now,
                                 Sessions* evicted) {
  while (IsFull(follower, partitions)) {
    std::optional<std::pair<Instant, int32_t>> oldest;
    for (const bool of_followers : {false, true}) {
      const auto& by_use = by_use_[of_followers ? 1 : 0];
      if (by_use.empty()) continue;
      const auto candidate = *by_use.begin();
      const bool evictable = now - candidate.first >= limits_.evict_after ||
                             (follower && !of_followers);
      if (evictable && (!oldest || candidate < *oldest)) oldest = candidate;
    }
    if (!oldest) return false;
    evicted->emplace(oldest->second, Erase(oldest->second));
  }
  return true;
}

size_t FetchSessionCache::size() const {
  std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace tidemark::replication
