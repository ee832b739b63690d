#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::cli {

// The folder that `tidemark security` keeps:
//   ca/1.pem, ca/1.key, ca/2.pem ...  the authorities; the newest one signs
//   NODE/node.pem                     key and certificate of a node
//   admin/admin.pem                   those of the administrator
//   NODE/trust.pem, admin/trust.pem   of which authorities others may be
//   NODE/security.properties          for its server.properties
//   admin/client.properties           for tidemark and Kafka's tools
// NODE is broker-ID or controller-ID. What has a key is its owner's alone.
struct NewCluster {
  std::vector<NodeId> brokers, controllers;
  std::vector<std::string> hosts;                            // of every node
  std::map<std::string, std::vector<std::string>> hosts_of;  // more, by NODE
  int days = 365;  // that certificates are valid
  int authority_days = 3650;
};

// Makes it all. Error kInvalidRequest: there is something already.
Status MakeSecurity(const std::string& folder, const NewCluster& cluster);

// New keys and certificates of the newest authority, for all nodes and the
// administrator. Names of what was renewed.
Result<std::vector<std::string>> RenewCertificates(const std::string& folder,
                                                   int days);
// A new authority, which all trust besides the ones before.
Status AddAuthority(const std::string& folder, int days);
// From now on only the newest one is trusted. Error kInvalidRequest: somebody's
// certificate is of another one.
Status DropOldAuthorities(const std::string& folder);

}  // namespace tidemark::cli
