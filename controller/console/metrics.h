#pragma once

#include <cstdint>
#include <string>

#include "common/metadata/image.h"
#include "controller/console/loop_watch.h"
#include "controller/quorum/quorum.h"
#include "controller/service/controller.h"

namespace tidemark::controller {

// What /metrics is made of, taken on the controller's executor in one go.
struct MetricsView {
  metadata::ImagePtr image;  // committed (KAFKA-14457)
  quorum::QuorumStatus quorum;
  bool active = false;
  size_t feed_subscribers = 0;
  FeedQueue feed_queue;
  Controller::Counters counters;
  LoopWatch::Lag loop;
  int16_t level_on_disk = 0;
};

// Prometheus text format. Any thread.
std::string RenderMetrics(const MetricsView& view);

}  // namespace tidemark::controller
