#include "common/rpc/permissions.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/admin.pb.h"
#include "proto/backup.pb.h"
#include "proto/controller.pb.h"
#include "proto/raft.pb.h"

namespace tidemark::rpc {
namespace {

using tls::Holder;
using tls::Role;

Holder Of(Role role, NodeId id) { return {{{role, id}}, "CN=x"}; }

TEST(Permissions, EveryCallHasALine) {
  size_t calls = 0;
  for (const auto* file :
       {admin::v1::CreateTopicsRequest::descriptor()->file(),
        backup::v1::SaveRequest::descriptor()->file(),
        controller::v1::RegisterRequest::descriptor()->file(),
        raft::v1::Envelope::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const std::string call = file->service(i)->name() + "/" +
                                 file->service(i)->method(j)->name();
        EXPECT_EQ(std::ranges::count(Permissions(), call, &Permission::call), 1)
            << call;
        ++calls;
      }
    }
  }
  EXPECT_EQ(Permissions().size(), calls);
}

TEST(Permissions, ARoleMayWhatItNeeds) {
  EXPECT_TRUE(CheckHolder(Of(Role::kController, 2), "RaftPeer/Send", 2));
  EXPECT_TRUE(CheckHolder(Of(Role::kBroker, 1), "BrokerLifecycle/Register", 1));
  EXPECT_TRUE(
      CheckHolder(Of(Role::kBroker, 1), "Admin/CreateTopics", std::nullopt));
  EXPECT_TRUE(CheckHolder(Of(Role::kAdmin, kNoNode), "Admin/CreateTopics",
                          std::nullopt));
  EXPECT_TRUE(
      CheckHolder(Of(Role::kAdmin, kNoNode), "Backup/Save", std::nullopt));
}

TEST(Permissions, NobodyMaySpeakForAnother) {
  const auto refused = [](const Holder& holder, const char* call,
                          std::optional<NodeId> id) {
    const Status may = CheckHolder(holder, call, id);
    return !may && may.error().code == ErrorCode::kClusterAuthorizationFailed;
  };
  EXPECT_TRUE(refused(Of(Role::kController, 2), "RaftPeer/Send", 3));
  EXPECT_TRUE(refused(Of(Role::kBroker, 2), "RaftPeer/Send", 2));
  EXPECT_TRUE(refused(Of(Role::kAdmin, kNoNode), "RaftPeer/Send", 2));
  EXPECT_TRUE(refused(Of(Role::kBroker, 2), "BrokerLifecycle/Register", 1));
  EXPECT_TRUE(refused(Of(Role::kController, 1), "BrokerLifecycle/Register", 1));
  EXPECT_TRUE(
      refused(Of(Role::kAdmin, kNoNode), "BrokerLifecycle/Subscribe", 1));
  EXPECT_TRUE(refused(Of(Role::kBroker, 1), "Backup/Save", std::nullopt));
  EXPECT_TRUE(refused(Of(Role::kController, 1), "Backup/Save", std::nullopt));
  EXPECT_TRUE(
      refused(Of(Role::kBroker, 1), "Admin/DescribeCluster", std::nullopt));
  EXPECT_TRUE(refused({}, "Admin/CreateTopics", std::nullopt));
  EXPECT_TRUE(
      refused(Of(Role::kAdmin, kNoNode), "Admin/NoSuchCall", std::nullopt));
  // Of a machine with two nodes each speaks for itself.
  const Holder both{{{Role::kBroker, 1}, {Role::kController, 101}}, ""};
  EXPECT_TRUE(CheckHolder(both, "RaftPeer/Send", 101));
  EXPECT_TRUE(refused(both, "RaftPeer/Send", 1));
  // The number of no node is no way to speak for any.
  EXPECT_TRUE(refused(both, "RaftPeer/Send", kNoNode));
}

}  // namespace
}  // namespace tidemark::rpc
