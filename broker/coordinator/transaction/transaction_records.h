#pragma once

#include <optional>
#include <string_view>

#include "broker/coordinator/machine/machine.h"
#include "broker/coordinator/transaction/transaction.h"

// Transactional ids in Kafka's format of __transaction_state (kafka
// transaction-coordinator, TransactionLogKey/Value), so that Kafka's tools read
// the topic. Pure.
namespace tidemark::coordinator {

// kUnknownServerError: it does not fit into the format.
Result<LogRecord> EncodeTransactionRecord(const TransactionRecord& record);

// nullopt: a kind of record that tidemark does not have. kCorruptMessage: not
// such a record.
Result<std::optional<TransactionRecord>> DecodeTransactionRecord(
    std::string_view key, std::optional<std::string_view> value);

// About what it takes in a log.
size_t EncodedBytes(const std::string& transactional_id,
                    const StoredTransaction& value);

}  // namespace tidemark::coordinator
