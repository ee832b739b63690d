#pragma once

#include <utility>

#include "common/base/executor.h"

namespace tidemark {

// The executor whose thread the caller runs on; nullptr when it is none, or
// one that does not say so. Set by executors only.
inline thread_local const Executor* current_executor = nullptr;

// Any thread. Runs `task` on `executor`: at once when the caller is there
// already, so the task may find the caller's frames on the stack.
template <class F>
void Dispatch(Executor& executor, F task) {
  if (current_executor == &executor) {
    task();
  } else {
    executor.Post(std::move(task));
  }
}

}  // namespace tidemark
