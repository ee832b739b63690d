#include "controller/service/backup_service.h"

#include <glog/logging.h>
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include "common/base/executor.h"
#include "common/metadata/backup.h"
#include "common/rpc/permissions.h"
#include "common/rpc/status_map.h"
#include "controller/service/controller.h"
#include "proto/backup.grpc.pb.h"

namespace tidemark::controller {
namespace {

namespace backup_v1 = tidemark::backup::v1;
using backup_v1::SavePart;

constexpr size_t kPartBytes = 1 << 20;

// One Save. First on the executor, which has the image, then on gRPC's threads
// alone. Destroyed when both have let go.
class SaveStream final : public grpc::ServerWriteReactor<SavePart>,
                         public std::enable_shared_from_this<SaveStream> {
 public:
  SaveStream(Controller* controller, std::string cluster_id, Executor* executor,
             grpc::CallbackServerContext* context, bool local,
             Duration patience, std::shared_ptr<std::atomic<bool>> busy)
      : controller_(controller),
        executor_(executor),
        context_(context),
        local_(local),
        patience_(patience),
        busy_(std::move(busy)) {
    header_.set_cluster_id(std::move(cluster_id));
  }
  ~SaveStream() override { LetOthers(); }

  // Keeps itself alive until gRPC's OnDone.
  void Begin() {
    self_ = shared_from_this();
    if (busy_->exchange(true))
      return End(Error{ErrorCode::kThrottlingQuotaExceeded,
                       "another backup is being made: try again"});
    mine_ = true;
    executor_->Post([self = self_] { self->Ask(); });
  }

  // Instead of Begin.
  void Refuse(const Error& error) {
    self_ = shared_from_this();
    End(error);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(Error{ErrorCode::kNetworkException, "broken"});
    SendNext();
  }
  void OnCancel() override {
    End(Error{ErrorCode::kNetworkException, "cancelled"});
  }
  void OnDone() override {
    {
      std::lock_guard lock(mutex_);
      context_ = nullptr;
    }
    auto last = std::move(self_);
  }

 private:
  void Ask() {
    if (local_) return Take();
    if (!controller_->active()) return End(controller_->NotActive());
    controller_->quorum()->ReadIndex([self = shared_from_this()](Status read) {
      if (!read) return self->End(self->controller_->NotActive());
      self->Take();
    });
  }

  void Take() {
    const quorum::QuorumStatus status = controller_->quorum()->status();
    image_ = controller_->committed();
    if (image_->offset() < 1)
      return End(Error{ErrorCode::kUnknownServerError,
                       "this controller has no metadata yet"});
    header_.set_offset(image_->offset());
    header_.set_epoch(static_cast<int64_t>(status.term));
    header_.set_time_ms(executor_->WallMs());
    header_.set_controller(status.self);
    LOG(INFO) << "controller: backup offset=" << image_->offset()
              << " epoch=" << status.term;
    // The alarm keeps what it calls for as long as this keeps the alarm.
    encode_.Set(std::chrono::system_clock::now(),
                [weak = weak_from_this()](bool) {
                  if (auto self = weak.lock()) self->Encode();
                });
  }

  void Encode() {
    file_ = metadata::EncodeBackup(std::move(header_), *image_);
    image_.reset();
    Watch(0);
    SendNext();
  }

  // One that does not read must not keep others from theirs.
  void Watch(size_t sent) {
    executor_->PostAfter(patience_, [weak = weak_from_this(), sent] {
      auto self = weak.lock();
      if (!self) return;
      const size_t now = self->sent();
      if (now > sent) return self->Watch(now);
      self->End(Error{ErrorCode::kRequestTimedOut,
                      "nobody reads the backup: given up"});
      self->Break();
    });
  }
  size_t sent() {
    std::lock_guard lock(mutex_);
    return sent_;
  }
  // What is written and not read would keep the call.
  void Break() {
    std::lock_guard lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

  void SendNext() {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    if (sent_ == file_.size()) {
      ended_ = true;
      // Who has got this one may ask for the next at once.
      LetOthers();
      return Finish(grpc::Status::OK);
    }
    const size_t size = std::min(kPartBytes, file_.size() - sent_);
    part_.set_data(file_.substr(sent_, size));
    sent_ += size;
    StartWrite(&part_);
  }

  void End(const Error& error) {
    std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    LetOthers();
    Finish(rpc::ToGrpc(error));
  }

  void LetOthers() {
    if (std::exchange(mine_, false)) busy_->store(false);
  }

  Controller* const controller_;
  Executor* const executor_;
  grpc::CallbackServerContext* context_;  // nullptr: the call is over
  const bool local_;
  const Duration patience_;
  const std::shared_ptr<std::atomic<bool>> busy_;
  bool mine_ = false;
  std::shared_ptr<SaveStream> self_;
  backup_v1::Header header_;
  metadata::ImagePtr image_;
  grpc::Alarm encode_;
  std::string file_;
  size_t sent_ = 0;
  SavePart part_;

  std::mutex mutex_;  // of what ends it, and how far it is
  bool ended_ = false;
};

class BackupService final : public backup_v1::Backup::CallbackService {
 public:
  BackupService(Controller* controller, std::string cluster_id,
                Executor* executor, rpc::SecurityPtr security,
                Duration patience)
      : controller_(controller),
        cluster_id_(std::move(cluster_id)),
        executor_(executor),
        security_(std::move(security)),
        patience_(patience) {}

  grpc::ServerWriteReactor<SavePart>* Save(
      grpc::CallbackServerContext* context,
      const backup_v1::SaveRequest* request) override {
    auto stream = std::make_shared<SaveStream>(
        controller_, cluster_id_, executor_, context, request->local(),
        patience_, busy_);
    auto* reactor = stream.get();
    const Status may =
        rpc::CheckCaller(security_.get(), *context, "Backup/Save");
    if (may) {
      stream->Begin();
    } else {
      stream->Refuse(may.error());
    }
    return reactor;
  }

 private:
  Controller* const controller_;
  const std::string cluster_id_;
  Executor* const executor_;
  const rpc::SecurityPtr security_;
  const Duration patience_;
  // Streams may outlive the service by a little.
  const std::shared_ptr<std::atomic<bool>> busy_ =
      std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

std::unique_ptr<grpc::Service> MakeBackupService(Controller* controller,
                                                 std::string cluster_id,
                                                 Executor* executor,
                                                 rpc::SecurityPtr security,
                                                 Duration patience) {
  return std::make_unique<BackupService>(controller, std::move(cluster_id),
                                         executor, std::move(security),
                                         patience);
}

}  // namespace tidemark::controller
