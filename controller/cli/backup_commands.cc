// What is done for, and after, the loss of the controllers' quorum.
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/io/file.h"
#include "common/metadata/backup.h"
#include "common/rpc/channel.h"
#include "common/rpc/status_map.h"
#include "controller/cli/child_process.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"
#include "proto/backup.grpc.pb.h"

namespace tidemark::cli {
namespace {

namespace backup_v1 = tidemark::backup::v1;
using std::chrono::milliseconds;
using Time = std::chrono::system_clock;

// A million partitions have 100 MB.
constexpr size_t kMaxFile = size_t{2} << 30;
constexpr milliseconds kPollPause{100};

struct BackupOptions {
  std::string file;
  bool local = false;
};

struct GoBackOptions {
  std::string file, config, cluster_id;
  std::vector<std::string> overrides;
  bool knows = false;
};

Result<std::string> SaveFrom(const std::string& address, bool local,
                             const rpc::Security* security,
                             Time::time_point deadline) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto stub = backup_v1::Backup::NewStub(grpc::CreateCustomChannel(
      address, rpc::CredentialsTo(security, rpc::HostOf(address), kNoNode),
      arguments));
  grpc::ClientContext context;
  context.set_deadline(deadline);
  backup_v1::SaveRequest request;
  request.set_local(local);
  auto reader = stub->Save(&context, request);
  std::string file;
  for (backup_v1::SavePart part; reader->Read(&part);) {
    if (file.size() + part.data().size() > kMaxFile) {
      context.TryCancel();
      return Fail(ErrorCode::kInvalidRequest, "the backup never ends");
    }
    file += part.data();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok())
    return Fail(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED
                    ? ErrorCode::kRequestTimedOut
                    : ErrorCode::kNotController,
                address + ": " + status.error_message());
  return file;
}

// Of whichever controller leads, or, `local`, of the first that answers.
Result<std::string> SaveFromAny(const Context& context, bool local) {
  TM_ASSIGN_OR_RETURN(const rpc::SecurityPtr security, SecurityOf(context.tls));
  const auto addresses = SplitList(context.controllers, ',');
  const auto deadline = Time::now() + milliseconds(context.timeout_ms);
  Error why{ErrorCode::kInvalidRequest, "name at least one controller"};
  bool any = false;
  while (!addresses.empty()) {
    for (const std::string& address : addresses) {
      // So that one that hangs leaves time for the others.
      const auto left = deadline - Time::now();
      const auto most = left / static_cast<int>(addresses.size() + 1) * 2;
      auto file = SaveFrom(address, local, security.get(), Time::now() + most);
      if (file) return file;
      // That there was no time for the last one says nothing.
      if (!any || file.error().code != ErrorCode::kRequestTimedOut)
        why = file.error();
      any = true;
    }
    if (Time::now() + kPollPause >= deadline) break;
    usleep(std::chrono::microseconds(kPollPause).count());
  }
  return Fail(std::move(why));
}

Status Backup(const Context& context, const BackupOptions& options) {
  TM_ASSIGN_OR_RETURN(const std::string bytes,
                      SaveFromAny(context, options.local));
  // As restore will read it.
  auto backup = metadata::DecodeBackup(bytes);
  if (!backup)
    return Fail(
        ErrorCode::kUnknownServerError,
        "what the controller sent is no good: " + backup.error().message);
  io::FileSystem& files = io::PosixFileSystem();
  // What users' passwords are checked against is nobody else's to read.
  ::umask(0077);
  TM_RETURN_IF_ERROR(io::WriteFileAtomically(files, options.file, bytes));
  const auto& header = backup->header;
  if (context.format == Format::kJson) {
    PrintJson({{"file", options.file},
               {"bytes", bytes.size()},
               {"cluster_id", header.cluster_id()},
               {"controller", header.controller()},
               {"offset", header.offset()},
               {"epoch", header.epoch()},
               {"time_ms", header.time_ms()},
               {"topics", backup->image->topics().size()}});
  } else {
    Print("wrote " + options.file + ", " + std::to_string(bytes.size()) +
          " bytes: cluster " + header.cluster_id() + " up to offset " +
          std::to_string(header.offset()) + ", " +
          std::to_string(backup->image->topics().size()) + " topics");
  }
  return {};
}

// The storage is the controller's own: its program does it.
Status BecomeController(std::vector<std::string> arguments,
                        const GoBackOptions& options) {
  TM_ASSIGN_OR_RETURN(const std::string program,
                      ProgramBeside("tidemark-controller"));
  arguments.insert(arguments.begin(), {program, "--config", options.config});
  for (const std::string& setting : options.overrides) {
    arguments.push_back("--override");
    arguments.push_back(setting);
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  TM_RETURN_IF_ERROR(FlushOutput());
  execv(program.c_str(), pointers.data());
  return Fail(ErrorCode::kUnknownServerError,
              "cannot run " + program + ": " + std::strerror(errno));
}

Status Restore(const GoBackOptions& options) {
  std::vector<std::string> arguments = {"--restore", options.file};
  if (!options.cluster_id.empty())
    arguments.insert(arguments.end(), {"--cluster-id", options.cluster_id});
  return BecomeController(std::move(arguments), options);
}

Status Recover(const GoBackOptions& options) {
  if (!options.knows)
    return Fail(
        ErrorCode::kInvalidRequest,
        "this makes a quorum of one controller out of what its own log has. "
        "Whatever a majority of the others had committed without it is lost, "
        "and with it, maybe, records that brokers have acknowledged. Where a "
        "majority of the controllers can be started, start them instead. "
        "Otherwise make sure that the others are gone for good, and say "
        "--i-know-that-committed-metadata-may-be-lost");
  return BecomeController({"--recover"}, options);
}

CLI::App* AddGoBack(CLI::App& noun, Context& context, const std::string& name,
                    const std::string& description,
                    const std::shared_ptr<GoBackOptions>& options,
                    Status (*run)(const GoBackOptions&)) {
  auto* command = AddCommand(noun, context, name, description,
                             [options, run] { return run(*options); });
  command
      ->add_option("--config", options->config,
                   "The controller's server.properties")
      ->required();
  command->add_option("--override", options->overrides,
                      "A setting instead of the file's: key=value");
  return command;
}

}  // namespace

void AddBackupCommands(CLI::App& quorum, Context& context) {
  auto backup = std::make_shared<BackupOptions>();
  auto* save = AddCommand(
      quorum, context, "backup", "Copy the metadata of the cluster into a file",
      [&context, backup] { return Backup(context, *backup); });
  save->add_option("file", backup->file, "The file; an older one is replaced")
      ->required();
  save->add_flag("--local", backup->local,
                 "What the first controller that answers has, leader or not");
  auto options = std::make_shared<GoBackOptions>();
  auto* restore =
      AddGoBack(quorum, context, "restore",
                "Format this controller's directory with a backup, as a quorum "
                "of its own",
                options, Restore);
  restore->add_option("file", options->file, "What quorum backup has written")
      ->required()
      ->check(CLI::ExistingFile);
  restore->add_option("--cluster-id", options->cluster_id,
                      "Another cluster's, for a copy (default: the same)");
  AddGoBack(quorum, context, "recover",
            "Make a quorum of this controller alone, when the others are lost",
            options, Recover)
      ->add_flag("--i-know-that-committed-metadata-may-be-lost", options->knows,
                 "Do it");
}

}  // namespace tidemark::cli
