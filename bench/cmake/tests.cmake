# The harness checks itself: it delivers over every transport it has, its report follows the schema, and a transport that
# goes wrong fails the run by name. Each test spins on two CPUs for a moment, so none runs beside another.
# SPDX-License-Identifier: MIT

set(smoke_report "${CMAKE_CURRENT_BINARY_DIR}/smoke.json")
add_test(NAME bench/EveryTransportDeliversEveryMessage
    COMMAND ipc_bench --quick --rounds 1 --seconds 0.02 --size 64 --json "${smoke_report}")
add_test(NAME bench/LargeMessagesAreDelivered
    COMMAND ipc_bench --mode stream,rtt --size 1048576 --rounds 1 --seconds 0.02)

find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
    add_test(NAME bench/TheReportFollowsItsSchema
        COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/check_report.py" "${smoke_report}")
else()
    add_test(NAME bench/TheReportFollowsItsSchema
        COMMAND "${CMAKE_COMMAND}" -E echo "bench: Skipped\nno python3 to read the report with")
endif()
set_tests_properties(bench/EveryTransportDeliversEveryMessage PROPERTIES FIXTURES_SETUP bench_report)
set_tests_properties(bench/TheReportFollowsItsSchema PROPERTIES
    FIXTURES_REQUIRED bench_report SKIP_REGULAR_EXPRESSION "bench: Skipped")
add_test(NAME bench/EmptyMessagesAreDelivered
    COMMAND ipc_bench --mode stream,rtt --size 0 --rounds 1 --seconds 0.02)
add_test(NAME bench/AllOnOneCpuDeliverEveryMessage
    COMMAND ipc_bench --mode stream,blocking,tickets --rate 10000 --size 64 --rounds 1 --seconds 0.02 --pin 0,0
            --transports shmring-spsc,shmring-bytes,pipe)
set(tests bench/EveryTransportDeliversEveryMessage bench/LargeMessagesAreDelivered bench/EmptyMessagesAreDelivered
    bench/AllOnOneCpuDeliverEveryMessage bench/TheReportFollowsItsSchema)

find_package(GTest REQUIRED)
include(GoogleTest)

# On made-up transports, so it needs no CPU to itself.
add_executable(distance_test distance_test.cpp harness/results.cpp harness/schedule.cpp harness/system_calls.cpp)
target_include_directories(distance_test PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(distance_test PRIVATE GTest::gtest_main)
gtest_discover_tests(distance_test TEST_PREFIX bench/ TEST_LIST tests_of_distance DISCOVERY_MODE PRE_TEST)
label_discovered(distance_test tests_of_distance check)

# Of a script in report/, on made-up reports or on the one above.
function(expect_of_script name)
    if(Python3_FOUND)
        add_test(NAME bench/${name} COMMAND Python3::Interpreter -B ${ARGN}
            WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/report")
    else()
        add_test(NAME bench/${name} COMMAND "${CMAKE_COMMAND}" -E echo "bench: Skipped\nno python3 to run the script with")
    endif()
    set_tests_properties(bench/${name} PROPERTIES SKIP_REGULAR_EXPRESSION "bench: Skipped")
    set(tests ${tests} bench/${name} PARENT_SCOPE)
endfunction()

expect_of_script(ComparisonTellsWhichRowsMoved compare_test.py)
expect_of_script(ChartsHoldEveryLineAndLabel chart_test.py)
expect_of_script(TheReportForPeopleHasItsTablesAndCharts report_test.py "${smoke_report}" "${CMAKE_CURRENT_BINARY_DIR}/smoke.md")
set_tests_properties(bench/TheReportForPeopleHasItsTablesAndCharts PROPERTIES FIXTURES_REQUIRED bench_report)

# expect(<test> <exit status> <what it must say> <argument of ipc_bench>...)
function(expect name status text)
    add_test(NAME bench/${name}
        COMMAND "${CMAKE_COMMAND}" "-DSTATUS=${status}" "-DTEXT=${text}" -P
                "${CMAKE_CURRENT_SOURCE_DIR}/cmake/expect.cmake" -- $<TARGET_FILE:ipc_bench> ${ARGN})
    set(tests ${tests} bench/${name} PARENT_SCOPE)
endfunction()

set(shortly --mode stream --size 8,64 --rounds 1 --seconds 0.02)
expect(ALostMessageFailsTheRun 1 "lost message" --transports broken-drops ${shortly})
expect(ARepeatedMessageFailsTheRun 1 "repeated message" --transports broken-repeats ${shortly})
expect(AReorderedMessageFailsTheRun 1 "reordered message" --transports broken-reorders ${shortly})
expect(ATornMessageFailsTheRun 1 "torn message" --transports broken-tears ${shortly})
expect(ALostMessageAtAFixedRateFailsTheRun 1 "lost message"
    --transports broken-drops --mode open-loop --rate 10000 --size 64 --rounds 1 --seconds 0.02)
expect(ARepeatedAnswerFailsTheRun 1 "repeated message"
    --transports broken-repeats --mode rtt --size 8 --rounds 1 --seconds 0.02)
set(shortly_among_two --producers 2 --consumers 1 --size 8,64 --rounds 1 --seconds 0.02)
expect(ALostMessageOfManyFailsTheRun 1 "lost message" --transports broken-drops-many --producers 2 --consumers 1
    --size 64 --rounds 1 --seconds 0.02)
expect(ARepeatedMessageOfManyFailsTheRun 1 "repeated message" --transports broken-repeats-many ${shortly_among_two})
expect(AReorderedMessageOfManyFailsTheRun 1 "reordered message" --transports broken-reorders-many ${shortly_among_two})
expect(ATornMessageOfManyFailsTheRun 1 "torn message" --transports broken-tears-many --producers 2 --consumers 2
    --size 64 --rounds 1 --seconds 0.02)
expect(ACrowdOfPairsIsAUsageError 2 "nothing to run" --transports cached-index --producers 2 --consumers 2)
expect(AnUnknownTransportIsAUsageError 2 "no transport" --transports carrier-pigeon)

math(EXPR timeout_s "120 * ${SHMRING_TIMEOUT_FACTOR}")
set_tests_properties(${tests} PROPERTIES RUN_SERIAL ON TIMEOUT ${timeout_s} LABELS "bench;check")
