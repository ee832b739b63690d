#include "common/metadata/apply.h"

namespace tidemark::metadata {

ImageBuilder::ImageBuilder(ImagePtr base)
    : base_(base == nullptr ? std::make_shared<Image>() : std::move(base)),
      next_(std::make_shared<Image>(*base_)) {}

Status ImageBuilder::Apply(const v1::Record& record, MetadataOffset offset) {
  Image& to = *next_;
  switch (record.kind_case()) {
    case v1::Record::kRegisterBroker:
      return to.brokers_.Apply(record.register_broker(), offset, &delta_);
    case v1::Record::kUnregisterBroker:
      return to.brokers_.Apply(record.unregister_broker(), &delta_);
    case v1::Record::kChangeBroker:
      return to.brokers_.Apply(record.change_broker(), &delta_);
    case v1::Record::kAddTopic:
      return to.topics_.Apply(record.add_topic(), &delta_);
    case v1::Record::kRemoveTopic:
      TM_RETURN_IF_ERROR(
          to.configs_.Apply(record.remove_topic(), to.topics_, &delta_));
      return to.topics_.Apply(record.remove_topic(), base_->topics_, &delta_);
    case v1::Record::kAddPartition:
      return to.topics_.Apply(record.add_partition(), &delta_);
    case v1::Record::kChangePartition:
      return to.topics_.Apply(record.change_partition(), &delta_);
    case v1::Record::kSetConfig:
      return to.configs_.Apply(record.set_config(), to.topics_, &delta_);
    case v1::Record::kAllocateProducerIds:
      return to.producer_ids_.Apply(record.allocate_producer_ids());
    case v1::Record::kAnswerRequest:
      return to.requests_.Apply(record.answer_request());
    case v1::Record::kSetFeature:
      return to.features_.Apply(record.set_feature());
    case v1::Record::kSetAcl:
      return to.acls_.Apply(record.set_acl());
    case v1::Record::kRemoveAcl:
      return to.acls_.Apply(record.remove_acl());
    case v1::Record::kSetScramCredential:
      return to.scram_.Apply(record.set_scram_credential());
    case v1::Record::kRemoveScramCredential:
      return to.scram_.Apply(record.remove_scram_credential());
    case v1::Record::kNoOp:
      return {};
    case v1::Record::KIND_NOT_SET:
      break;
  }
  return Fail(ErrorCode::kUnsupportedVersion,
              std::string("a record of unknown kind, written by a newer "
                          "release at ") +
                  kMetadataVersion + " level " +
                  std::to_string(to.features_.metadata_version()) +
                  " or above: run that release");
}

Status ImageBuilder::Apply(const v1::RecordBatch& batch,
                           MetadataOffset offset) {
  for (const v1::Record& record : batch.records()) {
    if (Status status = Apply(record, offset); !status) {
      Error error = std::move(status).error();
      error.message += " (offset " + std::to_string(offset) + ")";
      return Fail(std::move(error));
    }
  }
  return {};
}

ImagePtr ImageBuilder::Build(MetadataOffset offset, Delta* delta) {
  next_->offset_ = offset;
  if (delta != nullptr) {
    // Earlier batches of the same delta may have touched what is gone now.
    for (const auto& [id, topic] : delta_.deleted_topics) {
      if (next_->FindTopic(topic->name) == nullptr) {
        delta->changed_topics.erase(topic->name);
      }
    }
    delta->changed_topics.merge(delta_.changed_topics);
    delta->deleted_topics.merge(delta_.deleted_topics);
    delta->changed_brokers.merge(delta_.changed_brokers);
    delta->changed_configs.merge(delta_.changed_configs);
  }
  return std::move(next_);
}

Result<ImagePtr> ApplyBatch(ImagePtr base, const v1::RecordBatch& batch,
                            MetadataOffset offset, Delta* delta) {
  ImageBuilder builder(std::move(base));
  TM_RETURN_IF_ERROR(builder.Apply(batch, offset));
  return builder.Build(offset, delta);
}

}  // namespace tidemark::metadata
