// A /dev/shm that is too small, at every number of pages: an error with a sentence on what to do, never a signal, then or later.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <type_traits>

#include "shmring/detail/memory_room.hpp"
#include "shmring/detail/segment_file.hpp"
#include "support/child_process.hpp"
#include "support/private_shm.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

constexpr std::uint64_t kPage = 4096;

/// Runs `body` in a child that may mount; skips the test where that is not allowed, or where `body` says so.
template <class Body>
void with_private_mounts(Body body) {
    ChildProcess child([&]() -> int {
        if (!enter_private_mounts() || !PrivateShm("size=4096")) return kCannotBeTriedHere;
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            return 0;
        } else {
            return body();
        }
    });
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "needs user and mount namespaces, which are refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

[[nodiscard]] std::uint64_t free_bytes() {
    struct statvfs status {};
    EXPECT_EQ(::statvfs("/dev/shm", &status), 0);
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

[[nodiscard]] std::string pages(std::uint64_t count) {
    return "mode=1777,size=" + std::to_string(count * kPage);
}

/// Where pages were missing, this would raise SIGBUS.
void write_everywhere(const Segment& segment) {
    for (std::byte& byte : segment.bytes().subspan(segment.geometry().participants_offset))
        byte = std::byte{0xff};
}

TEST(SegmentFull, EveryNumberOfPagesGivesAnErrorThatHelpsOrASegmentThatIsAllThere) {
    with_private_mounts([] {
        const std::uint64_t needed = Segment::required_size(test_spec()) / kPage;
        EXPECT_EQ(needed, 4U);
        for (const std::uint64_t capacity : {96U, 3000U}) {
            const detail::SegmentSpec spec = test_spec(capacity);
            const std::uint64_t size = Segment::required_size(spec);
            for (std::uint64_t k = 1; k <= size / kPage + 1; ++k) {
                const PrivateShm shm(pages(k));
                ASSERT_TRUE(shm);
                const Outcome made = k % 2 == 0 ? create("full", spec) : open_or_create("full", spec);
                if (k * kPage >= size) {
                    ASSERT_TRUE(made.segment) << k << " pages: " << made;
                    write_everywhere(made.segment);
                    continue;
                }
                EXPECT_FALSE(made.segment) << k << " pages";
                EXPECT_EQ(made.error.code, std::errc::no_space_on_device) << k << " pages: " << made;
                const std::string facts = std::to_string(size) + " bytes of /dev/shm are needed and " +
                                          std::to_string(k * kPage) + " are free";
                EXPECT_NE(made.text().find(facts), std::string::npos) << made << "\nwithout: " << facts;
                EXPECT_NE(made.text().find("docker run --shm-size"), std::string::npos) << made;
                EXPECT_FALSE(std::filesystem::exists("/dev/shm/full"));
                EXPECT_EQ(free_bytes(), k * kPage) << "nothing stays allocated";
            }
        }
    });
}

TEST(SegmentFull, ATakenNameIsSaidToBeTakenAlsoWhenThereIsNoSpace) {
    with_private_mounts([] {
        const PrivateShm shm(pages(5));
        const Outcome first = create("full");
        ASSERT_TRUE(first.segment) << first;
        EXPECT_EQ(create("full").error.code, std::errc::file_exists);
        EXPECT_TRUE(open_or_create("full").segment);
        EXPECT_EQ(create("other").error.code, std::errc::no_space_on_device);
    });
}

TEST(SegmentFull, NoRoomForAnotherFile) {
    with_private_mounts([] {
        const PrivateShm shm("mode=1777,nr_inodes=1");  // the folder itself
        const Outcome made = create("full");
        EXPECT_EQ(made.error.code, std::errc::no_space_on_device) << made;
        EXPECT_NE(made.text().find("no room for another file"), std::string::npos) << made;
    });
}

/// Two creators who each have allocated a half must not both give up: there is room for one, and the other can open that.
TEST(SegmentFull, CreatorsWhoseCopiesDoNotFitTogetherStillGetOneRing) {
    with_private_mounts([] {
        const detail::SegmentSpec spec = test_spec(300'000);  // 6.4 MB
        const std::uint64_t needed = Segment::required_size(spec) / kPage;
        for (int round = 0; round != 20; ++round) {
            const PrivateShm shm(pages(needed + needed / 2));
            ASSERT_TRUE(shm);
            const auto join_in = [&] {
                const Outcome outcome = open_or_create("full", spec);
                EXPECT_TRUE(outcome.segment) << outcome;
            };
            ChildProcess first(join_in);
            ChildProcess second(join_in);
            ChildProcess third(join_in);
            EXPECT_TRUE(first.join().exited_with(0));
            EXPECT_TRUE(second.join().exited_with(0));
            EXPECT_TRUE(third.join().exited_with(0));
        }
    });
}

TEST(SegmentFull, AFolderThatCannotHoldUnnamedFiles) {
    with_private_mounts([] {
        if (::mount("/proc/self/fdinfo", "/dev/shm", nullptr, MS_BIND, nullptr) != 0)
            return kCannotBeTriedHere;
        const Outcome made = create("full");
        EXPECT_FALSE(made.segment);
        EXPECT_NE(made.text().find("cannot hold a file without a name (O_TMPFILE)"), std::string::npos)
            << made;
        ::umount2("/dev/shm", MNT_DETACH);
        return 0;
    });
}

/// Trying would fill the machine's memory until the kernel kills somebody: the child asks to be the one, should it be tried.
TEST(SegmentFull, MoreThanThereCanBeIsRefusedWithoutTrying) {
    const detail::SegmentSpec spec = test_spec(detail::kMaxCapacity);  // 23 TB
    ASSERT_GT(Segment::required_size(spec), detail::available_memory());
    with_private_mounts([&] {
        std::ofstream("/proc/self/oom_score_adj") << 1000;
        const PrivateShm shm("mode=1777,size=64m");
        for (const Outcome& named : {create("full", spec), open_or_create("full", spec)})
            EXPECT_EQ(named.error.code, std::errc::no_space_on_device) << named;
        const Outcome nameless = anonymous(spec);
        EXPECT_EQ(nameless.error.code, std::errc::not_enough_memory) << nameless;
        EXPECT_NE(nameless.text().find("bytes are needed and "), std::string::npos) << nameless;
    });
}

TEST(SegmentFull, AFileSizeLimitIsAnErrorAndNoSignal) {
    ChildProcess child([] {
        rlimit usual{};
        EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
        const rlimit limit{8192, usual.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        for (const Outcome& outcome : {create("limited"), anonymous()}) {
            EXPECT_EQ(outcome.error.code, std::errc::file_too_large) << outcome;
            EXPECT_NE(outcome.text().find("16384 bytes are more than this process may write (ulimit -f)"),
                      std::string::npos)
                << outcome;
        }
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);  // what counts coverage writes a file at the end
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

/// The mark of the removed is no write that the limit is for, and it is made all the same.
TEST(SegmentFull, RemovingANameUnderAFileSizeLimitMarksTheRingAndRaisesNoSignal) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    ChildProcess child([&] {
        rlimit usual{};
        EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
        const rlimit limit{0, usual.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        const std::error_code code = Segment::remove(name);
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);  // what counts coverage writes a file at the end
        EXPECT_FALSE(code) << code.message();
    });
    const Ended ended = child.join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
    EXPECT_FALSE(std::filesystem::exists(name.path()));
    EXPECT_TRUE(made.segment.retired());
}

/// tmpfs gives back an allocation that a signal interrupts; a profiler's timer must not keep creation from ending.
TEST(SegmentFull, AStormOfSignalsDoesNotKeepCreationFromEnding) {
    ChildProcess child([] {
        struct sigaction action {};
        action.sa_handler = [](int) {};  // not ignored: it interrupts
        EXPECT_EQ(::sigaction(SIGALRM, &action, nullptr), 0);
        const itimerval often{{0, 1000}, {0, 1000}};  // each millisecond
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
        const Outcome made = anonymous(test_spec(12'000'000), {.prefault = false});  // 256 MB
        EXPECT_TRUE(made.segment) << made;
        const itimerval never{};
        EXPECT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
        EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(4))
            << "or nothing was interrupted";
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
