#pragma once

#include <functional>
#include <set>
#include <string>

#include "common/base/result.h"
#include "common/base/uuid.h"
#include "controller/raft/message.h"
#include "proto/raft.pb.h"

namespace tidemark::quorum {

// What comes from the other voters, on the executor's thread.
class Inbox {
 public:
  virtual ~Inbox() = default;
  // Somebody says Hello: may its messages be taken? `done` is called on this
  // thread, now or later; a refusal's message goes to the sender.
  virtual void Meet(const raft::v1::Hello& hello,
                    std::function<void(Status)> done) = 0;
  // Its directories are those of the Hello.
  virtual void Receive(raft::Message message) = 0;
  // (from, directory) has been met on a new stream.
  virtual void StreamBegan(NodeId from, const Uuid& directory) = 0;
  // The newest stream of it has ended: its process or the link is gone.
  virtual void StreamEnded(NodeId from, const Uuid& directory) = 0;
};

// For whom others send here.
struct Admission {
  std::string cluster_id;
  NodeId self = kNoNode;
  Uuid directory;
  // Of the quorum that this one was recovered from, without them.
  std::set<Uuid> left_behind;

  // Why a Hello is refused whatever the Inbox knows; empty: it is not.
  std::string Refuse(const raft::v1::Hello& hello) const;
  // The sender must hear of it, and end: together with others of then it may
  // have a majority of the voters that it knows, and lead beside this quorum.
  bool IsLeftBehind(const raft::v1::Hello& hello) const;
};

}  // namespace tidemark::quorum
