// What a program can judge of documents and comments: that the tests, files, headings and programs which they cite exist. Which files a
// rule covers is the business of docs_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/source_files.hpp"
#include "support/tidy_rules.hpp"

namespace shmring::test {

/// The comments of a source, everything else blanked out, every line where it was.
inline std::string comments_only(const std::string& text) {
    std::string out = text;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = end_of_non_code(text, at);
        const bool is_comment = end && (text.compare(at, 2, "//") == 0 || text.compare(at, 2, "/*") == 0);
        const std::size_t next = end.value_or(at + 1);
        for (std::size_t i = at; i != next && !is_comment; ++i)
            if (out[i] != '\n') out[i] = ' ';
        at = next;
    }
    return out;
}

/// A page without its blocks of code: what is quoted there is no citation.
inline std::string without_code_blocks(const std::string& text) {
    std::string out;
    bool in_block = false;
    for (const std::string& line : lines_of(text)) {
        const bool fence = std::string_view(line)
                               .substr(std::min(line.find_first_not_of(' '), line.size()))
                               .starts_with("```");
        if (fence) in_block = !in_block;
        out += in_block || fence ? "\n" : line + "\n";
    }
    return out;
}

/// Calls `use(line, match)` for each match of the pattern.
template <class Use>
void for_each_match(const std::string& text, const std::regex& pattern, Use&& use) {
    std::size_t number = 0;
    for (const std::string& line : lines_of(text)) {
        ++number;
        if (line.find_first_of("`.]") == std::string::npos) continue;  // nothing is cited there
        for (std::sregex_iterator found(line.begin(), line.end(), pattern), none; found != none; ++found)
            use(number, *found);
    }
}

// ---- tests ---------------------------------------------------------------------------------------------------------

/// Every `Suite.Test` of the tree's tests, without the numbers and prefixes that an instantiation adds.
struct TestNames {
    std::set<std::string> suites{};
    std::set<std::string> tests{};
    std::set<std::string> plain{};  // without their suites

    void add(const std::string& text) {
        static const std::regex macro(R"(\bTEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+))");
        static const std::regex typed(R"(\bTYPED_TEST(?:_P)?\s*\(\s*(\w+)\s*,\s*(\w+))");
        for (const std::regex& pattern : {macro, typed})
            for (std::sregex_iterator found(text.begin(), text.end(), pattern), none; found != none;
                 ++found) {
                suites.insert((*found)[1]);
                plain.insert((*found)[2]);
                tests.insert((*found)[1].str() + "." + (*found)[2].str());
            }
    }
    [[nodiscard]] bool has(const std::string& suite, const std::string& test) const {
        return test == "*" ? suites.contains(suite) : tests.contains(suite + "." + test);
    }
};

/// `Suite.Test` in backquotes, where there is a suite of that name or the second part reads like a test's name.
inline Findings unknown_tests(const File& file, const TestNames& names) {
    static const std::regex cited(R"re(`([A-Z]\w*)(?:/\w+)?\.([A-Z]\w*|\*)(?:/\w+)?`)re");
    static const std::regex program(R"re(`(\w+_test)`)re");
    Findings findings;
    for_each_match(file.text, cited, [&](std::size_t line, const std::smatch& match) {
        if (!names.has(match[1], match[2]))
            report(findings, file, line, "there is no test " + match[1].str() + "." + match[2].str());
    });
    for_each_match(file.text, program, [&](std::size_t line, const std::smatch& match) {
        const std::string path = "tests/" + match[1].str() + ".cpp";
        const std::string of_bench = "bench/" + match[1].str() + ".cpp";
        const std::filesystem::path root = SHMRING_SOURCE_DIR;
        if (!std::filesystem::exists(root / path) && !std::filesystem::exists(root / of_bench))
            report(findings, file, line, "there is no " + path);
    });
    return findings;
}

// ---- identifiers ---------------------------------------------------------------------------------------------------

inline std::set<std::string> words_of(const std::string& code) {
    std::set<std::string> words;
    const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    for (std::size_t at = 0; at < code.size();) {
        std::size_t end = at;
        while (end < code.size() && is_part(code[end])) ++end;
        if (end != at) words.insert(code.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

/// `CamelCase`, `CamelCase<T>` and `CamelCase::member` in backquotes must be words of the code; a test's name alone, too.
inline Findings unknown_identifiers(const File& file, const std::set<std::string>& words) {
    static const std::regex cited(R"re(`([A-Z][a-z]+[A-Z]\w*)(?:<\w+>)?(?:::(\w+))?(?:\(\))?`)re");
    Findings findings;
    for_each_match(file.text, cited, [&](std::size_t line, const std::smatch& match) {
        for (const std::string& word : {match[1].str(), match[2].str()})
            if (!word.empty() && !words.contains(word)) report(findings, file, line, "there is no " + word);
    });
    return findings;
}

// ---- files ---------------------------------------------------------------------------------------------------------

/// Where a cited path may begin: at the top, beside the citing file, or where includes and short forms begin.
inline bool exists_in_tree(const std::string& path, const std::string& citing_path) {
    const std::filesystem::path root = SHMRING_SOURCE_DIR;
    const std::filesystem::path beside = (root / citing_path).parent_path();
    const std::vector<std::filesystem::path> starts = {root,
                                                       beside,
                                                       root / "include",
                                                       root / "include/shmring",
                                                       root / "include/shmring/detail",
                                                       root / "lib",
                                                       root / "tests",
                                                       root / "tests/support",
                                                       root / "docs",
                                                       root / "docs/algorithms",
                                                       root / "bench",
                                                       root / "examples"};
    return std::ranges::any_of(
        starts, [&](const std::filesystem::path& from) { return std::filesystem::exists(from / path); });
}

/// In backquotes or not: a name with one of our endings, or a folder of ours in backquotes. A word in capitals stands for any file.
inline Findings unknown_files(const File& file) {
    static const std::regex cited(R"((^|[^\w./<>*-])((?:\.\./)?[\w][\w./-]*\.(?:hpp|cpp|md))\b(?![*\w]))");
    static const std::regex folder(R"re(`((?:include|lib|tests|bench|docs|examples|tools)/[\w/-]*)`)re");
    static const std::regex placeholder(R"([A-Z]+\.md)");  // OUTPUT.md
    Findings findings;
    const auto check = [&](std::size_t line, const std::string& path) {
        if (!exists_in_tree(path, file.path)) report(findings, file, line, "there is no " + path);
    };
    for_each_match(file.text, cited, [&](std::size_t line, const std::smatch& match) {
        const std::string path = match[2];
        const bool is_known = path == "README.md" || path == "CONTRIBUTING.md" || path == "CHANGELOG.md";
        if (is_known || !std::regex_match(path, placeholder)) check(line, path);
    });
    for_each_match(file.text, folder,
                   [&](std::size_t line, const std::smatch& match) { check(line, match[1]); });
    return findings;
}

// ---- links ---------------------------------------------------------------------------------------------------------

/// The anchors that GitHub gives a page's headings.
inline std::set<std::string> anchors_of(const std::string& text) {
    std::set<std::string> anchors;
    std::map<std::string, int> used;
    for (const std::string& line : lines_of(without_code_blocks(text))) {
        const std::size_t marks = line.find_first_not_of('#');
        if (marks == 0 || marks == std::string::npos || marks > 6 || line[marks] != ' ') continue;
        std::string anchor;
        for (const char letter : line.substr(marks + 1)) {
            const auto c = static_cast<unsigned char>(letter);
            if (std::isalnum(c) != 0 || letter == '-' || letter == '_' || c >= 0x80)
                anchor += static_cast<char>(c < 0x80 ? std::tolower(c) : c);
            else if (letter == ' ')
                anchor += '-';
        }
        const int before = used[anchor]++;
        anchors.insert(before == 0 ? anchor : anchor + "-" + std::to_string(before));
    }
    return anchors;
}

/// Links of a page to files and headings of the tree. `read(path)`: a page's text.
inline Findings broken_links(const File& file, const std::function<std::string(const std::string&)>& read) {
    static const std::regex link(R"re(\]\(([^)\s#]*)(?:#([^)\s]*))?\))re");
    const std::filesystem::path root = SHMRING_SOURCE_DIR;
    Findings findings;
    for_each_match(without_code_blocks(file.text), link, [&](std::size_t line, const std::smatch& match) {
        const std::string target = match[1];
        const std::string heading = match[2];
        if (target.find("://") != std::string::npos || target.starts_with("mailto:")) return;
        const std::filesystem::path path =
            target.empty() ? std::filesystem::path(file.path)
                           : (std::filesystem::path(file.path).parent_path() / target).lexically_normal();
        if (!target.empty() && !std::filesystem::exists(root / path)) {
            report(findings, file, line, "leads to " + path.generic_string() + ", which is not there");
        } else if (!heading.empty()) {
            const std::string text = target.empty() ? file.text : read(path.generic_string());
            if (!anchors_of(text).contains(heading))
                report(findings, file, line, path.generic_string() + " has no heading #" + heading);
        }
    });
    return findings;
}

// ---- notes that are not there --------------------------------------------------------------------------------------

inline Findings notes_of_others(const File& file) {
    if (file.text.find("note") == std::string::npos && file.text.find("decision") == std::string::npos &&
        file.text.find("issue") == std::string::npos && file.text.find("/work/") == std::string::npos)
        return {};
    static const std::regex pattern(
        R"(\bdecision \d+|\b(the|shared) notes\b|\bnotes:|/work/shared|\bissue #?\d)");
    return lines_matching(file, pattern, "what a reader needs stands in the tree");
}

// ---- quoted programs -----------------------------------------------------------------------------------------------

struct Quote {
    std::size_t line = 0;
    std::string path{};  // of the file that is quoted
    std::string code{};
};

/// Blocks of code behind a line `<!-- quote: examples/x.cpp -->`.
inline std::vector<Quote> quotes_of(const std::string& page) {
    static const std::regex mark(R"(^<!-- quote: (\S+) -->$)");
    std::vector<Quote> quotes;
    const std::vector<std::string> lines = lines_of(page);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
        std::smatch match;
        if (!std::regex_match(lines[i], match, mark)) continue;
        Quote quote{i + 1, match[1], {}};
        if (lines[i + 1] == "```cpp")
            for (std::size_t j = i + 2; j < lines.size() && lines[j] != "```"; ++j)
                quote.code += lines[j] + "\n";
        quotes.push_back(std::move(quote));
    }
    return quotes;
}

/// What is quoted must stand in the file, line for line. A line `// ...` in the quote stands for any lines.
inline Findings false_quotes(const File& page, const std::function<std::string(const std::string&)>& read) {
    Findings findings;
    for (const Quote& quote : quotes_of(page.text)) {
        const std::string source = read(quote.path);
        std::size_t at = 0;
        std::string piece;
        bool found = !quote.code.empty();
        const auto take = [&] {
            const std::size_t place = source.find(piece, at);
            found = found && place != std::string::npos && (place == 0 || source[place - 1] == '\n');
            if (found) at = place + piece.size();
            piece.clear();
        };
        for (const std::string& line : lines_of(quote.code)) {
            if (line.substr(std::min(line.find_first_not_of(' '), line.size())) == "// ...") {
                take();
            } else {
                piece += line + "\n";
            }
        }
        take();
        if (!found) report(findings, page, quote.line, "this is not what " + quote.path + " says");
    }
    return findings;
}

}  // namespace shmring::test
