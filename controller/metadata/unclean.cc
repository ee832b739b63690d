#include "controller/metadata/unclean.h"

namespace tidemark::controller {

size_t NoteUncleanElections(const metadata::Image& image,
                            const Records& records, Effects* effects) {
  size_t elections = 0;
  for (const record_v1::Record& record : records) {
    const record_v1::ChangePartition& change = record.change_partition();
    if (change.recovery() != record_v1::RECOVERING) continue;
    const auto id = Uuid::FromBytes(change.topic_id());
    const auto* topic = id ? image.FindTopic(*id) : nullptr;
    ++elections;
    effects->notes.push_back(
        {Note::Severity::kError,
         "UNCLEAN ELECTION of leader=" + std::to_string(change.leader()) +
             " partition=" + (topic ? topic->name : "?") + "-" +
             std::to_string(change.partition()) +
             ": no replica with all acknowledged records is left, and those "
             "that this one has not got are lost"});
  }
  return elections;
}

}  // namespace tidemark::controller
