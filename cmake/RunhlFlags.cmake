# SPDX-License-Identifier: Apache-2.0
# All compiler and linker flags of the tree, in two interface targets.

set(RUNHL_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wcast-align
    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wformat=2 -Wundef -Wvla -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees an overlap in `"literal" + std::string` where there is none (GCC bug 105651).
  list(APPEND RUNHL_WARNINGS -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # TRY is a GNU statement expression; __COUNTER__ and friends are ours by choice.
  list(APPEND RUNHL_WARNINGS -Wno-gnu-statement-expression -Wno-gnu-zero-variadic-macro-arguments
       -Wno-gnu-statement-expression-from-macro-expansion)
endif()

# Host code. Most of it runs once a start, and then its size is its cost: pages to be mapped, lines to
# be fetched. A target that serves a running guest sets the property RUNHL_SERVES.
add_library(runhl_flags INTERFACE)
target_compile_options(
  runhl_flags
  INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${RUNHL_WARNINGS}> -fno-omit-frame-pointer
            $<$<CONFIG:Release>:$<IF:$<BOOL:$<TARGET_PROPERTY:RUNHL_SERVES>>,-O2,-Os>
            -D_FORTIFY_SOURCE=3
            -D_GLIBCXX_ASSERTIONS
            -fstack-protector-strong
            -fcf-protection
            -ftrivial-auto-var-init=zero
            -ffunction-sections
            -fdata-sections>)
target_link_options(runhl_flags INTERFACE $<$<CONFIG:Release>:-Wl,-z,relro,-z,now,--gc-sections>)
if(RUNHL_SANITIZE)
  target_compile_options(runhl_flags INTERFACE -fsanitize=${RUNHL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(runhl_flags INTERFACE -fsanitize=${RUNHL_SANITIZE})
endif()
if(RUNHL_FUZZ)
  target_compile_options(runhl_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Guest code: freestanding, general registers only, linked at a fixed high address, so every
# reference is RIP-relative (guest/kernel/README.md).
add_library(runhl_guest_flags INTERFACE)
target_compile_options(
  runhl_guest_flags
  INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${RUNHL_WARNINGS}
            -fno-exceptions
            -fno-rtti
            -fno-threadsafe-statics
            -fno-use-cxa-atexit>
            -ffreestanding
            -fPIE
            -fvisibility=hidden
            -mno-red-zone
            -fno-asynchronous-unwind-tables
            -fno-omit-frame-pointer
            -fno-stack-protector
            -fcf-protection=none
            -fno-optimize-sibling-calls
            $<$<CXX_COMPILER_ID:GNU>:-mgeneral-regs-only>
            $<$<CXX_COMPILER_ID:Clang>:-mno-mmx
            -mno-sse
            -mno-sse2>
            -O2
            -g1
            -ffunction-sections
            -fdata-sections
            -Wframe-larger-than=2048
            $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-flto=auto>)
target_link_options(runhl_guest_flags INTERFACE $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-flto=auto>)
