// The version is written in version.hpp, and everything that names one names that: constants, macro, CMake, pkg-config, CHANGELOG.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "shmring/shmring.hpp"

#if SHMRING_VERSION < 200
#error "this branch is for versions before 0.2.0"
#endif

namespace shmring::test {
namespace {

[[nodiscard]] std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
/// The first group of the pattern, or nothing.
[[nodiscard]] std::string found_in(const std::string& text, const std::string& pattern) {
    std::smatch match;
    return std::regex_search(text, match, std::regex(pattern)) ? match[1].str() : std::string();
}

TEST(Version, TheNumbersSayWhatTheTextSays) {
    EXPECT_EQ(kVersion, std::to_string(kVersionMajor) + "." + std::to_string(kVersionMinor) + "." +
                            std::to_string(kVersionPatch));
    EXPECT_EQ(SHMRING_VERSION, 10000 * kVersionMajor + 100 * kVersionMinor + kVersionPatch);
}
TEST(Version, IsThatOfTheCMakeProject) { EXPECT_EQ(kVersion, SHMRING_PROJECT_VERSION); }
TEST(Version, IsThatOfTheInstalledPackageAndOfPkgConfig) {
    const std::string folder = SHMRING_BINARY_DIR "/lib/";
    if (!std::filesystem::exists(folder + "shmring.pc")) GTEST_SKIP() << "this build has no install rules";
    EXPECT_EQ(found_in(text_of(folder + "shmring.pc"), R"(\nVersion: ([^\n]*)\n)"), kVersion);
    EXPECT_EQ(
        found_in(text_of(folder + "shmringConfigVersion.cmake"), R"x(set\(PACKAGE_VERSION "([^"]*)"\))x"),
        kVersion);
}
TEST(Version, IsTheNewestInTheChangelog) {
    const std::string changelog = text_of(SHMRING_SOURCE_DIR "/CHANGELOG.md");
    EXPECT_EQ(found_in(changelog, R"(\n## \[([^\]]*)\])"), kVersion);
}
TEST(Version, OfTheLayoutIsWhatANewSegmentSays) {
    const auto ring = SpscRing<int>::anonymous({.capacity = 4});
    EXPECT_EQ(ring.segment().header().layout_version, kSegmentLayoutVersion);
}

}  // namespace
}  // namespace shmring::test
