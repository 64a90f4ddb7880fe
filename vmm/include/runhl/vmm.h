/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C face of runhl/vmm/embed/machine.h: an upstream kernel with its program, inside the process
 * of whoever embeds it. What that header says of threads, signals and what is granted holds here.
 *
 *   runhl_options *options = runhl_options_new();
 *   runhl_machine *machine = NULL;
 *   int status = 0;
 *   if (runhl_options_set_kernel(options, "elfloader_hyperlight-x86_64") != RUNHL_OK ||
 *       …
 *       runhl_machine_new(options, &machine) != RUNHL_OK ||
 *       runhl_machine_boot(machine) != RUNHL_OK ||
 *       runhl_machine_wait(machine, &status) != RUNHL_OK)
 *     fprintf(stderr, "%s\n", runhl_error());
 *   runhl_options_free(options);
 *   runhl_machine_free(machine);
 *
 * Functions that can fail return RUNHL_OK or what went wrong; runhl_error() then says it in words.
 * Texts are UTF-8 and end with a NUL; they are copied, and so are bytes. A null pointer for an
 * object, a text or a place for a result is RUNHL_INVALID_ARGUMENT; free functions take one and do
 * nothing. No C++ exception leaves a function, and none may leave a callback.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define RUNHL_NOEXCEPT noexcept
#else
#define RUNHL_NOEXCEPT
#endif

/* C's own ways. NOLINTBEGIN(modernize-use-using,readability-identifier-naming) */

/* ErrorCode of runhl/base/result.h. */
typedef enum runhl_code {
  RUNHL_OK = 0,
  RUNHL_INVALID_ARGUMENT = 1, /* an option, a file or an argument; the message names it */
  RUNHL_NOT_FOUND = 2,
  RUNHL_ALREADY_EXISTS = 3,
  RUNHL_WRONG_STATE = 4, /* not before, or not after, another call */
  RUNHL_UNSUPPORTED = 5, /* understood, and refused */
  RUNHL_PERMISSION = 6,
  RUNHL_HYPERVISOR = 7,  /* KVM or the software CPU */
  RUNHL_GUEST_FAULT = 8, /* the guest broke a rule */
  RUNHL_TIMEOUT = 9,     /* runhl_machine_stop() */
  RUNHL_IO = 10,
  RUNHL_INTERNAL = 11,
  RUNHL_NO_MEMORY = 12
} runhl_code;

typedef enum runhl_executor {
  RUNHL_EXECUTOR_ANY = 0, /* KVM where it is real hardware, else the software CPU */
  RUNHL_EXECUTOR_VM = 1,
  RUNHL_EXECUTOR_EMULATED = 2
} runhl_executor;

typedef enum runhl_stream { RUNHL_OUT = 0, RUNHL_ERR = 1 } runhl_stream;

typedef enum runhl_network {
  RUNHL_NETWORK_LISTEN = 0, /* what is sent first is refused: for ports alone */
  RUNHL_NETWORK_ALL = 1,
  RUNHL_NETWORK_ALLOW = 2, /* to the targets alone */
  RUNHL_NETWORK_BLOCK = 3  /* everywhere but to the targets */
} runhl_network;

typedef enum runhl_access { RUNHL_READ_WRITE = 0, RUNHL_READ_ONLY = 1 } runhl_access;

typedef struct runhl_options runhl_options;
typedef struct runhl_machine runhl_machine;
typedef struct runhl_reply runhl_reply;

/* What the last call of this thread that failed would say: one line, "" before the first. Valid
 * until the next call that fails in this thread. */
const char* runhl_error(void) RUNHL_NOEXCEPT;

/* --- Options. 512 MiB of memory, and nothing granted. */

/* Null: no memory. */
runhl_options* runhl_options_new(void) RUNHL_NOEXCEPT;
void runhl_options_free(runhl_options* options) RUNHL_NOEXCEPT;

/* Path of an upstream kernel, generation G2 or G3. */
runhl_code runhl_options_set_kernel(runhl_options* options, const char* path) RUNHL_NOEXCEPT;
/* Path of a newc archive, not compressed. */
runhl_code runhl_options_set_initrd(runhl_options* options, const char* path) RUNHL_NOEXCEPT;
runhl_code runhl_options_set_memory(runhl_options* options, uint64_t bytes) RUNHL_NOEXCEPT;
/* Path in the archive, and its arguments: they end with a null pointer, and may be null. */
runhl_code runhl_options_set_program(runhl_options* options, const char* path,
                                     const char* const* arguments) RUNHL_NOEXCEPT;
/* "KEY=VALUE". */
runhl_code runhl_options_add_environment(runhl_options* options, const char* entry) RUNHL_NOEXCEPT;
/* A host directory, and where the guest sees it (absolute). */
runhl_code runhl_options_add_directory(runhl_options* options, const char* host, const char* guest,
                                       runhl_access access) RUNHL_NOEXCEPT;
runhl_code runhl_options_set_network(runhl_options* options, runhl_network mode) RUNHL_NOEXCEPT;
/* NAME, ADDRESS or ADDRESS/BITS, each with :PORT behind it or not; of ALLOW and BLOCK. */
runhl_code runhl_options_add_target(runhl_options* options, const char* target) RUNHL_NOEXCEPT;
/* PORT, LOW-HIGH or all: what the guest may bind. Both need runhl_options_set_network(). */
runhl_code runhl_options_add_port(runhl_options* options, const char* ports) RUNHL_NOEXCEPT;
/* A descriptor that the program reads; borrowed as long as the machine lives. */
runhl_code runhl_options_set_input(runhl_options* options, int fd) RUNHL_NOEXCEPT;
runhl_code runhl_options_set_executor(runhl_options* options,
                                      runhl_executor executor) RUNHL_NOEXCEPT;
/* Path of runhl-emu: there is no software CPU without. */
runhl_code runhl_options_set_emulator(runhl_options* options, const char* path) RUNHL_NOEXCEPT;

/* Called with what the program prints, in pieces, in the thread that runs the machine, which it
 * does not call. `bytes` do not end with a NUL. */
typedef void (*runhl_output_function)(void* context, runhl_stream stream, const char* bytes,
                                      size_t size);
/* In place of standard output and error. */
runhl_code runhl_options_set_output(runhl_options* options, runhl_output_function output,
                                    void* context) RUNHL_NOEXCEPT;

/* A host function, as the one above: its `arguments` do not end with a NUL either. Its answer is
 * what it sets with runhl_reply_set(), or nothing; a return value that is not 0 makes that the
 * reason of a failure. */
typedef int (*runhl_host_function)(void* context, const char* arguments, size_t size,
                                   runhl_reply* answer);
/* For programs, by a name, while they serve a call. */
runhl_code runhl_options_add_function(runhl_options* options, const char* name,
                                      runhl_host_function function, void* context) RUNHL_NOEXCEPT;

/* --- Machines. `context` of a callback outlives them. */

/* Opens what the options name; nothing runs yet. */
runhl_code runhl_machine_new(const runhl_options* options, runhl_machine** machine) RUNHL_NOEXCEPT;
/* Not while another thread is in a function of it. */
void runhl_machine_free(runhl_machine* machine) RUNHL_NOEXCEPT;
/* Boots the kernel and runs its program to its end or its first wait. */
runhl_code runhl_machine_boot(runhl_machine* machine) RUNHL_NOEXCEPT;
/* Runs the program to its end. *status: 0 to 255, or 128 + n where signal n killed it. */
runhl_code runhl_machine_wait(runhl_machine* machine, int* status) RUNHL_NOEXCEPT;
/* Has the program serve a call. The arguments end with a null pointer, and may be null. *reply is
 * to be freed. */
runhl_code runhl_machine_call(runhl_machine* machine, const char* function,
                              const char* const* arguments, runhl_reply** reply) RUNHL_NOEXCEPT;
/* Has the call that is going on, or else the next one, end with RUNHL_TIMEOUT. From any thread. */
void runhl_machine_stop(runhl_machine* machine) RUNHL_NOEXCEPT;
/* "vm" or "emulated". */
const char* runhl_machine_isolation(const runhl_machine* machine) RUNHL_NOEXCEPT;

/* --- Replies: a status, and bytes, which a NUL follows. Of a guest: hostile. */

/* 0: well. */
int32_t runhl_reply_status(const runhl_reply* reply) RUNHL_NOEXCEPT;
/* *size may be null. Valid until the reply is freed. */
const char* runhl_reply_bytes(const runhl_reply* reply, size_t* size) RUNHL_NOEXCEPT;
/* In a host function. */
runhl_code runhl_reply_set(runhl_reply* answer, const char* bytes, size_t size) RUNHL_NOEXCEPT;
void runhl_reply_free(runhl_reply* reply) RUNHL_NOEXCEPT;

/* NOLINTEND(modernize-use-using,readability-identifier-naming) */

#ifdef __cplusplus
}
#endif
