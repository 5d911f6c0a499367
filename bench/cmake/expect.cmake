# Runs a program that must end with STATUS and say TEXT on standard error.
#   cmake -DSTATUS=1 -DTEXT=<regular expression> -P expect.cmake -- <program> <argument>...
# SPDX-License-Identifier: MIT

set(command)
set(after_dashes OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(index RANGE ${last})
    if(after_dashes)
        list(APPEND command "${CMAKE_ARGV${index}}")
    elseif(CMAKE_ARGV${index} STREQUAL "--")
        set(after_dashes ON)
    endif()
endforeach()

execute_process(COMMAND ${command} RESULT_VARIABLE status ERROR_VARIABLE errors OUTPUT_VARIABLE output)
if(NOT status STREQUAL STATUS OR NOT errors MATCHES "${TEXT}")
    message(FATAL_ERROR "expected status ${STATUS} and \"${TEXT}\", got status ${status}\n${errors}${output}")
endif()
message(STATUS "status ${status}: ${errors}")
