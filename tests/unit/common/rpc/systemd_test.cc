#include "common/rpc/systemd.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tidemark::rpc {
namespace {

TEST(NotifyServiceManager, SendsOneDatagramToTheSocketOrNothing) {
  unsetenv("NOTIFY_SOCKET");
  NotifyServiceManager("READY=1");  // nowhere to go

  const std::string name =
      std::string(1, '\0') + "tidemark-test-" + std::to_string(getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                        name.size())),
            0);
  setenv("NOTIFY_SOCKET", ("@" + name.substr(1)).c_str(), 1);
  NotifyServiceManager("READY=1");
  char buffer[64];
  const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  unsetenv("NOTIFY_SOCKET");
  close(fd);
  ASSERT_EQ(got, 7);
  EXPECT_EQ(std::string(buffer, 7), "READY=1");
}

}  // namespace
}  // namespace tidemark::rpc
