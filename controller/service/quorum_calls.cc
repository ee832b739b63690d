// The controller's calls about the quorum itself: controller.h.
#include <chrono>
#include <utility>

#include "controller/service/controller.h"

namespace tidemark::controller {
namespace {

constexpr Duration kChangeLimit = std::chrono::seconds(10);

void Describe(const quorum::QuorumStatus::Peer& peer,
              admin_v1::DescribeQuorumResponse* out) {
  auto* to = peer.votes ? out->add_voters() : out->add_learners();
  to->set_id(peer.voter.id);
  to->set_host(peer.voter.host);
  to->set_port(peer.voter.port);
  to->set_match_offset(peer.match);
  to->set_active(peer.recently_active);
  if (!peer.directory.IsZero()) to->set_directory_id(peer.directory.ToBytes());
}

Result<quorum::MemberChange> ToChange(
    const admin_v1::ChangeQuorumRequest& request) {
  using Request = admin_v1::ChangeQuorumRequest;
  quorum::MemberChange change;
  const bool adds = request.kind() == Request::ADD;
  if (!adds) change.kind = quorum::MemberChange::Kind::kRemove;
  change.only_learner =
      adds ? request.learner() : request.kind() == Request::FORGET;
  change.member.id = request.id();
  if (!request.directory_id().empty() || adds) {
    const auto directory = Uuid::FromBytes(request.directory_id());
    if (!directory || directory->IsZero())
      return Fail(ErrorCode::kInvalidVoterKey,
                  "the id of the controller's directory is no such id");
    change.member.directory = *directory;
  }
  if (!adds) return change;
  if (request.id() < 0)
    return Fail(ErrorCode::kInvalidVoterKey, "an id below zero");
  if (request.host().empty() || request.host().size() > raft::kMaxHostBytes ||
      request.port() <= 0 || request.port() > 65535)
    return Fail(ErrorCode::kInvalidRequest,
                "where does it listen? Give its host and port");
  change.member.host = request.host();
  change.member.port = static_cast<uint16_t>(request.port());
  return change;
}

}  // namespace

admin_v1::DescribeQuorumResponse Controller::QuorumSeenHere() const {
  const quorum::QuorumStatus status = quorum_->status();
  admin_v1::DescribeQuorumResponse out;
  out.set_leader(status.leader);
  out.set_epoch(static_cast<int64_t>(status.term));
  out.set_committed_offset(status.committed);
  out.set_snapshot_offset(status.snapshot);
  out.set_last_offset(status.last);
  out.set_self(status.self);
  out.set_self_directory_id(status.directory.ToBytes());
  WriteFeatures(metadata::SupportedFeatures(), out.mutable_self_features());
  for (const auto& peer : status.peers) Describe(peer, &out);
  return out;
}

void Controller::CallQuorum(const admin_v1::DescribeQuorumRequest&,
                            Reply<admin_v1::DescribeQuorumResponse> reply) {
  if (!active_) return reply(Fail(NotActive()));
  quorum_->ReadIndex([this, reply = std::move(reply)](Status status) {
    if (!status) return reply(Fail(NotActive()));
    reply(QuorumSeenHere());
  });
}

void Controller::CallQuorum(const admin_v1::ChangeQuorumRequest& request,
                            Reply<admin_v1::ChangeQuorumResponse> reply) {
  auto answer = [reply = std::move(reply)](const Status& status) {
    if (!status) return reply(Fail(status.error()));
    reply(admin_v1::ChangeQuorumResponse());
  };
  if (request.kind() == admin_v1::ChangeQuorumRequest::TRANSFER)
    return answer(quorum_->Transfer(request.id()));
  auto change = ToChange(request);
  if (!change) return answer(Fail(change.error()));
  if (request.kind() == admin_v1::ChangeQuorumRequest::ADD && active_) {
    if (Status supports = CheckAdded(request, change->member); !supports) {
      return answer(supports);
    }
  }
  const Duration limit = request.timeout_ms() > 0
                             ? std::chrono::milliseconds(request.timeout_ms())
                             : kChangeLimit;
  quorum_->Change(std::move(*change), limit, std::move(answer));
}

}  // namespace tidemark::controller
