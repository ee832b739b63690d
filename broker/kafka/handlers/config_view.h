#pragma once

#include "broker/kafka/handler.h"
#include "common/metadata/configs.h"

namespace tidemark::server {

// A topic's setting in force, as this broker resolves it.
metadata::ResolvedConfig ResolveFor(const Services& services,
                                    const metadata::Image& image,
                                    const std::string& topic,
                                    std::string_view key);

// The controllers take settings as text, and refuse a whole request for one
// that is not. Error kInvalidConfig.
Status CheckConfigText(std::string_view name, std::string_view value);

// How long the controllers may take for a client's admin request: what the
// client gave, within reason.
Duration AdminTimeout(int32_t timeout_ms);

// How long an answered change may take to reach this broker's image before
// the client is answered anyway.
inline constexpr Duration kImageWait = std::chrono::milliseconds(1000);

}  // namespace tidemark::server
