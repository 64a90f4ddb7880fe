// SPDX-License-Identifier: Apache-2.0
// HostCall: functions that whoever embeds the guest has given names. What a program gets is a byte,
// 0 or 1, and the answer or the reason why there is none.
#include <algorithm>
#include <utility>

#include "hyperlight/host_services.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/base/file_io.h"
#include "runhl/base/utf8.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::size_t kMostText = abi::hyperlight::kMaxPayload - 1;
constexpr std::size_t kShownName = 128;

Bytes reply(std::byte tag, std::string_view text) {
  text = text.substr(0, kMostText);
  Bytes bytes{tag};
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  bytes.insert(bytes.end(), begin, begin + text.size());
  return bytes;
}

/// As upstream's drivers ask for them: one a line.
std::string names_of(const std::vector<HostCall>& calls) {
  std::string names;
  for (const HostCall& call : calls) {
    names.append(names.empty() ? "" : "\n").append(call.name);
  }
  return names;
}

Result<std::string> run(const std::vector<HostCall>& calls, const std::string& name,
                        std::string_view arguments) {
  if (name.empty()) {
    return names_of(calls);
  }
  const auto found = std::find_if(calls.begin(), calls.end(),
                                  [&name](const HostCall& call) { return call.name == name; });
  if (found == calls.end()) {
    return fail(ErrorCode::NotFound, "no host function \"" + name.substr(0, kShownName) + "\"");
  }
  if (!is_utf8(arguments)) {
    return fail(ErrorCode::InvalidArgument, found->name + ": arguments that are not UTF-8");
  }
  std::string answer = TRY(found->run(arguments));
  if (answer.size() > kMostText) {
    return fail(ErrorCode::InvalidArgument, found->name + ": an answer of " +
                                                std::to_string(answer.size()) + " bytes; " +
                                                std::to_string(kMostText) + " fit");
  }
  return answer;
}

}  // namespace

void add_host_calls(HostFunctions* functions, const std::vector<HostCall>* calls) {
  functions->add({"HostCall", "sv", 'v', [calls](const Arguments& a) -> Result<Value> {
                    const Result<std::string> answer =
                        run(*calls, a.string(0), as_text(a.bytes(1)));
                    return Value(answer ? reply(std::byte{0}, *answer)
                                        : reply(std::byte{1}, answer.error().message));
                  }});
}

}  // namespace runhl::vmm::hyperlight
