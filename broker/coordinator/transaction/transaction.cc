#include "broker/coordinator/transaction/transaction.h"

namespace tidemark::coordinator {

std::string_view StateName(TransactionState state) {
  switch (state) {
    case TransactionState::kEmpty:
      return "Empty";
    case TransactionState::kOngoing:
      return "Ongoing";
    case TransactionState::kPrepareCommit:
      return "PrepareCommit";
    case TransactionState::kPrepareAbort:
      return "PrepareAbort";
    case TransactionState::kCompleteCommit:
      return "CompleteCommit";
    case TransactionState::kCompleteAbort:
      return "CompleteAbort";
  }
  return "Unknown";
}

std::optional<TransactionState> StateOf(int8_t number) {
  if (number < 0 ||
      number > static_cast<int8_t>(TransactionState::kCompleteAbort)) {
    return std::nullopt;
  }
  return static_cast<TransactionState>(number);
}

}  // namespace tidemark::coordinator
