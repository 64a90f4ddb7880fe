# SPDX-License-Identifier: Apache-2.0
# Precompiled headers of the outside world (std, gtest, boost). Parsing them is four fifths of what a
# file costs to compile, and two cores build this tree. Ours are never among them: each file still
# includes what it uses, which the clang builds (tidy, fuzz) check, as they go without.
#
#   runhl_precompile(TARGET host|test|guest)      in the functions that make targets

set(RUNHL_STD_HEADERS
    <algorithm> <array> <atomic> <cstddef> <cstdint> <cstring> <memory> <optional> <span> <string_view>
    <type_traits> <utility> <tl/expected.hpp>)
set(RUNHL_PCH_HEADERS_guest ${RUNHL_STD_HEADERS} <boost/intrusive/list.hpp>)
set(RUNHL_PCH_HEADERS_host ${RUNHL_STD_HEADERS} <charconv> <functional> <map> <string> <vector>)
set(RUNHL_PCH_HEADERS_test ${RUNHL_PCH_HEADERS_host} <gmock/gmock.h> <gtest/gtest.h>)

# Which kinds go with them here. In optimised host code GCC 12 loses sight of what is a system
# header behind a precompiled one, and reports its own false alarms there (GCC bug 105329).
set(RUNHL_PCH_KINDS "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND RUNHL_PCH_KINDS guest)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    list(APPEND RUNHL_PCH_KINDS host test)
  endif()
endif()

# One target a kind compiles them; the others reuse it.
set(RUNHL_PCH_DEPS_test GTest::gmock GTest::gtest)  # for its definitions
foreach(kind IN ITEMS host test)
  if(NOT kind IN_LIST RUNHL_PCH_KINDS)
    continue()
  endif()
  file(WRITE ${CMAKE_BINARY_DIR}/pch/${kind}.cc "// Generated: carries the precompiled header.\n")
  add_library(runhl_pch_${kind} OBJECT ${CMAKE_BINARY_DIR}/pch/${kind}.cc)
  target_link_libraries(runhl_pch_${kind} PRIVATE runhl_flags ${RUNHL_PCH_DEPS_${kind}})
  target_precompile_headers(runhl_pch_${kind} PRIVATE ${RUNHL_PCH_HEADERS_${kind}})
endforeach()

function(runhl_precompile target kind)
  if(NOT kind IN_LIST RUNHL_PCH_KINDS)
    return()
  endif()
  if(kind STREQUAL "guest")
    target_precompile_headers(${target} PRIVATE ${RUNHL_PCH_HEADERS_guest})
  else()
    target_precompile_headers(${target} REUSE_FROM runhl_pch_${kind})
  endif()
endfunction()
