#include "controller/metadata/scram_decisions.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "controller/metadata/limits.h"

namespace tidemark::controller {
namespace {

using metadata::Image;
using metadata::ScramImage;
using metadata::ScramMechanism;
using Request = admin_v1::AlterScramCredentialsRequest;
using Key = std::pair<std::string, ScramMechanism>;

// Kafka's bounds.
constexpr int32_t kLeastIterations = 4096;
constexpr int32_t kMostIterations = 16384;
// Of all users together: they are in the memory of every node.
constexpr size_t kMaxCredentials = 100'000;
constexpr int kMaxDescribed = 10'000;

size_t KeyBytes(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? 32 : 64;
}

Status CheckName(const std::string& user, int32_t mechanism) {
  if (user.empty()) {
    return Fail(ErrorCode::kUnacceptableCredential,
                "Username must not be empty");
  }
  if (user.size() > kMaxText) {
    return Fail(ErrorCode::kUnacceptableCredential,
                "the user's name is too long");
  }
  if (mechanism != static_cast<int32_t>(ScramMechanism::kSha256) &&
      mechanism != static_cast<int32_t>(ScramMechanism::kSha512)) {
    return Fail(ErrorCode::kUnsupportedSaslMechanism,
                "Unknown SCRAM mechanism");
  }
  return {};
}

Status Check(const Image&, const Request::Upsertion& upsertion) {
  TM_RETURN_IF_ERROR(CheckName(upsertion.user(), upsertion.mechanism()));
  if (upsertion.iterations() < kLeastIterations) {
    return Fail(ErrorCode::kUnacceptableCredential, "Too few iterations");
  }
  if (upsertion.iterations() > kMostIterations) {
    return Fail(ErrorCode::kUnacceptableCredential, "Too many iterations");
  }
  const size_t bytes =
      KeyBytes(static_cast<ScramMechanism>(upsertion.mechanism()));
  if (upsertion.salt().empty() || upsertion.salt().size() > kMaxText ||
      upsertion.stored_key().size() != bytes ||
      upsertion.server_key().size() != bytes) {
    return Fail(ErrorCode::kUnacceptableCredential, "no salt, or no keys");
  }
  return {};
}

Status Check(const Image& state, const Request::Deletion& deletion) {
  TM_RETURN_IF_ERROR(CheckName(deletion.user(), deletion.mechanism()));
  if (state.scram().Find(deletion.user(),
                         static_cast<ScramMechanism>(deletion.mechanism())) ==
      nullptr) {
    return Fail(ErrorCode::kResourceNotFound,
                "Attempt to delete a user credential that does not exist");
  }
  return {};
}

record_v1::Record RecordOf(const Request::Upsertion& from) {
  record_v1::Record record;
  auto* set = record.mutable_set_scram_credential();
  set->set_user(from.user());
  set->set_mechanism(static_cast<record_v1::ScramMechanism>(from.mechanism()));
  set->set_salt(from.salt());
  set->set_stored_key(from.stored_key());
  set->set_server_key(from.server_key());
  set->set_iterations(from.iterations());
  return record;
}

record_v1::Record RecordOf(const Request::Deletion& from) {
  record_v1::Record record;
  auto* remove = record.mutable_remove_scram_credential();
  remove->set_user(from.user());
  remove->set_mechanism(
      static_cast<record_v1::ScramMechanism>(from.mechanism()));
  return record;
}

std::string RandomBytes(const Randomness& random, size_t count) {
  std::string out;
  while (out.size() < count) out += random.topic_id().ToBytes();
  out.resize(count);
  return out;
}

record_v1::Record Nobodys(ScramMechanism mechanism, int32_t iterations,
                          const Randomness& random) {
  record_v1::Record record;
  auto* set = record.mutable_set_scram_credential();
  set->set_user(ScramImage::kNobody);
  set->set_mechanism(static_cast<record_v1::ScramMechanism>(mechanism));
  set->set_salt(RandomBytes(random, 16));
  set->set_stored_key(RandomBytes(random, KeyBytes(mechanism)));
  set->set_server_key(RandomBytes(random, KeyBytes(mechanism)));
  set->set_iterations(iterations);
  return record;
}

// One user's part of a request.
struct Part {
  Status status;
  Records records;
};

class Planner {
 public:
  explicit Planner(const Image& state) : state_(state) {}

  template <class Change>
  void Add(const Change& change) {
    Part& part = parts_[change.user()];
    if (!part.status) return;
    const Key key{change.user(),
                  static_cast<ScramMechanism>(change.mechanism())};
    part.status = Check(state_, change);
    if (part.status && !seen_.insert(key).second) {
      part.status =
          Fail(ErrorCode::kDuplicateResource,
               "A user credential cannot be altered twice in the same request");
    }
    part.records.push_back(RecordOf(change));
  }
  std::map<std::string, Part>& parts() { return parts_; }

 private:
  const Image& state_;
  std::map<std::string, Part> parts_;
  std::set<Key> seen_;
};

// How many users have a credential of each mechanism, once the records are
// applied.
struct CountsAfter {
  std::map<ScramMechanism, int64_t> users;
  std::map<ScramMechanism, int32_t> iterations;  // of the first that is set
};

CountsAfter CountAfter(const Image& state, const Records& records) {
  CountsAfter out;
  state.scram().Each([&](const std::string&, ScramMechanism mechanism,
                         const auto&) { ++out.users[mechanism]; });
  for (const record_v1::Record& record : records) {
    if (record.has_remove_scram_credential()) {
      --out.users[static_cast<ScramMechanism>(
          record.remove_scram_credential().mechanism())];
      continue;
    }
    const auto& set = record.set_scram_credential();
    const auto mechanism = static_cast<ScramMechanism>(set.mechanism());
    out.iterations.emplace(mechanism, set.iterations());
    out.users[mechanism] +=
        state.scram().Find(set.user(), mechanism) == nullptr;
  }
  return out;
}

void AddNobody(const Image& state, const Randomness& random, Records* records) {
  const CountsAfter after = CountAfter(state, *records);
  for (const auto mechanism :
       {ScramMechanism::kSha256, ScramMechanism::kSha512}) {
    const auto found = after.users.find(mechanism);
    const bool wanted = found != after.users.end() && found->second > 0;
    const bool there =
        state.scram().Find(ScramImage::kNobody, mechanism) != nullptr;
    if (wanted && !there) {
      records->push_back(
          Nobodys(mechanism, after.iterations.at(mechanism), random));
    } else if (!wanted && there) {
      auto* remove = records->emplace_back().mutable_remove_scram_credential();
      remove->set_user(ScramImage::kNobody);
      remove->set_mechanism(static_cast<record_v1::ScramMechanism>(mechanism));
    }
  }
}

}  // namespace

Result<Decision<admin_v1::AlterScramCredentialsResponse>> Decide(
    const View& view, const Request& request) {
  constexpr auto kMost = static_cast<int>(kMaxRecordsPerBatch) - 10;
  if (request.deletions_size() > kMost ||
      request.upsertions_size() > kMost - request.deletions_size()) {
    return Fail(ErrorCode::kPolicyViolation, "too many changes in one request");
  }
  // Who has one gets another.
  const auto added =
      std::ranges::count_if(request.upsertions(), [&](const auto& upsertion) {
        return view.image.scram().Find(upsertion.user(),
                                       static_cast<metadata::ScramMechanism>(
                                           upsertion.mechanism())) == nullptr;
      });
  if (view.image.scram().size() + static_cast<size_t>(added) >
          kMaxCredentials &&
      added > 0) {
    return Fail(ErrorCode::kPolicyViolation,
                std::to_string(kMaxCredentials) +
                    " credentials are the most: delete others first");
  }
  Planner planner(view.image);
  for (const auto& deletion : request.deletions()) planner.Add(deletion);
  for (const auto& upsertion : request.upsertions()) planner.Add(upsertion);
  Decision<admin_v1::AlterScramCredentialsResponse> out;
  for (auto& [user, part] : planner.parts()) {
    auto* result = out.response.add_results();
    result->set_user(user);
    if (!part.status) {
      result->set_code(static_cast<int32_t>(part.status.error().code));
      result->set_message(part.status.error().message);
      continue;
    }
    std::move(part.records.begin(), part.records.end(),
              std::back_inserter(out.records));
  }
  if (!out.records.empty()) AddNobody(view.image, *view.random, &out.records);
  return out;
}

Status CheckSize(const admin_v1::DescribeScramCredentialsRequest& request) {
  if (request.users_size() <= kMaxDescribed) return {};
  return Fail(ErrorCode::kPolicyViolation, "too many users in one request");
}

admin_v1::DescribeScramCredentialsResponse Describe(
    const View& view,
    const admin_v1::DescribeScramCredentialsRequest& request) {
  const ScramImage& scram = view.image.scram();
  std::set<std::string> users(request.users().begin(), request.users().end());
  if (users.empty()) {
    scram.Each([&](const std::string& user, auto, const auto&) {
      if (users.size() < kMaxDescribed) users.insert(user);
    });
  }
  admin_v1::DescribeScramCredentialsResponse out;
  for (const std::string& user : users) {
    auto* result = out.add_results();
    result->set_user(user);
    for (const auto mechanism :
         {ScramMechanism::kSha256, ScramMechanism::kSha512}) {
      const auto* found =
          user == ScramImage::kNobody ? nullptr : scram.Find(user, mechanism);
      if (found == nullptr) continue;
      auto* credential = result->add_credentials();
      credential->set_mechanism(static_cast<int32_t>(mechanism));
      credential->set_iterations(found->iterations);
    }
    if (!result->credentials().empty()) continue;
    result->set_code(static_cast<int32_t>(ErrorCode::kResourceNotFound));
    result->set_message("there is no user " + user);
  }
  return out;
}

Records DecideFirstCredentials(
    const std::vector<record_v1::SetScramCredential>& credentials,
    const Randomness& random) {
  Records out;
  for (const auto& credential : credentials) {
    *out.emplace_back().mutable_set_scram_credential() = credential;
  }
  AddNobody(Image(), random, &out);
  return out;
}

}  // namespace tidemark::controller
