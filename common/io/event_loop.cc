#include "common/io/event_loop.h"

#include <pthread.h>

#include <asio.hpp>
#include <atomic>
#include <thread>

#include "common/base/dispatch.h"

namespace tidemark::io {

struct EventLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{
      context.get_executor()};
  std::thread thread;
  std::atomic<uint64_t> posted = 0;
};

EventLoop::EventLoop(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->thread =
      std::thread([this, impl = impl_.get(), name = std::move(name)] {
        current_executor = this;
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        impl->context.run();
      });
}

EventLoop::~EventLoop() { Stop(); }

void EventLoop::Stop() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void EventLoop::Post(Task task) {
  impl_->posted.fetch_add(1, std::memory_order_relaxed);
  asio::post(impl_->context, std::move(task));
}

uint64_t EventLoop::posted() const {
  return impl_->posted.load(std::memory_order_relaxed);
}

void EventLoop::PostAfter(Duration delay, Task task) {
  auto timer = std::make_shared<asio::steady_timer>(impl_->context, delay);
  timer->async_wait(
      [timer, task = std::move(task)](const std::error_code& error) {
        if (!error) task();
      });
}

bool EventLoop::InThisThread() const {
  return impl_->thread.get_id() == std::this_thread::get_id();
}

asio::io_context& EventLoop::context() { return impl_->context; }

}  // namespace tidemark::io
