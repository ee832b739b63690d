#include "controller/console/wait_for_room.h"

#include <glog/logging.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "common/io/file.h"
#include "common/rpc/http_endpoint.h"
#include "common/rpc/systemd.h"
#include "controller/quorum/disk.h"

namespace tidemark::controller {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(200);

// A disk that cannot tell is no full one.
bool IsFull(const std::string& directory) {
  const auto space = io::PosixFileSystem().Space(directory);
  return space && space->free < quorum::kLeastFree;
}

Result<std::unique_ptr<rpc::HttpEndpoint>> Serve(
    const ControllerConfig& config) {
  if (!config.http) return nullptr;
  rpc::HttpEndpoint::Handlers handlers;
  handlers.ready = [] {
    return Fail(ErrorCode::kOutOfSpace,
                "the disk is full: this controller starts when there is room");
  };
  handlers.metrics = [] {
    return std::string(
        "# TYPE tidemark_raft_disk_full gauge\ntidemark_raft_disk_full 1\n");
  };
  return rpc::HttpEndpoint::Start(*config.http, std::move(handlers));
}

}  // namespace

Result<bool> WaitForRoom(const ControllerConfig& config,
                         const std::function<bool(Duration)>& pause) {
  const std::string& directory = config.data_directory;
  // Of a snapshot that was not finished; the next one would begin with it.
  std::error_code ignored;
  std::filesystem::remove(directory + "/raft/snapshot.new", ignored);
  if (!IsFull(directory)) return true;
  LOG(ERROR) << "the disk of " << directory << " has less than "
             << (quorum::kLeastFree >> 20)
             << " MiB left: this controller starts when there is room";
  TM_ASSIGN_OR_RETURN(const auto http, Serve(config));
  // It does what it can; to start it again would not help.
  rpc::NotifyServiceManager("READY=1");
  while (IsFull(directory)) {
    if (!pause(kLook)) return false;
  }
  LOG(INFO) << "the disk has room again";
  return true;
}

}  // namespace tidemark::controller
