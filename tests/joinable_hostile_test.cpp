// A joinable queue's segment whose bytes are not what they should be: a header that contradicts itself is refused, whatever stands in
// leases, lengths, counters and positions leads to an answer, and join() does not hang but for what a living one seems to have in hand.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <system_error>

#include "shmring/detail/lease_table.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/joinable_queue.hpp"
#include "support/raw_file.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using detail::SegmentHeader;

struct Large {
    std::array<std::uint64_t, 20> words{};
};
using Numbers = JoinableQueue<Large>;

class JoinableHostile : public testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }
    void TearDown() override { ::alarm(0); }

    static constexpr JoinableQueueOptions kOptions{
        .capacity = 4, .delivery = Delivery::at_least_once, .participants = 8, .liveness_period = 1ms};
    static constexpr std::size_t kDelivery = 5;  // of the header's constants
    static constexpr std::size_t kLeaseSize = 7;
    static constexpr std::size_t kLeases = 3;  // of its sections

    /// Spoils a good segment's header with its checksum right, and opens it.
    template <class Field>
    [[nodiscard]] static std::error_code opened_with(std::size_t offset, Field value) {
        const UniqueName name;
        (void)Numbers::create(name, kOptions);
        Bytes bytes = read_bytes(name.path());
        set_field(bytes, offset, value);
        fix_checksum(bytes);
        write_bytes(name.path(), bytes);
        std::error_code code;
        (void)Numbers::open(name, {}, code);
        return code;
    }
    [[nodiscard]] static std::size_t constant(std::size_t which) {
        return offsetof(SegmentHeader, constants) + which * sizeof(std::uint32_t);
    }
    [[nodiscard]] static std::size_t section(std::size_t field) {
        return offsetof(SegmentHeader, sections) + kLeases * sizeof(detail::Section) + field;
    }
    [[nodiscard]] static auto& control(const Numbers& queue) {
        return *reinterpret_cast<detail::MpmcControl<detail::ShippedEnv>*>(
            queue.segment().at(queue.segment().geometry().control_offset));
    }
    /// Every call answers, and in the end nobody waits for ever.
    static void expect_answers(Numbers& queue, bool join_ends) {
        auto worker = queue.attach();
        for (int i = 0; i != 40; ++i) {
            const auto task = worker.try_pop_for(i == 0 ? 12ms : 0ms);
            (void)queue.unfinished();
            (void)queue.losses();
        }
        (void)queue.try_push(Large{});
        (void)worker.try_pop_for(12ms);
        const Status joined = queue.join_for(300ms).error();
        if (join_ends) {
            EXPECT_NE(joined, Status::timed_out);
        }
    }
};

TEST_F(JoinableHostile, AHeaderThatIsRightIsNotRefused) {
    EXPECT_FALSE(opened_with(constant(kLeaseSize), std::uint32_t{64 + 192}));
}
TEST_F(JoinableHostile, EveryFieldOfTheLeasesInTheHeaderIsChecked) {
    for (const std::uint32_t size :
         {0U, 1U, 63U, 64U + 1, 128U, 64U + 192 + 1, 64U + 256, 1U << 31, ~0U, (1U << 31) + 64})
        EXPECT_TRUE(opened_with(constant(kLeaseSize), size)) << size;
    for (const std::uint32_t delivery : {0U, 2U, ~0U})
        EXPECT_TRUE(opened_with(constant(kDelivery), delivery)) << delivery;
    const auto kind = offsetof(detail::Section, kind);
    const auto offset = offsetof(detail::Section, offset);
    const auto size = offsetof(detail::Section, size);
    for (const std::uint32_t other : {0U, 1U, 2U, 3U, 4U, 77U})
        EXPECT_TRUE(opened_with(section(kind), other)) << other;
    for (const std::uint64_t place : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4096},
                                      std::uint64_t{1} << 20, ~std::uint64_t{0}, ~std::uint64_t{4095}})
        EXPECT_TRUE(opened_with(section(offset), place)) << place;
    for (const std::uint64_t bytes :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{128 + 8 * 256 - 1},
          std::uint64_t{128 + 8 * 256 + 1}, std::uint64_t{1} << 20, ~std::uint64_t{0}})
        EXPECT_TRUE(opened_with(section(size), bytes)) << bytes;
}
TEST_F(JoinableHostile, AnyLeaseOfNobodyIsSettled) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        for (const std::uint64_t lease :
             {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{64}, std::uint64_t{65}, ~std::uint64_t{0},
              std::uint64_t{1} << 63, std::uint64_t{63}, (std::uint64_t{1} << 61) + 1})
            for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{160}, ~std::uint64_t{0}}) {
                auto options = kOptions;
                options.delivery = delivery;
                auto queue = Numbers::anonymous(options);
                const detail::LeaseTable leases(queue.segment());
                leases.records().record(5).lease.store(lease, std::memory_order_release);
                leases.block(5).length.store(length, std::memory_order_relaxed);
                leases.block(5).lost.store(~std::uint64_t{0}, std::memory_order_relaxed);
                leases.block(6).redelivered.store(~std::uint64_t{0}, std::memory_order_relaxed);
                expect_answers(queue, true);
                EXPECT_FALSE(leases.lease(5)) << lease << ", length " << length;
                EXPECT_EQ(queue.unfinished(), 0U);
            }
}
TEST_F(JoinableHostile, AnyPositions) {
    constexpr std::uint64_t kMost = detail::kMaxPosition;
    const std::array<std::uint64_t, 9> values = {
        0, 1, 4, 5, std::uint64_t{1} << 40, kMost - 1, kMost, kMost + 1, ~std::uint64_t{0} >> 1};
    for (const std::uint64_t head : values)
        for (const std::uint64_t tail : values) {
            auto queue = Numbers::anonymous(kOptions);
            ASSERT_TRUE(queue.join());  // it has its record
            control(queue).head.store(head, std::memory_order_release);
            control(queue).tail.store(tail, std::memory_order_release);
            (void)queue.unfinished();
            const Status joined = queue.join_for(2ms).error();
            if (tail >= kMost) {
                EXPECT_EQ(joined, Status::corrupt) << tail;
            }
        }
}

}  // namespace
}  // namespace shmring::test
