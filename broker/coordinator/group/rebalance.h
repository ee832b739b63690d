#pragma once

#include <string>

#include "broker/coordinator/group/group.h"

// The moves of a rebalance that join, sync, leave and timers share.
namespace tidemark::coordinator {

// Starts one from Empty, Completing or Stable. Waiting SyncGroups get 27.
void PrepareRebalance(Group& group, Step& step);

// Ends the join phase if nobody is missing (never before the initial delay
// of a new group).
void MaybeCompleteJoin(Group& group, Step& step);

// Ends the join phase: drops members that did not rejoin (static ones stay
// until their session ends), starts the next generation, answers everybody.
void CompleteJoin(Group& group, Step& step);

// PrepareRebalance or MaybeCompleteJoin, whichever the state asks for.
void AfterMemberChange(Group& group, Step& step);

// Fails what the member waits for with `why`, removes it and rebalances.
void RemoveMember(Group& group, const std::string& member_id, ErrorCode why,
                  Step& step);

// Answers what the member waits for, without removing it.
void FailWaiting(Member& member, ErrorCode why, Step& step);

// A sign of life.
void RestartSession(Member& member, Moment at);

// What a member learns at the end of the join phase.
JoinResult JoinResultFor(const Group& group, const Member& member);

}  // namespace tidemark::coordinator
