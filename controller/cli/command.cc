#include "controller/cli/command.h"

#include <CLI/CLI.hpp>
#include <map>
#include <utility>

namespace tidemark::cli {

namespace {

// CLI11 does not show a parent's options with a subcommand.
constexpr char kSharedOptions[] =
    "Options of every command: --format, --bootstrap-controllers,\n"
    "--bootstrap-servers, --timeout-ms, --tls-ca, --tls-cert, --tls-key,\n"
    "--command-config; see tidemark --help";

void AddTlsOptions(CLI::App& app, TlsOptions* tls) {
  app.add_option("--tls-ca", tls->ca,
                 "Speak TLS, to who has a certificate of these: a PEM file")
      ->envname("TIDEMARK_TLS_CA");
  app.add_option("--tls-cert", tls->certificate,
                 "Show this certificate, with its chain: a PEM file")
      ->envname("TIDEMARK_TLS_CERT");
  app.add_option("--tls-key", tls->key,
                 "Its key: a PEM file; default: that of --tls-cert")
      ->envname("TIDEMARK_TLS_KEY");
  app.add_option("--command-config", tls->command_config,
                 "A client.properties as of Kafka's tools: security.protocol "
                 "and ssl.*")
      ->envname("TIDEMARK_COMMAND_CONFIG");
}

void AddSharedOptions(CLI::App& app, Context& context) {
  app.add_option("--format", context.format, "How to print: table or json")
      ->transform(CLI::CheckedTransformer(
                      std::map<std::string, Format>{{"table", Format::kTable},
                                                    {"json", Format::kJson}})
                      .description("table|json"))
      ->default_str("table");
  app.add_option("--bootstrap-controllers", context.controllers,
                 "Controllers to ask: host:port,...")
      ->envname("TIDEMARK_CONTROLLERS")
      ->capture_default_str();
  app.add_option("--bootstrap-servers", context.bootstrap_servers,
                 "Brokers to ask (group, txn, produce, consume): host:port,...")
      ->envname("TIDEMARK_SERVERS")
      ->capture_default_str();
  app.add_option("--timeout-ms", context.timeout_ms,
                 "When to give up an admin call")
      ->check(CLI::Range(int64_t{1}, int64_t{3600000}))
      ->capture_default_str();
  AddTlsOptions(app, &context.tls);
}

}  // namespace

std::unique_ptr<CLI::App> MakeApp(Context& context) {
  auto app = std::make_unique<CLI::App>(
      "tidemark: administer a cluster, send and read records", "tidemark");
  app->require_subcommand(1);
  AddSharedOptions(*app, context);
  // Inherited by every subcommand made from here on.
  app->fallthrough();
  AddStorageCommands(*app, context);
  AddTopicCommands(*app, context);
  AddClusterCommands(*app, context);
  AddBrokerCommands(*app, context);
  AddQuorumCommands(*app, context);
  AddFeaturesCommands(*app, context);
  AddUserCommands(*app, context);
  AddConfigCommands(*app, context);
  AddAclCommands(*app, context);
  AddPartitionCommands(*app, context);
  AddGroupCommands(*app, context);
  AddTxnCommands(*app, context);
  AddProduceCommand(*app, context);
  AddConsumeCommand(*app, context);
  AddSecurityCommands(*app, context);
  AddDevCommand(*app, context);
  return app;
}

CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, const std::string& description,
                     std::function<Status()> action) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(kSharedOptions);
  command->callback(
      [&context, action = std::move(action)] { context.action = action; });
  return command;
}

CLI::App* AddNoun(CLI::App& parent, const std::string& name,
                  const std::string& description) {
  CLI::App* noun = parent.add_subcommand(name, description);
  noun->require_subcommand(1);
  return noun;
}

std::vector<std::string> SplitList(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Result<std::pair<std::string, std::string>> SplitPair(const std::string& text) {
  size_t split = text.find('=');
  if (split == std::string::npos || split == 0) {
    return Fail(ErrorCode::kInvalidRequest,
                "want key=value, not '" + text + "'");
  }
  return std::pair(text.substr(0, split), text.substr(split + 1));
}

Status CodeToStatus(int32_t code, const std::string& subject,
                    const std::string& message) {
  if (code == 0) return {};
  auto error = static_cast<ErrorCode>(code);
  return Fail(error, message.empty() ? subject : subject + ": " + message);
}

}  // namespace tidemark::cli
