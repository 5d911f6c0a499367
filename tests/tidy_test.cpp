// The tree checks itself: which rule holds where, and what is excepted. The tree must give no findings, and a small bad
// example must give one, so that no rule is blind. The rules themselves: support/tidy_rules.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "support/source_files.hpp"
#include "support/tidy_rules.hpp"

namespace shmring::test {
namespace {

// ---- what the tree looks like: extend these tables when it grows ---------------------------------------------------

const std::vector<std::string> kAlgorithms = {"detail/spsc.hpp",       "detail/spsc_bytes.hpp",
                                              "detail/mpmc.hpp",       "detail/mpmc_recovery.hpp",
                                              "detail/mpmc_bytes.hpp", "detail/unfinished.hpp"};
const std::vector<std::string> kWaiting = {"detail/platform.hpp", "detail/event_count.hpp", "wait.hpp",
                                           "detail/waiter_sleep.hpp"};

/// The layers of docs/architecture.md, bottom first: an include points to an earlier row. Rows of one layer are told apart
/// where one of them builds on the other; the last column is what a row must not know although it stands higher.
const std::vector<Layer> kLayers = {
    {0,
     "what every public header begins and ends with",
     {"detail/header_begin.hpp", "detail/header_end.hpp"}},
    {0, "vocabulary", {"detail/atomic.hpp", "message.hpp", "peer.hpp", "result.hpp", "lib/error.cpp"}},
    {0, "references to calls", {"detail/call_ref.hpp"}},
    {0, "fields of aggregates", {"detail/aggregate.hpp"}},
    {0, "encodings", {"codec.hpp"}},
    {1, "platform", {"detail/platform.hpp", "lib/platform_linux.cpp", "lib/platform_liveness.cpp"}},
    {2, "division", {"detail/divider.hpp"}},
    {2, "layout", {"detail/layout.hpp"}},
    {2, "layout of many", {"detail/mpmc_layout.hpp"}},
    {2, "layout of pipes", {"detail/pipe_layout.hpp"}},
    {2, "intents", {"detail/intent.hpp"}},
    {2, "leases", {"detail/lease.hpp"}},
    {2, "seam", {"detail/env.hpp"}},
    {2, "one thread at a time", {"detail/one_thread.hpp"}},
    {2, "the clock of liveness", {"detail/liveness_clock.hpp"}},
    {2, "sleeping", {"detail/event_count.hpp"}},
    {2, "sets of events", {"detail/event_set.hpp"}},
    {2, "interrupts", {"interrupt.hpp"}},
    {2, "polling", {"detail/adaptive_spin.hpp"}},
    {2, "naps", {"detail/nap.hpp"}},
    {2, "waiting", {"wait.hpp"}},
    {2, "the sleep of a wait", {"detail/waiter_sleep.hpp", "lib/wait.cpp"}},
    {2, "record headers", {"detail/record_header.hpp"}},
    {3, "slots", {"detail/mpmc_slots.hpp"}, kWaiting},
    {3, "claims", {"detail/mpmc_claims.hpp"}, kWaiting},
    {3, "sides of many", {"detail/mpmc_writer.hpp", "detail/mpmc_reader.hpp"}, kWaiting},
    {3, "algorithms", kAlgorithms, kWaiting},
    {3, "messages on loan", {"detail/borrow_ledger.hpp"}, kAlgorithms},
    {3, "segment", {"segment.hpp"}, kAlgorithms},
    {3, "reports of set-up", {"detail/setup_report.hpp", "lib/setup_report.cpp"}, kAlgorithms},
    {3, "refused handles", {"detail/attach_refusal.hpp", "lib/attach_refusal.cpp"}, kAlgorithms},
    {3,
     "segment header",
     {"detail/segment_header.hpp", "lib/segment_header.cpp", "lib/segment_check.cpp"},
     kAlgorithms},
    {3, "room in memory", {"detail/memory_room.hpp"}, kAlgorithms},
    {3,
     "segment file",
     {"detail/segment_file.hpp", "lib/memory_room.cpp", "lib/segment_bell.cpp", "lib/segment_file.cpp",
      "lib/segment_storage.cpp"},
     kAlgorithms},
    {3, "segment memory", {"detail/segment_memory.hpp", "lib/segment_memory.cpp"}, kAlgorithms},
    {3,
     "making segments",
     {"detail/segment_builder.hpp", "lib/segment.cpp", "lib/segment_in_memory.cpp"},
     kAlgorithms},
    {3, "participants", {"detail/participants.hpp", "lib/participants.cpp"}, kAlgorithms},
    {3, "seats", {"detail/seats.hpp"}, kAlgorithms},
    {3, "bells", {"detail/bell.hpp", "lib/bell.cpp"}, kAlgorithms},
    {3,
     "waiting by descriptor",
     {"detail/readable_descriptor.hpp", "lib/readable_descriptor.cpp"},
     kAlgorithms},
    {4, "options", {"options.hpp"}},
    {3, "the roll", {"detail/participant_roll.hpp"}, kAlgorithms},
    {3, "the last producer", {"detail/last_producer.hpp"}, kWaiting},
    {4, "making rings", {"detail/ring_factory.hpp"}},
    {4, "ring objects", {"detail/ring_object.hpp", "lib/ring_object.cpp"}},
    {4, "attendees", {"detail/attendee.hpp", "lib/attendee.cpp"}},
    {4, "watching an end of a pipe", {"detail/pipe_watch.hpp", "lib/pipe_watch.cpp"}},
    {4, "renewing pipes", {"detail/pipe_renewal.hpp", "lib/pipe_renewal.cpp"}},
    {4, "endpoints", {"detail/endpoint.hpp", "lib/endpoint.cpp"}},
    {4, "waiting for a peer", {"detail/await_verbs.hpp"}},
    {4, "ends of a stream", {"detail/stream_end.hpp"}},
    {4, "members", {"detail/member.hpp", "lib/member.cpp"}},
    {4, "ends of a member", {"detail/member_end.hpp"}},
    {4, "rings of members", {"detail/member_ring.hpp"}},
    {4, "verbs", {"detail/verbs.hpp", "detail/byte_verbs.hpp"}},
    {4, "waiting for any", {"wait_any.hpp", "lib/wait_any.cpp"}},
    {4,
     "producers",
     {"spsc_producer.hpp", "byte_producer.hpp", "mpmc_producer.hpp", "mpmc_byte_producer.hpp"}},
    {4,
     "consumers",
     {"spsc_consumer.hpp", "byte_consumer.hpp", "mpmc_consumer.hpp", "mpmc_byte_consumer.hpp"}},
    {4, "rings with seats", {"detail/seated_ring.hpp"}},
    {4,
     "rings",
     {"spsc_ring.hpp", "byte_ring.hpp", "mpmc_ring.hpp", "mpmc_byte_ring.hpp", "lib/byte_ring.cpp",
      "lib/mpmc_byte_ring.cpp"}},
    {4, "calls of values", {"detail/value_calls.hpp"}},
    {4, "lanes", {"detail/queue_lane.hpp", "detail/pipe_lane.hpp", "lib/pipe_lane.cpp"}},
    {4, "ends of a pipe", {"detail/glances.hpp", "detail/pipe_hold.hpp", "lib/pipe_hold.cpp"}},
    {4, "handles of a pipe", {"detail/pipe_end.hpp", "detail/pipe_object.hpp"}},
    {4, "lanes of tasks", {"detail/task_lane.hpp"}},
    {4, "tables of leases", {"detail/lease_table.hpp", "lib/lease_table.cpp"}},
    {4, "desks", {"detail/desk.hpp"}},
    {4, "workbenches", {"detail/workbench.hpp", "lib/workbench.cpp"}},
    {4, "readers of tasks", {"detail/task_reader.hpp"}},
    {5, "tasks", {"task.hpp"}},
    {4, "names of calls", {"detail/python_names.hpp"}},
    {5, "halves of queues", {"detail/queue_sender.hpp"}},
    {5, "facades", {"queue.hpp", "joinable_queue.hpp", "pipe.hpp", "byte_pipe.hpp"}},
    {5, "version", {"version.hpp"}},
    {6, "umbrella", {"shmring.hpp"}},
};

const std::set<std::string> kSeeTheOperatingSystem = {
    "lib/platform_linux.cpp", "lib/platform_liveness.cpp",
    "lib/segment.cpp",        "lib/segment_file.cpp",
    "lib/segment_memory.cpp", "lib/segment_storage.cpp",
    "lib/participants.cpp",   "lib/segment_bell.cpp",
    "lib/attach_refusal.cpp", "lib/memory_room.cpp",
    "lib/bell.cpp",           "lib/readable_descriptor.cpp",
};
const std::set<std::string> kDependOnTheBuild = {
    "include/shmring/detail/atomic.hpp",
    "include/shmring/detail/header_begin.hpp",  // says what is missing
    "lib/platform_linux.cpp",
};
const std::set<std::string> kDefineMacros = {"include/shmring/version.hpp"};  // for #if
const std::set<std::string> kHoldAssembly = {
    "include/shmring/detail/atomic.hpp",  // the pause of a polling loop
    "bench/harness/message.hpp",          // keeps the compiler from dropping a payload nobody looks at
};

const std::set<std::string> kNameVolatileToRefuseIt = {"tests/message_test.cpp"};

const std::set<std::string> kTopLevel = {
    "lib",
    "include",
    "bench",
    "tests",
    "tools",
    "docs",
    "examples",
    "CMakeLists.txt",
    "CMakePresets.json",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "build",
    "CMakeUserPresets.json",  // one developer's own, ignored by git
};

const std::vector<std::string> kLibrary = {"include", "lib"};
const std::vector<std::string> kPrograms = {"bench", "tools", "examples"};
const std::vector<std::string> kEverything = {"include",  "lib",   "bench", "tools",
                                              "examples", "tests", "docs"};
const std::set<std::string> kCode = {".hpp", ".cpp"};

// ---- how a rule is applied and tried -------------------------------------------------------------------------------

std::vector<File> except(std::vector<File> files, const std::set<std::string>& paths) {
    std::erase_if(files, [&](const File& file) { return paths.contains(file.path); });
    return files;
}

void expect_none(const Findings& findings) {
    std::string list;
    for (const std::string& finding : findings) list += "\n  " + finding;
    EXPECT_TRUE(findings.empty()) << list;
}

template <class Rule>
void expect_none(const std::vector<File>& files, Rule rule) {
    Findings all;
    for (const File& file : files) std::ranges::move(rule(file), std::back_inserter(all));
    expect_none(all);
}

template <class Rule>
void expect_found(Rule rule, const std::vector<std::string>& bad_texts) {
    for (const std::string& text : bad_texts) EXPECT_EQ(rule(File{"bad.cpp", text}).size(), 1U) << text;
}

template <class Rule>
void expect_allowed(Rule rule, const std::vector<std::string>& good_texts) {
    for (const std::string& text : good_texts) EXPECT_EQ(rule(File{"good.cpp", text}), Findings{}) << text;
}

// ---- the rules -----------------------------------------------------------------------------------------------------

TEST(Tidy, IncludesPointDownTheLayerTable) {
    expect_none(tree(kLibrary, kCode), [](const File& file) { return upward_includes(file, kLayers); });
}

TEST(Tidy, AnIncludeThatDoesNotPointDownIsFound) {
    const std::vector<Layer> layers = {
        {0, "low", {"low.hpp"}},
        {1, "middle", {"middle.hpp", "beside.hpp", "lib/middle.cpp"}},
        {2, "high", {"high.hpp"}, {"low.hpp"}},
    };
    const auto findings = [&](const std::string& path, const std::string& text) {
        return upward_includes({path, text}, layers).size();
    };
    EXPECT_EQ(findings("include/shmring/middle.hpp", "#include \"shmring/low.hpp\"\n#include <string>"), 0U);
    EXPECT_EQ(findings("include/shmring/middle.hpp", "// #include \"shmring/high.hpp\""), 0U);
    EXPECT_EQ(findings("include/shmring/middle.hpp", "\n #  include \"shmring/high.hpp\""), 1U);
    EXPECT_EQ(findings("include/shmring/middle.hpp", "#include <shmring/high.hpp>"), 1U);
    EXPECT_EQ(findings("include/shmring/middle.hpp", "#include \"shmring/beside.hpp\""), 1U);
    EXPECT_EQ(findings("include/shmring/high.hpp", "#include \"shmring/low.hpp\""), 1U) << "must not know";
    EXPECT_EQ(findings("include/shmring/high.hpp", "#include \"shmring/unknown.hpp\""), 1U);
    EXPECT_EQ(findings("include/shmring/unknown.hpp", ""), 1U);
    EXPECT_EQ(findings("lib/middle.cpp", "#include \"shmring/middle.hpp\"\n#include \"shmring/low.hpp\""),
              0U);
    EXPECT_EQ(findings("lib/middle.cpp", "#include \"shmring/high.hpp\""), 1U);
    EXPECT_EQ(findings("lib/middle.cpp", "#include \"middle.hpp\""), 1U);
}

TEST(Tidy, EveryPublicHeaderPutsTheMacrosOfOthersAside) {
    std::vector<File> public_headers = tree({"include"}, kCode);
    std::erase_if(public_headers, [](const File& file) { return file.in("include/shmring/detail"); });
    EXPECT_GE(public_headers.size(), 20U);
    expect_none(public_headers, without_begin_and_end);

    const std::string begin = "#include \"shmring/detail/header_begin.hpp\"\n";
    const std::string end = "#include \"shmring/detail/header_end.hpp\"\n";
    expect_allowed(without_begin_and_end, {"#pragma once\n\n" + begin + "#include <new>\nint x;\n" + end});
    expect_found(without_begin_and_end, {"#include <new>\n" + begin + end, begin + "#include <new>\n",
                                         begin + end + "int x;\n", "int x;\n"});
}

TEST(Tidy, ProgramsKnowNoDetails) {
    expect_none(tree(kPrograms, kCode), details_included);

    expect_found(details_included, {"#include \"shmring/detail/spsc.hpp\""});
    expect_allowed(details_included,
                   {"#include \"shmring/shmring.hpp\"", "#include \"harness/detail/x.hpp\""});
}

TEST(Tidy, OnlyNamedFilesSeeTheOperatingSystem) {
    expect_none(except(tree(kLibrary, kCode), kSeeTheOperatingSystem), os_headers_included);

    expect_found(os_headers_included, {"#include <sys/mman.h>", "#include <unistd.h>"});
    expect_allowed(os_headers_included, {"#include <cstring>"});
}

TEST(Tidy, NothingIsVolatile) {
    expect_none(except(tree(kEverything, kCode), kNameVolatileToRefuseIt), volatiles);

    expect_found(volatiles,
                 {"volatile int word;", "  volatile int word;", "item volatile x;", "(volatile int*)p"});
    expect_allowed(volatiles, {"// volatile", "\"volatile\"", "int volatility;", "asm volatile(\"\");"});
}

TEST(Tidy, OnlyNamedFilesHoldAssembly) {
    expect_none(except(tree(kEverything, kCode), kHoldAssembly), assembly);

    expect_found(assembly, {"asm(\"nop\");", "__asm__ volatile(\"nop\");"});
    expect_allowed(assembly, {"/* asm */ int assembly = 'a';"});
}

TEST(Tidy, TheLibraryIsTheSameCodeInEveryBuild) {
    expect_none(except(tree(kLibrary, kCode), kDependOnTheBuild), build_conditions);

    expect_found(build_conditions, {"#if X", "#ifdef X", " # ifndef X", "#elif X"});
    expect_allowed(build_conditions, {"#pragma once", "// #if X", "if (x) y();"});
}

TEST(Tidy, HeadersDefineNoMacrosButTheVersion) {
    expect_none(except(tree({"include"}, kCode), kDefineMacros), macros);

    expect_found(macros, {"#define X", "  #  define X(y) y"});
    expect_allowed(macros, {"// #define X"});
}

TEST(Tidy, EveryAtomicOperationNamesItsMemoryOrder) {
    expect_none(tree(kLibrary, kCode), unordered_atomics);

    expect_found(unordered_atomics, {"x.load();", "x->store(f(1, 2));", "x.exchange(1);", "x.fetch_add(1);"});
    expect_found(unordered_atomics,
                 {"x.test_and_set();", "x.load(  // relaxed\n);", "x.store(1'000 + y('a'));"});
    expect_found(unordered_atomics, {"x.compare_exchange_weak(a, b, acq_rel);",
                                     "x.compare_exchange_strong(a, b, std::memory_order::acq_rel);"});
    expect_allowed(unordered_atomics,
                   {"x.load(relaxed);", "x.store(f(1, 2),\n std::memory_order::release);",
                    "x.compare_exchange_strong(a, b, acq_rel, relaxed);", "x.load(order);"});
    expect_allowed(unordered_atomics, {"// x.load()", "std::exchange(x, 1);", "R\"(x.load())\""});
}

TEST(Tidy, EveryReleaseEdgeHasItsAcquireSide) {
    expect_none(one_sided_edges(tree(kLibrary, kCode)));

    const File release{"a.cpp", "x.store(1, release);  // [publish] release side"};
    const File acquire{"b.cpp", "x.load(acquire);  // [publish] acquire side, [retire] release side"};
    const File retire{"c.cpp", "y.load(acquire);  // [retire] acquire side"};
    EXPECT_EQ(one_sided_edges({release}).size(), 1U);
    EXPECT_EQ(one_sided_edges({retire}).size(), 1U);
    EXPECT_EQ(one_sided_edges({release, acquire}).size(), 1U);
    EXPECT_EQ(one_sided_edges({release, acquire, retire}), Findings{});
}

TEST(Tidy, FilesAreShort) {
    expect_none(tree({"include", "lib", "bench", "tools", "examples"}), too_many_lines);

    const std::string longest(kMostLines, '\n');
    expect_allowed(too_many_lines, {longest});
    expect_found(too_many_lines, {longest + "one more"});
}

TEST(Tidy, NothingIsPromised) {
    expect_none(tree(kEverything), promises);

    const std::string word = std::string("TO") + "DO";
    expect_found(promises, {"// " + word + ": later", "/* FI" + std::string("XME */")});
    expect_allowed(promises, {"int " + word + "S;", "to do"});
}

TEST(Tidy, EverySourceFileNamesItsLicence) {
    std::vector<File> sources = tree({"include", "lib", "bench", "tools", "examples", "tests", ".ci"});
    std::ifstream top(SHMRING_SOURCE_DIR "/CMakeLists.txt");
    sources.push_back(
        {"CMakeLists.txt", {std::istreambuf_iterator<char>(top), std::istreambuf_iterator<char>()}});
    std::erase_if(sources, [](const File& file) { return !is_source(file) || file.in("tests/fuzz/corpus"); });
    EXPECT_GE(sources.size(), 400U);
    expect_none(sources, without_licence);

    const std::string of_mit = " SPDX-License-Identifier: MIT\n";
    EXPECT_EQ(without_licence({"a.cpp", "// What it holds.\n//" + of_mit + "int x;\n"}), Findings{});
    EXPECT_EQ(without_licence({"a", "#!/bin/bash\n# What it does.\n#\n# And how.\n#" + of_mit}), Findings{});
    EXPECT_EQ(without_licence({"a.py", "\"\"\"What it does.\n\nAnd how.\n\"\"\"\n#" + of_mit}), Findings{});
    EXPECT_EQ(without_licence({"a.cpp", "// What it holds.\nint x;\n"}).size(), 1U);
    EXPECT_EQ(without_licence({"a.cpp", "// What it holds.\n\n//" + of_mit}).size(), 1U);
    EXPECT_EQ(without_licence({"a.cpp", "//" + of_mit + "int x;\n"}).size(), 1U) << "what does it hold?";
    EXPECT_EQ(without_licence({"a.py", "\"\"\"What it does.\"\"\"\nimport sys\n"}).size(), 1U);
    EXPECT_EQ(without_licence({"a.py", ""}).size(), 1U);
}

TEST(Tidy, TheTopLevelHoldsOnlyWhatIsExpectedThere) {
    const auto strangers = [](std::vector<std::string> names) {
        std::erase_if(
            names, [](const std::string& name) { return name.front() == '.' || kTopLevel.contains(name); });
        return names;
    };
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(SHMRING_SOURCE_DIR))
        names.push_back(entry.path().filename());
    ASSERT_FALSE(names.empty());
    expect_none(strangers(names));

    EXPECT_EQ(strangers({"src", "README.md", ".clang-format"}), Findings{"src"});
}

}  // namespace
}  // namespace shmring::test
