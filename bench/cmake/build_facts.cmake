# Writes the facts of this build, run at each build so that the git revision is that of the sources compiled.
#   cmake -DOUTPUT=<file> -DSOURCE=<folder in the repository> -DCOMPILER=<text> -DFLAGS=<text> -P build_facts.cmake
# SPDX-License-Identifier: MIT

execute_process(COMMAND git describe --always --dirty --abbrev=12 WORKING_DIRECTORY "${SOURCE}"
    OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
    set(REVISION "unknown (no git, or no commit)")
endif()

set(content "// Written by bench/cmake/build_facts.cmake.
#include \"harness/build_facts.hpp\"

namespace bench {

const std::string_view kCompiler = R\"(${COMPILER})\";
const std::string_view kFlags = R\"(${FLAGS})\";
const std::string_view kRevision = R\"(${REVISION})\";

}  // namespace bench
")

set(before "")
if(EXISTS "${OUTPUT}")
    file(READ "${OUTPUT}" before)
endif()
if(NOT before STREQUAL content)
    file(WRITE "${OUTPUT}" "${content}")
endif()
