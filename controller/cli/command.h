#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "controller/cli/tls_options.h"

namespace CLI {
class App;
}

namespace tidemark::cli {

enum class Format { kTable, kJson };

// What every command of `tidemark` shares: the options that stand before or
// behind any verb, and the action the command line chose.
struct Context {
  Format format = Format::kTable;
  std::string controllers = "127.0.0.1:9093";        // host:port,...
  std::string bootstrap_servers = "127.0.0.1:9092";  // host:port,...
  int64_t timeout_ms = 15000;  // for one admin call, retries included
  TlsOptions tls;              // of all connections
  std::function<Status()> action;
};

// The whole command line, --version apart. The shared options belong to the
// root alone and are reached from behind any verb: an option that every verb
// had of its own would be read from the environment by all the verbs that were
// not named, over the flag of the one that was. The context must outlive it.
std::unique_ptr<CLI::App> MakeApp(Context& context);

// A subcommand with --help; `action` becomes the context's when the command
// line names it.
CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, const std::string& description,
                     std::function<Status()> action);
// A noun that only holds verbs.
CLI::App* AddNoun(CLI::App& parent, const std::string& name,
                  const std::string& description);

// One for each noun; the context must outlive the app.
void AddStorageCommands(CLI::App& app, Context& context);
void AddTopicCommands(CLI::App& app, Context& context);
// To the noun `topic`.
void AddTrimCommand(CLI::App& topic, Context& context);
void AddReassignCommand(CLI::App& topic, Context& context);
void AddClusterCommands(CLI::App& app, Context& context);
void AddBrokerCommands(CLI::App& app, Context& context);
void AddQuorumCommands(CLI::App& app, Context& context);
// To the noun `quorum`.
void AddBackupCommands(CLI::App& quorum, Context& context);
void AddFeaturesCommands(CLI::App& app, Context& context);
void AddConfigCommands(CLI::App& app, Context& context);
void AddAclCommands(CLI::App& app, Context& context);
void AddGroupCommands(CLI::App& app, Context& context);
// To the noun `group`.
void AddGroupChangeCommands(CLI::App& group, Context& context);
void AddPartitionCommands(CLI::App& app, Context& context);
// To the noun `partition`.
void AddLogDirCommands(CLI::App& partition, Context& context);
void AddUserCommands(CLI::App& app, Context& context);
void AddTxnCommands(CLI::App& app, Context& context);
void AddProduceCommand(CLI::App& app, Context& context);
void AddConsumeCommand(CLI::App& app, Context& context);
void AddSecurityCommands(CLI::App& app, Context& context);
void AddDevCommand(CLI::App& app, Context& context);

// "a,b,,c" -> a b c.
std::vector<std::string> SplitList(std::string_view text, char separator);
// "key=value"; kInvalidRequest when there is no '='.
Result<std::pair<std::string, std::string>> SplitPair(const std::string& text);
// Kafka's error code of an answer about one thing, as a status.
Status CodeToStatus(int32_t code, const std::string& subject,
                    const std::string& message);

}  // namespace tidemark::cli
