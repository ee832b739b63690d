#include "broker/log/log_syncer.h"

#include <pthread.h>

#include "broker/log/log_mark.h"

namespace tidemark::log {
namespace {

constexpr std::chrono::milliseconds kFirstPause(10);
constexpr std::chrono::milliseconds kLongestPause(320);

std::string KeyOf(const std::shared_ptr<io::File>& file) {
  const io::File* address = file.get();
  return {reinterpret_cast<const char*>(&address), sizeof address};
}

}  // namespace

Status SyncDirectoryIfThere(io::FileSystem& fs, const std::string& path) {
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    Status synced = fs.SyncDirectory(path);
    if (!synced && !fs.Exists(path)) return {};
    if (synced || !io::IsShortage(synced.error())) return synced;
    // Nothing was tried yet: there was no descriptor for it.
    std::this_thread::sleep_for(pause);
  }
}

Status PerformSync(io::FileSystem& fs, const SyncWork& work) {
  for (const auto& file : work.files) TM_RETURN_IF_ERROR(file->Sync());
  for (const auto& directory : work.directories) {
    TM_RETURN_IF_ERROR(SyncDirectoryIfThere(fs, directory));
  }
  if (work.mark) {
    work.mark->Synced(work.generation, work.end_offset, work.change);
  }
  return {};
}

ThreadedLogSyncer::ThreadedLogSyncer(io::FileSystem& fs,
                                     std::shared_ptr<DirectoryHealth> health,
                                     int threads)
    : fs_(fs), health_(std::move(health)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "log-sync");
      Run();
    });
  }
}

ThreadedLogSyncer::~ThreadedLogSyncer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool ThreadedLogSyncer::Add(const std::string& key, Part part,
                            const std::shared_ptr<Request>& request) {
  auto [it, inserted] = parts_.try_emplace(key, std::move(part));
  Part& known = it->second;
  const bool ready = !known.running && known.waiting.empty();
  if (ready) ready_.push_back(key);
  ++request->open;
  known.waiting.push_back(request);
  return ready;
}

void ThreadedLogSyncer::Enqueue(SyncWork work, Done done) {
  if (work.files.empty() && work.directories.empty()) {
    done({});
    return;
  }
  auto request = std::make_shared<Request>();
  request->done = std::move(done);
  // Woken without the lock, which is the first thing they take.
  size_t ready = 0;
  {
    std::lock_guard lock(mutex_);
    for (auto& file : work.files) {
      const std::string key = KeyOf(file);
      if (Add(key, {std::move(file), {}, false, {}}, request)) ++ready;
    }
    for (auto& directory : work.directories) {
      if (Add(directory, {nullptr, directory, false, {}}, request)) ++ready;
    }
  }
  for (; ready > 0; --ready) wake_.notify_one();
}

Status ThreadedLogSyncer::Sync(const Part& part) {
  if (health_ && health_->offline()) {
    return Fail(ErrorCode::kKafkaStorageError,
                health_->dir() + " is offline after an earlier disk error");
  }
  Status synced =
      part.file ? part.file->Sync() : SyncDirectoryIfThere(fs_, part.directory);
  if (!synced && health_) health_->TakeOffline(synced.error());
  return synced;
}

void ThreadedLogSyncer::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !ready_.empty(); });
    if (ready_.empty()) return;
    const std::string key = std::move(ready_.front());
    ready_.pop_front();
    Part& part = parts_.at(key);  // stays where it is: only we erase it
    std::vector<std::shared_ptr<Request>> served;
    served.swap(part.waiting);
    part.running = true;
    lock.unlock();
    const Status synced = Sync(part);
    std::vector<std::shared_ptr<Request>> finished;
    lock.lock();
    part.running = false;
    for (auto& request : served) {
      if (!synced) request->result = synced;
      if (--request->open == 0) finished.push_back(std::move(request));
    }
    if (part.waiting.empty()) {
      parts_.erase(key);
    } else {
      // For this thread itself, if it is not taken before.
      ready_.push_back(key);
    }
    if (finished.empty()) continue;
    lock.unlock();
    for (auto& request : finished) request->done(request->result);
    finished.clear();
    lock.lock();
  }
}

}  // namespace tidemark::log
