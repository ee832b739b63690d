#include "controller/raft/progress.h"

#include <algorithm>

namespace tidemark::raft {

void Progress::BecomeProbe() {
  state_ = State::kProbe;
  next_ = match_ + 1;
  waiting_ = false;
  nudged_ = false;
  // What was told may have been lost with the appends.
  sent_commit_ = std::min(sent_commit_, match_);
  inflights_.Clear();
  transfer = {};
}

void Progress::BecomeReplicate() {
  BecomeProbe();
  state_ = State::kReplicate;
}

void Progress::BecomeSnapshot() {
  BecomeProbe();
  state_ = State::kSnapshot;
}

bool Progress::Paused() const {
  switch (state_) {
    case State::kProbe:
      return waiting_;
    case State::kReplicate:
      return inflights_.Full();
    case State::kSnapshot:
      return true;
  }
  return true;
}

void Progress::Sent(LogIndex last, size_t bytes, LogIndex commit) {
  nudged_ = false;
  sent_commit_ = std::max(sent_commit_, commit);
  if (state_ == State::kProbe) {
    waiting_ = true;
    return;
  }
  if (last < next_) return;
  next_ = last + 1;
  inflights_.Add(last, bytes);
}

bool Progress::Acked(LogIndex index) {
  if (index < match_) return false;
  if (index == match_ && state_ != State::kProbe) return false;
  match_ = index;
  next_ = std::max(next_, index + 1);
  if (state_ == State::kProbe) {
    BecomeReplicate();
  } else {
    inflights_.FreeTo(index);
  }
  return true;
}

bool Progress::Rejected(LogIndex rejected, LogIndex hint) {
  switch (state_) {
    case State::kSnapshot:
      return false;
    case State::kReplicate:
      if (rejected <= match_) return false;
      BecomeProbe();
      return true;
    case State::kProbe:
      if (rejected != next_ - 1) return false;
      next_ = std::max(std::min(rejected, hint + 1), match_ + 1);
      waiting_ = false;
      return true;
  }
  return false;
}

void Progress::Nudge() {
  waiting_ = false;
  nudged_ = true;
}

std::string ToString(const Progress& p) {
  std::string text;
  switch (p.state()) {
    case Progress::State::kProbe:
      text = "probe";
      break;
    case Progress::State::kReplicate:
      text = "replicate";
      break;
    case Progress::State::kSnapshot:
      text = "snapshot";
      break;
  }
  text += " match=" + std::to_string(p.match()) +
          " next=" + std::to_string(p.next());
  if (p.Paused() && p.state() != Progress::State::kSnapshot) text += " paused";
  return text;
}

}  // namespace tidemark::raft
