#include "broker/log/clean_shutdown.h"

#include <nlohmann/json.hpp>

namespace tidemark::log {
namespace {

constexpr char kMarker[] = "/.kafka_cleanshutdown";

int64_t ParseBrokerEpoch(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return -1;
  auto it = json.find("brokerEpoch");
  return it != json.end() && it->is_number_integer() ? it->get<int64_t>() : -1;
}

}  // namespace

Result<std::optional<int64_t>> ReadCleanShutdownMarker(io::FileSystem& fs,
                                                       const std::string& dir) {
  const std::string path = dir + kMarker;
  if (!fs.Exists(path)) return std::nullopt;
  TM_ASSIGN_OR_RETURN(std::string text, io::ReadFile(fs, path));
  return ParseBrokerEpoch(text);
}

Status RemoveCleanShutdownMarker(io::FileSystem& fs, const std::string& dir) {
  const std::string path = dir + kMarker;
  if (fs.Exists(path)) TM_RETURN_IF_ERROR(fs.Remove(path));
  return fs.SyncDirectory(dir);
}

Status WriteCleanShutdownMarker(io::FileSystem& fs, const std::string& dir,
                                int64_t broker_epoch) {
  return io::WriteFileAtomically(
      fs, dir + kMarker,
      "{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch) + "}");
}

}  // namespace tidemark::log
