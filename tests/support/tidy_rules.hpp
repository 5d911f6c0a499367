// House rules that a program can judge, each a function from the text of a file to what it found there.
// Which files a rule covers, and its exceptions, are the business of tidy_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "support/source_files.hpp"

namespace shmring::test {

/// Each one "path:line: what is wrong".
using Findings = std::vector<std::string>;

inline void report(Findings& findings, const File& file, std::size_t line, const std::string& what) {
    findings.push_back(file.path + ":" + std::to_string(line) + ": " + what);
}

/// Every line in which the pattern occurs.
inline Findings lines_matching(const File& file, const std::regex& pattern, const std::string& what) {
    Findings findings;
    std::size_t number = 0;
    for (const std::string& line : lines_of(file.text)) {
        ++number;
        if (std::regex_search(line, pattern)) report(findings, file, number, what);
    }
    return findings;
}

inline Findings code_matching(const File& file, const std::regex& pattern, const std::string& what) {
    return lines_matching({file.path, code_only(file.text)}, pattern, what);
}

// ---- includes ------------------------------------------------------------------------------------------------------

/// One row of the layer table. Headers are named as after "shmring/" in an include, sources as lib/....
struct Layer {
    int number = 0;
    std::string name{};
    std::vector<std::string> files{};
    std::vector<std::string> must_not_know{};  // beyond what its place in the table forbids
};

struct Include {
    std::size_t line;
    bool angled;
    std::string target;
};

inline std::vector<Include> includes_of(const File& file) {
    static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
    std::vector<Include> includes;
    std::size_t number = 0;
    for (const std::string& line : lines_of(file.text)) {
        ++number;
        if (std::smatch match; std::regex_search(line, match, pattern))
            includes.push_back({number, match[1] == "<", match[2]});
    }
    return includes;
}

/// The place in the table of a file named as the table names it.
inline std::optional<std::size_t> row_of(const std::string& name, const std::vector<Layer>& layers) {
    for (std::size_t row = 0; row != layers.size(); ++row)
        if (std::ranges::count(layers[row].files, name) != 0) return row;
    return std::nullopt;
}

/// A header may include what stands in an earlier row; a source in lib/ the headers of its own row, too.
inline Findings upward_includes(const File& file, const std::vector<Layer>& layers) {
    constexpr std::string_view kHeaders = "include/shmring/";
    constexpr std::string_view kPrefix = "shmring/";
    const std::string own_name =
        file.path.starts_with(kHeaders) ? file.path.substr(kHeaders.size()) : file.path;
    const std::optional<std::size_t> own = row_of(own_name, layers);
    if (!own) return {file.path + ":1: stands in no layer: add it to kLayers in tests/tidy_test.cpp"};
    const Layer& layer = layers[*own];

    Findings findings;
    for (const Include& include : includes_of(file)) {
        if (!include.target.starts_with(kPrefix)) {
            if (!include.angled) report(findings, file, include.line, "write the include as \"shmring/...\"");
            continue;
        }
        const std::string name = include.target.substr(kPrefix.size());
        const std::optional<std::size_t> other = row_of(name, layers);
        const bool of_its_own = other == own && file.path.starts_with("lib/");
        if (!other) {
            report(findings, file, include.line, name + " stands in no layer: add it to kLayers");
        } else if (*other >= *own && !of_its_own) {
            report(findings, file, include.line,
                   layer.name + " (layer " + std::to_string(layer.number) + ") must not include " + name +
                       ": it is not below (" + layers[*other].name + ", layer " +
                       std::to_string(layers[*other].number) + ")");
        } else if (std::ranges::count(layer.must_not_know, name) != 0) {
            report(findings, file, include.line, layer.name + " must not know " + name);
        }
    }
    return findings;
}

/// A public header begins with detail/header_begin.hpp, before all that it includes, and ends with detail/header_end.hpp.
inline Findings without_begin_and_end(const File& file) {
    const std::vector<Include> includes = includes_of(file);
    const bool begins = !includes.empty() && includes.front().target == "shmring/detail/header_begin.hpp";
    const bool ends = file.text.ends_with("\n#include \"shmring/detail/header_end.hpp\"\n");
    if (begins && ends) return {};
    return {file.path + ":1: first include detail/header_begin.hpp, last line detail/header_end.hpp"};
}

inline Findings details_included(const File& file) {
    Findings findings;
    for (const Include& include : includes_of(file))
        if (include.target.starts_with("shmring/detail/"))
            report(findings, file, include.line, "a program uses public headers only, not " + include.target);
    return findings;
}

/// The C++ library's headers have no ending; what ends in .h comes from the system.
inline Findings os_headers_included(const File& file) {
    Findings findings;
    for (const Include& include : includes_of(file))
        if (include.angled && include.target.ends_with(".h"))
            report(findings, file, include.line,
                   "<" + include.target + "> belongs behind detail/platform.hpp");
    return findings;
}

// ---- code ----------------------------------------------------------------------------------------------------------

/// The word in `asm volatile` is left to the rule about assembly.
inline Findings volatiles(const File& file) {
    static const std::regex of_assembly(R"(\b(__)?asm(__)?\s+volatile\b)");
    static const std::regex pattern(R"(\bvolatile\b)");
    const File rest{file.path, std::regex_replace(code_only(file.text), of_assembly, "")};
    return lines_matching(rest, pattern, "volatile orders nothing between processes");
}

inline Findings assembly(const File& file) {
    static const std::regex pattern(R"(\b(__)?asm(__)?\b)");
    return code_matching(file, pattern, "assembly hides its effects from compiler and sanitizers");
}

inline Findings build_conditions(const File& file) {
    static const std::regex pattern(R"(^\s*#\s*(if|ifdef|ifndef|elif)\b)");
    return code_matching(file, pattern, "a condition hides code from reader and test");
}

inline Findings macros(const File& file) {
    static const std::regex pattern(R"(^\s*#\s*define\b)");
    return code_matching(file, pattern, "a macro in a header reaches into the user's program");
}

/// Where the parenthesis closes whose content begins here.
inline std::size_t end_of_arguments(std::string_view code, std::size_t begin) {
    int depth = 1;
    for (std::size_t at = begin; at != code.size(); ++at) {
        if (code[at] == '(') ++depth;
        if (code[at] == ')' && --depth == 0) return at;
    }
    return code.size();
}

/// An operation says its memory order; a compare-exchange both, for success and for failure.
inline Findings unordered_atomics(const File& file) {
    static const std::regex operation(
        R"((\.|->)\s*(load|store|exchange|fetch_\w+|compare_exchange_\w+|test_and_set)\s*\()");
    static const std::regex order(R"(\b\w*(relaxed|acquire|release|acq_rel|seq_cst|order)\w*\b)");
    static const std::regex scope(R"(\bmemory_order\s*::)");  // or memory_order::relaxed would count twice
    const std::sregex_iterator none;

    Findings findings;
    const std::string code = code_only(file.text);
    for (std::sregex_iterator call(code.begin(), code.end(), operation); call != none; ++call) {
        const auto begin = static_cast<std::size_t>(call->position() + call->length());
        const std::string between = code.substr(begin, end_of_arguments(code, begin) - begin);
        const std::string arguments = std::regex_replace(between, scope, "");
        const auto named =
            std::distance(std::sregex_iterator(arguments.begin(), arguments.end(), order), none);
        const std::string name = (*call)[2];
        const int needed = name.starts_with("compare_exchange") ? 2 : 1;
        if (named < needed)
            report(findings, file, line_at(code, begin),
                   name + " names " + std::to_string(named) + " of " + std::to_string(needed) +
                       " memory orders");
    }
    return findings;
}

/// `[publish] release side` at one operation asks for `[publish] acquire side` at another, and the other way round.
inline Findings one_sided_edges(const std::vector<File>& files) {
    static const std::regex tag(R"(\[([^\]]+)\] (release|acquire) side)");
    std::map<std::string, std::map<std::string, std::string>> edges;  // name -> side -> where
    for (const File& file : files)
        for (std::sregex_iterator found(file.text.begin(), file.text.end(), tag), none; found != none;
             ++found) {
            const std::size_t line = line_at(file.text, static_cast<std::size_t>(found->position()));
            edges[(*found)[1]].emplace((*found)[2], file.path + ":" + std::to_string(line));
        }

    Findings findings;
    for (const auto& [name, sides] : edges) {
        const auto& [side, where] = *sides.begin();
        if (sides.size() == 1)
            findings.push_back(where + ": edge [" + name + "] has only its " + side + " side");
    }
    return findings;
}

// ---- files ---------------------------------------------------------------------------------------------------------

constexpr std::size_t kMostLines = 400;

inline Findings too_many_lines(const File& file) {
    const std::size_t count = lines_of(file.text).size();
    if (count <= kMostLines) return {};
    return {file.path + ": " + std::to_string(count) + " lines: look for the second idea in it"};
}

/// C++, CMake, bash, Python and awk, by their names or their first line.
inline bool is_source(const File& file) {
    static const std::regex pattern(R"(\.(hpp|cpp|cmake|py|bash|awk)$|(^|/)CMakeLists\.txt$)");
    return std::regex_search(file.path, pattern) || file.text.starts_with("#!");
}
/// The first comment, or the text that a Python file begins with, ends with the licence, or has it in the line behind.
inline Findings without_licence(const File& file) {
    const bool is_cpp = file.path.ends_with(".hpp") || file.path.ends_with(".cpp");
    const std::string mark = is_cpp ? "//" : "#";
    const std::string licence = mark + " SPDX-License-Identifier: MIT";
    const std::vector<std::string> lines = lines_of(file.text);
    auto line = lines.begin();
    const auto at_text = [&] { return line != lines.end() && line->starts_with("\"\"\""); };
    if (line != lines.end() && line->starts_with("#!")) ++line;
    if (file.path.ends_with(".py") && at_text()) {
        const bool ends_there = line->find("\"\"\"", 3) != std::string::npos;
        if (!ends_there)
            line = std::find_if(line + 1, lines.end(), [](const std::string& text) {
                return text.find("\"\"\"") != std::string::npos;
            });
        if (line != lines.end() && ++line != lines.end() && *line == licence) return {};
    } else {
        const auto begin = line;
        while (line != lines.end() && line->starts_with(mark) && (!is_cpp || !line->starts_with("///")))
            ++line;
        if (line - begin >= 2 && *(line - 1) == licence) return {};
    }
    return {file.path + ":1: the first comment says what the file holds, and ends with: " + licence};
}

/// The words that promise work instead of doing it; written here so that this file does not find itself.
inline Findings promises(const File& file) {
    static const std::regex pattern(R"(\b(T[O]DO|F[I]XME)\b)");
    return lines_matching(file, pattern, "do it, or write an issue");
}

}  // namespace shmring::test
