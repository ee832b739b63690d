# How every folder of tidemark is built: one static library per folder, one
# test binary per test folder, warnings as errors.

option(TIDEMARK_WERROR "Treat warnings as errors" ON)
set(TIDEMARK_SANITIZE "" CACHE STRING "address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
# Fuzz targets follow what their inputs reach (tests/fuzz/coverage.h).
option(TIDEMARK_COVERAGE "Count edges" OFF)
if(TIDEMARK_COVERAGE)
  add_compile_options(-fsanitize-coverage=trace-pc)
endif()
if(TIDEMARK_SANITIZE)
  # What is undefined ends the test.
  add_compile_options(-fsanitize=${TIDEMARK_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TIDEMARK_SANITIZE})
  # What AddressSanitizer finds by itself would be checked at every access: a
  # third of all the time.
  add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  # GCC takes instrumented code for uninitialized reads.
  add_compile_options(-Wno-maybe-uninitialized)
  if(TIDEMARK_SANITIZE STREQUAL "thread")
    # asio's fences, which GCC's ThreadSanitizer does not follow.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# Flags for our own code; generated code compiles without them.
add_library(tidemark_flags INTERFACE)
target_compile_options(tidemark_flags INTERFACE
  -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers
  $<$<BOOL:${TIDEMARK_WERROR}>:-Werror>)
target_include_directories(tidemark_flags INTERFACE ${PROJECT_SOURCE_DIR})
# Without it, asio takes aligned_alloc or operator new depending on what its
# includer has included before, and one file frees what another allocated.
target_compile_definitions(tidemark_flags INTERFACE
  ASIO_DISABLE_STD_ALIGNED_ALLOC)

# tidemark_library(NAME DEPS...): every .cc of this folder except main.cc
# becomes the static library NAME.
function(tidemark_library name)
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC tidemark_flags ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE tidemark_flags ${ARGN})
  endif()
endfunction()

# What a sanitizer build needs of the tests: all, and those of CI.
add_custom_target(unit_tests)
add_custom_target(sanitized_tests)

# tidemark_test(NAME [SANITIZED] DEPS...): every *_test.cc of this folder becomes
# the GoogleTest binary NAME, run as one ctest entry. SANITIZED: in CI also under
# the address and undefined-behaviour sanitizers.
function(tidemark_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SANITIZED" "" "")
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE tidemark_flags GTest::gmock_main
    ${arg_UNPARSED_ARGUMENTS})
  # A test has little to do itself, and is compiled in a fifth less time.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  # Relative, so that every checkout compiles the same and shares a cache.
  target_compile_definitions(${name} PRIVATE TIDEMARK_TEST_DATA="tests/data")
  add_dependencies(unit_tests ${name})
  add_test(NAME ${name} COMMAND ${name}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS unit)
  if(arg_SANITIZED)
    add_dependencies(sanitized_tests ${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;sanitized")
  endif()
endfunction()
