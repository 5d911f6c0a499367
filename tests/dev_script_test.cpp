// tools/dev says what it can do, and so do the documents: each job stands in its help, in CONTRIBUTING.md, and is done by a function of its
// name; what is no job is refused with the list.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/private_folder.hpp"
#include "support/run_program.hpp"

namespace shmring::test {
namespace {

const std::string kRoot = SHMRING_SOURCE_DIR;
const std::string kDev = kRoot + "/tools/dev";

[[nodiscard]] std::string text_of(const std::string& path) {
    std::ifstream file(kRoot + "/" + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
/// Every first group of the pattern.
[[nodiscard]] std::set<std::string> found_in(const std::string& text, const std::string& pattern) {
    const std::regex expression(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator it(text.begin(), text.end(), expression); it != std::sregex_iterator(); ++it)
        found.insert((*it)[1]);
    return found;
}
/// Those that the script has a function for.
[[nodiscard]] std::set<std::string> jobs() { return found_in(text_of("tools/dev"), R"(job_(\w+)\(\))"); }

TEST(DevScript, HelpNamesEveryJobAndNothingElse) {
    const Ran help = run_program({kDev, "help"});
    ASSERT_TRUE(help.ended.exited_with(0)) << help;
    std::set<std::string> named = found_in(help.out, R"(\n  (\w+) )");
    EXPECT_EQ(named.erase("help"), 1U);
    EXPECT_EQ(named, jobs());
    EXPECT_GE(named.size(), 13U) << "the pattern finds them";
    EXPECT_EQ(help.err, "");
}
TEST(DevScript, NoArgumentsMeanHelp) { EXPECT_EQ(run_program({kDev}).out, run_program({kDev, "help"}).out); }
TEST(DevScript, TheLinesOfHelpFitTheScreenAndStandInColumns) {
    const std::string help = run_program({kDev, "help"}).out;
    EXPECT_EQ(found_in(help, "(.{121,})\n"), std::set<std::string>{});
    EXPECT_EQ(found_in(help, R"(\n(  \w.{18}[^ ][^\n]*))"), std::set<std::string>{})
        << "no gap before the text";
}
TEST(DevScript, WhatIsNoJobIsRefusedWithTheList) {
    const Ran refused = run_program({kDev, "no-such-job"});
    EXPECT_TRUE(refused.ended.exited_with(1)) << refused;
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find("there is no job 'no-such-job'"), std::string::npos) << refused;
    EXPECT_NE(refused.err.find("usage: tools/dev"), std::string::npos) << refused;
}
TEST(DevScript, EveryJobCanBeCalled) {
    std::smatch cases;
    const std::string script = text_of("tools/dev");
    ASSERT_TRUE(std::regex_search(script, cases, std::regex(R"(\n\s+([\w |]+)\) "job_\$job")")));
    EXPECT_EQ(found_in(cases[1], R"((\w+))"), jobs());
}
TEST(DevScript, ContributingNamesTheJobsThatJudgeAChange) {
    const std::set<std::string> told = found_in(text_of("CONTRIBUTING.md"), R"(tools/dev (\w+))");
    for (const std::string job : {"test", "check", "asan", "tsan", "format", "lint", "models", "torture",
                                  "fuzz", "coverage", "soak", "portability", "reference"})
        EXPECT_TRUE(told.contains(job)) << job;
}
/// What a script builds and tests, one a line: in a tree of scripts and one source, where stand-ins for the programs that it calls do
/// nothing.
[[nodiscard]] std::string steps_of(const std::string& script, const std::vector<std::string>& arguments = {},
                                   int exit_of_ctest = 0) {
    const PrivateFolder folder;
    for (const char* part :
         {"tools/dev", "tools/dev.d", ".ci/run", "tests/fuzz/run", "tests/support/soak.hpp"}) {
        std::filesystem::create_directories(std::filesystem::path(folder / part).parent_path());
        std::filesystem::copy(kRoot + "/" + part, folder / part);
    }
    const std::string log = folder / "log";
    const auto stand_in = [&](const std::string& name, const std::string& does) {
        std::ofstream(folder / name) << "#!/bin/sh\n" << does << "\n";
        std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
    };
    stand_in("cmake", "echo \"$*\" | sed 's/^--build --preset/build/; s/^--preset/configure/' >>" + log);
    stand_in("ctest", "[ \"$1\" = --preset ] || exit 0; shift; echo \"test $*\" >>" + log + "; exit " +
                          std::to_string(exit_of_ctest));
    stand_in("clang-format-14", "echo format >>" + log + "; cat \"$1\"");
    stand_in("dpkg-query", "echo installed");

    std::vector<std::string> command{"/usr/bin/env", "PATH=" + folder.path().string() + ":/usr/bin:/bin",
                                     folder / script};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Ran ran = run_program(command);
    EXPECT_EQ(ran.ended.exited_with(0), exit_of_ctest == 0) << ran;
    std::ifstream file(log);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
const std::string kTestSteps = "configure dev\nbuild dev\ntest dev\n";
const std::string kRestSteps = "format\nconfigure dev\nbuild check\ntest check\n";

TEST(DevScript, TestLeavesToCheckWhatTakesLong) {
    EXPECT_EQ(steps_of("tools/dev", {"test"}), kTestSteps);
    EXPECT_EQ(steps_of("tools/dev", {"test", "-R", "^tidy/"}),
              "configure dev\nbuild dev\ntest dev -R ^tidy/\n");
}
TEST(DevScript, TestQuickIsAFirstLook) {
    EXPECT_EQ(steps_of("tools/dev", {"test", "--quick"}), "configure dev\nbuild quick\ntest quick\n");
    EXPECT_EQ(steps_of("tools/dev", {"test", "--quick", "-V"}),
              "configure dev\nbuild quick\ntest quick -V\n");
}
TEST(DevScript, CheckRunsWhatTestRunsAndTheRest) {
    EXPECT_EQ(steps_of("tools/dev", {"check"}), kTestSteps + kRestSteps);
    EXPECT_EQ(steps_of("tools/dev", {"check", "--rest"}), kRestSteps);
    EXPECT_EQ(steps_of("tools/dev", {"check", "-R", "^torture/"}),
              "configure dev\nbuild check\ntest check -R ^torture/\n");
}
TEST(DevScript, ContinuousIntegrationRunsEverythingOnce) {
    EXPECT_EQ(steps_of(".ci/run"), kTestSteps + kRestSteps);
}
TEST(DevScript, ATestThatFailsFailsTheJob) {
    EXPECT_EQ(steps_of("tools/dev", {"test"}, 8), kTestSteps);
    EXPECT_EQ(steps_of("tools/dev", {"check"}, 8), kTestSteps) << "and ends it";
}
/// By a label that one preset leaves out and the other runs; check builds everything.
TEST(DevScript, EveryTestBelongsToTestOrToCheck) {
    const std::string presets = text_of("CMakePresets.json");
    const auto filter_of = [&](const std::string& preset) {
        return found_in(
            presets, R"re(\{\s*"name": ")re" + preset +
                         R"re(",[^{}]*"configurePreset": "dev",\s*"filter": \{([^{}]*\{[^{}]*\})[^{}]*\})re");
    };
    EXPECT_EQ(filter_of("dev"), std::set<std::string>{R"( "exclude": { "label": "^check$" })"});
    EXPECT_EQ(filter_of("check"), std::set<std::string>{R"( "include": { "label": "^check$" })"});
    EXPECT_NE(
        presets.find(
            R"({ "name": "check", "configurePreset": "dev", "targets": ["all", "all_verify_interface_header_sets"] })"),
        std::string::npos);
}
TEST(DevScript, AWrongFuzzTargetIsRefusedBeforeAnythingIsBuilt) {
    const Ran refused = run_program({kDev, "fuzz", "1", "no-such-target"});
    EXPECT_TRUE(refused.ended.exited_with(1)) << refused;
    EXPECT_NE(refused.err.find("there is no fuzz target 'no-such-target', only: attach"), std::string::npos)
        << refused;
}
/// The smoke test runs each target over it.
TEST(DevScript, EveryFuzzTargetHasACorpus) {
    std::set<std::string> targets;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot + "/tests/fuzz")) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with("_fuzz.cpp")) targets.insert(name.substr(0, name.size() - 9));
    }
    EXPECT_GE(targets.size(), 9U);
    for (const std::string& target : targets)
        EXPECT_FALSE(std::filesystem::is_empty(kRoot + "/tests/fuzz/corpus/" + target)) << target;
}

}  // namespace
}  // namespace shmring::test
