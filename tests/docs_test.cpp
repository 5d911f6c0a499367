// What documents and comments cite exists: tests, files, headings, and the programs that the tutorial quotes. Each rule must find a bad
// example, so that none is blind. The rules: support/doc_rules.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "support/doc_rules.hpp"
#include "support/source_files.hpp"
#include "support/tidy_rules.hpp"

namespace shmring::test {
namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(std::filesystem::path(SHMRING_SOURCE_DIR) / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

const std::set<std::string> kSources = {".hpp", ".cpp"};

std::vector<File> pages() {
    std::vector<File> files = tree({"docs"}, {".md"});
    for (const std::string path : {"README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"})
        files.push_back({path, text_of(path)});
    return files;
}
std::vector<File> comments() {
    std::vector<File> files = tree({"include", "lib", "tests", "bench", "tools", "examples"}, kSources);
    // The two files that hold broken citations on purpose.
    std::erase_if(files, [](const File& file) {
        return file.path == "tests/docs_test.cpp" || file.path == "tests/support/doc_rules.hpp";
    });
    for (File& file : files) file.text = comments_only(file.text);
    return files;
}
std::vector<File> prose() {
    std::vector<File> files = pages();
    for (File& file : files) file.text = without_code_blocks(file.text);
    std::ranges::move(comments(), std::back_inserter(files));
    return files;
}
TestNames names_in_tree() {
    TestNames names;
    for (const File& file : tree({"tests", "bench"}, kSources)) names.add(code_only(file.text));
    return names;
}

template <class Rule>
void expect_none(const std::vector<File>& files, Rule rule) {
    std::string list;
    for (const File& file : files)
        for (const std::string& finding : rule(file)) list += "\n  " + finding;
    EXPECT_EQ(list, "");
}
template <class Rule>
void expect_count(std::size_t count, const std::string& text, Rule rule) {
    EXPECT_EQ(rule(File{"docs/bad.md", text}).size(), count) << text;
}

TEST(Docs, CitedTestsExist) {
    const TestNames names = names_in_tree();
    EXPECT_GT(names.tests.size(), 500U);
    expect_none(prose(), [&](const File& file) { return unknown_tests(file, names); });
}

TEST(Docs, ACitedTestThatDoesNotExistIsFound) {
    TestNames names;
    names.add("TEST(Suite, Here) {}\nTEST_F(Fixture, IsHere) {}\nTYPED_TEST(Typed, Too) {}");
    const auto rule = [&](const File& file) { return unknown_tests(file, names); };
    expect_count(0, "`Suite.Here`, `Fixture.IsHere`, `Typed.Too`, `Suite.*`, `docs_test`", rule);
    expect_count(1, "`Suite.Gone`", rule);
    expect_count(1, "`Gone.*`", rule);
    expect_count(2, "`Gone.Here` and `Fixture.Here`", rule);
    expect_count(1, "`gone_test`", rule);
}

TEST(Docs, CitedIdentifiersExist) {
    std::string code =
        "CamelCase PopReturnsClosedAfterTheLastMessage";  // CONTRIBUTING.md: how names are written
    code += " BrokenPipeError BufferTooShort KeyboardInterrupt SimpleQueue ValueError";  // Python's
    for (const File& file : tree({"include", "lib", "tests", "bench", "tools", "examples"}, kSources))
        code += " " + code_only(file.text);
    const std::set<std::string> words = words_of(code);
    expect_none(prose(), [&](const File& file) { return unknown_identifiers(file, words); });
}

TEST(Docs, ACitedIdentifierThatDoesNotExistIsFound) {
    const std::set<std::string> words = words_of("class EventCount { void sleep(); };");
    const auto rule = [&](const File& file) { return unknown_identifiers(file, words); };
    expect_count(0, "`EventCount`, `EventCount<T>`, `EventCount::sleep()`, `Linux`, `MPMC`", rule);
    expect_count(1, "`EventCounts`", rule);
    expect_count(1, "`EventCount::wakes`", rule);
}

TEST(Docs, CitedFilesExist) { expect_none(prose(), unknown_files); }

TEST(Docs, ACitedFileThatDoesNotExistIsFound) {
    expect_count(0,
                 "`tests/docs_test.cpp`, detail/spsc.hpp, README.md, (docs/semantics.md), `tests/support/`",
                 unknown_files);
    expect_count(1, "`tests/gone_test.cpp`", unknown_files);
    expect_count(1, "see detail/gone.hpp.", unknown_files);
    expect_count(1, "(docs/gone.md)", unknown_files);
    expect_count(1, "`include/shmring/gone/`", unknown_files);
}

TEST(Docs, LinksLeadToFilesAndHeadings) {
    expect_none(pages(), [](const File& file) { return broken_links(file, text_of); });
}

TEST(Docs, ALinkThatLeadsNowhereIsFound) {
    const auto rule = [](const File& file) {
        return broken_links(
            file, [](const std::string&) { return std::string("# A `Page`: one\n## Two\n## Two\n"); });
    };
    expect_count(
        0, "[a](semantics.md#a-page-one) [b](semantics.md#two-1) [c](https://x.org/y#z) [d](../README.md)",
        rule);
    expect_count(0, "## Here\n[a](#here)\n```\n[b](gone.md)\n```\n", rule);
    expect_count(1, "[a](gone.md)", rule);
    expect_count(1, "[a](semantics.md#gone)", rule);
    expect_count(1, "[a](#gone)", rule);
}

TEST(Docs, NothingCitesANoteThatIsNotInTheTree) {
    expect_none(prose(), notes_of_others);

    expect_count(1, "as decision 14 says", notes_of_others);
    expect_count(1, "the notes measured", notes_of_others);
    expect_count(0, "it takes notes", notes_of_others);
}

TEST(Docs, QuotedCodeIsThatOfThePrograms) {
    std::size_t quotes = 0;
    for (const File& page : pages()) quotes += quotes_of(page.text).size();
    EXPECT_GE(quotes, 6U);
    expect_none(pages(), [](const File& file) { return false_quotes(file, text_of); });
}

TEST(Docs, CodeThatIsQuotedWrongIsFound) {
    const auto rule = [](const File& file) {
        return false_quotes(
            file, [](const std::string&) { return std::string("one();\ntwo();\nthree();\nfour();\n"); });
    };
    const auto quote = [](const std::string& code) {
        return "<!-- quote: x.cpp -->\n```cpp\n" + code + "```\n";
    };
    expect_count(0, quote("two();\nthree();\n"), rule);
    expect_count(0, quote("one();\n// ...\nfour();\n"), rule);
    expect_count(1, quote("two();\nfour();\n"), rule);
    expect_count(1, quote("four();\n// ...\none();\n"), rule);
    expect_count(1, quote("wo();\n"), rule);
    expect_count(1, quote(""), rule);
}

}  // namespace
}  // namespace shmring::test
