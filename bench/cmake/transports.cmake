# bench_transport(<type> <header> [LINK <target>...] [OPTIONS <compiler option>...])
#                                                       compiles transports/<header> in a file of its own
# bench_absent(<name> <reason>)                         a transport that this build cannot have
# bench_write_registry(<target>)                        writes make_registry() and adds everything to <target>
# SPDX-License-Identifier: MIT

function(bench_transport type header)
    cmake_parse_arguments(transport "" "" "LINK;OPTIONS" ${ARGN})
    string(REGEX REPLACE "([a-z0-9])([A-Z])" "\\1_\\2" name ${type})
    string(TOLOWER ${name} name)
    set(file "${CMAKE_CURRENT_BINARY_DIR}/generated/transport_${name}.cpp")
    file(CONFIGURE OUTPUT "${file}" CONTENT [[
// Written by bench/cmake/transports.cmake.
#include "transports/@header@"

#include "harness/dispatch.hpp"

namespace bench {

Transport make_@name@() { return make_transport<@type@>(); }

}  // namespace bench
]] @ONLY)
    set_source_files_properties("${file}" PROPERTIES COMPILE_OPTIONS "${transport_OPTIONS}")
    set_property(DIRECTORY APPEND PROPERTY bench_names "${name}")
    set_property(DIRECTORY APPEND PROPERTY bench_files "${file}")
    set_property(DIRECTORY APPEND PROPERTY bench_links ${transport_LINK})
endfunction()

function(bench_absent name reason)
    message(STATUS "bench: without ${name}: ${reason}")
    set_property(DIRECTORY APPEND_STRING PROPERTY bench_absences
        "    registry.absent.push_back({\"${name}\", \"${reason}\"});\n")
endfunction()

function(bench_write_registry target)
    get_property(names DIRECTORY PROPERTY bench_names)
    get_property(files DIRECTORY PROPERTY bench_files)
    get_property(links DIRECTORY PROPERTY bench_links)
    get_property(absences DIRECTORY PROPERTY bench_absences)
    set(declarations "")
    set(additions "")
    foreach(name IN LISTS names)
        string(APPEND declarations "Transport make_${name}();\n")
        string(APPEND additions "    registry.transports.push_back(make_${name}());\n")
    endforeach()
    set(registry "${CMAKE_CURRENT_BINARY_DIR}/generated/registry.cpp")
    file(CONFIGURE OUTPUT "${registry}" CONTENT [[
// Written by bench/cmake/transports.cmake.
#include "harness/transport.hpp"

namespace bench {

@declarations@
Registry make_registry() {
    Registry registry;
@additions@@absences@    return registry;
}

}  // namespace bench
]] @ONLY)
    target_sources(${target} PRIVATE ${files} "${registry}")
    target_link_libraries(${target} PRIVATE ${links})
endfunction()
