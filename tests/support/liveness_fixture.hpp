// A file for liveness locks, a memfd or one in /dev/shm, and what tests do with it again and again.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>

#include "shmring/detail/platform.hpp"
#include "support/shared.hpp"

namespace shmring::test {

using detail::platform::file_identity;
using detail::platform::FileIdentity;
using detail::platform::LivenessLock;
using detail::platform::LockState;
using detail::platform::probe_lock;

inline constexpr std::uint64_t kByte =
    (std::uint64_t{1} << 61) + 7;  // far beyond the file's end, as in a segment

/// What a holder and its test share. Steps of the holder and of the test go up by turns.
struct Board {
    Steps holder;
    Steps test;
    std::atomic<int> pid{0};
    std::atomic<LockState> seen{LockState::unknown};
    std::atomic<LockState> seen_of_another{LockState::unknown};
    std::atomic<int> error{0};
};

class LivenessFixture : public testing::TestWithParam<std::string> {
 protected:
    void SetUp() override {
        file = GetParam() == "Memfd" ? ::memfd_create("liveness", MFD_CLOEXEC)
                                     : ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        ASSERT_GE(file, 0) << std::strerror(errno);
        std::error_code error;
        identity = file_identity(file, error);
        ASSERT_FALSE(error);
    }
    void TearDown() override { ::close(file); }

    [[nodiscard]] LivenessLock take(std::error_code& error, std::uint64_t byte = kByte) const {
        return LivenessLock::take(file, identity, byte, error);
    }
    [[nodiscard]] LivenessLock take(std::uint64_t byte = kByte) const {
        std::error_code error;
        LivenessLock lock = take(error, byte);
        EXPECT_TRUE(lock.held()) << error.message();
        return lock;
    }
    [[nodiscard]] LockState probe(std::uint64_t byte = kByte) const {
        return probe_lock(file, identity, byte);
    }

    /// A child's part: takes the lock, says so, goes on with `then`. Returns 3 where it did not get the lock.
    template <class Then>
    [[nodiscard]] int hold_and(Then&& then) {
        std::error_code error;
        const LivenessLock lock = take(error);
        if (!lock.held()) return 3;
        board->holder.reach(1);
        return then();
    }
    /// A child that holds the lock until it is killed or told to go on.
    [[nodiscard]] int hold() {
        return hold_and([&] { return board->test.await(1) ? 0 : 4; });
    }

    int file = -1;
    FileIdentity identity{};
    Shared<Board> board;
};

}  // namespace shmring::test
