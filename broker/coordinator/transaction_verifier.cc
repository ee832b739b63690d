#include "broker/coordinator/transaction_verifier.h"

#include <glog/logging.h>

#include <chrono>
#include <iterator>
#include <utility>

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{2'000};
constexpr milliseconds kPause{20};

bool IsAskedAgain(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kConcurrentTransactions:
    case ErrorCode::kNetworkException:
    case ErrorCode::kBrokerNotAvailable:
      return true;
    default:
      return false;
  }
}

kafka::AddPartitionsToTxnRequest ToKafka(const AddPartitionsRequest& request) {
  kafka::AddPartitionsToTxnRequest out;
  auto& transaction = out.transactions.emplace_back();
  transaction.transactional_id = request.transactional_id;
  transaction.producer_id = request.producer_id;
  transaction.producer_epoch = request.epoch;
  transaction.verify_only = request.verify_only;
  std::map<std::string, std::vector<int32_t>> topics;
  for (const TopicPartition& partition : request.partitions) {
    topics[partition.topic].push_back(partition.partition);
  }
  for (auto& [name, partitions] : topics) {
    transaction.topics.push_back({name, std::move(partitions)});
  }
  return out;
}

AddPartitionsResult FromKafka(
    const AddPartitionsRequest& request,
    const Result<kafka::AddPartitionsToTxnResponse>& response) {
  AddPartitionsResult out;
  if (!response) {
    out.Fail(response.error().code);
    return out;
  }
  const auto error = static_cast<ErrorCode>(response->error_code);
  if (error == ErrorCode::kClusterAuthorizationFailed) {
    // It is not the client who has no right (kafka AddPartitionsToTxnManager).
    LOG_EVERY_T(ERROR, 10)
        << "this broker may not ask others about transactions: its principal "
           "needs CLUSTER_ACTION, or to be in super.users";
    out.Fail(ErrorCode::kInvalidTxnState);
    return out;
  }
  if (error != ErrorCode::kNone) {
    out.Fail(error);
    return out;
  }
  std::map<TopicPartition, ErrorCode> told;
  for (const auto& transaction : response->results_by_transaction) {
    for (const auto& topic : transaction.topic_results) {
      for (const auto& partition : topic.results_by_partition) {
        told[{topic.name, partition.partition_index}] =
            static_cast<ErrorCode>(partition.partition_error_code);
      }
    }
  }
  for (const TopicPartition& partition : request.partitions) {
    const auto it = told.find(partition);
    out.partitions.push_back(it == told.end() ? ErrorCode::kUnknownServerError
                                              : it->second);
  }
  return out;
}

// One that is to be asked again of any partition is of all.
ErrorCode WorstOf(const AddPartitionsResult& result) {
  if (result.error != ErrorCode::kNone) return result.error;
  for (const ErrorCode error : result.partitions) {
    if (IsAskedAgain(error)) return error;
  }
  return ErrorCode::kNone;
}

}  // namespace

void CoordinatorVerifier::Ask(AddPartitionsRequest request, Executor& on,
                              Done<AddPartitionsResult> done) {
  auto answer = [&on, done = std::move(done)](AddPartitionsResult result) {
    on.Post([done, result = std::move(result)] { done(result); });
  };
  executor_.Post([this, request = std::move(request),
                  answer = std::move(answer)]() mutable {
    const std::string id = request.transactional_id;
    lines_[id].waiting.push_back(
        {std::move(request), executor_.Now() + kPatience, std::move(answer)});
    Next(id);
  });
}

void CoordinatorVerifier::Next(const std::string& id) {
  const auto it = lines_.find(id);
  if (it == lines_.end() || !it->second.out.empty()) return;
  Line& line = it->second;
  if (line.waiting.empty()) {
    lines_.erase(it);
    return;
  }
  const auto together = [&](const AddPartitionsRequest& one) {
    const AddPartitionsRequest& first = line.out.front().request;
    return one.producer_id == first.producer_id && one.epoch == first.epoch &&
           one.verify_only == first.verify_only &&
           one.client_version == first.client_version;
  };
  do {
    line.out.push_back(std::move(line.waiting.front()));
    line.waiting.pop_front();
  } while (!line.waiting.empty() && together(line.waiting.front().request));
  Send(id);
}

AddPartitionsRequest CoordinatorVerifier::Together(
    const std::vector<Question>& questions) const {
  AddPartitionsRequest out = questions.front().request;
  for (size_t i = 1; i < questions.size(); ++i) {
    const auto& more = questions[i].request.partitions;
    out.partitions.insert(out.partitions.end(), more.begin(), more.end());
  }
  return out;
}

NodeId CoordinatorVerifier::CoordinatorOf(const std::string& id) const {
  const metadata::ImagePtr image = metadata_.Get();
  const metadata::TopicImage* topic = image->FindTopic(kTransactionsTopic);
  if (topic == nullptr || topic->partitions.size() == 0) return kNoNode;
  const auto* row = image->FindPartition(
      kTransactionsTopic,
      PartitionOf(id, static_cast<int32_t>(topic->partitions.size())));
  return row ? row->leader : kNoNode;
}

void CoordinatorVerifier::Send(const std::string& id) {
  AddPartitionsRequest request = Together(lines_[id].out);
  const NodeId broker = CoordinatorOf(id);
  if (broker == self_) {
    return here_.AddPartitions(
        std::move(request), [this, id](AddPartitionsResult result) {
          executor_.Post(
              [this, id, result = std::move(result)] { Answered(id, result); });
        });
  }
  if (broker == kNoNode) {
    executor_.Post([this, id] {
      Answered(id, {.error = ErrorCode::kCoordinatorNotAvailable});
    });
    return;
  }
  kafka::AddPartitionsToTxnRequest asked = ToKafka(request);
  peers_.AddPartitions(
      broker, std::move(asked),
      [this, id, request = std::move(request)](
          const Result<kafka::AddPartitionsToTxnResponse>& response) {
        Answered(id, FromKafka(request, response));
      });
}

void CoordinatorVerifier::Answered(const std::string& id,
                                   AddPartitionsResult result) {
  Line& line = lines_[id];
  if (IsAskedAgain(WorstOf(result)) &&
      executor_.Now() + kPause < line.out.front().deadline) {
    executor_.PostAfter(kPause, [this, id] { Send(id); });
    return;
  }
  size_t at = 0;
  for (Question& question : std::exchange(line.out, {})) {
    AddPartitionsResult part{.error = result.error};
    const size_t count = question.request.partitions.size();
    if (result.error == ErrorCode::kNone) {
      const auto from = result.partitions.begin() + static_cast<ptrdiff_t>(at);
      part.partitions.assign(from, from + static_cast<ptrdiff_t>(count));
    }
    at += count;
    question.done(std::move(part));
  }
  Next(id);
}

}  // namespace tidemark::coordinator
