// SPDX-License-Identifier: Apache-2.0
#include "commands/create_options.h"

#include "runhl/vmm/cell/cell.h"
#include "runhl/vmm/kernel_image.h"

namespace runhl {

void declare_create_options(Options& options, shim::CreateRequest* request, VerbOptions* verb) {
  options.value("-b,--bundle", "directory with config.json (default: the working directory)",
                &request->bundle);
  options.value("--pid-file", "write the container's pid to this file", &request->pid_file);
  options.value("--console-socket",
                "socket that receives the terminal (needs process.terminal, not supported yet)",
                &request->console_socket);
  options.count("--preserve-fds",
                "descriptors beyond the three streams (only 0: a guest gets no others)",
                &request->preserve_fds);
  options.value("--pidfd-socket", "socket that receives a pidfd of the container",
                &request->pidfd_socket);
  options.value("--rootfs-mode",
                "direct: the bundle's directory (the default); initrd: an archive of it, changes "
                "stay in memory and end with the container",
                &request->rootfs_mode);
  options.value("--rootfs-size",
                "room for changes in mode initrd, as 512M (default: the memory limit)",
                &verb->rootfs_size);
  options.value("--cache", "directory of converted archives", &verb->cache);
  options.value("--kernel",
                "run it on this upstream kernel: a file, or one of `runhl kernel ls`; before the "
                "command it counts for all",
                &verb->kernel);
  options.flag("--no-pivot", "accepted: the container's root is not this mount namespace's",
               &verb->no_pivot);
  options.flag("--no-new-keyring", "accepted: a guest has no host keyring", &verb->no_new_keyring);
}

shim::MachineFactory cell_factory() {
  return [](vmm::MachineSpec spec) {
    return vmm::cell::create(std::move(spec), vmm::embedded_kernel());
  };
}

}  // namespace runhl
