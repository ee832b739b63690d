#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "controller/service/controller.h"
#include "tests/sim/admin/linearizable.h"
#include "tests/sim/quorum/timeline.h"

namespace tidemark::sim {

// Where clients send: the process of a controller, if it is there.
class Processes {
 public:
  virtual ~Processes() = default;
  virtual int count() const = 0;
  // One that believes to lead, or kNoNode.
  virtual NodeId Active() = 0;
  // Has `call` run in that process, not after `deadline_us`: as production's
  // controllers run none that nobody waits for (service/call.h), since who has
  // asked again may have been refused meanwhile. It, or its answer, may get
  // lost.
  virtual void Send(NodeId to, uint64_t deadline_us,
                    std::function<void(controller::Controller&)> call) = 0;
  // In the name of whoever waits for the answer, in a while, or never.
  virtual void Answer(std::function<void()> task) = 0;
};

// Who administers topics, one operation at a time. Asks any controller, another
// one when there is no answer or it does not lead, the same under the same
// request id; gives up in the end.
class AdminClients {
 public:
  AdminClients(Timeline& timeline, Processes& processes, int count);

  void Start();
  // No more changes; every topic is read once more, by `kind` of reading.
  void Finish();
  // All has been read.
  bool Finished() const { return finishing_ && left_ == 0; }
  // Topics whose history no order explains, with it; "": none.
  std::string Check() const;

  uint64_t answered() const { return answered_; }
  uint64_t unknown() const { return unknown_; }
  uint64_t again() const { return again_; }

 private:
  struct Client {
    std::string topic;
    AdminOp op;
    std::string request_id;
    uint64_t attempt = 0;     // over all operations
    int tries = 0;            // of this one
    bool asks = false;        // and has no answer yet
    bool maybe = false;       // it may have happened
    bool reads_only = false;  // one of Finish
  };

  void Next(size_t who);
  void Try(size_t who);
  void SendOp(size_t who, NodeId to);
  template <class Request, class Read>
  void Ask(size_t who, NodeId to, Request request, Read read);
  void Heard(size_t who, uint64_t attempt, const Result<AdminOp>& answer);
  void Later(size_t who, uint64_t delay_us);
  void Unanswered(size_t who);
  void Record(const Client& client);
  AdminOp Invent();
  std::string Target();

  Timeline& timeline_;
  Random& random_;
  Processes& processes_;
  std::vector<Client> clients_;
  std::map<std::string, std::vector<AdminOp>> history_;
  std::map<std::string, size_t> begun_;  // operations on a topic
  uint64_t next_id_ = 1, next_value_ = 1;
  bool finishing_ = false;
  size_t left_ = 0;
  uint64_t answered_ = 0, unknown_ = 0, again_ = 0;
};

}  // namespace tidemark::sim
