// SPDX-License-Identifier: Apache-2.0
// Which session a terminal controls and which group is in its foreground.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/ref.h"

namespace runhl::kernel {

class Tty;
struct Process;

/// The caller's controlling terminal, or null.
Ref<Tty> controlling_terminal();
/// On open of a terminal: a session leader without one gets it, unless it controls another session.
void adopt_terminal(Tty& tty);
/// TIOCSCTTY, TIOCNOTTY.
Result<void> set_controlling_terminal(Tty& tty, bool steal);
Result<void> give_up_terminal(Tty& tty);
/// A session leader ends: its terminal is free, and the foreground hears of it.
void leader_gives_up_terminal(Process& leader);
/// The far side has hung up: the session loses its terminal, its leader gets SIGHUP and SIGCONT.
void end_session_of(Tty& tty);

void signal_foreground(Tty& tty, int number);
/// A caller in the background of its own terminal is sent SIGTTIN or SIGTTOU: an error that begins
/// the call again. EIO where nobody would continue it. Allowed for the foreground, and for SIGTTOU
/// when it is ignored or blocked.
Result<void> check_background(Tty& tty, int number);

/// TIOCGPGRP, TIOCSPGRP, TIOCGSID. `far`: asked from the other side of the cable.
Result<std::int32_t> foreground_group(Tty& tty, bool far);
Result<void> set_foreground_group(Tty& tty, std::int32_t group);
Result<std::int32_t> session_of(Tty& tty, bool far);

}  // namespace runhl::kernel
