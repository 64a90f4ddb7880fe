// SPDX-License-Identifier: Apache-2.0
#include "boot/tool_server.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

namespace runhl::boot {
namespace {

constexpr std::uint32_t kMaxInput = 1U << 20U;

struct Header {
  std::uint32_t number = 0;  ///< of the tool; of an answer: 1 where it succeeded, else 0
  std::uint32_t size = 0;
};

Result<void> send_bytes(int socket, const void* from, std::size_t size) {
  iovec data{const_cast<void*>(from), size};  // sendmsg's interface has no const
  while (data.iov_len > 0) {
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    const ssize_t put = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (put < 0 && errno != EINTR) {
      return fail_errno("tools");
    }
    const std::size_t done = put < 0 ? 0 : static_cast<std::size_t>(put);
    data.iov_base = static_cast<std::byte*>(data.iov_base) + done;
    data.iov_len -= done;
  }
  return {};
}

Result<void> send_message(int socket, std::uint32_t number, std::string_view text) {
  const Header header{number, static_cast<std::uint32_t>(text.size())};
  TRY(send_bytes(socket, &header, sizeof header));
  return send_bytes(socket, text.data(), text.size());
}

/// All of `size`. Io: the other side is gone.
Result<void> receive_bytes(int socket, void* to, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::recv(socket, static_cast<std::byte*>(to) + done, size - done, 0);
    if (got == 0) {
      return fail(ErrorCode::Io, "tools: their process is gone");
    }
    if (got < 0 && errno != EINTR) {
      return fail_errno("tools");
    }
    done += got < 0 ? 0 : static_cast<std::size_t>(got);
  }
  return {};
}

struct Message {
  std::uint32_t number = 0;
  std::string text;
};
Result<Message> receive_message(int socket, std::size_t most) {
  Header header;
  TRY(receive_bytes(socket, &header, sizeof header));
  if (header.size > most) {
    return fail(ErrorCode::InvalidArgument, "tools: a message that is too large");
  }
  Message message{header.number, std::string(header.size, '\0')};
  TRY(receive_bytes(socket, message.text.data(), message.text.size()));
  return message;
}

Result<void> serve_one(int socket, const std::vector<ToolProgram>& tools) {
  const Message request = TRY(receive_message(socket, kMaxInput));
  if (request.number >= tools.size()) {
    return fail(ErrorCode::InvalidArgument, "tools: there is no such one");
  }
  const ToolProgram& tool = tools[request.number];
  const Result<std::string> output = run_tool_program(tool, request.text);
  return output ? send_message(socket, 1, *output)
                : send_message(socket, 0, output.error().message);
}

/// Nothing but the socket and standard error stays open.
bool close_others(int socket) {
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto number = static_cast<unsigned>(socket);
  return nothing && ::dup2(nothing.get(), STDIN_FILENO) >= 0 &&
         ::dup2(nothing.get(), STDOUT_FILENO) >= 0 &&
         (number == 3 || ::close_range(3, number - 1, 0) == 0) &&
         ::close_range(number + 1, UINT_MAX, 0) == 0;
}

[[noreturn]] void serve(int socket, pid_t parent, const std::vector<ToolProgram>& tools) {
  (void)::prctl(PR_SET_NAME, "runhl-tools");
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent || !close_others(socket)) {
    ::_exit(1);
  }
  while (serve_one(socket, tools)) {
  }
  ::_exit(0);
}

}  // namespace

Result<ToolProgram> find_tool(const ToolProgram& tool) {
  const std::string shown = "--tool: " + tool.path;
  const std::unique_ptr<char, decltype(&std::free)> path(::realpath(tool.path.c_str(), nullptr),
                                                         &std::free);
  struct stat info{};
  if (!path || ::stat(path.get(), &info) != 0) {
    return fail_errno(shown);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::InvalidArgument, shown + ": not a regular file");
  }
  if (::access(path.get(), X_OK) != 0) {
    return fail_errno(shown);
  }
  return ToolProgram{tool.name, path.get()};
}

Result<ToolServer> ToolServer::start(std::vector<ToolProgram> tools) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno("socketpair");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    serve(theirs.get(), parent, tools);
  }
  return ToolServer(std::move(tools), pid, std::move(ours));
}

ToolServer::ToolServer(ToolServer&& other) noexcept
    : tools_(std::move(other.tools_)),
      pid_(std::exchange(other.pid_, 0)),
      socket_(std::move(other.socket_)) {}

ToolServer::~ToolServer() {
  if (pid_ > 0) {
    socket_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

std::vector<vmm::hyperlight::HostCall> ToolServer::tools() const {
  std::vector<vmm::hyperlight::HostCall> own;
  for (std::uint32_t i = 0; i < tools_.size(); ++i) {
    own.push_back({tools_[i].name,
                   [i, socket = socket_.get()](std::string_view input) -> Result<std::string> {
                     if (input.size() > kMaxInput) {
                       return fail(ErrorCode::InvalidArgument, "arguments that are too large");
                     }
                     TRY(send_message(socket, i, input));
                     Message answer = TRY(receive_message(socket, kMaxToolOutput));
                     return answer.number == 1 ? Result<std::string>(std::move(answer.text))
                                               : fail(ErrorCode::Io, std::move(answer.text));
                   }});
  }
  return own;
}

}  // namespace runhl::boot
