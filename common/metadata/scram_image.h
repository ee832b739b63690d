#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/persistent_map.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// Kafka's numbers.
enum class ScramMechanism : int8_t { kSha256 = 1, kSha512 = 2 };

// "SCRAM-SHA-256".
std::string_view NameOf(ScramMechanism mechanism);

struct ScramCredential {
  std::string salt;
  std::string stored_key;
  std::string server_key;
  int32_t iterations = 0;

  bool operator==(const ScramCredential&) const = default;
};

// What the passwords of users are checked against. Nobody is told what
// differs: who authenticates is looked up here.
class ScramImage {
 public:
  // Whom nobody can be: its credentials are random, one for each mechanism that
  // somebody has one of, and who is unknown is answered with a salt that
  // follows from it, the same at every broker and for ever.
  static constexpr char kNobody[] = "";

  // nullptr when there is none.
  const ScramCredential* Find(const std::string& user,
                              ScramMechanism mechanism) const;
  // Of users, in order of their names.
  void Each(const std::function<
            void(const std::string& user, ScramMechanism mechanism,
                 const ScramCredential& credential)>& see) const;
  size_t size() const { return credentials_.size(); }

  Status Apply(const v1::SetScramCredential& record);
  // One that there is.
  Status Apply(const v1::RemoveScramCredential& record);
  void ToRecords(const RecordSink& sink) const;
  bool operator==(const ScramImage&) const = default;

 private:
  PersistentMap<std::pair<std::string, ScramMechanism>, ScramCredential>
      credentials_;
};

}  // namespace tidemark::metadata
