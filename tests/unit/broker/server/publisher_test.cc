#include "broker/server/publisher.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "common/metadata/apply.h"

namespace tidemark::server {
namespace {

constexpr NodeId kPublisher = 3;

// The first image that comes into force, which is all that is looked at here.
struct Followed : std::runtime_error {
  Followed() : std::runtime_error("an image came into force") {}
};

metadata::ImagePtr Registered(NodeId broker, const Uuid& incarnation) {
  metadata::v1::RecordBatch batch;
  auto* record = batch.add_records()->mutable_register_broker();
  record->set_broker_id(broker);
  record->set_incarnation_id(incarnation.ToBytes());
  return *metadata::ApplyBatch(std::make_shared<metadata::Image>(), batch, 1,
                               nullptr);
}

// B-30, C-08, F01: it may be older than what this broker was part of already.
TEST(PublisherTest, AnImageFromBeforeThisProcessIsNotFollowed) {
  const Uuid own = Uuid::Random();
  Publisher::Parts parts;
  parts.self = kPublisher;
  parts.incarnation = own;
  parts.first_image = [](const metadata::Image&) { throw Followed(); };
  Publisher publisher(std::move(parts));
  for (const auto& image : {std::make_shared<const metadata::Image>(),
                            Registered(kPublisher + 1, own),
                            Registered(kPublisher, Uuid::Random())}) {
    EXPECT_NO_THROW(publisher.Publish(image, nullptr));
  }
  EXPECT_THROW(publisher.Publish(Registered(kPublisher, own), nullptr),
               Followed);
}

}  // namespace
}  // namespace tidemark::server
