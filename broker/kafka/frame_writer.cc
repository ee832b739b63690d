#include "broker/kafka/frame_writer.h"

#include <algorithm>
#include <utility>

namespace tidemark::server {
namespace {

// What one system call takes.
constexpr size_t kMostBuffers = 64;
constexpr size_t kMostSpare = 8;

// Pieces come and go with every large answer; memory fresh from the system
// would cost a page fault every 4 KiB.
std::vector<std::unique_ptr<char[]>>& SparePieces() {
  thread_local std::vector<std::unique_ptr<char[]>> spare;
  return spare;
}

std::unique_ptr<char[]> TakePiece() {
  auto& spare = SparePieces();
  if (spare.empty()) {
    return std::make_unique_for_overwrite<char[]>(FrameWriter::kPiece);
  }
  auto piece = std::move(spare.back());
  spare.pop_back();
  return piece;
}

void GivePiece(std::unique_ptr<char[]> piece) {
  auto& spare = SparePieces();
  if (piece != nullptr && spare.size() < kMostSpare) {
    spare.push_back(std::move(piece));
  }
}

}  // namespace

FrameWriter::FrameWriter() = default;
FrameWriter::~FrameWriter() = default;

void FrameWriter::Add(kafka::EncodedFrame frame) {
  for (Payload& chunk : frame.chunks) {
    if (!chunk.empty()) chunks_.push_back(std::move(chunk));
  }
}

size_t FrameWriter::MemoryOf(const kafka::EncodedFrame& frame) {
  size_t bytes = 0;
  bool reads = false;
  for (const Payload& chunk : frame.chunks) {
    bytes += chunk.memory();
    reads |= chunk.source() != nullptr;
  }
  return bytes + (reads ? kPiece : 0);
}

Result<FrameWriter::Next> FrameWriter::Prepare() {
  size_t bytes = 0;
  while (buffers_.size() < kMostBuffers && !chunks_.empty() && bytes < kPiece) {
    Payload& chunk = chunks_.front();
    if (chunk.source() != nullptr) {
      const size_t before = piece_used_;
      TM_ASSIGN_OR_RETURN(const bool filled, FillPiece(false));
      if (!filled) break;
      bytes += piece_used_ - before;
      continue;
    }
    const SharedBytes& at_hand = chunk.bytes();
    bytes += at_hand.size();
    buffers_.emplace_back(at_hand.data(), at_hand.size());
    in_buffers_.push_back(std::move(chunk));
    chunks_.pop_front();
  }
  if (!buffers_.empty()) return Next::kWrite;
  return chunks_.empty() ? Next::kNothing : Next::kRead;
}

Status FrameWriter::ReadFromDisk() {
  TM_ASSIGN_OR_RETURN(const bool filled, FillPiece(true));
  (void)filled;  // it waits
  return {};
}

// From the first chunk. False: it is not in memory, or the piece is full.
Result<bool> FrameWriter::FillPiece(bool may_wait) {
  if (piece_ == nullptr) piece_ = TakePiece();
  if (piece_used_ == kPiece) return false;
  ByteSource& source = *chunks_.front().source();
  char* to = piece_.get() + piece_used_;
  TM_ASSIGN_OR_RETURN(const auto count,
                      source.Read(to, kPiece - piece_used_, may_wait));
  if (!count) return false;
  buffers_.emplace_back(to, *count);
  piece_used_ += *count;
  if (source.left() == 0) chunks_.pop_front();
  return true;
}

void FrameWriter::Sent(size_t count) {
  auto at = buffers_.begin();
  while (at != buffers_.end() && count >= at->size()) {
    count -= at->size();
    ++at;
  }
  buffers_.erase(buffers_.begin(), at);
  if (!buffers_.empty()) {
    buffers_.front() += count;
    return;
  }
  in_buffers_.clear();
  piece_used_ = 0;
  if (chunks_.empty()) GivePiece(std::exchange(piece_, nullptr));
}

}  // namespace tidemark::server
