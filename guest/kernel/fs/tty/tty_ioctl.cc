// SPDX-License-Identifier: Apache-2.0
// ioctl(2) of terminals.
#include <asm/ioctls.h>
#include <linux/capability.h>

#include <algorithm>
#include <cstring>

#include "core/linux_signal.h"
#include "fs/tty/job_control.h"
#include "fs/tty/tty.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

/// Commands that a background process may not use, as Linux's tty_ioctl and tty_mode_ioctl.
bool changes_terminal(std::uint32_t command) {
  switch (command) {
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
    case TCFLSH:
    case TCXONC:
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
    case TIOCSETD:
      return true;
    default:
      return false;
  }
}

std::uint32_t speed_of(std::uint32_t code) {
  constexpr std::uint32_t kSlow[] = {0,   50,   75,   110,  134,  150,  200,   300,
                                     600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
  constexpr std::uint32_t kFast[] = {0,       57600,   115200,  230400,  460800,  500000,
                                     576000,  921600,  1000000, 1152000, 1500000, 2000000,
                                     2500000, 3000000, 3500000, 4000000};
  const std::uint32_t index = code & 15;
  return (code & CBAUDEX) != 0 ? kFast[index] : kSlow[index];
}

/// c_ispeed and c_ospeed from the codes in c_cflag, unless those say "as written".
void derive_speeds(Termios& termios) {
  const std::uint32_t out = termios.c_cflag & CBAUD;
  if (out != BOTHER) {
    termios.c_ospeed = speed_of(out);
  }
  const std::uint32_t in = termios.c_cflag >> IBSHIFT & CBAUD;
  if (in == 0) {
    termios.c_ispeed = termios.c_ospeed;
  } else if (in != BOTHER) {
    termios.c_ispeed = speed_of(in);
  }
}

Result<Termios> copy_termios(std::uint32_t command, UserAddress argument, const Termios& old) {
  Termios wanted = old;
  switch (command) {
    case TCSETA:
    case TCSETAW:
    case TCSETAF: {
      // struct termio has the low halves only.
      const termio given = TRY(UserIn<termio>(argument).copy_in());
      constexpr tcflag_t kHigh = 0xffff'0000;
      wanted.c_iflag = (old.c_iflag & kHigh) | given.c_iflag;
      wanted.c_oflag = (old.c_oflag & kHigh) | given.c_oflag;
      wanted.c_cflag = (old.c_cflag & kHigh) | given.c_cflag;
      wanted.c_lflag = (old.c_lflag & kHigh) | given.c_lflag;
      std::copy_n(given.c_cc, std::size_t{NCC}, wanted.c_cc);
      break;
    }
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
      wanted = TRY(UserIn<Termios>(argument).copy_in());
      break;
    default:
      // struct termios is the front of termios2.
      TRY(copy_from_user(&wanted, argument, sizeof(struct termios)));
      break;
  }
  derive_speeds(wanted);
  return wanted;
}

bool flushes_input(std::uint32_t command) {
  return command == TCSETSF || command == TCSETSF2 || command == TCSETAF;
}

}  // namespace

Result<std::uint64_t> Tty::get_termios(std::uint32_t command, UserAddress argument) {
  Termios now{};
  {
    const Mutex::Guard guard(lock_);
    now = line_.termios();
  }
  if (command == TCGETA) {
    termio old{};
    old.c_iflag = static_cast<unsigned short>(now.c_iflag);
    old.c_oflag = static_cast<unsigned short>(now.c_oflag);
    old.c_cflag = static_cast<unsigned short>(now.c_cflag);
    old.c_lflag = static_cast<unsigned short>(now.c_lflag);
    std::copy_n(now.c_cc, std::size_t{NCC}, old.c_cc);
    TRY(UserOut<termio>(argument).copy_out(old));
    return 0;
  }
  TRY(copy_to_user(argument, &now, command == TCGETS2 ? sizeof now : sizeof(struct termios)));
  return 0;
}

Result<std::uint64_t> Tty::set_termios(std::uint32_t command, UserAddress argument) {
  Termios old{};
  {
    const Mutex::Guard guard(lock_);
    old = line_.termios();
  }
  const Termios wanted = TRY(copy_termios(command, argument, old));
  const Mutex::Guard guard(lock_);
  if (flushes_input(command)) {
    line_.flush_input();
  }
  line_.set_termios(wanted);
  // Packet mode: the far side is told whether ^S and ^Q are to be kept from the program.
  const auto stops = [](const Termios& t) {
    return (t.c_iflag & IXON) != 0 && t.c_cc[VSTOP] == 19 && t.c_cc[VSTART] == 17;
  };
  if (stops(old) != stops(wanted)) {
    packet_status_ &= ~std::uint32_t{TIOCPKT_DOSTOP | TIOCPKT_NOSTOP};
    packet_status_ |= stops(wanted) ? std::uint32_t{TIOCPKT_DOSTOP} : std::uint32_t{TIOCPKT_NOSTOP};
  }
  if ((wanted.c_iflag & IXON) == 0) {
    line_.start();
  }
  publish();
  return 0;
}

Result<std::uint64_t> Tty::set_window(UserAddress argument) {
  const winsize wanted = TRY(UserIn<winsize>(argument).copy_in());
  {
    const Mutex::Guard guard(lock_);
    if (std::memcmp(&wanted, &window_, sizeof wanted) == 0) {
      return 0;
    }
    window_ = wanted;
  }
  signal_foreground(*this, SIGWINCH);
  return 0;
}

Result<std::uint64_t> Tty::flush(std::uint64_t which) {
  if (which != TCIFLUSH && which != TCOFLUSH && which != TCIOFLUSH) {
    return fail(EINVAL);
  }
  const Mutex::Guard guard(lock_);
  if (which != TCOFLUSH) {
    line_.flush_input();
    packet_status_ |= TIOCPKT_FLUSHREAD;
  }
  if (which != TCIFLUSH) {
    flush_output();
  }
  publish();
  return 0;
}

Result<std::uint64_t> Tty::flow(std::uint64_t action) {
  const Mutex::Guard guard(lock_);
  switch (action) {
    case TCOOFF:
      line_.stop();
      packet_status_ = (packet_status_ & ~std::uint32_t{TIOCPKT_START}) | TIOCPKT_STOP;
      break;
    case TCOON:
      line_.start();
      packet_status_ = (packet_status_ & ~std::uint32_t{TIOCPKT_STOP}) | TIOCPKT_START;
      break;
    case TCIOFF:
    case TCION: {
      const cc_t* const control = line_.termios().c_cc;
      const cc_t c = control[action == TCIOFF ? VSTOP : VSTART];
      if (c != 0 && output_room() != 0) {
        put_output(static_cast<char>(c));
      }
      break;
    }
    default:
      return fail(EINVAL);
  }
  publish();
  return 0;
}

Result<std::uint64_t> Tty::count(std::uint32_t command, UserAddress argument) {
  int bytes = 0;
  {
    const Mutex::Guard guard(lock_);
    // Output is with the far side as soon as it is written: nothing is left to send.
    bytes = command == TIOCINQ ? static_cast<int>(line_.available()) : 0;
  }
  TRY(UserOut<int>(argument).copy_out(bytes));
  return 0;
}

Result<std::uint64_t> Tty::ioctl(std::uint32_t command, UserAddress argument, bool far) {
  if (hung_up() && !far) {
    return command == TIOCSPGRP ? fail(ENOTTY) : fail(EIO);
  }
  if (!far && changes_terminal(command)) {
    TRY(check_background(*this, SIGTTOU));
  }
  switch (command) {
    case TCGETS:
    case TCGETS2:
    case TCGETA:
      return get_termios(command, argument);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
      return set_termios(command, argument);
    case TIOCGWINSZ: {
      winsize now{};
      {
        const Mutex::Guard guard(lock_);
        now = window_;
      }
      TRY(UserOut<winsize>(argument).copy_out(now));
      return 0;
    }
    case TIOCSWINSZ:
      return set_window(argument);
    case TCFLSH:
      return flush(argument);
    case TCXONC:
      return flow(argument);
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
      return 0;  // no line that could break, and nothing to drain
    case TIOCINQ:
    case TIOCOUTQ:
      return count(command, argument);
    case TIOCGPGRP:
      TRY(UserOut<int>(argument).copy_out(TRY(foreground_group(*this, far))));
      return 0;
    case TIOCSPGRP:
      TRY(set_foreground_group(*this, TRY(UserIn<int>(argument).copy_in())));
      return 0;
    case TIOCGSID:
      TRY(UserOut<int>(argument).copy_out(TRY(session_of(*this, far))));
      return 0;
    case TIOCSCTTY:
      TRY(set_controlling_terminal(*this, argument == 1));
      return 0;
    case TIOCNOTTY:
      TRY(give_up_terminal(*this));
      return 0;
    case TIOCEXCL:
    case TIOCNXCL: {
      const Mutex::Guard guard(lock_);
      exclusive_ = command == TIOCEXCL;
      return 0;
    }
    case TIOCGEXCL: {
      int on = 0;
      {
        const Mutex::Guard guard(lock_);
        on = exclusive_ ? 1 : 0;
      }
      TRY(UserOut<int>(argument).copy_out(on));
      return 0;
    }
    case TIOCGETD:
      TRY(UserOut<int>(argument).copy_out(0));  // N_TTY
      return 0;
    case TIOCSETD:
      return TRY(UserIn<int>(argument).copy_in()) == 0 ? Result<std::uint64_t>(0) : fail(EINVAL);
    case TIOCSTI:
      return fail(EIO);  // as kernels answer that are built without it
    default:
      return fail(ENOTTY);
  }
}

}  // namespace runhl::kernel
