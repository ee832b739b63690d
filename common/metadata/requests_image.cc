#include "common/metadata/requests_image.h"

#include <algorithm>

namespace tidemark::metadata {

const RequestAnswer* RequestsImage::Find(const Uuid& request_id) const {
  const auto* found = by_id_.Find(request_id);
  return found == nullptr ? nullptr : found->get();
}

Status RequestsImage::Apply(const v1::AnswerRequest& record) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.request_id(), "request id"));
  if (by_id_.contains(id)) return Bad("a request is answered twice");
  auto answer = std::make_shared<const RequestAnswer>(
      RequestAnswer{id, record.call(), record.answer(), record.time_ms()});
  bytes_ += answer->answer.size();
  by_id_.Set(id, answer);
  in_order_.Set(next_++, std::move(answer));
  while (by_id_.size() > 1 &&
         (by_id_.size() > kMaxRequests || bytes_ > kMaxBytes ||
          in_order_.begin()->second->time_ms < record.time_ms() - kMaxAgeMs)) {
    ForgetOldest();
  }
  return {};
}

void RequestsImage::ForgetOldest() {
  const auto [order, answer] = *in_order_.begin();
  bytes_ -= answer->answer.size();
  by_id_.Erase(answer->request_id);
  in_order_.Erase(order);
}

void RequestsImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [order, answer] : in_order_) {
    v1::Record record;
    v1::AnswerRequest* to = record.mutable_answer_request();
    to->set_request_id(answer->request_id.ToBytes());
    to->set_call(answer->call);
    to->set_answer(answer->answer);
    to->set_time_ms(answer->time_ms);
    sink(std::move(record));
  }
}

bool RequestsImage::operator==(const RequestsImage& other) const {
  return std::equal(in_order_.begin(), in_order_.end(), other.in_order_.begin(),
                    other.in_order_.end(), [](const auto& a, const auto& b) {
                      return *a.second == *b.second;
                    });
}

}  // namespace tidemark::metadata
