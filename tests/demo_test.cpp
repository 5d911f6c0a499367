// The demo, run on files made for it: what it sends, what it leaves out, what it notices, and how it ends.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/private_folder.hpp"
#include "support/run_program.hpp"

namespace shmring::test {
namespace {

namespace fs = std::filesystem;

const std::string kDemo = SHMRING_BINARY_DIR "/tools/demo";
const std::vector<std::string> kTransports = {"SpscRing, blocking", "SpscRing, spinning", "pipe",
                                              "file plus lock"};

class Demo : public testing::Test {
 protected:
    [[nodiscard]] std::string path(const std::string& name = "") const { return (folder_ / name).string(); }

    /// Bytes that differ from file to file and repeat nowhere near.
    void write(const std::string& name, std::size_t size) const {
        fs::create_directories((folder_ / name).parent_path());
        std::mt19937 random(static_cast<unsigned>(std::hash<std::string>{}(name)));
        std::string bytes(size, '\0');
        std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
        ASSERT_EQ(fs::file_size(folder_ / name), size);
    }

    PrivateFolder private_folder_{"demo-test"};
    const fs::path& folder_ = private_folder_.path();
};

Ran run_demo(std::vector<std::string> arguments, const std::function<int()>& prepare = {}) {
    arguments.insert(arguments.begin(), {kDemo, "--quick"});
    return run_program(arguments, prepare);
}

bool says(const Ran& ran, const std::string& words) { return ran.out.find(words) != std::string::npos; }

/// The row of a transport in the table ends with this verdict.
bool verdict_is(const Ran& ran, const std::string& transport, const std::string& verdict) {
    for (std::size_t line = ran.out.find("\n" + transport); line != std::string::npos;
         line = ran.out.find("\n" + transport, line + 1))
        if (ran.out.substr(line + 1, ran.out.find('\n', line + 1) - line - 1).ends_with("  " + verdict))
            return true;
    return false;
}

void expect_identical(const Ran& ran, const std::string& files = "1 file") {
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
    EXPECT_TRUE(says(ran, ": " + files + " of ")) << ran;
    EXPECT_TRUE(says(ran, "Every byte arrived as it was sent.")) << ran;
    EXPECT_TRUE(says(ran, "ByteRing  " + files + " as ")) << ran;
    EXPECT_TRUE(says(ran, "diff -r of the files and the rebuilt ones: identical")) << ran;
    for (const std::string& transport : kTransports)
        EXPECT_TRUE(verdict_is(ran, transport, "identical")) << transport << "\n" << ran;
}

TEST_F(Demo, ATreeOfFilesArrivesIdenticallyThroughEveryTransport) {
    write("one byte", 1);
    write("just less than a message", 4095);
    write("a message", 4096);
    write("deep/down/just more than a message", 4097);
    write("deep/many messages", 1'000'001);
    write("deep/empty", 0);
    const Ran ran = run_demo({path()});
    expect_identical(ran, "6 files");
    EXPECT_TRUE(says(ran, "0 not regular (links, devices, sockets), 0 unreadable, 0 changed")) << ran;
    EXPECT_TRUE(says(ran, "machine   ")) << ran;
    EXPECT_TRUE(says(ran, "compared with 6 files on disk")) << ran;
}

TEST_F(Demo, ASingleFileArrivesIdentically) {
    write("alone", 12'345);
    expect_identical(run_demo({path("alone")}));
}

TEST_F(Demo, AnEmptyDirectoryIsAStreamWithoutFiles) { expect_identical(run_demo({path()}), "0 files"); }

TEST_F(Demo, SeveralPathsAreOneStream) {
    write("a/1", 10'000);
    write("b/2", 10'000);
    expect_identical(run_demo({path("a"), path("b"), path("b/2")}), "3 files");
}

TEST_F(Demo, NamesMayHoldAnyByte) {
    write("with space", 100);
    write("with\nnewline", 100);
    write("-dash", 100);
    write("\xff\x01", 100);
    write(std::string(255, 'x'), 100);
    expect_identical(run_demo({path()}), "5 files");

    const Ran ran = run_demo({path("with\nnewline")});
    expect_identical(ran);
    EXPECT_TRUE(says(ran, "/with\\x0anewline\": 1 file of")) << ran;
}

TEST_F(Demo, LinksAndSpecialFilesAreCountedAndNotFollowed) {
    write("file", 100);
    fs::create_directory_symlink(folder_, folder_ / "loop");
    fs::create_symlink("file", folder_ / "link");
    fs::create_symlink("nothing", folder_ / "dangling");
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    const Ran ran = run_demo({path()});
    expect_identical(ran);
    EXPECT_TRUE(says(ran, "4 not regular (links, devices, sockets), 0 unreadable")) << ran;
}

TEST_F(Demo, ALinkThatTheUserNamesIsFollowed) {
    write("tree/file", 100);
    fs::create_directory_symlink("tree", folder_ / "link");
    expect_identical(run_demo({path("link")}));
}

/// Root reads files whatever their mode says, unless it has given that up.
int obey_file_modes() {
    if (::geteuid() != 0) return 0;
    for (const int capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH})
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return kCannotBeTriedHere;
    return 0;
}

TEST_F(Demo, UnreadableFilesAndDirectoriesAreCounted) {
    write("file", 100);
    write("secret file", 100);
    write("secret directory/file", 100);
    fs::permissions(folder_ / "secret file", fs::perms::none);
    fs::permissions(folder_ / "secret directory", fs::perms::none);
    const Ran ran = run_demo({path()}, obey_file_modes);
    const Ran refused = run_demo({path("secret file")}, obey_file_modes);
    fs::permissions(folder_ / "secret directory", fs::perms::owner_all);
    if (ran.ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "root may not give up reading everything here";
    expect_identical(ran);
    EXPECT_TRUE(says(ran, "0 not regular (links, devices, sockets), 2 unreadable")) << ran;
    EXPECT_TRUE(refused.ended.exited_with(2)) << refused;
}

TEST_F(Demo, AFileThatChangesMeanwhileIsComparedAsItWasLoadedOrLeftOut) {
    write("steady", 100'000);
    write("restless", 100'000);
    std::atomic<bool> over{false};
    std::thread writer([&] {
        for (char byte = 0; !over.load(std::memory_order_relaxed); ++byte) {
            std::ofstream(folder_ / "restless", std::ios::in | std::ios::binary) << byte;
            ::usleep(1000);
        }
    });
    const Ran ran = run_demo({path()});
    over.store(true, std::memory_order_relaxed);
    writer.join();
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
    EXPECT_NE(says(ran, "changed there meanwhile, with 1 as they were loaded"),
              says(ran, ", 1 changed while being read"))
        << ran;
}

TEST_F(Demo, WhatIsTooLargeIsSentInPartAndSaysSo) {
    write("1 fits", 500'000);
    write("2 fits in part", 2'000'000);
    write("3 is too much", 1000);
    const Ran ran = run_demo({"--most", "1", path()});
    expect_identical(ran, "2 files");
    EXPECT_TRUE(says(ran, "the rest of the input is left out: there is more than 1 MiB\n")) << ran;
    EXPECT_TRUE(says(ran, " of 1.0 MB")) << ran;
    EXPECT_TRUE(says(ran, " compared with 2 files on disk")) << ran;
}

TEST_F(Demo, AFlippedBitIsFoundInEveryTransportAndFailsTheRun) {
    write("file", 50'000);
    // 13 messages of 4096 bytes, of which the middle one is hit in its middle.
    const std::string place = "first difference at byte 26624, in the contents of \"" + path("file") + "\"";
    // The comparison and the check sum each have to find it alone, too.
    for (const std::string where : {"stream", "comparison", "checksum"}) {
        const Ran ran = run_demo({"--corrupt", where, path()});
        EXPECT_TRUE(ran.ended.exited_with(1)) << ran;
        for (const std::string& transport : kTransports)
            EXPECT_TRUE(verdict_is(ran, transport, "DIFFERENT")) << transport << "\n" << ran;
        EXPECT_EQ(says(ran, place), where != "checksum") << ran;
        EXPECT_EQ(says(ran, "DIFFERENT: the checksums\n"), where == "checksum") << ran;
        EXPECT_TRUE(says(ran, "NOT every byte arrived as it was sent.")) << ran;
        EXPECT_FALSE(says(ran, "  identical")) << ran;
        EXPECT_TRUE(says(ran, "the rebuilt ones: identical")) << ran;
    }
}

TEST_F(Demo, AFlippedBitInARebuiltFileIsFoundByDiffAndFailsTheRun) {
    write("empty", 0);
    write("deep/file", 50'000);
    const Ran ran = run_demo({"--corrupt", "tree", path()});
    EXPECT_TRUE(ran.ended.exited_with(1)) << ran;
    EXPECT_TRUE(says(ran, "the rebuilt ones: DIFFERENT")) << ran;
    EXPECT_TRUE(says(ran, "/rebuilt" + path("deep/file") + " differ")) << ran;
    EXPECT_TRUE(says(ran, "NOT every byte arrived as it was sent.")) << ran;
    for (const std::string& transport : kTransports)
        EXPECT_TRUE(verdict_is(ran, transport, "identical")) << transport << "\n" << ran;
}

TEST_F(Demo, AFileIsOneMessageAndALargeOneTravelsInPieces) {
    write("empty", 0);
    write("small", 100);
    write("large", 9'000'001);
    const Ran ran = run_demo({path()});
    expect_identical(ran, "3 files");
    // 8 MiB of ring take messages of nearly 4 MiB, paths included.
    EXPECT_TRUE(says(ran, "ByteRing  3 files as 5 messages, one each")) << ran;
    EXPECT_TRUE(says(ran, "a file of more than 4.2 MB in pieces")) << ran;
}

TEST_F(Demo, ARebuiltTreeLeavesNothingBehind) {
    write("temporary files/file", 100);
    write("tree/file", 100);
    const Ran ran =
        run_demo({path("tree")}, [this] { return ::setenv("TMPDIR", path("temporary files").c_str(), 1); });
    expect_identical(ran);
    const fs::directory_iterator left(folder_ / "temporary files");
    EXPECT_EQ(std::distance(begin(left), end(left)), 1);
}

TEST_F(Demo, AnInterruptedRebuildingIsCleanedUp) {
    write("tree/file", 50'000'000);
    const std::string temporary = path("temporary files");
    fs::create_directory(temporary);
    const auto a_folder_is_there = [&] {
        std::error_code gone;  // what is listed may be removed meanwhile
        for (fs::directory_iterator at(temporary, gone); !gone && at != fs::directory_iterator();
             at.increment(gone))
            if (fs::is_directory(at->path() / "rebuilt", gone)) return true;
        return false;
    };
    bool interrupted = false;
    for (int tries = 0; tries != 10 && !interrupted; ++tries) {  // on a busy machine we may come too late
        RunningProgram demo({kDemo, "--quick", path("tree")},
                            [&] { return ::setenv("TMPDIR", temporary.c_str(), 1); });
        siginfo_t info{};
        while (info.si_pid == 0 && !a_folder_is_there()) {
            ::usleep(200);
            ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(demo.pid()), &info, WEXITED | WNOHANG | WNOWAIT), 0);
        }
        ::kill(demo.pid(), SIGINT);
        const Ran ran = demo.finish();
        interrupted = ran.ended.exited_with(1) && ran.err.find("demo: interrupted\n") != std::string::npos;
        EXPECT_TRUE(fs::is_empty(temporary)) << ran;
    }
    EXPECT_TRUE(interrupted);
}

TEST_F(Demo, OneCpuIsEnough) {
    write("file", 1'000'000);
    const Ran ran = run_demo({path()}, [] {
        cpu_set_t allowed;
        CPU_ZERO(&allowed);
        if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return kCannotBeTriedHere;
        std::size_t first = 0;
        while (!CPU_ISSET(first, &allowed)) ++first;
        CPU_ZERO(&allowed);
        CPU_SET(first, &allowed);
        return ::sched_setaffinity(0, sizeof allowed, &allowed) == 0 ? 0 : kCannotBeTriedHere;
    });
    if (ran.ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "the CPUs of a process cannot be chosen here";
    expect_identical(ran);
    EXPECT_TRUE(says(ran, "CPUs      only one")) << ran;
}

TEST_F(Demo, BadPathsAndOptionsEndWithStatusTwoAndAReason) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    const auto expect_refused = [](const Ran& ran, const std::string& words) {
        EXPECT_TRUE(ran.ended.exited_with(2)) << ran;
        EXPECT_NE(ran.err.find(words), std::string::npos) << ran;
        EXPECT_EQ(ran.out, "");
    };
    expect_refused(run_demo({path("missing")}), "missing\": No such file or directory");
    expect_refused(run_demo({path(), path("missing")}), "missing\": No such file or directory");
    expect_refused(run_demo({path("fifo")}), "fifo\": is neither a directory nor a regular file");
    expect_refused(run_demo({""}), "\"\": No such file or directory");
    expect_refused(run_demo({"--unheard-of"}), "there is no option --unheard-of\nusage: demo");
    for (const char* most : {"0", "-1", "1x", "", "99999999999999999999"})
        expect_refused(run_demo({"--most", most}), "--most takes a number of MiB from 1 to ");
    expect_refused(run_demo({"--most"}), "--most takes a number of MiB from 1 to ");
    for (const std::vector<std::string>& corrupt :
         {std::vector<std::string>{"--corrupt"}, {"--corrupt", "disk"}})
        expect_refused(run_demo(corrupt), "--corrupt takes stream, comparison, checksum or tree");
    expect_refused(run_demo({"--", "--help"}), "\"--help\": No such file or directory");
}

TEST_F(Demo, AKilledProcessFailsTheRunAndLeavesNobodyBehind) {
    write("file", 1'000'000);
    RunningProgram demo({kDemo, "--quick", path()}, [] {
        // In a build with the leak checker, that has a process of its own at the end, which is not meant
        // here.
        return ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    });
    const std::string proc = "/proc/" + std::to_string(demo.pid());
    const auto children = [&] {
        std::ifstream file(proc + "/task/" + std::to_string(demo.pid()) + "/children");
        return std::vector<pid_t>(std::istream_iterator<pid_t>(file), {});
    };
    const auto ended = [&] {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(demo.pid()), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
               info.si_pid != 0;
    };
    std::vector<pid_t> last;
    while (!ended()) {
        // One of them only: the other one has to be ended by the demo. One that has just finished survives:
        // try again.
        if (const std::vector<pid_t> found = children(); !found.empty())
            ::kill((last = found).back(), SIGKILL);
        ::usleep(200);
    }
    const Ran ran = demo.finish();
    EXPECT_TRUE(ran.ended.exited_with(1)) << ran;
    EXPECT_NE(ran.err.find("ing process was killed by signal 9"), std::string::npos) << ran;
    ASSERT_FALSE(last.empty());
    for (const pid_t process : last) EXPECT_FALSE(fs::exists("/proc/" + std::to_string(process)));
}

TEST_F(Demo, HelpIsPrintedWithoutRunning) {
    const Ran ran = run_demo({"--help", path("missing")});
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
    EXPECT_TRUE(ran.out.starts_with("usage: demo ")) << ran;
    EXPECT_FALSE(says(ran, "--corrupt")) << ran;
}

TEST_F(Demo, ProgressIsPlainLinesWhereStandardErrorIsNoTerminal) {
    const Ran ran = run_demo({path()});
    EXPECT_NE(ran.err.find("demo: round 1 of 1\n"), std::string::npos) << ran;
    EXPECT_EQ(ran.err.find('\r'), std::string::npos) << ran;
}

TEST_F(Demo, ProgressIsABarWhereStandardErrorIsATerminal) {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0)
        GTEST_SKIP() << "no terminals here";
    const std::string name = ::ptsname(terminal);
    RunningProgram demo({kDemo, "--quick", path()}, [&] {
        const int end = ::open(name.c_str(), O_RDWR | O_NOCTTY);
        return end >= 0 && ::dup2(end, STDERR_FILENO) >= 0 ? 0 : kCannotBeTriedHere;
    });
    std::string shown;
    char bytes[512];
    for (ssize_t got = 1; got > 0; shown.append(bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))))
        got = ::read(terminal, bytes, sizeof bytes);  // fails when the last process has closed the other end
    ::close(terminal);
    const Ran ran = demo.finish();
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran << shown;
    EXPECT_NE(shown.find("##"), std::string::npos) << shown;
    EXPECT_NE(shown.find(" %  round 1 of 1: files through the pipe"), std::string::npos) << shown;
    EXPECT_TRUE(shown.ends_with("\r\033[K")) << "the bar is wiped off at the end: " << shown;
}

}  // namespace
}  // namespace shmring::test
