// Named segments while nothing is wrong: made, opened, removed, found as they were left.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "support/child_process.hpp"
#include "support/private_shm.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

[[nodiscard]] unsigned mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
}

TEST(SegmentNamed, WhatOneProcessWritesAnotherReads) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_FALSE(made.error.code) << made;
    ChildProcess child([&] {
        const Outcome opened = open(name);
        EXPECT_FALSE(opened.error.code) << opened;
        std::memset(opened.segment.at(opened.segment.geometry().data_offset), 0x5a, 64);
        opened.segment.user_metadata()[63] = std::byte{7};
    });
    ASSERT_TRUE(child.join().exited_with(0));
    const auto* data = made.segment.at(made.segment.geometry().data_offset);
    EXPECT_TRUE(std::all_of(data, data + 64, [](std::byte b) { return b == std::byte{0x5a}; }));
    EXPECT_EQ(data[64], std::byte{0});
    EXPECT_EQ(made.segment.user_metadata()[63], std::byte{7});
}

TEST(SegmentNamed, GeometryIsTheSameForMakerAndOpener) {
    const UniqueName name;
    const Outcome made = create(name, test_spec(1000));
    const Outcome opened = open(name);
    ASSERT_TRUE(made.segment && opened.segment) << made << opened;
    const SegmentGeometry& ours = made.segment.geometry();
    const SegmentGeometry& theirs = opened.segment.geometry();
    EXPECT_EQ(ours, theirs);
    EXPECT_EQ(ours.kind, detail::RingKind::spsc);
    EXPECT_EQ(ours.capacity, 1000U);
    EXPECT_EQ(ours.element_size, 16U);
    EXPECT_EQ(ours.participant_count, 16U);
    EXPECT_EQ(ours.liveness_period_ns, 100'000'000U);
    EXPECT_EQ(ours.participants_offset, 4096U);
    EXPECT_EQ(ours.control_offset, 8192U);
    EXPECT_EQ(ours.control_size, 640U);
    EXPECT_EQ(ours.data_offset, 12288U);
    EXPECT_EQ(ours.data_size, 334U * 64);
    EXPECT_EQ(ours.segment_size, 12288U + 24576U);
    EXPECT_EQ(made.segment.bytes().size(), ours.segment_size);
    EXPECT_EQ(std::filesystem::file_size(name.path()), ours.segment_size);
}

TEST(SegmentNamed, ANewSegmentIsZeroBehindItsHeader) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const auto rest = made.segment.bytes().subspan(sizeof(detail::SegmentHeader));
    EXPECT_TRUE(std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_TRUE(
        std::ranges::all_of(made.segment.user_metadata(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(SegmentNamed, TheHeaderNamesItsMakerForPeople) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const detail::SegmentHeader& header = made.segment.header();
    EXPECT_EQ(std::memcmp(&header.magic, "SHMRING", 8), 0);
    EXPECT_EQ(header.creator.process_id, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(header.creator.user_id, ::geteuid());
    EXPECT_NE(header.creator.created_ns, 0U);
    EXPECT_NE(header.creator.start_time, 0U);
    EXPECT_NE(header.creator.command[0], '\0');
    EXPECT_STREQ(header.schema.data(), "Test/1");
}

TEST(SegmentNamed, ALeadingSlashMakesNoDifference) {
    const UniqueName name;
    const Outcome made = create("/" + name.name());
    ASSERT_TRUE(made.segment) << made;
    EXPECT_EQ(made.segment.name(), name.name());
    EXPECT_TRUE(open(name).segment);
    EXPECT_FALSE(Segment::remove("/" + name.name()));
    EXPECT_FALSE(std::filesystem::exists(name.path()));
}

TEST(SegmentNamed, ATakenNameIsRefusedAndLeftAlone) {
    const UniqueName name;
    const Outcome first = create(name);
    ASSERT_TRUE(first.segment) << first;
    const Outcome second = create(name);
    EXPECT_FALSE(second.segment);
    EXPECT_EQ(second.error.code, std::errc::file_exists);
    EXPECT_NE(second.text().find("the name is taken"), std::string::npos) << second;
    EXPECT_EQ(open(name).segment.geometry().generation, first.segment.geometry().generation);
}

TEST(SegmentNamed, AMissingNameIsNamedSo) {
    const UniqueName name;
    const Outcome opened = open(name);
    EXPECT_FALSE(opened.segment);
    EXPECT_EQ(opened.error.code, std::errc::no_such_file_or_directory);
    EXPECT_EQ(opened.text(),
              "shmring: open \"" + name.name() +
                  "\": there is no segment of this name in /dev/shm: No such file or directory");
}

TEST(SegmentNamed, OpenOrCreateMakesOnceAndOpensThen) {
    const UniqueName name;
    const Outcome first = open_or_create(name);
    const Outcome second = open_or_create(name);
    ASSERT_TRUE(first.segment && second.segment) << first << second;
    EXPECT_FALSE(first.error.code) << first;
    EXPECT_EQ(first.text(), "");
    EXPECT_EQ(first.segment.geometry().generation, second.segment.geometry().generation);
}

TEST(SegmentNamed, TheModeIsExactlyWhatWasAskedWhateverTheUmask) {
    for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
        for (const unsigned mode : {0600U, 0660U, 0666U, 0640U}) {
            const UniqueName name;
            const mode_t before = ::umask(mask);
            const Outcome made = create(name, test_spec(), {.mode = mode});
            ::umask(before);
            ASSERT_TRUE(made.segment) << made;
            EXPECT_EQ(mode_of(name.path()), mode);
            EXPECT_TRUE(open(name, opening_spec(), {.mode = mode}).segment);
        }
    }
    const UniqueName name;
    ASSERT_TRUE(create(name).segment);
    EXPECT_EQ(mode_of(name.path()), 0600U) << "the default";
}

TEST(SegmentNamed, DescriptorsAreNotInheritedByPrograms) {
    const UniqueName name;
    const Outcome made = create(name);
    const Outcome opened = open(name);
    const Outcome nameless = anonymous();
    const Outcome passed = from_descriptor(nameless.segment.descriptor());
    for (const Outcome* outcome : {&made, &opened, &nameless, &passed})
        EXPECT_EQ(::fcntl(outcome->segment.descriptor(), F_GETFD), FD_CLOEXEC);
}

TEST(SegmentNamed, RemoveDeletesTheNameAndTellsThoseWhoHaveItOpen) {
    const UniqueName name;
    const Outcome made = create(name);
    const Outcome opened = open(name);
    ASSERT_TRUE(made.segment && opened.segment);
    EXPECT_FALSE(opened.segment.retired());
    EXPECT_FALSE(Segment::remove(name));
    EXPECT_TRUE(made.segment.retired());
    EXPECT_TRUE(opened.segment.retired());
    EXPECT_EQ(open(name).error.code, std::errc::no_such_file_or_directory);
    EXPECT_EQ(Segment::remove(name), std::errc::no_such_file_or_directory);

    const Outcome successor = create(name);
    ASSERT_TRUE(successor.segment) << successor;
    EXPECT_NE(successor.segment.geometry().generation, made.segment.geometry().generation);
    EXPECT_FALSE(successor.segment.retired());
    made.segment.user_metadata()[0] = std::byte{1};
    EXPECT_EQ(successor.segment.user_metadata()[0], std::byte{0}) << "what was removed is another memory";
}

TEST(SegmentNamed, ANameThatWasDeletedByOthersIsNoticedToo) {
    const UniqueName name;
    const Outcome made = create(name);
    const Outcome opened = open(name);
    const Outcome passed = from_descriptor(made.segment.descriptor());
    const Outcome nameless = anonymous();
    ASSERT_TRUE(made.segment && opened.segment && passed.segment);
    for (const Outcome* outcome : {&made, &opened, &passed}) EXPECT_FALSE(outcome->segment.retired());
    ASSERT_EQ(::unlink(name.path().c_str()), 0);  // by rm, by a clean-up script, by logind
    const Outcome successor = create(name);
    for (const Outcome* outcome : {&made, &opened, &passed}) EXPECT_TRUE(outcome->segment.retired());
    EXPECT_FALSE(successor.segment.retired());
    EXPECT_FALSE(nameless.segment.retired()) << "it never had a name";
    EXPECT_FALSE(from_descriptor(nameless.segment.descriptor()).segment.retired());
    EXPECT_FALSE(Segment{}.retired());
}

TEST(SegmentNamed, ANameThatLeadsElsewhereIsNoticedToo) {
    const UniqueName name;
    const std::string elsewhere = name.path() + ".moved";
    const Outcome made = create(name);
    const Outcome passed = from_descriptor(made.segment.descriptor());
    ASSERT_EQ(::link(name.path().c_str(), elsewhere.c_str()), 0);
    EXPECT_FALSE(made.segment.retired()) << "it has its name, and another";
    ASSERT_EQ(::unlink(name.path().c_str()), 0);
    EXPECT_TRUE(made.segment.retired()) << "a hard link is left";
    EXPECT_FALSE(passed.segment.retired()) << "it knows no name, and the file has one";
    ASSERT_EQ(::rename(elsewhere.c_str(), name.path().c_str()), 0);
    EXPECT_FALSE(made.segment.retired()) << "moved back";
    ASSERT_EQ(::rename(name.path().c_str(), elsewhere.c_str()), 0);
    EXPECT_TRUE(made.segment.retired()) << "moved away";
    const Outcome successor = create(name);
    EXPECT_TRUE(made.segment.retired()) << "the name is another's";
    EXPECT_FALSE(successor.segment.retired());
    ASSERT_EQ(::unlink(elsewhere.c_str()), 0);
    EXPECT_TRUE(passed.segment.retired());
}

/// Where another /dev/shm was mounted, the name leads nowhere, and says nothing about the ring.
TEST(SegmentNamed, WhoMayNotSeeTheFolderAnyMoreTakesTheRingForNamed) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment);
    ChildProcess child([&] {
        if (!enter_private_mounts()) return kCannotBeTriedHere;
        const PrivateShm other("size=1m");
        if (!other) return kCannotBeTriedHere;
        return made.segment.retired() ? 1 : 0;
    });
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "needs a mount namespace";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

/// Nor where another folder of the same file system is there.
TEST(SegmentNamed, WhoSeesAnotherFolderOfTheSameFileSystemTakesTheRingForNamed) {
    ChildProcess child([&] {
        if (!enter_private_mounts()) return kCannotBeTriedHere;
        const PrivateShm shm("size=1m");
        if (!shm) return kCannotBeTriedHere;
        const UniqueName name;
        const Outcome made = create(name);
        if (!made.segment || ::mkdir("/dev/shm/inner", 0700) != 0) return 2;
        if (::mount("/dev/shm/inner", "/dev/shm", nullptr, MS_BIND, nullptr) != 0) return kCannotBeTriedHere;
        const bool is_retired = made.segment.retired();
        ::umount("/dev/shm");
        return is_retired ? 1 : 0;
    });
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "needs a mount namespace";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

TEST(SegmentNamed, TheNameOutlivesItsUsers) {
    const UniqueName name;
    { ASSERT_TRUE(create(name).segment); }
    EXPECT_TRUE(open(name).segment);
}

TEST(SegmentNamed, AMovedSegmentIsTheSameSegment) {
    const UniqueName name;
    Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const std::byte* base = made.segment.at(0);
    Segment moved = std::move(made.segment);
    EXPECT_FALSE(made.segment);  // NOLINT(bugprone-use-after-move): what a moved-from segment is
    EXPECT_EQ(made.segment.descriptor(), -1);
    EXPECT_EQ(made.segment.name(), "");
    EXPECT_EQ(moved.at(0), base);
    EXPECT_EQ(moved.name(), name.name());

    Segment other = anonymous().segment;
    const int number = other.descriptor();
    other = std::move(moved);
    EXPECT_EQ(::fcntl(number, F_GETFD), -1) << "what was assigned over is closed";
    EXPECT_EQ(other.at(0), base);
    Segment& same = other;
    other = std::move(same);
    EXPECT_EQ(other.at(0), base);
    other.user_metadata()[0] = std::byte{1};
}

TEST(SegmentNamed, ADescriptorThatTheApplicationClosedAndReusedIsNotClosedAgain) {
    int reused = -1;
    {
        const Outcome made = anonymous();
        ASSERT_TRUE(made.segment) << made;
        ::close(made.segment.descriptor());
        reused = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASSERT_EQ(reused, made.segment.descriptor()) << "the lowest free number, POSIX says";
    }
    EXPECT_NE(::fcntl(reused, F_GETFD), -1);
    ::close(reused);
}

TEST(SegmentNamed, CreationWorksAfterTheMainThreadHasEnded) {
    const UniqueName name;
    ChildProcess child([&] {
        // The child's only thread is its main thread: it starts another one and ends.
        pthread_t other{};
        ::pthread_create(
            &other, nullptr,
            [](void* argument) -> void* {
                const pid_t main_thread = ::getpid();
                const std::string state = "/proc/self/task/" + std::to_string(main_thread) + "/stat";
                for (int i = 0; i != 1000; ++i) {  // until the main thread is a zombie
                    char text[256] = {};
                    const int file = ::open(state.c_str(), O_RDONLY | O_CLOEXEC);
                    if (file < 0) break;
                    (void)!::read(file, text, sizeof text - 1);
                    ::close(file);
                    if (std::strstr(text, ") Z ") != nullptr) break;
                    ::usleep(1000);
                }
                const Outcome made = create(*static_cast<const UniqueName*>(argument));
                if (!made.segment) std::fprintf(stderr, "%s\n", made.error.text);
                ::_exit(made.segment ? 0 : 1);
            },
            const_cast<UniqueName*>(&name));
        ::syscall(SYS_exit, 0);  // this thread only, and without unwinding through GoogleTest
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
