#include "controller/cli/security_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "common/io/file.h"
#include "common/tls/authority.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kSecret = 0600, kPublic = 0644, kFolder = 0700;

tl::unexpected<Error> Refused(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + why);
}

// Never half of it, and never for a moment with another mode; whose it was it
// stays, so that a node goes on reading what root has renewed.
Status Write(const fs::path& path, std::string_view bytes, mode_t mode) {
  const std::string part = path.string() + ".new";
  ::unlink(part.c_str());
  const int fd =
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return Refused(part, std::strerror(errno));
  struct stat old {};
  bool good = ::fchmod(fd, mode) == 0;
  if (::stat(path.c_str(), &old) == 0 && old.st_uid != ::geteuid()) {
    good = good && ::fchown(fd, old.st_uid, old.st_gid) == 0;
  }
  while (good && !bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    good = wrote > 0;
    if (good) bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  good = good && ::fsync(fd) == 0;
  good = ::close(fd) == 0 && good;
  if (!good || ::rename(part.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    ::unlink(part.c_str());
    return Refused(path, why);
  }
  return io::PosixFileSystem().SyncDirectory(path.parent_path());
}

Result<std::string> Read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Refused(path, std::strerror(errno));
  return text.str();
}

Status MakeFolder(const fs::path& path) {
  if (::mkdir(path.c_str(), kFolder) != 0) {
    return Refused(path, std::strerror(errno));
  }
  return {};
}

fs::path AuthorityFile(const std::string& folder, int number,
                       const char* kind) {
  return fs::path(folder) / "ca" / (std::to_string(number) + kind);
}

// The numbers of the authorities that are trusted, oldest first.
Result<std::vector<int>> Authorities(const std::string& folder) {
  std::vector<int> found;
  std::error_code error;
  for (const auto& entry :
       fs::directory_iterator(fs::path(folder) / "ca", error)) {
    if (entry.path().extension() != ".pem") continue;
    found.push_back(std::atoi(entry.path().stem().c_str()));
  }
  std::ranges::sort(found);
  if (found.empty()) {
    return Refused(folder,
                   "no authority is here; make one with: tidemark security "
                   "init " +
                       folder);
  }
  return found;
}

Result<tls::Issued> ReadAuthority(const std::string& folder, int number) {
  tls::Issued authority;
  TM_ASSIGN_OR_RETURN(authority.key,
                      Read(AuthorityFile(folder, number, ".key")));
  TM_ASSIGN_OR_RETURN(authority.certificate,
                      Read(AuthorityFile(folder, number, ".pem")));
  return authority;
}

Status AddAuthorityWith(const std::string& folder, int number, int days) {
  TM_ASSIGN_OR_RETURN(
      const tls::Issued made,
      tls::MakeAuthority("tidemark authority " + std::to_string(number), days));
  TM_RETURN_IF_ERROR(
      Write(AuthorityFile(folder, number, ".key"), made.key, kSecret));
  return Write(AuthorityFile(folder, number, ".pem"), made.certificate,
               kPublic);
}

// The file with key and certificate of each node, and of the administrator.
std::vector<fs::path> Holders(const std::string& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    for (const char* name : {"node.pem", "admin.pem"}) {
      if (fs::exists(entry.path() / name)) found.push_back(entry.path() / name);
    }
  }
  std::ranges::sort(found);
  return found;
}

// Everybody is told whom to trust.
Status WriteTrust(const std::string& folder) {
  TM_ASSIGN_OR_RETURN(const auto numbers, Authorities(folder));
  std::string trust;
  for (const int number : numbers) {
    TM_ASSIGN_OR_RETURN(const std::string pem,
                        Read(AuthorityFile(folder, number, ".pem")));
    trust += pem;
  }
  for (const fs::path& holder : Holders(folder)) {
    TM_RETURN_IF_ERROR(
        Write(holder.parent_path() / "trust.pem", trust, kPublic));
  }
  return {};
}

Status Issue(const tls::Issued& authority, const fs::path& file,
             const tls::CertificateRequest& request) {
  TM_ASSIGN_OR_RETURN(const tls::Issued issued,
                      tls::IssueCertificate(authority, request));
  return Write(file, issued.key + issued.certificate, kSecret);
}

std::string StoresIn(const fs::path& place, const char* own) {
  return "ssl.keystore.type=PEM\nssl.keystore.location=" +
         (place / own).string() +
         "\nssl.truststore.type=PEM\nssl.truststore.location=" +
         (place / "trust.pem").string() + "\n";
}

Status MakeNode(const std::string& folder, const tls::Issued& authority,
                const NewCluster& cluster, const std::string& role, NodeId id) {
  const std::string name = role + "-" + std::to_string(id);
  const fs::path place = fs::absolute(folder) / name;
  TM_RETURN_IF_ERROR(MakeFolder(place));
  tls::CertificateRequest request;
  request.common_name = "tidemark " + role + " " + std::to_string(id);
  request.uris = {"tidemark:" + role + "/" + std::to_string(id)};
  request.hosts = cluster.hosts;
  if (const auto own = cluster.hosts_of.find(name);
      own != cluster.hosts_of.end()) {
    request.hosts.insert(request.hosts.end(), own->second.begin(),
                         own->second.end());
  }
  request.days = cluster.days;
  TM_RETURN_IF_ERROR(Issue(authority, place / "node.pem", request));
  std::string text =
      "# For the server.properties of " + name +
      ". Change the paths where the files go elsewhere; they are\n"
      "# read again when they change.\n"
      "listener.security.protocol.map=CONTROLLER:SSL,SSL:SSL\n";
  if (role == "broker") {
    text +=
        "# With listeners=SSL://host:port. Clients show a certificate, too.\n"
        "inter.broker.listener.name=SSL\nssl.client.auth=required\n";
  }
  return Write(place / "security.properties",
               text + StoresIn(place, "node.pem"), kPublic);
}

Status MakeAdmin(const std::string& folder, const tls::Issued& authority,
                 int days) {
  const fs::path place = fs::absolute(folder) / "admin";
  TM_RETURN_IF_ERROR(MakeFolder(place));
  TM_RETURN_IF_ERROR(Issue(authority, place / "admin.pem",
                           {.common_name = "tidemark admin",
                            .uris = {"tidemark:admin/admin"},
                            .hosts = {},
                            .days = days}));
  return Write(place / "client.properties",
               "# tidemark --command-config, and Kafka's tools.\n"
               "security.protocol=SSL\n" +
                   StoresIn(place, "admin.pem"),
               kPublic);
}

}  // namespace

Status MakeSecurity(const std::string& folder, const NewCluster& cluster) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return Refused(folder, "there is something in it already");
  }
  if (!fs::exists(folder, error)) TM_RETURN_IF_ERROR(MakeFolder(folder));
  TM_RETURN_IF_ERROR(MakeFolder(fs::path(folder) / "ca"));
  TM_RETURN_IF_ERROR(AddAuthorityWith(folder, 1, cluster.authority_days));
  TM_ASSIGN_OR_RETURN(const tls::Issued authority, ReadAuthority(folder, 1));
  for (const NodeId id : cluster.controllers) {
    TM_RETURN_IF_ERROR(MakeNode(folder, authority, cluster, "controller", id));
  }
  for (const NodeId id : cluster.brokers) {
    TM_RETURN_IF_ERROR(MakeNode(folder, authority, cluster, "broker", id));
  }
  TM_RETURN_IF_ERROR(MakeAdmin(folder, authority, cluster.days));
  return WriteTrust(folder);
}

Result<std::vector<std::string>> RenewCertificates(const std::string& folder,
                                                   int days) {
  TM_ASSIGN_OR_RETURN(const auto numbers, Authorities(folder));
  TM_ASSIGN_OR_RETURN(const tls::Issued authority,
                      ReadAuthority(folder, numbers.back()));
  std::vector<std::string> renewed;
  for (const fs::path& holder : Holders(folder)) {
    TM_ASSIGN_OR_RETURN(const std::string pem, Read(holder));
    TM_ASSIGN_OR_RETURN(auto request, tls::RequestOf(pem));
    request.days = days;
    TM_RETURN_IF_ERROR(Issue(authority, holder, request));
    renewed.push_back(holder.parent_path().filename());
  }
  // Also of one that an earlier call did not come to.
  TM_RETURN_IF_ERROR(WriteTrust(folder));
  return renewed;
}

Status AddAuthority(const std::string& folder, int days) {
  TM_ASSIGN_OR_RETURN(const auto numbers, Authorities(folder));
  TM_RETURN_IF_ERROR(AddAuthorityWith(folder, numbers.back() + 1, days));
  return WriteTrust(folder);
}

Status DropOldAuthorities(const std::string& folder) {
  TM_ASSIGN_OR_RETURN(const auto numbers, Authorities(folder));
  TM_ASSIGN_OR_RETURN(const tls::Issued newest,
                      ReadAuthority(folder, numbers.back()));
  for (const fs::path& holder : Holders(folder)) {
    TM_ASSIGN_OR_RETURN(const std::string pem, Read(holder));
    if (!tls::IsIssuedBy(pem, newest.certificate)) {
      return Refused(holder,
                     "it is not of the newest authority yet: tidemark security "
                     "rotate " +
                         folder);
    }
  }
  for (const int number : numbers) {
    if (number == numbers.back()) continue;
    // The key first: without the certificate nobody would look for it again.
    for (const char* kind : {".key", ".pem"}) {
      std::error_code error;
      const fs::path file = AuthorityFile(folder, number, kind);
      fs::remove(file, error);
      if (error) return Refused(file, error.message());
    }
  }
  return WriteTrust(folder);
}

}  // namespace tidemark::cli
