#pragma once

#include <string>
#include <vector>

#include "broker/coordinator/transaction_coordinator.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/group_common.h"
#include "common/base/error_code.h"

// What the handlers of the transaction APIs share.
namespace tidemark::server {

inline constexpr char kNoTransactions[] =
    "transactions are off: the cluster's transaction.version is 0; when every "
    "broker runs a release that has them, run: tidemark features upgrade "
    "--feature transaction.version=2";

// nullptr: the cluster has no transactions (yet).
inline coordinator::TransactionCoordinator* TransactionsOf(
    const RequestContext& context) {
  coordinator::TransactionCoordinator* transactions =
      context.services->transactions;
  return transactions != nullptr && transactions->Enabled() ? transactions
                                                            : nullptr;
}

// Clients before `first` know a fenced producer by another name.
inline int16_t FencedField(ErrorCode error, int16_t version, int16_t first) {
  if (error == ErrorCode::kProducerFenced && version < first) {
    error = ErrorCode::kInvalidProducerEpoch;
  }
  return ErrorField(error);
}

// What a client that writes is told of what a coordinator has said (kafka
// ReplicaManager, CoordinatorOperationExceptionHelper). `passing`: an error at
// which it comes again, for what may pass.
inline ErrorCode ForWriter(ErrorCode error, ErrorCode passing,
                           bool knows_abortable) {
  switch (error) {
    case ErrorCode::kProducerFenced:
      return ErrorCode::kInvalidProducerEpoch;
    case ErrorCode::kTransactionAbortable:
      return knows_abortable ? error : ErrorCode::kInvalidTxnState;
    case ErrorCode::kConcurrentTransactions:
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kNetworkException:
    case ErrorCode::kBrokerNotAvailable:
      return passing;
    default:
      return error;
  }
}

// Clients that hear of epochs in the answer to EndTxn ask in this version.
inline constexpr int16_t kFirstWithEpochs = 5;

}  // namespace tidemark::server
