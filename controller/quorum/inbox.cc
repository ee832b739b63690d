#include "controller/quorum/inbox.h"

namespace tidemark::quorum {

std::string Admission::Refuse(const raft::v1::Hello& hello) const {
  if (hello.cluster_id() != cluster_id)
    return "raft stream: this is cluster " + cluster_id;
  if (hello.to() != self)
    return "raft stream: this is controller " + std::to_string(self);
  if (hello.from() == self || hello.from() < 0)
    return "raft stream: the sender is not one of the other voters";
  const auto from = Uuid::FromBytes(hello.directory_id());
  if (!from || from->IsZero()) return "raft stream: no directory id";
  if (!hello.to_directory_id().empty() &&
      hello.to_directory_id() != directory.ToBytes())
    return "raft stream: controller " + std::to_string(self) +
           " is on another disk: its directory is " + ToString(directory);
  return "";
}

bool Admission::IsLeftBehind(const raft::v1::Hello& hello) const {
  const auto from = Uuid::FromBytes(hello.directory_id());
  return hello.cluster_id() == cluster_id && hello.to() == self && from &&
         left_behind.contains(*from);
}

}  // namespace tidemark::quorum
