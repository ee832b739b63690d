#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/io/initial_credentials.h"
#include "common/sasl/scram.h"

namespace tidemark::cli {

// Kafka's number of a mechanism, 1 or 2; kInvalidRequest.
Result<int32_t> MechanismNumber(const std::string& name);
sasl::Hash HashOf(int32_t mechanism);

// A password of one line, which nothing shows: from `file`, "-" for the
// standard input; "": asked for at the terminal, twice, or read from the
// standard input where that is none.
Result<std::string> ReadPassword(const std::string& file);

// What is kept of it, with a salt nobody has had.
sasl::ScramKeys KeysOfPassword(sasl::Hash hash, const std::string& password,
                               int32_t iterations);

// Kafka's --add-scram: "SCRAM-SHA-256=[name=alice,password=secret]", or with
// salt= and saltedpassword=, both base64, instead of the password. Error
// kInvalidRequest; it quotes nothing.
Result<io::InitialCredential> ParseAddScram(const std::string& text);

}  // namespace tidemark::cli
