#include "controller/cli/scram_password.h"

#include <glog/logging.h>
#include <openssl/rand.h>
#include <termios.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iostream>
#include <map>

#include "common/base/utf8.h"
#include "controller/cli/command.h"

namespace tidemark::cli {
namespace {

constexpr const char* kMechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-512"};

tl::unexpected<Error> Bad(const std::string& why) {
  return Fail(ErrorCode::kInvalidRequest, why);
}

// The terminal shows nothing of what is typed meanwhile.
class Unseen {
 public:
  Unseen() {
    tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Unseen() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }

 private:
  termios before_{};
};

Result<std::string> Line(std::istream& in) {
  std::string line;
  std::getline(in, line);
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return Bad("no password");
  return line;
}

Result<std::string> Ask(const char* prompt) {
  const Unseen unseen;
  std::cerr << prompt << std::flush;
  auto line = Line(std::cin);
  std::cerr << std::endl;
  return line;
}

// "name=alice,password=secret": by name, without quotes around values.
Result<std::map<std::string, std::string>> ReadPairs(std::string_view text) {
  std::map<std::string, std::string> out;
  for (std::string part : SplitList(text, ',')) {
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    const size_t split = part.find('=');
    if (split == std::string::npos) return Bad("--add-scram: want key=value");
    std::string value = part.substr(split + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (!out.emplace(part.substr(0, split), value).second) {
      return Bad("--add-scram: a key is given twice");
    }
  }
  for (const auto& [key, value] : out) {
    if (key != "name" && key != "password" && key != "iterations" &&
        key != "salt" && key != "saltedpassword") {
      return Bad(
          "--add-scram: want name, password, iterations, salt, "
          "saltedpassword");
    }
  }
  return out;
}

Result<int32_t> ReadIterations(
    const std::map<std::string, std::string>& pairs) {
  const auto found = pairs.find("iterations");
  if (found == pairs.end()) return sasl::kLeastIterations;
  int32_t count = 0;
  const char* end = found->second.data() + found->second.size();
  const auto parsed = std::from_chars(found->second.data(), end, count);
  if (parsed.ec != std::errc() || parsed.ptr != end ||
      count < sasl::kLeastIterations || count > sasl::kMostIterations) {
    return Bad("--add-scram: want " + std::to_string(sasl::kLeastIterations) +
               " to " + std::to_string(sasl::kMostIterations) + " iterations");
  }
  return count;
}

Result<sasl::ScramKeys> ReadKeys(
    const std::map<std::string, std::string>& pairs, sasl::Hash hash,
    int32_t iterations) {
  const auto password = pairs.find("password");
  const auto salted = pairs.find("saltedpassword");
  const auto salt = pairs.find("salt");
  if ((password == pairs.end()) == (salted == pairs.end())) {
    return Bad("--add-scram: want either password or saltedpassword");
  }
  std::optional<std::string> salt_bytes, salted_bytes;
  if (salt != pairs.end()) {
    salt_bytes = sasl::FromBase64(salt->second);
    if (!salt_bytes || salt_bytes->empty()) {
      return Bad("--add-scram: salt is base64");
    }
  }
  if (password != pairs.end()) {
    if (!salt_bytes) return KeysOfPassword(hash, password->second, iterations);
    return sasl::KeysOf(
        hash, sasl::Pbkdf2(hash, password->second, *salt_bytes, iterations),
        *salt_bytes, iterations);
  }
  salted_bytes = sasl::FromBase64(salted->second);
  if (!salt_bytes || !salted_bytes ||
      salted_bytes->size() != sasl::DigestBytes(hash)) {
    return Bad("--add-scram: saltedpassword is base64, and salt goes with it");
  }
  return sasl::KeysOf(hash, *salted_bytes, *salt_bytes, iterations);
}

}  // namespace

Result<int32_t> MechanismNumber(const std::string& name) {
  if (name == kMechanisms[0]) return 1;
  if (name == kMechanisms[1]) return 2;
  return Bad(std::string("the mechanism is ") + kMechanisms[0] + " or " +
             kMechanisms[1]);
}

sasl::Hash HashOf(int32_t mechanism) {
  return mechanism == 1 ? sasl::Hash::kSha256 : sasl::Hash::kSha512;
}

Result<std::string> ReadPassword(const std::string& file) {
  if (!file.empty() && file != "-") {
    std::ifstream in(file);
    if (!in) return Bad("cannot read " + file);
    return Line(in);
  }
  if (file == "-" || isatty(STDIN_FILENO) == 0) return Line(std::cin);
  TM_ASSIGN_OR_RETURN(const std::string first, Ask("password: "));
  TM_ASSIGN_OR_RETURN(const std::string second, Ask("again: "));
  if (first != second) return Bad("these were two passwords");
  return first;
}

sasl::ScramKeys KeysOfPassword(sasl::Hash hash, const std::string& password,
                               int32_t iterations) {
  std::string random(sasl::kTextBytes, '\0');
  CHECK_EQ(RAND_bytes(reinterpret_cast<unsigned char*>(random.data()),
                      static_cast<int>(random.size())),
           1);
  const std::string salt = sasl::TextOf(random);
  return sasl::KeysOf(hash, sasl::Pbkdf2(hash, password, salt, iterations),
                      salt, iterations);
}

Result<io::InitialCredential> ParseAddScram(const std::string& text) {
  const size_t split = text.find("=[");
  if (split == std::string::npos || !text.ends_with(']')) {
    return Bad("--add-scram: want SCRAM-SHA-256=[name=NAME,password=PASSWORD]");
  }
  io::InitialCredential out;
  out.mechanism = text.substr(0, split);
  TM_ASSIGN_OR_RETURN(const int32_t mechanism, MechanismNumber(out.mechanism));
  TM_ASSIGN_OR_RETURN(const auto pairs,
                      ReadPairs(std::string_view(text).substr(
                          split + 2, text.size() - split - 3)));
  const auto name = pairs.find("name");
  if (name == pairs.end() || name->second.empty() || !IsUtf8(name->second) ||
      name->second.size() > sasl::kMaxUser) {
    return Bad("--add-scram: want a name");
  }
  out.user = name->second;
  TM_ASSIGN_OR_RETURN(out.iterations, ReadIterations(pairs));
  TM_ASSIGN_OR_RETURN(const auto keys,
                      ReadKeys(pairs, HashOf(mechanism), out.iterations));
  out.salt = keys.salt;
  out.stored_key = keys.stored_key;
  out.server_key = keys.server_key;
  return out;
}

}  // namespace tidemark::cli
