// tools/dev says what it can do, and so do the documents: each job stands in its help, in CONTRIBUTING.md, and is done by a function of its
// name; what is no job is refused with the list.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

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
    for (const std::string job : {"test", "asan", "tsan", "format", "lint", "models", "torture", "fuzz",
                                  "coverage", "soak", "portability", "reference"})
        EXPECT_TRUE(told.contains(job)) << job;
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
