#pragma once

#include <span>

#include "broker/kafka/api.h"

namespace tidemark::server {

// Every API this broker serves. What is not here is not advertised.
std::span<const Api> HandlerTable();

}  // namespace tidemark::server
