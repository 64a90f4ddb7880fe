// SPDX-License-Identifier: Apache-2.0
// The steps, by subject. Each says its arguments, then what came of it.
#pragma once

#include "world.h"

namespace random_calls {

using Step = void (*)(Random&);

// steps_basic.cc
void step_open(Random& random);
void step_close(Random& random);
void step_read(Random& random);
void step_write(Random& random);
void step_vector(Random& random);
void step_seek(Random& random);
void step_truncate(Random& random);
void step_dup(Random& random);
void step_fcntl(Random& random);
void step_lock(Random& random);
void step_stat(Random& random);
void step_name(Random& random);
void step_list(Random& random);
void step_pipe(Random& random);
void step_poll(Random& random);
void step_memory(Random& random);
void step_signal(Random& random);
void step_self(Random& random);

// steps_files.cc
void step_openat(Random& random);
void step_at(Random& random);
void step_inode(Random& random);
void step_xattr(Random& random);
void step_range(Random& random);
void step_copy(Random& random);
void step_memfd(Random& random);
void step_descriptor(Random& random);
void step_inotify(Random& random);

// steps_ipc.cc
void step_socket(Random& random);
void step_socket_option(Random& random);
void step_send(Random& random);
void step_receive(Random& random);
void step_counter(Random& random);
void step_epoll(Random& random);
void step_select(Random& random);

// steps_memory.cc
void step_map_file(Random& random);
void step_pages(Random& random);
void step_transfer(Random& random);

// steps_signals.cc
void step_signal_rich(Random& random);
void step_itimer(Random& random);
void step_futex(Random& random);

// steps_process.cc
void step_child(Random& random);
void step_exec(Random& random);
void step_group(Random& random);
void step_credentials(Random& random);
void step_limit(Random& random);
void step_schedule(Random& random);
void step_prctl(Random& random);
void step_proc(Random& random);

// steps_blocked.cc
void step_blocked(Random& random);

/// Which pages of the arena can be read and what they hold: write(2) tells without a fault.
void say_arena();
/// What a program finds that step_exec() began.
void say_program(int argc, char** argv);

}  // namespace random_calls
