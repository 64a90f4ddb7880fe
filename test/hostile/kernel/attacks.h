// SPDX-License-Identifier: Apache-2.0
// The attacks; main.cc has their names. One that returns has been repelled: the container ends with
// 0. What must not happen ends it with 1 and a line on stdout (check()).
#pragma once

namespace hostile {

struct Attack {
  const char* name;
  void (*run)();
};

// life.cc: no attack; ends in every state
void hello();
void exit_without_word();
void die_before_boot();
void die_in_reserved_call();
void die_with_children();
void fault_without_handler();
void forbidden_call();
void refuse_to_boot();
void say_that_it_ends();
void sleep_for_ever();
void timed_sleep();
void panic();

// calls.cc: the filter
void every_number();
void other_conventions();
void write_monitor_page();
void foreign_descriptors();
void fork_bomb();

// requests.cc: the monitor's parsers
void bad_requests();
void bad_paths();
void bad_slots();
void inject_what_is_no_file();
void forged_credentials();
void flip_while_read();
void flood_ring();
void flood_calls();
void bogus_entries();
void writable_injection();

// files.cc: operations on files
void bad_names();
void bad_handles();
void bad_ranges();
void across_trees();
void lying_closes();
void flip_texts_while_read();
void contend_for_slot();
void requests_by_ring();
void unheard_call();

// ceiling.cc: rights that the container does not have
void beyond_user();
void beyond_root();

}  // namespace hostile
