#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/metadata/image.h"

namespace tidemark::server {

// Who asks, by what it and its connection say.
struct AskingClient {
  std::string instance;  // Uuid's text
  std::string id;        // client.id
  std::string software_name, software_version;
  std::string address;
  uint16_t port = 0;
};

// The settings of client-metrics resources (KIP-714) as they are in force for
// one client. Plain calls on one thread at a time.
class ClientSubscriptions {
 public:
  struct Wanted {
    Duration interval{};
    std::vector<std::string> metrics;  // sorted; {"*"}: all
    bool operator==(const Wanted&) const = default;
  };
  // Of all whose patterns the client matches: the metrics of each, at the
  // shortest interval.
  Wanted Of(const AskingClient& client, const metadata::Image& image);

 private:
  struct One;
  void Read(const metadata::Image& image);

  // What they were made of, to be made again when that has changed.
  std::vector<std::pair<std::string, std::map<std::string, std::string>>>
      made_of_;
  std::vector<std::shared_ptr<const One>> all_;
};

}  // namespace tidemark::server
