#pragma once

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

// What the programs of the chaos tests have in common: options in pairs, and
// clients (librdkafka) that notice a failure soon.
namespace tidemark::chaos {

using Options = std::map<std::string, std::string>;

[[noreturn]] inline void Die(const std::string& text) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, text.c_str());
  std::exit(1);
}

inline int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

inline std::string Get(const Options& options, const std::string& name,
                       const char* otherwise = nullptr) {
  auto found = options.find(name);
  if (found != options.end()) return found->second;
  if (otherwise == nullptr) Die("--" + name + " is missing");
  return otherwise;
}

inline int64_t Number(const Options& options, const std::string& name,
                      const char* otherwise) {
  std::string text = Get(options, name, otherwise);
  char* end = nullptr;
  int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') Die("--" + name + " wants a number");
  return value;
}

// Clients that notice a failure soon: the time a test waits should be the
// cluster's, not the client's. Whatever fails is retried for ever.
inline rd_kafka_t* NewClient(
    rd_kafka_type_t type, const Options& options,
    std::vector<std::pair<const char*, std::string>> more,
    void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*,
                        void*) = nullptr) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  more.insert(more.begin(), {{"bootstrap.servers", Get(options, "bootstrap")},
                             {"reconnect.backoff.ms", "20"},
                             {"reconnect.backoff.max.ms", "200"},
                             {"topic.metadata.refresh.fast.interval.ms", "50"},
                             {"socket.timeout.ms", "3000"},
                             {"broker.address.family", "v4"},
                             {"log_level", "2"}});
  const std::string debug = Get(options, "debug", "");
  if (!debug.empty()) {
    more.insert(more.end(), {{"debug", debug}, {"log_level", "7"}});
  }
  for (const auto& [name, value] : more) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      Die(why);
    }
  }
  if (on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == nullptr) Die(why);
  return client;
}

// "--name value" from the third argument on.
inline Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strncmp(argv[i], "--", 2) != 0) {
      Die(std::string("not an option: ") + argv[i]);
    }
    options[argv[i] + 2] = argv[i + 1];
  }
  return options;
}

}  // namespace tidemark::chaos
