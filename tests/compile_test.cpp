// What a user's compiler says: behind the macros of others, with the wrong standard or target, with warnings of its own, into a plug-in,
// as a part of somebody else's build. Syntax only where that is enough; what takes minutes is left to tools/dev portability.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/private_folder.hpp"
#include "support/run_program.hpp"

namespace shmring::test {
namespace {

const std::string kRoot = SHMRING_SOURCE_DIR;
const std::string kConsumers = kRoot + "/tests/consumers/";

Ran compile(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{SHMRING_COMPILER, "-I" + kRoot + "/include"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunningProgram(command, {}, std::chrono::minutes(4)).finish();  // on a machine that is busy
}
void expect_compiles(std::vector<std::string> arguments) {
    arguments.emplace_back("-fsyntax-only");
    const Ran ran = compile(arguments);
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
    EXPECT_EQ(ran.err, "");
}
/// What the first error says, and how many there are.
struct Errors {
    std::string first{};
    std::size_t count = 0;
};
Errors errors_of(const std::string& said) {
    constexpr std::string_view kMark = "error: ";
    Errors errors;
    for (std::size_t at = said.find(kMark); at != std::string::npos; at = said.find(kMark, at + 1))
        if (errors.count++ == 0) errors.first = said.substr(at, said.find('\n', at) - at);
    return errors;
}
/// Each public header refuses the options by itself, in its first error, and the compiler stops behind it.
void expect_every_public_header_refuses(const std::vector<std::string>& options,
                                        const std::string& sentence) {
    std::size_t headers = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot + "/include/shmring")) {
        if (entry.path().extension() != ".hpp") continue;
        ++headers;
        std::vector<std::string> arguments = options;
        arguments.insert(arguments.end(), {"-fsyntax-only", "-x", "c++", entry.path().string()});
        const Ran ran = compile(arguments);
        EXPECT_FALSE(ran.ended.exited_with(0)) << entry.path();
        const Errors errors = errors_of(ran.err);
        EXPECT_NE(errors.first.find(sentence), std::string::npos) << entry.path() << "\n" << ran;
        EXPECT_EQ(errors.count, 2U) << entry.path() << "\n" << ran;
    }
    EXPECT_GE(headers, 20U);
}
std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Compile, TheMacrosOfXlibQtAndOthersAreNoObstacleAndAreGivenBack) {
    expect_compiles({"-std=c++20", "-Wall", "-Wextra", "-Wpedantic", kConsumers + "behind_macros.cpp"});
}
TEST(Compile, GnuExtensionsAreNoObstacle) {  // linux and unix are 1 there
    expect_compiles({"-std=gnu++20", kConsumers + "plugin.cpp"});
}
TEST(Compile, EveryPublicHeaderAsksForCpp20InItsFirstError) {
    expect_every_public_header_refuses({"-std=c++17"}, "shmring needs C++20");
}
TEST(Compile, EveryPublicHeaderRefusesATargetOf32BitsInItsFirstError) {
    if (!run_program({SHMRING_COMPILER, "-m32", "-fsyntax-only", "-x", "c++", "/dev/null"})
             .ended.exited_with(0))
        GTEST_SKIP() << "the compiler knows no -m32";
    expect_every_public_header_refuses({"-m32", "-std=c++20"}, "shmring needs a 64-bit target");
}
/// By its first error, which comes from no template of ours that broke.
void expect_queue_of_it_refused(const std::string& type, const std::string& sentence) {
    const PrivateFolder folder;
    const std::string source = folder / "refused.cpp";
    std::ofstream(source) << "#include <shmring/queue.hpp>\n#include <string>\n#include <vector>\n"
                          << type << "\nauto made = shmring::Queue<It>::anonymous({.capacity = 1});\n";
    const Ran ran = compile({"-std=c++20", "-fsyntax-only", source});
    EXPECT_FALSE(ran.ended.exited_with(0)) << type;
    EXPECT_NE(errors_of(ran.err).first.find(sentence), std::string::npos) << ran;
}
TEST(Compile, AStructWithABitFieldBesideAStringIsRefusedInOneSentence) {
    expect_queue_of_it_refused(
        "struct It { std::string text; unsigned flags : 3; };",
        "a struct with a bit-field and a field that is no Message has no codec by itself");
}
TEST(Compile, AStructThatHoldsItselfIsRefusedInOneSentence) {
    expect_queue_of_it_refused("struct It { std::string name; std::vector<It> children; };",
                               "a type that holds values of its own type has no codec by itself");
}
TEST(Compile, AProgramThatUsesEveryTypeGivesNoWarning) {
    for (const char* assertions : {"-UNDEBUG", "-DNDEBUG"})
        expect_compiles({"-std=c++20", assertions, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
                         "-Wconversion", "-Wsign-conversion", "-Wold-style-cast", "-Wnull-dereference",
                         "-fno-exceptions", "-fno-rtti", kConsumers + "every_type.cpp"});
}
TEST(Compile, TheKernelsHeadersMayBeOld) {
    for (const std::string source : {"platform_linux", "segment_memory", "segment_storage"})
        expect_compiles({"-std=c++20", "-include", kConsumers + "old_kernel_headers.hpp",
                         kRoot + "/lib/" + source + ".cpp"});
}
TEST(Compile, APlugInLinksTheStaticLibrary) {
    const std::string library = std::string(SHMRING_BINARY_DIR) + "/lib/libshmring.a";
    if (!std::filesystem::exists(library)) GTEST_SKIP() << "the library is shared in this build";
    const PrivateFolder folder;
    const Ran linked = compile({"-std=c++20", "-fPIC", "-shared", kConsumers + "plugin.cpp", library,
                                "-pthread", "-Wl,--no-undefined", "-o", folder / "plugin.so"});
    EXPECT_TRUE(linked.ended.exited_with(0)) << linked;
}
/// Each has a token of this process and a gate of its own; a handle may be let go of by the other copy.
TEST(Compile, TwoCopiesOfTheLibraryInOneProcessShareAQueue) {
    const std::string library = std::string(SHMRING_BINARY_DIR) + "/lib/libshmring.a";
    if (!std::filesystem::exists(library)) GTEST_SKIP() << "the library is shared in this build";
    const PrivateFolder folder;
    const Ran plugin = compile({"-std=c++20", "-fPIC", "-shared", kConsumers + "sharing_plugin.cpp", library,
                                "-pthread", "-o", folder / "plugin.so"});
    ASSERT_TRUE(plugin.ended.exited_with(0)) << plugin;
    const Ran program = compile({"-std=c++20", kConsumers + "share_with_plugin.cpp", library, "-pthread",
                                 "-ldl", "-o", folder / "program"});
    ASSERT_TRUE(program.ended.exited_with(0)) << program;
    const Ran ran = run_program({folder / "program", folder / "plugin.so"});
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
}
/// As a part of a build that hides symbols by default and puts sources together.
TEST(Compile, ASharedLibraryShowsItsSymbolsAndIsBuiltFileByFileWhateverTheParentSays) {
    const PrivateFolder folder;
    const Ran configured = run_program(
        {SHMRING_CMAKE, "-S", kRoot, "-B", folder / "build", "-G", "Ninja",
         "-DCMAKE_CXX_COMPILER=" SHMRING_COMPILER, "-DBUILD_SHARED_LIBS=ON",
         "-DCMAKE_CXX_VISIBILITY_PRESET=hidden", "-DCMAKE_VISIBILITY_INLINES_HIDDEN=ON",
         "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DSHMRING_BUILD_TESTS=OFF",
         "-DSHMRING_BUILD_BENCH=OFF", "-DSHMRING_BUILD_TOOLS=OFF", "-DSHMRING_BUILD_EXAMPLES=OFF"});
    ASSERT_TRUE(configured.ended.exited_with(0)) << configured;
    const std::string commands = text_of(folder / "build/compile_commands.json");
    EXPECT_NE(commands.find("/lib/segment.cpp"), std::string::npos) << "one file at a time";
    EXPECT_NE(commands.find("-fPIC"), std::string::npos);
    EXPECT_EQ(commands.find("unity"), std::string::npos);
    EXPECT_EQ(commands.find("-fvisibility=hidden"), std::string::npos);
    EXPECT_EQ(commands.find("-fvisibility-inlines-hidden"), std::string::npos);
}

}  // namespace
}  // namespace shmring::test
