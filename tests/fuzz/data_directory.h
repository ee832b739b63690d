#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/log/log_manager.h"
#include "tests/fuzz/files.h"
#include "tests/support/sim_disk.h"

// A data directory with logs, as a broker has it: written, spoiled, opened.
namespace tidemark::fuzz {

inline constexpr char kDataDir[] = "/data";
inline constexpr BrokerEpoch kLastEpoch = 12;

log::LogManagerOptions DataOptions();

// "t-0:x" is the file x in the directory t-0; those in the journal's only
// `with_journal`.
void WriteData(io::FileSystem& disk, const Files& files, bool with_journal);
Files ReadData(io::FileSystem& disk);

// Takes all logs and gives them back, as a broker's life does.
void Live(log::LogManager& manager);

// Two logs with a few batches each.
std::vector<std::unique_ptr<log::Log>> MakeLogs(log::LogManager& manager);

}  // namespace tidemark::fuzz
