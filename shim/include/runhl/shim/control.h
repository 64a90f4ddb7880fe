// SPDX-License-Identifier: Apache-2.0
// How verbs speak to a container's monitor: one request and one reply a connection, both of fixed
// size, over the SOCK_SEQPACKET socket <state>/control.sock (mode 0600).
//
//   verb                                   monitor
//   ----                                   -------
//   connect
//   ControlRequest  ------------------->   size, magic, version, operation are checked
//                   <-------------------   ControlReply
//   close                                  close
//
//   TRY(control_call(dir, {.operation = ControlOperation::Signal, .argument = SIGTERM}));
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "runhl/base/event_loop.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {

inline constexpr std::uint32_t kControlMagic = 0x6c68'6e72;  // "rnhl"
inline constexpr std::uint32_t kControlVersion = 1;

enum class ControlOperation : std::uint32_t {
  Start = 1,      ///< let the program's first instruction run
  Signal = 2,     ///< argument: the number; for the first process
  Stats = 3,      ///< the reply's text: stats_text()
  SignalAll = 4,  ///< as Signal, for every process
};

struct ControlRequest {
  std::uint32_t magic = kControlMagic;
  std::uint32_t version = kControlVersion;
  ControlOperation operation{};
  std::int32_t argument = 0;
};
static_assert(sizeof(ControlRequest) == 16);

struct ControlReply {
  static constexpr std::size_t kTextBytes = 8176;

  std::uint32_t magic = kControlMagic;
  std::uint32_t version = kControlVersion;
  std::uint32_t ok = 0;
  std::uint32_t code = 0;      ///< of ErrorCode, when not ok
  char text[kTextBytes] = {};  ///< what was asked for, or the error's message; cut to fit, with NUL
};
static_assert(sizeof(ControlReply) == 8192);

/// Checks a message as it came from the socket. Errors: InvalidArgument.
Result<ControlRequest> decode_request(std::span<const std::byte> message);
ControlReply encode_reply(const Result<std::string>& result);
/// The reply's own text, or why there is none.
Result<std::string> decode_reply(std::span<const std::byte> message);

/// Binds `control.sock` in the state directory and listens.
Result<UniqueFd> control_listen(const StateDir& dir);

/// One call. Errors: NotFound (nobody listens: the monitor is gone), Timeout (it does not answer),
/// and what the monitor answered.
Result<void> control_call(const StateDir& dir, const ControlRequest& request, int timeout_ms);
/// The same for a request that is answered by a text.
Result<std::string> control_query(const StateDir& dir, const ControlRequest& request,
                                  int timeout_ms);

/// Who listens on the control socket: the monitor, also when no state file says so. Errors:
/// NotFound (nobody does).
Result<ProcessIdentity> control_peer(const StateDir& dir);

/// The monitor's side: accepts, reads, calls `handle`, replies; all from the loop, none of it
/// blocking, a bounded number of callers at once.
class ControlServer {
 public:
  /// The reply's text, empty for what is only done; once, now or later, while the server lives.
  using Reply = std::function<void(const Result<std::string>& result)>;
  using Handler = std::function<void(const ControlRequest& request, const Reply& reply)>;

  /// `loop` outlives the server.
  static Result<std::unique_ptr<ControlServer>> create(UniqueFd listener, EventLoop& loop,
                                                       Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ControlServer(ControlServer&&) = delete;
  ControlServer& operator=(ControlServer&&) = delete;

 private:
  ControlServer(UniqueFd listener, EventLoop& loop, Handler handler);
  void accept_caller();
  void serve_caller(int fd);
  void answer(int fd, const Result<std::string>& result);
  void dismiss(int fd);

  UniqueFd listener_;
  EventLoop& loop_;
  Handler handler_;
  std::map<int, UniqueFd> callers_;
};

}  // namespace runhl::shim
