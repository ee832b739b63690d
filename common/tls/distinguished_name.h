#pragma once

#include <openssl/x509.h>

#include <string>

namespace tidemark::tls {

// The subject of a certificate as Java's X500Principal prints it, and with it
// Kafka's principals (RFC 2253): "CN=alice,O=example". Attributes that the RFC
// has no name for are "1.2.840.113549.1.9.1=#" and their DER in hexadecimal.
std::string SubjectOf(const X509* certificate);

}  // namespace tidemark::tls
