# SPDX-License-Identifier: Apache-2.0
# One helper a kind of target. A folder that forgets a dependency does not find the header.
#
#   runhl_library(NAME runhl_oci SRCS a.cc DEPS runhl_base PRIVATE_DEPS nlohmann_json::nlohmann_json
#                 TESTS a_test.cc TEST_DEPS ...)
#
# makes the library, with <folder>/include public, and the unit test program <NAME>_test.

include(GoogleTest)

function(runhl_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS;TESTS;TEST_DEPS" ${ARGN})
  add_library(${ARG_NAME} STATIC ${ARG_SRCS})
  target_include_directories(${ARG_NAME} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                             PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS} runhl_flags)
  runhl_precompile(${ARG_NAME} host)
  if(ARG_TESTS)
    runhl_test(NAME ${ARG_NAME}_test SRCS ${ARG_TESTS} DEPS ${ARG_NAME} ${ARG_PRIVATE_DEPS}
               ${ARG_TEST_DEPS})
    target_include_directories(${ARG_NAME}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
endfunction()

# A GoogleTest program; every test is a CTest entry with label LABEL (default: unit).
function(runhl_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SRCS;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main
                        runhl_flags)
  runhl_precompile(${ARG_NAME} test)
  gtest_discover_tests(${ARG_NAME} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
                       DISCOVERY_TIMEOUT 60)
endfunction()

# An executable of the product; LINKED dynamically: for libraries that are not there as static ones.
function(runhl_executable)
  cmake_parse_arguments(ARG "" "NAME;LINKED" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} runhl_flags)
  runhl_precompile(${ARG_NAME} host)
  if(RUNHL_STATIC AND NOT ARG_LINKED STREQUAL "dynamically")
    # Text that begins where a large page may, in memory as in the file: a host that has the file's
    # pages in large folios maps the first 2 MiB of it by one entry instead of a fault each 64 KiB.
    target_link_options(${ARG_NAME} PRIVATE -static
                        $<$<CONFIG:Release>:-Wl,-z,max-page-size=0x200000>)
  endif()
endfunction()

# A libFuzzer target, built with the preset `fuzz` only.
function(runhl_fuzz)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  if(NOT RUNHL_FUZZ)
    return()
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} runhl_flags)
  target_link_options(${ARG_NAME} PRIVATE -fsanitize=fuzzer)
endfunction()
