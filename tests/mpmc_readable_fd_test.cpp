// Waiting by descriptor for several consumers of one ring of many: a stroke that one hears must not be one that another misses.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "support/memory_ring.hpp"
#include "support/readable.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = MpmcByteRing;

/// Two consumers of one ring, each in an event loop of its own, take what comes; nobody may wait while there is something.
template <class SomeRing, class Push, class Take>
void expect_nobody_misses_a_message(const SomeRing& ring, Push&& push, Take&& take) {
    constexpr std::uint64_t kMessages = 20'000;
    std::atomic<std::uint64_t> taken{0};
    std::atomic<std::uint64_t> sum{0};
    std::array<std::jthread, 2> consumers;
    for (auto& each : consumers)
        each = std::jthread([&] {
            auto own = ring.consumer();
            const int descriptor = own.readable_fd();
            for (;;) {
                const auto number = take(own);
                if (number) {
                    sum += *number;
                    ++taken;
                } else if (number.error() == Status::closed) {
                    return;
                } else if (!becomes_readable(descriptor)) {
                    ADD_FAILURE() << "asleep, and " << taken << " taken";
                    return;
                }
            }
        });
    auto sender = ring.producer();
    for (std::uint64_t sent = 1; sent <= kMessages; ++sent) {
        ASSERT_TRUE(push(sender, sent));
        if (sent % 7 != 0) continue;
        const auto patience = std::chrono::steady_clock::now() + 20s;
        while (taken != sent && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
        ASSERT_EQ(taken, sent);  // everybody slept before the next
    }
    sender.close();
    for (auto& each : consumers) each.join();
    EXPECT_EQ(taken, kMessages);
    EXPECT_EQ(sum, kMessages * (kMessages + 1) / 2);
}
template <class SomeRing, class Options, class Push, class Take>
void expect_it_named_and_anonymous(Options options, Push&& push, Take&& take) {
    options.liveness_period = 1h;  // after the first millisecond no timer helps out
    const UniqueName name;
    expect_nobody_misses_a_message(SomeRing::create(name, options), push, take);
    options.segment.bell = true;
    expect_nobody_misses_a_message(SomeRing::anonymous(options), push, take);
}
TEST(MpmcReadableFd, TwoConsumersOfOneRingMissNothing) {
    using Numbers = MpmcRing<std::uint64_t>;
    expect_it_named_and_anonymous<Numbers>(
        MpmcRingOptions{.capacity = 16},
        [](Numbers::Producer& out, std::uint64_t number) { return out.push(number).has_value(); },
        [](Numbers::Consumer& in) { return in.try_pop(); });
}
TEST(MpmcReadableFd, TwoConsumersOfOneByteRingMissNothing) {
    expect_it_named_and_anonymous<Ring>(
        MpmcByteRingOptions{.capacity_bytes = 1024},
        [](Ring::Producer& out, std::uint64_t number) { return out.push_value(number).has_value(); },
        [](Ring::Consumer& in) -> Result<std::uint64_t> {
            std::uint64_t number = 0;
            const auto received = in.try_pop_value(number);
            if (!received) return received.error();
            return number;
        });
}

}  // namespace
}  // namespace shmring::test
