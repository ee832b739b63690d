#include "common/tls/stream.h"

namespace tidemark::tls {
namespace {

// Cuts `count` bytes off the front.
void Drop(std::span<const asio::const_buffer>* buffers, size_t* offset,
          size_t count) {
  *offset += count;
  while (!buffers->empty() && *offset >= buffers->front().size()) {
    *offset -= buffers->front().size();
    *buffers = buffers->subspan(1);
  }
}

}  // namespace

// Whole records where it can: small buffers are put together. What was not
// taken is offered again with the same bytes in front, as OpenSSL wants it.
Stream::Step Stream::WriteSome(const std::vector<asio::const_buffer>& from,
                               size_t* count) {
  std::span<const asio::const_buffer> left(from);
  size_t offset = 0;
  Drop(&left, &offset, 0);
  while (!left.empty() && *count < kAtOnce) {
    const auto* data = static_cast<const char*>(left.front().data()) + offset;
    std::span<const char> record(
        data, std::min(left.front().size() - offset, kRecord));
    if (record.size() < kRecord && left.size() > 1) {
      if (gathered_ == nullptr) gathered_.reset(new char[kRecord]);
      size_t size = 0, skip = offset;
      for (const asio::const_buffer& buffer : left) {
        const size_t take = std::min(buffer.size() - skip, kRecord - size);
        std::memcpy(gathered_.get() + size,
                    static_cast<const char*>(buffer.data()) + skip, take);
        size += take;
        skip = 0;
        if (size == kRecord) break;
      }
      record = {gathered_.get(), size};
    }
    size_t taken = 0;
    const Step step = session_->Write(record, &taken);
    // What went out counts first; the rest is met again.
    if (step != Step::kDone) return *count > 0 ? Step::kDone : step;
    *count += taken;
    Drop(&left, &offset, taken);
  }
  return Step::kDone;
}

// While the other thread is at the session its socket stays, so that it is
// nobody else's.
void Stream::Close() {
  if (!closed_ && session_ != nullptr && !shaking_) session_->End();
  closed_ = true;
  Error ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  if (!shaking_) socket_.close(ignored);
}

}  // namespace tidemark::tls
