#pragma once

#include <optional>
#include <span>
#include <string>

#include "common/base/ids.h"
#include "common/record/batch_reader.h"

// A record of a snapshot may have to say where its fact was written first: of
// that and of what an open transaction says of the same key the newer one
// counts, and written again the fact would seem to be newer than it is. It says
// so in a header, which whoever else reads the log does not look at.
namespace tidemark::coordinator {

// The headers of a record that is appended; none without an offset.
class WrittenAtHeader {
 public:
  explicit WrittenAtHeader(std::optional<Offset> offset);
  WrittenAtHeader(const WrittenAtHeader&) = delete;
  WrittenAtHeader& operator=(const WrittenAtHeader&) = delete;

  std::span<const record::RecordHeader> headers() const;

 private:
  std::string value_;
  std::optional<record::RecordHeader> header_;
};

// Of a record that is read: what it says, or where it lies.
Offset WrittenAt(const record::Record& record);

}  // namespace tidemark::coordinator
