#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "common/kafka/api_key.h"
#include "common/kafka/decoder.h"
#include "common/kafka/encoder.h"

namespace tidemark::kafka {

// What stands in front of every request: version 1, or version 2 with tagged
// fields for the flexible versions of an API. The client id keeps its int16
// length in both (kafka RequestHeader.json).
struct RequestHeader {
  ApiKey api_key = ApiKey::kProduce;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;

  bool operator==(const RequestHeader&) const = default;
};

struct RequestFrame {
  RequestHeader header;
  SharedBytes body;  // a slice of the frame
};

// Splits a frame (without its length). The key and the version may be ones
// that tidemark does not serve: check CodecVersions before decoding the body.
// kInvalidRequest: not a request header.
Result<RequestFrame> DecodeRequestHeader(const SharedBytes& frame);

struct ResponseFrame {
  int32_t correlation_id = 0;
  SharedBytes body;  // a slice of the frame
};

// Splits an answer's frame (without its length). The header is version 0, or
// 1 with tagged fields for flexible versions; ApiVersions always answers with
// version 0, so that a client can read it before it knows the broker
// (KIP-511). kInvalidRequest: not a response header.
Result<ResponseFrame> DecodeResponseHeader(const SharedBytes& frame,
                                           ApiKey api_key, int16_t api_version);

// `flexible`: of the API's version.
void WriteRequestHeader(const RequestHeader& header, bool flexible,
                        Encoder* out);
void WriteResponseHeader(ApiKey api_key, int32_t correlation_id, bool flexible,
                         Encoder* out);

}  // namespace tidemark::kafka
