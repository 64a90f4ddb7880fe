// SPDX-License-Identifier: Apache-2.0
#include "core/settings.h"

namespace runhl::kernel {
namespace {

constinit Settings g_settings;

}  // namespace

Settings& settings() {
  return g_settings;
}

}  // namespace runhl::kernel
