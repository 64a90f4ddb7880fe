// SPDX-License-Identifier: Apache-2.0
// The hostile kernel: the container's first argument names the attack.
#include "kernel/attacks.h"
#include "kernel/host.h"

namespace hostile {

namespace {

constexpr Attack kAttacks[] = {
    {"hello", hello},
    {"exit-without-word", exit_without_word},
    {"die-before-boot", die_before_boot},
    {"die-in-reserved-call", die_in_reserved_call},
    {"die-with-children", die_with_children},
    {"fault-without-handler", fault_without_handler},
    {"forbidden-call", forbidden_call},
    {"refuse-to-boot", refuse_to_boot},
    {"say-that-it-ends", say_that_it_ends},
    {"sleep-for-ever", sleep_for_ever},
    {"timed-sleep", timed_sleep},
    {"panic", panic},
    {"every-number", every_number},
    {"other-conventions", other_conventions},
    {"write-monitor-page", write_monitor_page},
    {"foreign-descriptors", foreign_descriptors},
    {"fork-bomb", fork_bomb},
    {"bad-requests", bad_requests},
    {"bad-paths", bad_paths},
    {"bad-slots", bad_slots},
    {"inject-what-is-no-file", inject_what_is_no_file},
    {"forged-credentials", forged_credentials},
    {"flip-while-read", flip_while_read},
    {"flood-ring", flood_ring},
    {"flood-calls", flood_calls},
    {"bogus-entries", bogus_entries},
    {"writable-injection", writable_injection},
    {"bad-names", bad_names},
    {"bad-handles", bad_handles},
    {"bad-ranges", bad_ranges},
    {"across-trees", across_trees},
    {"lying-closes", lying_closes},
    {"flip-texts-while-read", flip_texts_while_read},
    {"contend-for-slot", contend_for_slot},
    {"requests-by-ring", requests_by_ring},
    {"unheard-call", unheard_call},
    {"beyond-user", beyond_user},
    {"beyond-root", beyond_root},
    {nullptr, nullptr},
};

}  // namespace

}  // namespace hostile

extern "C" [[noreturn]] void hostile_main() {
  using namespace hostile;
  const char* const name = argument(0);
  for (const Attack* attack = kAttacks; attack->name != nullptr; ++attack) {
    if (equal(attack->name, name)) {
      attack->run();
      finish(0);
    }
  }
  check(false, "unknown attack");
  finish(2);
}

// What the compiler may call; one byte at a time is fast enough here.
extern "C" void* memcpy(void* to, const void* from, std::size_t size) {
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  for (std::size_t i = 0; i < size; ++i) {
    asm volatile("" ::: "memory");  // else this loop becomes a call of memcpy
    out[i] = in[i];
  }
  return to;
}
extern "C" void* memset(void* to, int value, std::size_t size) {
  auto* out = static_cast<char*>(to);
  for (std::size_t i = 0; i < size; ++i) {
    asm volatile("" ::: "memory");
    out[i] = static_cast<char>(value);
  }
  return to;
}
