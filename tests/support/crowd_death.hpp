// Participants of a small ring of many that live as a test says, stop or die: what tests of single stops and deaths have in common, for
// MpmcRing and MpmcByteRing.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "support/child_process.hpp"
#include "support/stepped_crowd.hpp"

namespace shmring::test {

template <class Kind>
class CrowdDeath : public testing::Test {
 protected:
    using Ring = typename Kind::Ring;
    using Producer = typename Ring::Producer;
    using Consumer = typename Ring::Consumer;
    static constexpr bool kIsBytes = std::is_same_v<Kind, SteppedBytes>;
    static constexpr std::chrono::milliseconds kTwoPeriods{250};

    void SetUp() override { ::alarm(110); }
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery = Delivery::at_most_once) {
        return Kind::make(capacity, delivery);
    }
    [[nodiscard]] static auto claim(Producer& out) {
        if constexpr (kIsBytes)
            return out.try_claim(8);
        else
            return out.try_claim();
    }
    /// A blocking pop with a generous end.
    [[nodiscard]] static Status pop_within(Consumer& in, std::chrono::milliseconds time) {
        if constexpr (kIsBytes) {
            std::array<std::byte, 128> buffer;
            return in.try_pop_for(std::span<std::byte>(buffer), time).error();
        } else {
            return in.try_pop_for(time).error();
        }
    }
    [[nodiscard]] static Status push_within(Producer& out, std::uint64_t number,
                                            std::chrono::milliseconds time) {
        if constexpr (kIsBytes)
            return out.try_push_for(SteppedBytes::message(number), time, 0).error();
        else
            return out.try_push_for(number, time).error();
    }
    /// Lives as `life(ring)` says, kills itself, and is waited for.
    template <class Life>
    static void live_and_die(const Ring& ring, Life&& life) {
        ChildProcess child([&] {
            life(ring);
            return 3;
        });
        ASSERT_TRUE(child.join().killed_by(SIGKILL));
    }
    static void die_with_claim(const Ring& ring) {
        Producer out = ring.producer();
        const auto held = claim(out);
        if (held) ::raise(SIGKILL);
    }
    static void die_with_view(const Ring& ring) {
        Consumer in = ring.consumer();
        const auto held = in.try_next();
        if (held) ::raise(SIGKILL);
    }
    static void expect_no_losses(const Ring& ring) {
        const Losses losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U);
    }
};
using SteppedKinds = testing::Types<SteppedSlots, SteppedBytes>;
struct SteppedKindNames {
    template <class Kind>
    static std::string GetName(int) {
        return std::is_same_v<Kind, SteppedSlots> ? "Slots" : "Bytes";
    }
};

}  // namespace shmring::test
