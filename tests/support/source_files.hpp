// The source tree as text: its files, their lines, and their code without comments and literals.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace shmring::test {

struct File {
    std::string path;  // from the top of the tree
    std::string text;

    [[nodiscard]] bool in(std::string_view folder) const {
        return path.starts_with(folder) && path.substr(folder.size()).starts_with('/');
    }
};

/// All files below these folders, or those with such an ending only.
inline std::vector<File> tree(const std::vector<std::string>& folders,
                              const std::set<std::string>& endings = {}) {
    const std::filesystem::path root = SHMRING_SOURCE_DIR;
    std::vector<File> files;
    for (const std::string& folder : folders) {
        if (!std::filesystem::exists(root / folder)) continue;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
            if (!entry.is_regular_file()) continue;
            if (!endings.empty() && !endings.contains(entry.path().extension())) continue;
            std::ifstream in(entry.path(), std::ios::binary);
            files.push_back({entry.path().lexically_relative(root).generic_string(),
                             {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
        }
    }
    EXPECT_FALSE(files.empty()) << "nothing to check below " << root;
    std::ranges::sort(files, {}, &File::path);
    return files;
}

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

inline std::size_t line_at(std::string_view text, std::size_t offset) {
    return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

/// A digit separator is the one apostrophe that opens no character literal.
inline bool separates_digits(std::string_view text, std::size_t at) {
    const auto is_digit = [&](std::size_t i) {
        return std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    };
    return at > 0 && at + 2 < text.size() && is_digit(at - 1) && is_digit(at + 1) && text[at + 2] != '\'';
}

/// Where the comment or literal that starts here ends, or nothing if it is code.
inline std::optional<std::size_t> end_of_non_code(std::string_view text, std::size_t at) {
    const auto after = [&](std::string_view mark, std::size_t from) {
        const std::size_t found = text.find(mark, from);
        return found == std::string_view::npos ? text.size() : found + mark.size();
    };
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
    if (rest.starts_with("/*")) return after("*/", at + 2);
    if (rest.starts_with("R\"")) {
        const std::size_t open = std::min(text.find('(', at), text.size() - 1);
        return after(")" + std::string(text.substr(at + 2, open - at - 2)) + "\"", open);
    }
    if (rest.front() != '"' && (rest.front() != '\'' || separates_digits(text, at))) return std::nullopt;
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != rest.front() && text[end] != '\n')
        end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
}

/// The text with comments and literals blanked out, every line where it was.
inline std::string code_only(std::string text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::optional<std::size_t> end = end_of_non_code(text, at);
        for (std::size_t i = at; end && i != *end; ++i)
            if (text[i] != '\n') text[i] = ' ';
        at = end.value_or(at + 1);
    }
    return text;
}

}  // namespace shmring::test
