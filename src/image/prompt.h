// SPDX-License-Identifier: Apache-2.0
// A question to the person at the terminal that is standard input.
//
//   const std::string password = TRY(prompt("Password: ", Echo::Off));
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"

namespace runhl::image {

enum class Echo : std::uint8_t { On, Off };

/// The line without its end. With Echo::Off the terminal is as before afterwards, also where a
/// signal ends the process. Errors: InvalidArgument (the input ends); of the host.
Result<std::string> prompt(const char* question, Echo echo);

}  // namespace runhl::image
