#pragma once

#include <memory>

#include "controller/cli/command.h"
#include "controller/cli/kafka_client.h"

namespace tidemark::cli {

// One admin question to the brokers: sends it by `ask`, waits for the answer.
class Question {
 public:
  static Result<Question> New(const Context& context, rd_kafka_admin_op_t op) {
    Question q;
    TM_ASSIGN_OR_RETURN(q.client_,
                        NewKafkaClient(RD_KAFKA_PRODUCER, context, {}));
    q.options_.reset(rd_kafka_AdminOptions_new(q.client_.get(), op));
    q.queue_.reset(rd_kafka_queue_new(q.client_.get()));
    q.timeout_ms_ = static_cast<int>(context.timeout_ms);
    char why[256];
    rd_kafka_AdminOptions_set_request_timeout(q.options_.get(), q.timeout_ms_,
                                              why, sizeof why);
    return q;
  }

  template <class Ask>
  Result<KafkaPtr<rd_kafka_event_t>> Send(Ask ask) {
    ask(client_.get(), options_.get(), queue_.get());
    KafkaPtr<rd_kafka_event_t> event(
        rd_kafka_queue_poll(queue_.get(), timeout_ms_ + 1000));
    if (event == nullptr) {
      return Fail(ErrorCode::kRequestTimedOut,
                  "no broker answers; is --bootstrap-servers right?");
    }
    rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    TM_RETURN_IF_ERROR(KafkaStatus(
        error, error == 0 ? "" : rd_kafka_event_error_string(event.get())));
    return event;
  }

  rd_kafka_t* client() { return client_.get(); }

 private:
  KafkaPtr<rd_kafka_t> client_;
  KafkaPtr<rd_kafka_AdminOptions_t> options_;
  KafkaPtr<rd_kafka_queue_t> queue_;
  int timeout_ms_ = 0;
};

}  // namespace tidemark::cli
