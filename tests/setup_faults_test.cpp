// Every system call of set-up fails in turn, once, or from then on, in each way that the library tells apart: what was asked for is there
// and works, or an error is told; and nothing is left behind, neither a descriptor nor a name nor half of a ring.
// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "shmring/shmring.hpp"
#include "support/system_faults.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using Ring = SpscRing<std::uint64_t>;
using Crowd = MpmcRing<std::uint64_t>;
using Duplex = Pipe<std::uint64_t>;

struct Way {
    std::string_view function;
    int error;
    bool may_last = true;  ///< false: the library repeats such a call until it is over
};
constexpr std::array<Way, 43> kWays{{{"open", EMFILE},
                                     {"open", EACCES},
                                     {"open", ENOENT},
                                     {"open", ENOSPC},
                                     {"open", EOPNOTSUPP},
                                     {"fcntl", EAGAIN},
                                     {"fcntl", EACCES},
                                     {"fcntl", ENOLCK},
                                     {"fstat", EIO},
                                     {"lstat", EACCES},
                                     {"fstatvfs", ENOSYS},
                                     {"posix_fallocate", EINTR, false},
                                     {"posix_fallocate", ENOSPC},
                                     {"posix_fallocate", EFBIG},
                                     {"posix_fallocate", ENOMEM},
                                     {"posix_fallocate", EIO},
                                     {"fchmod", EPERM},
                                     {"lchown", EPERM},
                                     {"linkat", EEXIST},
                                     {"linkat", ENOENT},
                                     {"linkat", EACCES},
                                     {"unlink", EACCES},
                                     {"mkfifo", EEXIST},
                                     {"mkfifo", EACCES},
                                     {"readlink", EACCES},
                                     {"read", EINTR, false},
                                     {"read", EIO},
                                     {"write", EINTR, false},
                                     {"write", EAGAIN},
                                     {"pread", EINTR, false},
                                     {"pread", EIO},
                                     {"mmap", ENOMEM},
                                     {"mmap", EAGAIN},
                                     {"madvise", EAGAIN},
                                     {"madvise", EINVAL},
                                     {"mlock", ENOMEM},
                                     {"memfd_create", EINVAL},
                                     {"eventfd", EMFILE},
                                     {"epoll_create1", EMFILE},
                                     {"epoll_ctl", ENOMEM},
                                     {"timerfd_create", EMFILE},
                                     {"getrandom", EINTR, false},
                                     {"getrandom", ENOSYS}}};

class SetupFaults : public testing::Test {
 protected:
    /// What it did that has to be undone is undone when it returns; the empty code: all of it worked.
    using SetUpCall = std::function<std::error_code()>;

    void SetUp() override { ::alarm(110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static std::size_t open_descriptors() {
        std::size_t count = 0;
        DIR* folder = ::opendir("/proc/self/fd");
        while (folder != nullptr && ::readdir(folder) != nullptr) ++count;
        if (folder != nullptr) ::closedir(folder);
        return count;
    }
    /// In each way, at its first, second, ... call of that function, until there are no more.
    static void in_each_way(const SetUpCall& set_up) {
        ASSERT_FALSE(set_up()) << "without a fault";
        std::size_t failures = 0;
        for (const Way& way : kWays) {
            for (const bool for_ever : {false, true}) {
                if (for_ever && !way.may_last) continue;
                bool came = true;
                for (std::uint64_t nth = 0; came && nth != 200; ++nth) {
                    SCOPED_TRACE(std::string(way.function) + " fails with errno " +
                                 std::to_string(way.error) + " at call " + std::to_string(nth) +
                                 (for_ever ? " and later" : ""));
                    const std::size_t before = open_descriptors();
                    std::error_code code;
                    {
                        const SystemFault fault(way.function, way.error, nth, for_ever);
                        code = set_up();
                        came = fault.came();
                    }
                    failures += code ? 1 : 0;
                    // Who cannot look at a descriptor cannot say that it is still its own, and leaves it open.
                    if (way.function != "fstat") {
                        EXPECT_EQ(open_descriptors(), before);
                    }
                    EXPECT_TRUE(came || !code) << code.message();
                    if (HasFailure()) return;
                }
            }
        }
        EXPECT_FALSE(set_up()) << "after all of them";
        EXPECT_NE(failures, 0U);
    }
    /// A ring that came is one.
    template <class Any>
    static void expect_works(const Any& ring) {
        EXPECT_TRUE(ring);
        EXPECT_EQ(ring.capacity(), 4U);
    }
    /// Both ends; then a message goes through.
    template <class Any>
    [[nodiscard]] static std::error_code attach_both(const Any& ring) {
        std::error_code code;
        auto out = ring.producer({}, code);
        if (code) return code;
        auto in = ring.consumer({}, code);
        if (code) return code;
        EXPECT_TRUE(out.try_push(7));
        const auto got = in.try_pop();
        EXPECT_TRUE(got && *got == 7U);
        return {};
    }
    [[nodiscard]] static SegmentOptions demanding() {
        return {.prefault = true, .lock_memory = true, .huge_pages = true};
    }
};

TEST_F(SetupFaults, ANameIsMadeWholeOrNotAtAll) {
    const UniqueName name;
    in_each_way([&] {
        std::error_code code;
        {
            const Ring ring = Ring::create(name, {.capacity = 4, .segment = demanding()}, code);
            EXPECT_EQ(static_cast<bool>(ring), !code);
            if (ring) expect_works(ring);
        }
        const std::error_code removed = Ring::remove(name);
        std::remove(name.path().c_str());  // the fault may have hit the removal
        return code ? code : removed;
    });
}
TEST_F(SetupFaults, ALargeOneToo) {
    const UniqueName name;
    in_each_way([&] {
        std::error_code code;
        RingOptions options{.capacity = std::uint64_t{3} << 17, .segment = demanding()};
        const Ring ring = Ring::create(name, options, code);
        EXPECT_EQ(static_cast<bool>(ring), !code);
        std::remove(name.path().c_str());
        return code;
    });
}
TEST_F(SetupFaults, ANameIsOpenedOrNot) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 4});
    in_each_way([&] {
        std::error_code code;
        const Ring again = Ring::open(name, {}, code);
        EXPECT_EQ(static_cast<bool>(again), !code);
        if (again) expect_works(again);
        return code;
    });
    EXPECT_FALSE(attach_both(ring));
}
TEST_F(SetupFaults, ANameIsOpenedOrMade) {
    const UniqueName name;
    in_each_way([&] {
        std::error_code code;
        const Ring ring = Ring::open_or_create(name, {.capacity = 4}, code);
        EXPECT_EQ(static_cast<bool>(ring), !code);
        std::remove(name.path().c_str());
        return code;
    });
}
TEST_F(SetupFaults, AnAnonymousOneIsMadeOrNot) {
    in_each_way([&] {
        std::error_code code;
        const Ring ring = Ring::anonymous({.capacity = 4, .segment = {.bell = true}}, code);
        EXPECT_EQ(static_cast<bool>(ring), !code);
        if (ring) expect_works(ring);
        return code;
    });
}
TEST_F(SetupFaults, ADescriptorIsTakenOrNot) {
    const Ring ring = Ring::anonymous({.capacity = 4, .segment = {.bell = true}});
    SegmentOptions options;
    options.bell_descriptor = ring.segment().bell_descriptor();
    in_each_way([&] {
        std::error_code code;
        const Ring again = Ring::from_descriptor(ring.segment().descriptor(), options, code);
        EXPECT_EQ(static_cast<bool>(again), !code);
        if (again) expect_works(again);
        return code;
    });
    EXPECT_FALSE(attach_both(ring));
}
TEST_F(SetupFaults, ARingInOnesOwnMemoryIsMadeAndJoinedOrNot) {
    const RingOptions plain{.capacity = 4};
    const auto size = static_cast<std::size_t>(Ring::required_bytes(plain));
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
    const int locks = ::memfd_create("locks", MFD_CLOEXEC);
    ASSERT_GE(locks, 0);
    RingOptions options = plain;
    options.segment.liveness_descriptor = locks;
    in_each_way([&] {
        std::error_code code;
        const Ring ring = Ring::create_in(bytes, options, code);
        if (code) return code;
        const Ring again = Ring::open_in(bytes, options.segment, code);
        return code ? code : attach_both(again);
    });
    ::close(locks);
    ::munmap(memory, size);
}
TEST_F(SetupFaults, AnEndOfARingIsTakenOrNot) {
    const Ring ring = Ring::anonymous({.capacity = 4});
    in_each_way([&] { return attach_both(ring); });
}
TEST_F(SetupFaults, AnEndOfARingOfManyIsTakenOrNot) {
    const Crowd ring = Crowd::anonymous({.capacity = 4});
    in_each_way([&] { return attach_both(ring); });
}
TEST_F(SetupFaults, ADescriptorToWaitForIsMadeOrNot) {
    const UniqueName name;
    const Ring named = Ring::create(name, {.capacity = 4});
    const Ring nameless = Ring::anonymous({.capacity = 4, .segment = {.bell = true}});
    for (const Ring* ring : {&named, &nameless}) {
        in_each_way([&] {
            std::error_code code;
            auto in = ring->consumer({}, code);
            if (code) return code;
            const int descriptor = in.readable_fd(code);
            EXPECT_EQ(descriptor >= 0, !code);
            (void)in.try_pop();
            in.detach();
            std::remove((name.path() + ".bell").c_str());
            return code;
        });
    }
}
TEST_F(SetupFaults, APipeIsMadeAndBoundOrNot) {
    in_each_way([&] {
        std::error_code code;
        auto [here, there] = Duplex::pair({.capacity = 4, .segment = {.bell = true}}, code);
        if (code) return code;
        const int passed = there.to_descriptor(code);
        if (passed >= 0) ::close(passed);
        if (code) return code;
        here.bind(code);
        if (code) return code;
        there.bind(code);
        if (code) return code;
        EXPECT_TRUE(here.send(7));
        EXPECT_EQ(*there.recv(), 7U);
        return code;
    });
}
TEST_F(SetupFaults, ATaskIsDoneOrNotTaken) {
    const auto failed = std::make_error_code(std::errc::not_enough_memory);
    in_each_way([&] {
        std::error_code code;
        auto queue = JoinableQueue<std::uint64_t>::anonymous({.capacity = 4, .participants = 8}, code);
        if (code) return code;
        if (!queue.try_push(7)) return failed;
        const auto task = queue.try_pop();
        if (!task) return failed;
        EXPECT_EQ(**task, 7U);
        return code;
    });
}

}  // namespace
}  // namespace shmring::test
