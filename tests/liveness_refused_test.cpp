// A sandbox that refuses the questions after the living, before a handle is taken or after: deaths are noticed by other means, or it is
// said that they cannot be.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>

#include "shmring/mpmc_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/syscall_filter.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kOften = 2ms;
constexpr auto kLong = 20s;

template <class Body>
void in_a_sandbox_to_be(Body body) {
    const Ended ended = ChildProcess(std::move(body)).join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "system calls cannot be filtered here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}
[[nodiscard]] SpscRing<int> ring_of_two() {
    return SpscRing<int>::anonymous({.capacity = 2, .liveness_period = kOften});
}
void expect_death_is_heard(SpscRing<int>& ring, SpscRing<int>::Consumer& in) {
    EXPECT_TRUE(ring.segment().crash_recovery());
    const Ended producer = ChildProcess([&] {
                               auto out = ring.producer();
                               return ::raise(SIGKILL);
                           }).join();
    EXPECT_TRUE(producer.killed_by(SIGKILL));
    EXPECT_EQ(in.try_pop_for(kLong).error(), Status::peer_lost);
}

TEST(LivenessRefused, WithoutTheYoungerQuestionTheOlderOneIsAsked) {
    for (const int error : {EPERM, ENOSYS, EINVAL, EACCES}) {
        in_a_sandbox_to_be([&] {
            auto ring = ring_of_two();
            if (!refuse_fcntl(error, {F_OFD_GETLK})) return kCannotBeTriedHere;
            auto in = ring.consumer();
            expect_death_is_heard(ring, in);
            return 0;
        });
    }
}

TEST(LivenessRefused, AlsoWhenTheSandboxBeginsAfterTheHandleWasTaken) {
    in_a_sandbox_to_be([&] {
        auto ring = ring_of_two();
        auto in = ring.consumer();
        if (!refuse_fcntl(EPERM, {F_OFD_GETLK})) return kCannotBeTriedHere;
        expect_death_is_heard(ring, in);
        return 0;
    });
}

TEST(LivenessRefused, ThePipesTetherIsSeenByTheOlderQuestion) {
    in_a_sandbox_to_be([&] {
        auto [here, there] = Pipe<int>::pair({.capacity = 2, .liveness_period = kOften});
        if (!refuse_fcntl(EPERM, {F_OFD_GETLK})) return kCannotBeTriedHere;
        EXPECT_EQ(here.try_recv_for(5 * kOften).error(), Status::timed_out)
            << "the other end could be used yet";
        there.close();
        EXPECT_EQ(here.try_recv_for(kLong).error(), Status::closed);
        return 0;
    });
}

TEST(LivenessRefused, WithoutAnyQuestionNoHandleIsToBeHad) {
    in_a_sandbox_to_be([&] {
        auto ring = ring_of_two();
        auto many = MpmcRing<int>::anonymous({.capacity = 2});
        EXPECT_TRUE(ring.segment().crash_recovery());
        if (!refuse_fcntl(EPERM, {F_OFD_GETLK, F_GETLK})) return kCannotBeTriedHere;
        EXPECT_FALSE(ring.segment().crash_recovery());
        for (const bool of_many : {false, true}) {
            try {
                if (of_many)
                    (void)many.consumer();
                else
                    (void)ring.consumer();
                ADD_FAILURE() << "no error";
            } catch (const std::system_error& error) {
                EXPECT_EQ(error.code(), std::errc::no_lock_available) << error.what();
                EXPECT_NE(std::string(error.what()).find("F_OFD_GETLK"), std::string::npos) << error.what();
            }
        }
        return 0;
    });
}

TEST(LivenessRefused, AHandleThatWasTakenBeforeIsToldByCrashRecovery) {
    in_a_sandbox_to_be([&] {
        auto ring = ring_of_two();
        auto in = ring.consumer();
        auto out = ring.producer();
        if (!refuse_fcntl(EPERM, {F_OFD_GETLK, F_GETLK})) return kCannotBeTriedHere;
        EXPECT_FALSE(ring.segment().crash_recovery());
        EXPECT_TRUE(out.try_push(1)) << "all else works";
        EXPECT_EQ(*in.pop(), 1);
        ring.close();
        EXPECT_EQ(in.pop().error(), Status::closed);
        return 0;
    });
}

}  // namespace
}  // namespace shmring::test
