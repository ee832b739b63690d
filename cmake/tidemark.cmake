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

# Several files of a folder are compiled as one: the headers of gRPC and asio cost
# more than our code, and a whole build takes less than half the time. So names
# in anonymous namespaces are unique within a folder. Smaller by hand than by
# UNITY_BUILD: with paths from the top, every checkout shares a compiler cache.
option(TIDEMARK_UNITY "Compile several files as one" ON)
set(TIDEMARK_UNITY_FILES 6)

# tidemark_together(OUT SOURCES...): files that include them, a few each.
function(tidemark_together out)
  if(NOT TIDEMARK_UNITY OR NOT ARGN)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  list(LENGTH ARGN count)
  math(EXPR groups
    "(${count} + ${TIDEMARK_UNITY_FILES} - 1) / ${TIDEMARK_UNITY_FILES}")
  set(files)
  set(n 0)
  foreach(group RANGE 1 ${groups})
    set(text "")
    math(EXPR end "${count} * ${group} / ${groups}")
    while(n LESS end)
      list(GET ARGN ${n} source)
      file(RELATIVE_PATH source ${PROJECT_SOURCE_DIR} ${source})
      string(APPEND text "#include \"${source}\"\n")
      math(EXPR n "${n} + 1")
    endwhile()
    set(file ${CMAKE_CURRENT_BINARY_DIR}/${out}_${group}.cc)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
    list(APPEND files ${file})
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# tidemark_library(NAME [APART] DEPS...): every .cc of this folder except main.cc
# becomes the static library NAME. APART: its files repeat each other's names.
function(tidemark_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "APART" "" "")
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "main\\.cc$")
  if(NOT arg_APART)
    tidemark_together(sources ${sources})
  endif()
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC tidemark_flags ${arg_UNPARSED_ARGUMENTS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE tidemark_flags ${arg_UNPARSED_ARGUMENTS})
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
  tidemark_together(sources ${sources})
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
  # Sanitizers take six times as long, and a machine may be slow besides.
  set(seconds 300)
  if(TIDEMARK_SANITIZE)
    set(seconds 900)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${seconds} LABELS unit)
  if(arg_SANITIZED)
    add_dependencies(sanitized_tests ${name})
    set_tests_properties(${name} PROPERTIES LABELS "unit;sanitized")
  endif()
endfunction()
