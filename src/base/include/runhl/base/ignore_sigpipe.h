// SPDX-License-Identifier: Apache-2.0
// Writing to a child that does not read must give EPIPE, not a signal that ends this process.
#pragma once

#include <csignal>

namespace runhl {

/// For its scope. Children that are made meanwhile ignore the signal, too.
class IgnoreSigpipe {
 public:
  IgnoreSigpipe() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    (void)::sigaction(SIGPIPE, &ignore, &before_);
  }
  IgnoreSigpipe(const IgnoreSigpipe&) = delete;
  IgnoreSigpipe& operator=(const IgnoreSigpipe&) = delete;
  IgnoreSigpipe(IgnoreSigpipe&&) = delete;
  IgnoreSigpipe& operator=(IgnoreSigpipe&&) = delete;
  ~IgnoreSigpipe() { (void)::sigaction(SIGPIPE, &before_, nullptr); }

 private:
  struct sigaction before_{};
};

}  // namespace runhl
