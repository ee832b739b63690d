#include "common/metadata/image.h"

namespace tidemark::metadata {

const PartitionImage* Image::FindPartition(const std::string& topic,
                                           PartitionIndex partition) const {
  const TopicImage* found = FindTopic(topic);
  return found == nullptr ? nullptr : found->Find(partition);
}

}  // namespace tidemark::metadata
