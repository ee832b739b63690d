#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/metadata/apply.h"
#include "common/metadata/features.h"
#include "controller/metadata/decision.h"

namespace tidemark::controller {

inline Uuid TestId(int n) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(n);
  id.bytes[1] = static_cast<uint8_t>(n >> 8);
  id.bytes[15] = 1;
  return id;
}

// Builds images by records, as the log would.
class State {
 public:
  const metadata::Image& operator*() const { return *image_; }
  const metadata::Image* operator->() const { return image_.get(); }

  void Apply(const Records& records) {
    record_v1::RecordBatch batch;
    for (const auto& record : records) *batch.add_records() = record;
    auto next = metadata::ApplyBatch(image_, batch, ++offset_, nullptr);
    ASSERT_TRUE(next) << next.error().message;
    image_ = *next;
  }

  // The one directory that Broker registers.
  static Uuid DirectoryOf(NodeId id) { return TestId(1000 + id); }

  // Registered, with broker epoch = its offset. incarnation = TestId(id).
  State& Broker(NodeId id, bool fenced = false, const std::string& rack = "",
                bool shutting_down = false) {
    record_v1::Record record;
    auto* r = record.mutable_register_broker();
    r->set_broker_id(id);
    r->set_incarnation_id(TestId(id).ToBytes());
    r->add_directory_ids(DirectoryOf(id).ToBytes());
    auto* e = r->add_endpoints();
    e->set_name("PLAINTEXT");
    e->set_host("h");
    e->set_port(9092);
    r->set_rack(rack);
    r->set_fenced(fenced);
    r->set_in_controlled_shutdown(shutting_down);
    Apply({record});
    return *this;
  }

  // metadata.version.
  State& Level(int32_t level) {
    record_v1::Record record;
    record.mutable_set_feature()->set_name(metadata::kMetadataVersion);
    record.mutable_set_feature()->set_level(level);
    Apply({record});
    return *this;
  }

  State& Topic(const std::string& name, int id) {
    record_v1::Record record;
    record.mutable_add_topic()->set_name(name);
    record.mutable_add_topic()->set_topic_id(TestId(id).ToBytes());
    Apply({record});
    return *this;
  }

  State& Partition(int topic, int index, std::vector<NodeId> replicas,
                   std::vector<NodeId> isr, NodeId leader,
                   LeaderEpoch leader_epoch = 5, PartitionEpoch epoch = 7,
                   bool recovering = false,
                   std::vector<Uuid> directories = {}) {
    record_v1::Record record;
    auto* p = record.mutable_add_partition();
    p->set_topic_id(TestId(topic).ToBytes());
    p->set_partition(index);
    p->mutable_replicas()->Add(replicas.begin(), replicas.end());
    p->mutable_isr()->Add(isr.begin(), isr.end());
    p->set_leader(leader);
    p->set_leader_epoch(leader_epoch);
    p->set_partition_epoch(epoch);
    p->set_recovery(recovering ? record_v1::RECOVERING : record_v1::RECOVERED);
    for (const Uuid& id : directories) p->add_directory_ids(id.ToBytes());
    Apply({record});
    return *this;
  }

  State& Config(const std::string& topic, const std::string& key,
                const std::string& value) {
    record_v1::Record record;
    auto* c = record.mutable_set_config();
    c->set_type(record_v1::TOPIC);
    c->set_name(topic);
    c->set_key(key);
    c->set_value(value);
    Apply({record});
    return *this;
  }

  BrokerEpoch Epoch(NodeId id) const { return image_->FindBroker(id)->epoch; }
  const metadata::PartitionImage& P(const std::string& topic,
                                    int index = 0) const {
    return *image_->FindPartition(topic, index);
  }
  MetadataOffset offset() const { return offset_; }

 private:
  metadata::ImagePtr image_ = std::make_shared<metadata::Image>();
  MetadataOffset offset_ = 0;
};

}  // namespace tidemark::controller
