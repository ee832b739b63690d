#include "common/kafka/header.h"

namespace tidemark::kafka {
namespace {

bool IsFlexible(ApiKey key, int16_t version) {
  return version >= CodecVersions(key).first_flexible;
}

}  // namespace

Result<RequestFrame> DecodeRequestHeader(const SharedBytes& frame) {
  Decoder in(frame, 0, false);
  RequestFrame request;
  request.header.api_key = static_cast<ApiKey>(in.ReadInt16());
  request.header.api_version = in.ReadInt16();
  request.header.correlation_id = in.ReadInt32();
  request.header.client_id = in.ReadOldNullableString();
  if (IsFlexible(request.header.api_key, request.header.api_version)) {
    in.SkipTaggedFields();
  }
  TM_RETURN_IF_ERROR(in.status());
  request.body = frame.Slice(in.position(), in.remaining());
  return request;
}

Result<ResponseFrame> DecodeResponseHeader(const SharedBytes& frame,
                                           ApiKey api_key,
                                           int16_t api_version) {
  Decoder in(frame, 0, false);
  ResponseFrame response;
  response.correlation_id = in.ReadInt32();
  if (api_key != ApiKey::kApiVersions && IsFlexible(api_key, api_version)) {
    in.SkipTaggedFields();
  }
  TM_RETURN_IF_ERROR(in.status());
  response.body = frame.Slice(in.position(), in.remaining());
  return response;
}

void WriteRequestHeader(const RequestHeader& header, bool flexible,
                        Encoder* out) {
  out->WriteInt16(static_cast<int16_t>(header.api_key));
  out->WriteInt16(header.api_version);
  out->WriteInt32(header.correlation_id);
  out->WriteOldNullableString(header.client_id);
  if (flexible) out->WriteUnsignedVarint(0);
}

void WriteResponseHeader(ApiKey api_key, int32_t correlation_id, bool flexible,
                         Encoder* out) {
  out->WriteInt32(correlation_id);
  if (flexible && api_key != ApiKey::kApiVersions) out->WriteUnsignedVarint(0);
}

}  // namespace tidemark::kafka
