// One ring, and peers that take a seat, do their part and are killed: what tests of deaths and successors have in common.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"

namespace shmring::test {

class PeerDeath : public testing::Test {
 protected:
    using Ring = SpscRing<std::uint64_t>;
    static constexpr std::uint64_t kCapacity = 5;
    static constexpr std::chrono::milliseconds kPeriod{2};  // how often a survivor asks after its peer

    void SetUp() override { ::alarm(60); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// A peer that lives as `life` says, and is dead and buried when this returns.
    template <class Life>
    void live_and_die(Life&& life) {
        ChildProcess peer([&]() -> int {
            life();
            ::raise(SIGKILL);
            return 1;
        });
        ASSERT_TRUE(peer.join().killed_by(SIGKILL));
    }
    void producer_dies_after(std::uint64_t messages) {
        live_and_die([&] {
            Ring::Producer out = ring.producer();
            for (std::uint64_t i = 0; i != messages; ++i)
                if (!out.push(i)) ::_exit(3);
            ::raise(SIGKILL);
        });
    }
    void consumer_dies_after(std::uint64_t messages) {
        live_and_die([&] {
            Ring::Consumer in = ring.consumer();
            for (std::uint64_t i = 0; i != messages; ++i)
                if (in.pop().value_or(~0U) != i) ::_exit(3);
            ::raise(SIGKILL);
        });
    }

    Ring ring = Ring::anonymous({.capacity = kCapacity, .liveness_period = kPeriod});
};

}  // namespace shmring::test
