#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "broker/coordinator/transaction/transaction.h"
#include "common/base/error_code.h"
#include "common/base/ids.h"

// What transaction coordinators are asked and what they answer, free of
// protocol versions: the handlers translate. Plain values; any thread.
namespace tidemark::coordinator {

// InitProducerId with a transactional id.
struct InitProducerResult {
  ErrorCode error = ErrorCode::kNone;
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  // Nothing was done: it needs a new producer id. Ask again with one.
  bool wants_producer_id = false;
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct InitProducerRequest {
  using Answer = InitProducerResult;
  std::string transactional_id;
  int32_t timeout_ms = 0;
  // What the producer has, which goes on with it (KIP-360); -1: nothing.
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  ProducerId spare_producer_id = -1;
};

// AddPartitionsToTxn and AddOffsetsToTxn; with `verify_only` nothing is added.
struct AddPartitionsResult {
  ErrorCode error = ErrorCode::kNone;
  // In the order asked, unless there is an error.
  std::vector<ErrorCode> partitions;
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct AddPartitionsRequest {
  using Answer = AddPartitionsResult;
  std::string transactional_id;
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  std::vector<TopicPartition> partitions;
  bool verify_only = false;
  int16_t client_version = 0;
};

struct EndTransactionResult {
  ErrorCode error = ErrorCode::kNone;
  // Of the next transaction.
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  bool wants_producer_id = false;  // as above
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct EndTransactionRequest {
  using Answer = EndTransactionResult;
  std::string transactional_id;
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  bool commit = false;
  int16_t client_version = 0;
  ProducerId spare_producer_id = -1;
};

// All markers of the transaction are written, or nobody needs them any more.
struct MarkersWrittenResult {
  ErrorCode error = ErrorCode::kNone;
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct MarkersWrittenRequest {
  using Answer = MarkersWrittenResult;
  std::string transactional_id;
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
};

using TransactionResponse =
    std::variant<InitProducerResult, AddPartitionsResult, EndTransactionResult,
                 MarkersWrittenResult>;

struct TransactionDescription {
  ErrorCode error = ErrorCode::kNone;  // kTransactionalIdNotFound
  StoredTransaction transaction;
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct DescribeTransactionRequest {
  using Answer = TransactionDescription;
  std::string transactional_id;
};

struct ListTransactionsResult {
  struct Row {
    std::string transactional_id;
    ProducerId producer_id = -1;
    TransactionState state = TransactionState::kEmpty;
  };
  ErrorCode error = ErrorCode::kNone;
  std::vector<Row> rows;
  void Fail(ErrorCode code) { *this = {.error = code}; }
};
struct ListTransactionsQuery {
  using Answer = ListTransactionsResult;
  std::set<TransactionState> states;  // none: all
  std::set<ProducerId> producer_ids;  // none: all
  // Begun longer ago than that; below 0: all.
  int64_t older_than_ms = -1;
  int64_t now_ms = 0;
  // Whether the id is asked for; empty: every one is.
  std::function<bool(const std::string&)> matches = {};
};

// The end of a transaction, to be written to its partitions.
struct MarkerTask {
  std::string transactional_id;
  ProducerId producer_id = -1;
  ProducerEpoch epoch = -1;
  bool commit = false;
  int16_t client_version = 0;
  std::set<TopicPartition> partitions;
};

}  // namespace tidemark::coordinator
