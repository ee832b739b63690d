#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/backup.pb.h"

namespace tidemark::metadata {

// A backup of the metadata is one file:
//
//   "tidemark-metadata 1\n"
//   length of the header (4 bytes, little-endian), backup.v1.Header
//   the records of a snapshot (common/metadata/snapshot.h), header.bytes of
//   them CRC-32C of all that (4 bytes, little-endian)
struct Backup {
  backup::v1::Header header;
  ImagePtr image;  // as of header.offset
};

// `header`: bytes are set here.
std::string EncodeBackup(backup::v1::Header header, const Image& image);

// kInvalidRequest: it is none, of a later version, cut, or has changed.
Result<Backup> DecodeBackup(std::string_view file);

}  // namespace tidemark::metadata
