// MpmcRing in one process: what each call answers at empty, full, busy and the end, how rings come about, and what handles are.
// Between processes: mpmc_process_test.cpp.
// SPDX-License-Identifier: MIT

#include "shmring/mpmc_ring.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/wait_any.hpp"
#include "support/memory_ring.hpp"
#include "support/mpmc_internals.hpp"
#include "support/raw_file.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = MpmcRing<std::uint64_t>;

template <class Call>
std::error_code thrown_by(Call&& call) {
    try {
        (void)call();
    } catch (const std::system_error& error) {
        return error.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
}

// ---- every size at every fill level ----------------------------------------------------------------------------------

template <class T>
class MpmcRingOfSize : public ::testing::Test {};
using Sizes = ::testing::Types<Sized<1, 1>, Sized<8, 8>, Sized<16, 16>, Sized<56, 8>, Sized<57, 1>,
                               Sized<64, 64>, Sized<200, 8>, Sized<4096, 4096>>;
TYPED_TEST_SUITE(MpmcRingOfSize, Sizes);

TYPED_TEST(MpmcRingOfSize, HoldsExactlyWhatWasAskedForThroughManyLaps) {
    for (const std::uint64_t capacity : {1U, 2U, 3U, 7U, 13U, 64U}) {
        auto ring = MpmcRing<TypeParam>::anonymous({.capacity = capacity});
        std::array out = {ring.producer(), ring.producer()};
        std::array in = {ring.consumer(), ring.consumer()};
        ASSERT_EQ(ring.capacity(), capacity);
        std::uint64_t pushed = 0;
        std::uint64_t popped = 0;
        const auto pop = [&] {
            const auto message = in[popped % 2].try_pop();
            ASSERT_TRUE(message);
            ASSERT_EQ(*message, TypeParam::numbered(popped++));
        };
        while (popped < 5 * capacity + 60) {
            for (; pushed != popped + capacity; ++pushed) {
                ASSERT_EQ(ring.count_approx(), pushed - popped);
                ASSERT_EQ(ring.was_empty(), pushed == popped);
                ASSERT_FALSE(ring.was_full());
                ASSERT_TRUE(out[pushed / 3 % 2].try_push(TypeParam::numbered(pushed)));
            }
            ASSERT_TRUE(ring.was_full());
            ASSERT_EQ(out[0].try_push(TypeParam::numbered(0)).error(), Status::full);
            const std::uint64_t count = capacity < 3 ? capacity : capacity - capacity % 3 - 1;
            for (std::uint64_t left = count; left != 0; --left) ASSERT_NO_FATAL_FAILURE(pop());
        }
        while (popped != pushed) ASSERT_NO_FATAL_FAILURE(pop());
        ASSERT_EQ(in[0].try_pop().error(), Status::empty);
    }
}

// ---- how it comes about ----------------------------------------------------------------------------------------------

TEST(MpmcRingMaking, ByNameByDescriptorAndInTheCallersMemory) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const MpmcRingOptions options{.capacity = 3, .delivery = delivery};
        const UniqueName name;
        const Ring made = Ring::create(name, options);
        EXPECT_EQ(made.delivery(), delivery);
        EXPECT_EQ(thrown_by([&] { return Ring::create(name, options); }), std::errc::file_exists);
        const Ring anonymous = Ring::anonymous(options);
        const std::uint64_t size = Ring::required_bytes(options);
        void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        const std::span<std::byte> span(static_cast<std::byte*>(memory), size);
        {
            const Ring inside = Ring::create_in(span, options);
            const std::array<std::pair<const Ring*, Ring>, 4> twice = {
                {{&made, Ring::open(name)},
                 {&made, Ring::open_or_create(name, options)},
                 {&anonymous, Ring::from_descriptor(anonymous.segment().descriptor())},
                 {&inside, Ring::open_in(span)}}};
            for (const auto& [first, second] : twice) {
                EXPECT_EQ(second.delivery(), delivery) << "comes from the header";
                EXPECT_EQ(second.capacity(), 3U);
                ASSERT_TRUE(first->producer().try_push(7));
                EXPECT_EQ(second.consumer().try_pop().value_or(0), 7U);
            }
        }
        ::munmap(memory, size);
    }
}
TEST(MpmcRingMaking, RefusesWhatIsNotItsOwn) {
    const UniqueName name;
    (void)Ring::create(name, {.capacity = 3});
    EXPECT_TRUE(thrown_by([&] { return MpmcRing<std::uint32_t>::open(name); }));
    EXPECT_TRUE(thrown_by([&] { return SpscRing<std::uint64_t>::open(name); }));
    EXPECT_EQ(thrown_by([] { return Ring::anonymous({.capacity = 0}); }), errc::bad_option);
    EXPECT_EQ(thrown_by([] { return Ring::anonymous({.capacity = 1, .delivery = Delivery{2}}); }),
              errc::bad_option);
}
TEST(MpmcRingMaking, ADeliveryThatThereIsNotIsRefused) {
    const UniqueName name;
    (void)Ring::create(name, {.capacity = 3});
    const Bytes good = read_bytes(name.path());
    constexpr std::size_t kDelivery = offsetof(detail::SegmentHeader, constants) + 5 * sizeof(std::uint32_t);
    for (const std::uint32_t value : {0U, 1U, 2U, 255U, 0x8000'0000U, ~0U}) {
        Bytes bytes = good;
        set_field(bytes, kDelivery, value);
        fix_checksum(bytes);
        write_bytes(name.path(), bytes);
        std::error_code code;
        const Ring ring = Ring::open(name, {}, code);
        EXPECT_EQ(code, value < 2 ? std::error_code{} : make_error_code(errc::corrupt_header)) << value;
        if (!code) {
            EXPECT_EQ(static_cast<std::uint32_t>(ring.delivery()), value);
        }
    }
}
TEST(MpmcRingMaking, PositionsThatContradictEachOtherAreRefused) {
    auto ring = Ring::anonymous({.capacity = 2, .participants = 2});
    auto& control = control_of(ring);
    using Positions = std::pair<std::uint64_t, std::uint64_t>;  // head, tail
    for (const auto& [head, tail] :
         {Positions{1, 0}, Positions{0, 3}, Positions{detail::kMaxPosition, detail::kMaxPosition},
          Positions{~0U, 0}, Positions{0, ~std::uint64_t{0}}}) {
        control.head.store(head, std::memory_order_relaxed);
        control.tail.store(tail, std::memory_order_relaxed);
        for (int again = 0; again != 3; ++again) {
            EXPECT_EQ(thrown_by([&] { return ring.producer(); }), errc::corrupt_positions);
            EXPECT_EQ(thrown_by([&] { return ring.consumer(); }), errc::corrupt_positions);
        }
    }
}
TEST(MpmcRingMaking, ParticipantsMayBeExhaustedAndComeBack) {
    auto ring = Ring::anonymous({.capacity = 2, .participants = 3});
    auto first = ring.producer();
    auto second = ring.consumer();
    auto third = ring.consumer();
    EXPECT_EQ(thrown_by([&] { return ring.producer(); }), errc::participants_exhausted);
    std::error_code code;
    EXPECT_FALSE(ring.consumer({}, code));
    EXPECT_EQ(code, errc::participants_exhausted);
    third.detach();
    EXPECT_TRUE(ring.producer({}, code));
    EXPECT_FALSE(code);
}

// ---- waiting and the end ---------------------------------------------------------------------------------------------

TEST(MpmcRingWaiting, TheTimedFormsTakeTheirTimeAndTheStopTokenEndsThem) {
    auto ring = Ring::anonymous({.capacity = 1});
    auto out = ring.producer({.spin = 0ns});
    auto in = ring.consumer({.spin = 0ns});
    std::stop_source stopped;
    stopped.request_stop();
    EXPECT_EQ(in.try_pop_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(in.try_pop_for(0ms).error(), Status::timed_out);
    EXPECT_EQ(in.try_pop_until(std::chrono::steady_clock::now() + 1ms).error(), Status::timed_out);
    EXPECT_EQ(in.try_next_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(in.pop(stopped.get_token()).error(), Status::interrupted);
    EXPECT_EQ(in.next(stopped.get_token()).error(), Status::interrupted);
    ASSERT_TRUE(out.try_push_for(1, 1h));
    EXPECT_EQ(out.try_push_for(2, 1ms).error(), Status::timed_out);
    EXPECT_EQ(out.try_push_until(2, std::chrono::system_clock::now() + 1ms).error(), Status::timed_out);
    EXPECT_EQ(out.try_claim_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(out.push(2, stopped.get_token()).error(), Status::interrupted);
    EXPECT_EQ(out.claim(stopped.get_token()).error(), Status::interrupted);
    EXPECT_EQ(in.try_pop_for(1h).value_or(0), 1U);
    EXPECT_EQ(in.try_pop().error(), Status::empty) << "none of those that gave up left anything behind";
    std::stop_source later;
    std::jthread stopping([&] {
        await_sleeper(control_of(ring).readable);
        later.request_stop();
    });
    EXPECT_EQ(in.pop(later.get_token()).error(), Status::interrupted);
}
TEST(MpmcRingWaiting, EachMessageWakesASleeperAndEachPlaceOne) {
    auto ring = Ring::anonymous({.capacity = 1});
    constexpr std::uint64_t kEach = 500;
    std::atomic<std::uint64_t> sum{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i != 3; ++i) {
            threads.emplace_back([&] {
                auto out = ring.producer({.spin = 0ns});
                for (std::uint64_t at = 1; at <= kEach; ++at) ASSERT_TRUE(out.push(at));
            });
            threads.emplace_back([&] {
                auto in = ring.consumer({.spin = 0ns});
                for (std::uint64_t at = 1; at <= kEach; ++at) sum += in.pop().value_or(0);
            });
        }
    }
    EXPECT_EQ(sum.load(), 3 * kEach * (kEach + 1) / 2);
}
TEST(MpmcRingClose, FromEitherSideWakesTheSleepersOfBothAndLeavesWhatIsThere) {
    for (const bool by_producer : {true, false}) {
        auto ring = Ring::anonymous({.capacity = 1});
        auto out = ring.producer();
        auto in = ring.consumer();
        auto claim = out.try_claim();  // consumers are busy, producers are full: both sides sleep
        ASSERT_TRUE(claim);
        **claim = 5;
        std::array<Status, 2> producers{};
        std::array<std::uint64_t, 2> consumers{};
        std::vector<std::jthread> sleepers_of_both;
        for (std::size_t i = 0; i != 2; ++i) {
            sleepers_of_both.emplace_back(
                [&, i] { producers[i] = ring.producer({.spin = 0ns}).push(1).error(); });
            sleepers_of_both.emplace_back(
                [&, i] { consumers[i] = ring.consumer({.spin = 0ns}).pop().value_or(0); });
        }
        while (sleepers(control_of(ring).readable) != 2 || sleepers(control_of(ring).writable) != 2)
            std::this_thread::yield();
        EXPECT_FALSE(ring.was_closed());
        by_producer ? out.close() : in.close();
        EXPECT_TRUE(ring.was_closed());
        claim->commit();
        sleepers_of_both.clear();
        EXPECT_EQ(producers, (std::array{Status::closed, Status::closed}));
        EXPECT_EQ(consumers[0] + consumers[1], 5U) << "one got what was under construction, one the end";
        EXPECT_EQ(in.pop().error(), Status::closed);
        EXPECT_EQ(out.try_push_n(std::array<std::uint64_t, 2>{}).error(), Status::closed);
        in.close();
        EXPECT_EQ(ring.producer().try_push(1).error(), Status::closed) << "for good";
    }
}
TEST(MpmcRingWaiting, WaitAnyTakesItAsItTakesOthers) {
    auto numbers = Ring::anonymous({.capacity = 2});
    auto others = SpscRing<std::uint64_t>::anonymous({.capacity = 2});
    auto in = numbers.consumer();
    auto in_others = others.consumer();
    auto out = numbers.producer();
    EXPECT_EQ(wait_any_for(1ms, in, in_others).error(), Status::timed_out);
    auto claim = out.try_claim();
    EXPECT_EQ(wait_any_for(1ms, in, in_others).error(), Status::timed_out) << "busy is not yet";
    claim->commit();
    EXPECT_EQ(wait_any(in, in_others).value_or(9), 0U);
    EXPECT_EQ(control_of(numbers).head.load(), 0U) << "a look claims nothing";
    ASSERT_TRUE(in.try_pop());
    std::jthread pushing([&] {
        await_sleeper(control_of(numbers).readable);
        EXPECT_TRUE(out.push(1));
    });
    EXPECT_EQ(wait_any(in_others, in).value_or(9), 1U);
    ASSERT_TRUE(in.try_pop());
    pushing.join();
    out.close();
    EXPECT_EQ(wait_any(in_others, in).value_or(9), 1U) << "an end can be read";
}

// ---- handles ---------------------------------------------------------------------------------------------------------

TEST(MpmcRingHandles, WithoutARingAnswerNotOwner) {
    static_assert(!std::is_copy_constructible_v<Ring::Producer> &&
                  !std::is_copy_assignable_v<Ring::Consumer>);
    Ring::Producer out;
    Ring::Consumer in;
    std::array<std::uint64_t, 2> messages{};
    for (int round = 0; round != 2; ++round) {
        EXPECT_FALSE(out);
        EXPECT_FALSE(in);
        EXPECT_EQ(out.try_push(1).error(), Status::not_owner);
        EXPECT_EQ(out.push(1).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_for(1, 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_n(messages).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim().error(), Status::not_owner);
        out.close();  // does nothing
        EXPECT_EQ(in.pop().error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(messages).error(), Status::not_owner);
        EXPECT_EQ(in.next().error(), Status::not_owner);
        in.close();  // does nothing
        EXPECT_FALSE(in.recover() || out.recover() || in.blocker() || out.blocker());
        out.detach();
        in.detach();
        auto ring = Ring::anonymous({.capacity = 1});
        out = ring.producer();
        in = ring.consumer();
        const Ring::Producer moved_out = std::move(out);  // the second round is for what they were moved from
        const Ring::Consumer moved_in = std::move(in);
    }
}
TEST(MpmcRingHandles, AssigningGivesTheFormerRecordBackAndKeepsTheNewPlace) {
    auto first = Ring::anonymous({.capacity = 2, .participants = 1});
    auto second = Ring::anonymous({.capacity = 2});
    auto out = first.producer();
    ASSERT_TRUE(out.try_push(1));
    out = second.producer();
    ASSERT_TRUE(out.try_push(2));
    auto in = first.consumer();
    EXPECT_EQ(in.try_pop().value_or(0), 1U);
    in = second.consumer();
    EXPECT_EQ(in.try_pop().value_or(0), 2U);
    Ring::Consumer& itself = in;
    in = std::move(itself);
    ASSERT_TRUE(out.try_push(3));
    EXPECT_EQ(in.try_pop().value_or(0), 3U);
    first = Ring();
    second = Ring();
    ASSERT_TRUE(out.try_push(4));
    EXPECT_EQ(in.try_pop().value_or(0), 4U) << "handles hold the segment";
}
TEST(MpmcRingHandles, OneClaimAndOneViewAtATimeAndDroppedOnesAreSteppedOver) {
    auto ring = Ring::anonymous({.capacity = 3});
    auto out = ring.producer();
    auto in = ring.consumer();
    {
        auto claim = out.try_claim();
        EXPECT_EQ(out.try_push(1).error(), Status::overflow);
        EXPECT_EQ(out.try_claim().error(), Status::overflow);
        EXPECT_EQ(out.try_push_n(std::array<std::uint64_t, 1>{}).error(), Status::overflow);
        EXPECT_EQ(in.try_pop().error(), Status::busy);
        EXPECT_EQ(ring.count_approx(), 1U);
    }
    ASSERT_TRUE(out.try_push(2));
    {
        auto view = in.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(**view, 2U);
        EXPECT_FALSE(view->redelivered());
        EXPECT_EQ(in.try_pop().error(), Status::overflow);
        EXPECT_EQ(in.try_next().error(), Status::overflow);
        auto moved = *std::move(view);
        moved.hand_back();
        EXPECT_EQ(in.try_pop().error(), Status::empty);
    }
}
TEST(MpmcRingHandles, DetachedWithAClaimOrAViewInHandTheyLeaveNothingInTheWay) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto ring = Ring::anonymous({.capacity = 2, .delivery = delivery, .liveness_period = 1h});
        auto out = ring.producer();
        auto in = ring.consumer();
        auto other_out = ring.producer();
        auto other_in = ring.consumer();
        auto claim = out.try_claim();
        ASSERT_TRUE(claim && other_out.try_push(2));
        out.detach();
        auto view = in.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(**view, 2U);
        in.detach();
        EXPECT_TRUE(other_out.try_push(3) && other_out.try_push(4));
        EXPECT_EQ(other_in.try_pop().value_or(0), 3U);
        EXPECT_EQ(other_in.try_pop().value_or(0), 4U);
        EXPECT_FALSE(other_in.recover());
        const auto losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U) << "nobody died";
    }
}

}  // namespace
}  // namespace shmring::test
