#pragma once

// What a header under common/kafka/messages needs: the types of fields and
// the list of their versions. The structs have the names of Kafka's message
// schemas, members in snake_case:
//
//   string, nullable      std::string, std::optional<std::string>
//   array, nullable       std::vector<T>, std::optional<std::vector<T>>
//   bytes and records     SharedBytes, a slice of the frame when decoded;
//                         Payload where they may be read when they are sent
//   uuid                  tidemark::Uuid
//   float64               double
//
// The defaults are those of the schemas, except that nullable fields default
// to null; where a message deviates from that, its header says why.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/payload.h"
#include "common/base/shared_bytes.h"
#include "common/base/uuid.h"
#include "common/kafka/api_key.h"
#include "common/kafka/field_spec.h"
