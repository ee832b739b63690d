#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tidemark::cli {

// What `tidemark dev` is told.
struct DevOptions {
  std::string directory;  // kept; empty: a temporary one, gone at the end
  std::string host = "127.0.0.1";
  uint16_t port = 9092;               // Kafka's protocol; 0: one that is free
  uint16_t controller_port = 9093;    // gRPC; likewise
  std::vector<std::string> settings;  // key=value, for both processes
  std::vector<std::string> topics;    // NAME or NAME:PARTITIONS
  bool verbose = false;               // what the processes say goes to stderr
};

struct DevAddresses {
  std::string bootstrap_servers;
  std::string controllers;
  std::string directory;
  bool temporary = false;
};

// One controller and one broker, for trying out and for tests: formats their
// directories if need be, starts them beside each other, calls `ready` once
// the broker takes records and the topics are there, and returns when SIGINT or
// SIGTERM has come and both have stopped. Fails if either cannot start or ends
// by itself. On the main thread, before there are others.
Status RunDevCluster(const DevOptions& options,
                     void (*ready)(const DevAddresses& at, bool json),
                     bool json);

}  // namespace tidemark::cli
