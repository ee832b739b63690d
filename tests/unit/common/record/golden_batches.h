#pragma once

#include <fstream>
#include <map>
#include <string>

namespace tidemark::record {

inline std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Batches that Apache Kafka wrote, by topic; the topic is named like the
// codec. See tests/data/kafka/capture.py.
inline std::map<std::string, std::string> LoadGoldenBatches() {
  std::map<std::string, std::string> batches;
  std::ifstream file(TIDEMARK_TEST_DATA "/kafka/batches.txt");
  std::string topic, hex;
  while (file >> topic >> hex) batches[topic] = FromHex(hex);
  return batches;
}

}  // namespace tidemark::record
