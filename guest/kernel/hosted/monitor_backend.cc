// SPDX-License-Identifier: Apache-2.0
#include "hosted/monitor_backend.h"

#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>

#include "fs/file_service.h"

namespace runhl::kernel::hosted {
namespace {

class MonitorBackend final : public Backend {
 public:
  explicit MonitorBackend(std::unique_ptr<vmm::fs::FileService> service)
      : service_(std::move(service)), credentials_(service_->credentials()) {}
  void handle(abi::RequestSlot& slot, std::byte* bounce) override {
    const abi::RequestSlot copy = slot;
    slot.reply = service_->handle(copy, {bounce, abi::kBounceSize}, credentials_).reply;
  }

 private:
  std::unique_ptr<vmm::fs::FileService> service_;
  vmm::fs::OperationCredentials credentials_;  // of the thread that all requests come from
};

}  // namespace

std::unique_ptr<Backend> make_monitor_backend(const std::vector<Tree>& trees) {
  std::vector<vmm::GrantedTree> granted;
  for (const Tree& tree : trees) {
    vmm::GrantedTree grant;
    const std::string path = tree.parent + "/" + tree.name;
    grant.parent = UniqueFd{::open(tree.parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    grant.name = tree.name;
    grant.root = UniqueFd{::open(path.c_str(), O_PATH | O_CLOEXEC)};
    grant.directory = tree.directory;
    granted.push_back(std::move(grant));
  }
  vmm::Ceiling ceiling;
  ceiling.uid = ::geteuid();
  ceiling.gid = ::getegid();
  auto service = vmm::fs::FileService::create(std::move(granted), ceiling);
  if (!service) {
    throw std::runtime_error(service.error().message);
  }
  return std::make_unique<MonitorBackend>(std::move(*service));
}

}  // namespace runhl::kernel::hosted
