// SpscRing in one process: what each call answers at empty, full and wrap, at the end of the stream, and when an end changes hands.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/spsc_ring.hpp"
#include "support/memory_ring.hpp"
#include "support/ring_internals.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Message = Sized<8, 8>;
using Ring = SpscRing<Message>;

Message message(std::uint64_t number) { return Message::numbered(number); }

/// Pops one and expects it to be that one.
template <class T>
void expect_pop(typename SpscRing<T>::Consumer& consumer, std::uint64_t number) {
    const auto popped = consumer.try_pop();
    ASSERT_TRUE(popped) << to_string(popped.error());
    ASSERT_EQ(*popped, T::numbered(number));
}

/// What a set-up call throws.
struct Thrown {
    std::error_code code;
    std::string text;
};
template <class Call>
Thrown thrown_by(Call&& call) {
    try {
        (void)call();
    } catch (const std::system_error& error) {
        return {error.code(), error.what()};
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
}

// ---- every size at every fill level ----------------------------------------------------------------------------------

template <class T>
class SpscRingOfSize : public ::testing::Test {};
using Sizes =
    ::testing::Types<Sized<1, 1>, Sized<3, 1>, Sized<8, 8>, Sized<16, 16>, Sized<56, 8>, Sized<57, 1>,
                     Sized<64, 64>, Sized<200, 8>, Sized<4096, 64>, Sized<4096, 4096>>;
TYPED_TEST_SUITE(SpscRingOfSize, Sizes);

TYPED_TEST(SpscRingOfSize, HoldsExactlyWhatWasAskedForThroughManyLaps) {
    for (const std::uint64_t capacity : {1U, 2U, 3U, 5U, 7U, 8U, 13U, 64U}) {
        auto ring = SpscRing<TypeParam>::anonymous({.capacity = capacity});
        auto producer = ring.producer();
        auto consumer = ring.consumer();
        ASSERT_EQ(ring.capacity(), capacity);
        std::uint64_t pushed = 0;
        std::uint64_t popped = 0;
        while (popped < 5 * capacity + 60) {
            for (; pushed != popped + capacity; ++pushed) {
                ASSERT_EQ(ring.count_approx(), pushed - popped);
                ASSERT_EQ(ring.was_empty(), pushed == popped);
                ASSERT_FALSE(ring.was_full());
                ASSERT_TRUE(producer.try_push(TypeParam::numbered(pushed)));
            }
            ASSERT_TRUE(ring.was_full());
            ASSERT_EQ(producer.try_push(TypeParam::numbered(0)).error(), Status::full);
            // An odd number at a time, so that the next fill starts elsewhere.
            const std::uint64_t count = capacity < 3 ? capacity : capacity - capacity % 3 - 1;
            for (std::uint64_t left = count; left != 0; --left) expect_pop<TypeParam>(consumer, popped++);
        }
        for (; popped != pushed; ++popped) expect_pop<TypeParam>(consumer, popped);
        ASSERT_EQ(consumer.try_pop().error(), Status::empty);
        ASSERT_TRUE(ring.was_empty());
    }
}

// ---- blocking --------------------------------------------------------------------------------------------------------

TEST(SpscRingBlocking, APopWaitsForTheMessageAndAPushForTheRoom) {
    for (const auto spin : {0us, 50us}) {
        auto ring = Ring::anonymous({.capacity = 1});
        auto producer = ring.producer({.spin = spin});
        auto consumer = ring.consumer({.spin = spin});
        constexpr std::uint64_t kMessages = 2000;
        std::jthread producing([&] {
            for (std::uint64_t at = 0; at != kMessages; ++at) ASSERT_TRUE(producer.push(message(at)));
        });
        for (std::uint64_t at = 0; at != kMessages; ++at) {
            const auto popped = consumer.pop();
            ASSERT_TRUE(popped);
            ASSERT_EQ(*popped, message(at));
        }
    }
}

TEST(SpscRingBlocking, WaitsForAPeerThatHasNotComeYetOrHasLeft) {
    auto ring = Ring::anonymous({.capacity = 1});
    auto consumer = ring.consumer();
    EXPECT_EQ(consumer.try_pop().error(), Status::empty);
    EXPECT_EQ(consumer.try_pop_for(1ms).error(), Status::timed_out)
        << "a producer that never came is waited for";
    (void)ring.producer();
    EXPECT_EQ(consumer.try_pop().error(), Status::empty);
    EXPECT_EQ(consumer.try_pop_for(250ms).error(), Status::timed_out) << "one that left is waited for, too";

    auto producer = ring.producer();
    consumer.detach();
    EXPECT_TRUE(producer.try_push(message(1)));
    EXPECT_EQ(producer.try_push(message(2)).error(), Status::full);
    EXPECT_EQ(producer.try_push_for(message(2), 1ms).error(), Status::timed_out);
    std::jthread late([&] {
        await_sleeper(control_of(ring).writable);
        auto successor = ring.consumer();
        EXPECT_TRUE(successor.try_pop());
    });
    EXPECT_TRUE(producer.push(message(2)));
}

// ---- the end of the stream -------------------------------------------------------------------------------------------

TEST(SpscRingClose, OfTheProducerLetsTheConsumerDrainAndThenAnswersClosedOnBothSides) {
    for (std::uint64_t left = 0; left <= 9; ++left) {
        auto ring = Ring::anonymous({.capacity = 9});
        auto producer = ring.producer();
        auto consumer = ring.consumer();
        for (std::uint64_t at = 0; at != left; ++at) ASSERT_TRUE(producer.try_push(message(at)));
        EXPECT_FALSE(ring.was_closed());
        producer.close();
        producer.close();
        EXPECT_TRUE(ring.was_closed());
        EXPECT_EQ(producer.try_push(message(0)).error(), Status::closed);
        EXPECT_EQ(producer.push(message(0)).error(), Status::closed);
        EXPECT_EQ(producer.try_push_for(message(0), 1h).error(), Status::closed);
        EXPECT_EQ(producer.try_push_for(message(0), 0s).error(), Status::closed);
        EXPECT_EQ(ring.count_approx(), left);
        for (std::uint64_t at = 0; at != left; ++at) expect_pop<Message>(consumer, at);
        EXPECT_EQ(consumer.try_pop().error(), Status::closed);
        EXPECT_EQ(consumer.pop().error(), Status::closed);
        EXPECT_EQ(consumer.try_pop_for(1h).error(), Status::closed);
        EXPECT_EQ(consumer.try_pop_until(std::chrono::system_clock::time_point::min()).error(),
                  Status::closed);
    }
}

TEST(SpscRingClose, OfTheConsumerRefusesPushesAndKeepsUnreadMessagesForASuccessor) {
    for (std::uint64_t left = 0; left <= 9; ++left) {
        auto ring = Ring::anonymous({.capacity = 9});
        auto producer = ring.producer();
        auto consumer = ring.consumer();
        for (std::uint64_t at = 0; at != left; ++at) ASSERT_TRUE(producer.try_push(message(at)));
        consumer.close();
        EXPECT_EQ(producer.try_push(message(0)).error(), Status::closed);
        EXPECT_EQ(producer.push(message(0)).error(), Status::closed);
        if (left > 1) expect_pop<Message>(consumer, 0);
        consumer.detach();
        auto successor = ring.consumer();
        for (std::uint64_t at = left > 1 ? 1 : 0; at != left; ++at) expect_pop<Message>(successor, at);
        EXPECT_EQ(successor.try_pop().error(), Status::closed);
        EXPECT_EQ(successor.pop().error(), Status::closed);
    }
}

TEST(SpscRingClose, IsForGood) {
    auto ring = Ring::anonymous({.capacity = 4});
    {
        auto producer = ring.producer();
        EXPECT_TRUE(producer.try_push(message(1)));
        producer.close();
    }
    auto successor = ring.producer();
    EXPECT_TRUE(successor);
    EXPECT_EQ(successor.try_push(message(2)).error(), Status::closed);
    auto consumer = ring.consumer();
    expect_pop<Message>(consumer, 1);
    EXPECT_EQ(consumer.try_pop().error(), Status::closed);
}

TEST(SpscRingClose, WakesTheSleeperOfTheOtherSide) {
    for (int round = 0; round != 50; ++round) {
        auto ring = Ring::anonymous({.capacity = 1});
        auto producer = ring.producer({.spin = 0ns});
        auto consumer = ring.consumer({.spin = 0ns});
        std::jthread popping([&] { EXPECT_EQ(consumer.pop().error(), Status::closed); });
        await_sleeper(control_of(ring).readable);
        producer.close();
    }
    for (int round = 0; round != 50; ++round) {
        auto ring = Ring::anonymous({.capacity = 1});
        auto producer = ring.producer({.spin = 0ns});
        auto consumer = ring.consumer({.spin = 0ns});
        ASSERT_TRUE(producer.try_push(message(1)));
        std::jthread pushing([&] { EXPECT_EQ(producer.push(message(2)).error(), Status::closed); });
        await_sleeper(control_of(ring).writable);
        consumer.close();
    }
}

TEST(SpscRingClose, EndsAStreamUnderWayWithoutLosingAMessage) {
    for (std::uint64_t round = 0; round != 300; ++round) {
        auto ring = Ring::anonymous({.capacity = 3});
        auto producer = ring.producer({.spin = round % 2 == 0 ? 0us : 20us});
        auto consumer = ring.consumer({.spin = round % 3 == 0 ? 0us : 20us});
        std::jthread producing([&] {
            for (std::uint64_t at = 0; at != round; ++at) ASSERT_TRUE(producer.push(message(at)));
            producer.close();
        });
        std::uint64_t received = 0;
        for (;;) {
            const auto popped = consumer.pop();
            if (!popped) {
                EXPECT_EQ(popped.error(), Status::closed);
                break;
            }
            ASSERT_EQ(*popped, message(received++));
        }
        EXPECT_EQ(received, round);
    }
}

// ---- seats -----------------------------------------------------------------------------------------------------------

TEST(SpscRingSeats, ASuccessorContinuesWhereItsPredecessorLeft) {
    auto ring = Ring::anonymous({.capacity = 20});
    std::uint64_t pushed = 0;
    std::uint64_t popped = 0;
    for (std::uint64_t round = 0; round != 40; ++round) {
        auto producer = ring.producer();
        for (std::uint64_t count = round % 9; count != 0 && pushed - popped != 20; --count)
            ASSERT_TRUE(producer.try_push(message(pushed++)));
        if (round % 2 == 0) producer.detach();  // or at the end of the scope
        auto consumer = ring.consumer();
        for (std::uint64_t count = round % 7; count != 0 && pushed != popped; --count)
            expect_pop<Message>(consumer, popped++);
        ASSERT_EQ(ring.count_approx(), pushed - popped);
    }
}

TEST(SpscRingSeats, ATakenSeatIsRefusedWithAWordOnWhoHasIt) {
    const UniqueName name;
    auto ring = Ring::create(name, {.capacity = 2});
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    const Thrown error = thrown_by([&] { return ring.producer(); });
    EXPECT_EQ(error.code, errc::seat_taken);
    EXPECT_EQ(error.text, "shmring: join \"" + name.name() + "\": process " + std::to_string(::getpid()) +
                              " is the producer");
    const Thrown other = thrown_by([&] { return ring.consumer(); });
    EXPECT_EQ(other.code, errc::seat_taken);
    EXPECT_NE(other.text.find("is the consumer"), std::string::npos) << other.text;

    std::error_code code;
    EXPECT_FALSE(ring.producer({}, code));
    EXPECT_EQ(code, errc::seat_taken);
    EXPECT_FALSE(ring.consumer({}, code));
    EXPECT_EQ(code, errc::seat_taken);

    producer.detach();
    EXPECT_TRUE(ring.producer({}, code));
    EXPECT_FALSE(code) << "a success clears the code";
    EXPECT_TRUE(consumer.try_pop().error() == Status::empty);
}

TEST(SpscRingSeats, OneOfManyThreadsGetsTheSeat) {
    auto ring = Ring::anonymous({.capacity = 2});
    for (int round = 0; round != 200; ++round) {
        std::array<Ring::Producer, 2> producers;
        {
            std::jthread other([&] {
                std::error_code ignored;
                producers[1] = ring.producer({}, ignored);
            });
            std::error_code ignored;
            producers[0] = ring.producer({}, ignored);
        }
        ASSERT_NE(static_cast<bool>(producers[0]), static_cast<bool>(producers[1]));
    }
}

TEST(SpscRingSeats, EachHandleTakesARecordAndGivesItBack) {
    auto ring = Ring::anonymous({.capacity = 2, .participants = 1});
    for (int round = 0; round != 10; ++round) {
        auto producer = ring.producer();
        const Thrown error = thrown_by([&] { return ring.consumer(); });
        EXPECT_EQ(error.code, errc::participants_exhausted);
        EXPECT_NE(error.text.find("all 1 participant records are held"), std::string::npos) << error.text;
        // A refused taker of the same seat leaves nothing behind, either.
        EXPECT_EQ(thrown_by([&] { return ring.producer(); }).code, errc::participants_exhausted);
    }
}

TEST(SpscRingSeats, PositionsThatContradictTheWordsAreRefusedAndTheSeatStaysFree) {
    auto ring = Ring::anonymous({.capacity = 2});
    auto& read_pos = control_of(ring).read_pos;
    for (const std::uint64_t wrong :
         {std::uint64_t{1}, std::uint64_t{7}, detail::kMaxPosition, ~std::uint64_t{0}}) {
        read_pos.store(wrong, std::memory_order_relaxed);
        EXPECT_EQ(thrown_by([&] { return ring.producer(); }).code, errc::corrupt_positions);
        EXPECT_EQ(thrown_by([&] { return ring.consumer(); }).code, errc::corrupt_positions);
    }
    read_pos.store(0, std::memory_order_relaxed);
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    ASSERT_TRUE(producer.try_push(message(1)));
    memory_of(ring).blocks[3] = std::byte{9};  // a lap far ahead
    EXPECT_EQ(consumer.try_pop().error(), Status::corrupt);
    EXPECT_EQ(consumer.pop().error(), Status::corrupt) << "nothing to wait for";
}

// ---- handles ---------------------------------------------------------------------------------------------------------

TEST(SpscRingHandles, AHandleWithoutARingAnswersNotOwner) {
    static_assert(!std::is_copy_constructible_v<Ring::Producer> &&
                  !std::is_copy_assignable_v<Ring::Producer>);
    static_assert(!std::is_copy_constructible_v<Ring::Consumer> &&
                  !std::is_copy_assignable_v<Ring::Consumer>);
    Ring::Producer producer;
    Ring::Consumer consumer;
    EXPECT_FALSE(producer);
    EXPECT_FALSE(consumer);
    std::array<Message, 2> messages{};
    EXPECT_EQ(producer.try_push(message(1)).error(), Status::not_owner);
    EXPECT_EQ(producer.push(message(1)).error(), Status::not_owner);
    EXPECT_EQ(producer.try_push_for(message(1), 1h).error(), Status::not_owner);
    EXPECT_EQ(producer.try_push_until(message(1), std::chrono::steady_clock::time_point::max()).error(),
              Status::not_owner);
    EXPECT_EQ(producer.try_push_n(messages).error(), Status::not_owner);
    EXPECT_EQ(producer.try_emplace().error(), Status::not_owner);
    EXPECT_EQ(producer.try_claim().error(), Status::not_owner);
    EXPECT_EQ(producer.claim().error(), Status::not_owner);
    producer.close();  // does nothing
    EXPECT_EQ(consumer.try_pop().error(), Status::not_owner);
    EXPECT_EQ(consumer.pop().error(), Status::not_owner);
    EXPECT_EQ(consumer.try_pop_for(1h).error(), Status::not_owner);
    EXPECT_EQ(consumer.try_pop_until(std::chrono::steady_clock::time_point::max()).error(),
              Status::not_owner);
    EXPECT_EQ(consumer.try_pop_n(messages).error(), Status::not_owner);
    EXPECT_EQ(consumer.try_next().error(), Status::not_owner);
    EXPECT_EQ(consumer.next().error(), Status::not_owner);
    consumer.close();  // does nothing
    producer.detach();
    consumer.detach();
    producer.set_wait_policy({.spin = 1us});
}

TEST(SpscRingHandles, ADetachedOrMovedHandleIsOneWithoutARing) {
    auto ring = Ring::anonymous({.capacity = 3});
    auto producer = ring.producer();
    ASSERT_TRUE(producer.try_push(message(0)));
    Ring::Producer heir = std::move(producer);
    EXPECT_FALSE(producer);  // NOLINT(bugprone-use-after-move): what a moved handle is, is the test
    EXPECT_EQ(producer.try_push(message(1)).error(), Status::not_owner);
    EXPECT_TRUE(heir.try_push(message(1)));
    heir.detach();
    heir.detach();
    EXPECT_FALSE(heir);
    EXPECT_EQ(heir.try_push(message(1)).error(), Status::not_owner);

    auto consumer = ring.consumer();
    expect_pop<Message>(consumer, 0);
    Ring::Consumer next = std::move(consumer);
    EXPECT_EQ(consumer.try_pop().error(), Status::not_owner);  // NOLINT(bugprone-use-after-move)
    expect_pop<Message>(next, 1);
}

TEST(SpscRingHandles, AssigningGivesTheFormerSeatBackAndKeepsThePlaceOfTheNewOne) {
    auto first = Ring::anonymous({.capacity = 3});
    auto second = Ring::anonymous({.capacity = 3});
    auto producer = first.producer();
    auto consumer = first.consumer();
    ASSERT_TRUE(producer.try_push(message(1)));
    auto other_producer = second.producer();
    auto other_consumer = second.consumer();
    for (std::uint64_t at = 10; at != 13; ++at) ASSERT_TRUE(other_producer.try_push(message(at)));
    expect_pop<Message>(other_consumer, 10);

    producer = std::move(other_producer);
    consumer = std::move(other_consumer);
    ASSERT_TRUE(producer.try_push(message(13)));
    EXPECT_EQ(producer.try_push(message(14)).error(), Status::full);
    for (std::uint64_t at = 11; at != 14; ++at) expect_pop<Message>(consumer, at);
    EXPECT_TRUE(first.producer().try_push(message(2)));
    auto successor = first.consumer();
    expect_pop<Message>(successor, 1);
    expect_pop<Message>(successor, 2);

    Ring::Producer& itself = producer;
    producer = std::move(itself);
    EXPECT_TRUE(producer.try_push(message(15)));
    producer = Ring::Producer();
    EXPECT_TRUE(second.producer());
}

TEST(SpscRingHandles, OutliveTheRingObjectTheyCameFrom) {
    auto ring = Ring::anonymous({.capacity = 3});
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    ring = Ring();
    EXPECT_FALSE(ring);
    EXPECT_TRUE(producer.push(message(1)));
    expect_pop<Message>(consumer, 1);
}

TEST(SpscRingHandles, MayMoveToAnotherThread) {
    auto ring = Ring::anonymous({.capacity = 100});
    auto producer = ring.producer();
    for (std::uint64_t at = 0; at != 100; at += 2) {
        ASSERT_TRUE(producer.try_push(message(at)));
        std::jthread([&producer, at] { ASSERT_TRUE(producer.try_push(message(at + 1))); }).join();
    }
    auto consumer = ring.consumer();
    for (std::uint64_t at = 0; at != 100; ++at) expect_pop<Message>(consumer, at);
}

TEST(SpscRingHandles, AnEmptyRingObjectSaysSo) {
    const Ring ring;
    EXPECT_FALSE(ring);
    EXPECT_EQ(thrown_by([&] { return ring.producer(); }).code, std::errc::bad_file_descriptor);
    std::error_code code;
    EXPECT_FALSE(ring.consumer({}, code));
    EXPECT_EQ(code, std::errc::bad_file_descriptor);
}

TEST(SpscRingHandles, MayBeUsedBeforeMainAndLeftToTheEndOfTheProgram) {
    static Ring ring = Ring::anonymous({.capacity = 2});
    static Ring::Producer producer = ring.producer();
    static Ring::Consumer consumer = ring.consumer();
    EXPECT_TRUE(producer.try_push(message(1)));
    expect_pop<Message>(consumer, 1);
}

struct BeforeMain {
    Ring ring = Ring::anonymous({.capacity = 2});
    Ring::Producer producer = ring.producer();
    Ring::Consumer consumer = ring.consumer();
    bool sent = producer.try_push(message(77)).has_value();
};
BeforeMain before_main;

TEST(SpscRingHandles, WorkInTheConstructorOfAStaticObject) {
    EXPECT_TRUE(before_main.sent);
    expect_pop<Message>(before_main.consumer, 77);
}

// ---- making ----------------------------------------------------------------------------------------------------------

TEST(SpscRingMaking, RefusesWhatIsOutOfRangeAndNamesIt) {
    const auto refused = [](const RingOptions& options, const std::string& option, const std::string& found) {
        const Thrown error = thrown_by([&] { return Ring::anonymous(options); });
        EXPECT_EQ(error.code, errc::bad_option);
        const std::string& text = error.text;
        EXPECT_NE(text.find(option), std::string::npos) << text;
        EXPECT_NE(text.find(found), std::string::npos) << text;
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;

        std::error_code code;
        EXPECT_FALSE(Ring::anonymous(options, code));
        EXPECT_EQ(code, errc::bad_option);
        EXPECT_EQ(Ring::required_bytes(options), 0U);
    };
    refused({}, "capacity", "0");
    refused({.capacity = (std::uint64_t{1} << 40) + 1}, "capacity", "1099511627777");
    refused({.capacity = ~std::uint64_t{0}}, "capacity", "18446744073709551615");
    refused({.capacity = 1, .participants = 0}, "participants", "0");
    refused({.capacity = 1, .participants = 4096}, "participants", "4096");
    refused({.capacity = 1, .liveness_period = 0ns}, "liveness period", "0");
    refused({.capacity = 1, .liveness_period = -1ns}, "liveness period", "");
    refused({.capacity = 1, .liveness_period = 99us}, "liveness period", "99000");
    refused({.capacity = 1, .liveness_period = 2h}, "liveness period", "7200000000000");
    EXPECT_TRUE(Ring::anonymous({.capacity = 1, .participants = 1, .liveness_period = 100us}));
    EXPECT_TRUE(Ring::anonymous({.capacity = 1, .participants = 4095, .liveness_period = 1h}));
}

TEST(SpscRingMaking, TheNoexceptFormsAnswerACodeAndAnEmptyRing) {
    const UniqueName name;
    std::error_code code;
    EXPECT_FALSE(Ring::open(name, {}, code));
    EXPECT_EQ(code, std::errc::no_such_file_or_directory);
    EXPECT_TRUE(Ring::create(name, {.capacity = 2}, code));
    EXPECT_FALSE(code);
    EXPECT_FALSE(Ring::create(name, {.capacity = 2}, code));
    EXPECT_EQ(code, std::errc::file_exists);
    EXPECT_TRUE(Ring::open(name, {}, code));
    EXPECT_FALSE(code) << "a success clears the code";
    EXPECT_TRUE(Ring::open_or_create(name, {.capacity = 2}, code));
    EXPECT_FALSE(Ring::open_or_create(name, {.capacity = 3}, code));
    EXPECT_EQ(code, errc::wrong_capacity);
    EXPECT_FALSE(Ring::from_descriptor(-1, {}, code));
    EXPECT_TRUE(code);
    EXPECT_FALSE(Ring::create_in({}, {.capacity = 2}, code));
    EXPECT_TRUE(code);
    EXPECT_FALSE(Ring::open_in({}, {}, code));
    EXPECT_TRUE(code);
    EXPECT_EQ(thrown_by([&] { return Ring::open("no/such"); }).code, errc::bad_name);
    using Text = std::string_view;
    static_assert(noexcept(Ring::open(Text(), std::declval<SegmentOptions&>(), code)));
    static_assert(noexcept(Ring::anonymous(std::declval<RingOptions&>(), code)));
}

TEST(SpscRingMaking, SeveralRingObjectsOfOneNameAreOneRing) {
    const UniqueName name;
    auto ring = Ring::create(name, {.capacity = 5});
    auto same = Ring::open(name);
    auto producer = ring.producer();
    auto consumer = same.consumer();
    EXPECT_EQ(same.capacity(), 5U);
    ASSERT_TRUE(producer.try_push(message(1)));
    EXPECT_EQ(same.count_approx(), 1U);
    expect_pop<Message>(consumer, 1);
    EXPECT_EQ(thrown_by([&] { return same.producer(); }).code, errc::seat_taken);
}

// ---- constructing in the ring ----------------------------------------------------------------------------------------

struct Order {
    Order(int first_number, int second_number) noexcept : first(first_number), second(second_number) {}
    int first;
    int second;
};
struct Throwing {
    explicit Throwing(int value) : number(value) {}
    int number;
};
template <class Producer, class... Arguments>
concept Emplaces = requires(Producer& producer, Arguments... arguments) {
    producer.try_emplace(arguments...);
};

TEST(SpscRingEmplace, ConstructsTheMessageWhereItWillBeRead) {
    static_assert(Emplaces<SpscRing<Order>::Producer, int, int>);
    static_assert(!Emplaces<SpscRing<Order>::Producer, int>);
    static_assert(!Emplaces<SpscRing<Throwing>::Producer, int>,
                  "a half-made message could not be taken back");
    auto ring = SpscRing<Order>::anonymous({.capacity = 1});
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    for (int round = 0; round != 5; ++round) {
        EXPECT_TRUE(producer.try_emplace(round, 2 * round));
        EXPECT_EQ(producer.try_emplace(8, 9).error(), Status::full);
        const auto popped = consumer.try_pop();
        ASSERT_TRUE(popped);
        EXPECT_EQ(popped->first, round);
        EXPECT_EQ(popped->second, 2 * round);
    }
    producer.close();
    EXPECT_EQ(producer.try_emplace(1, 2).error(), Status::closed);
}

// ---- counters --------------------------------------------------------------------------------------------------------

class SpscRingCounters : public ::testing::Test {
 protected:
    [[nodiscard]] detail::Record& record_of(detail::Role role) {
        const Segment& segment = ring_.segment();
        auto* records = reinterpret_cast<detail::Record*>(segment.at(segment.geometry().participants_offset));
        for (std::uint32_t index = 0; index != segment.geometry().participant_count; ++index)
            if (records[index].role.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(role))
                return records[index];
        ADD_FAILURE() << "nobody has this role";
        return records[0];
    }
    static std::uint64_t value(const std::atomic<std::uint64_t>& counter) {
        return counter.load(std::memory_order_relaxed);
    }

    Ring ring_ = Ring::anonymous({.capacity = 4, .participants = 3});
    Ring::Producer producer_ = ring_.producer({.spin = 0ns});
    Ring::Consumer consumer_ = ring_.consumer({.spin = 0ns});
    detail::Record& producing_ = record_of(detail::Role::producer);
    detail::Record& consuming_ = record_of(detail::Role::consumer);
};

TEST_F(SpscRingCounters, CountMessagesAndBytesOfEveryWayToSend) {
    const std::array<Message, 3> batch{};
    std::array<Message, 8> sink{};
    ASSERT_TRUE(producer_.try_push(message(1)));
    ASSERT_EQ(*producer_.try_push_n(batch), 3U);
    ASSERT_EQ(*consumer_.try_pop_n(sink), 4U);
    ASSERT_TRUE(producer_.try_emplace());
    { (*producer_.try_claim()).commit(); }
    (void)producer_.try_claim();  // not committed
    ASSERT_TRUE(consumer_.try_pop());
    (void)consumer_.try_next();
    consumer_.close();
    producer_.close();
    EXPECT_EQ(value(producing_.messages), 6U);
    EXPECT_EQ(value(producing_.bytes), 6U * sizeof(Message));
    EXPECT_EQ(value(consuming_.messages), 6U);
    EXPECT_EQ(value(consuming_.bytes), 6U * sizeof(Message));
    EXPECT_GE(value(producing_.high_water), 1U);
    EXPECT_LE(value(producing_.high_water), ring_.capacity());
    EXPECT_LE(value(consuming_.high_water), ring_.capacity());
    EXPECT_NE(value(producing_.last_progress_ns), 0U);
}

TEST_F(SpscRingCounters, ShowNoMoreInTheRingThanThereEverWas) {
    for (std::uint64_t at = 0; at != 103; ++at) {
        ASSERT_TRUE(producer_.try_push(message(at)));
        expect_pop<Message>(consumer_, at);
    }
    ASSERT_TRUE(producer_.try_push(message(0)));
    producer_.close();
    consumer_.close();
    EXPECT_EQ(value(producing_.high_water), 1U);
    EXPECT_LE(value(consuming_.high_water), 1U);
}

TEST_F(SpscRingCounters, TakeOnlyMessagesForProgress) {
    EXPECT_EQ(consumer_.try_pop_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(value(consuming_.last_progress_ns), 0U) << "nothing came yet";
    ASSERT_TRUE(producer_.try_push(message(1)));
    expect_pop<Message>(consumer_, 1);
    EXPECT_EQ(consumer_.try_pop_for(1ms).error(), Status::timed_out);
    const std::uint64_t progress_ns = value(consuming_.last_progress_ns);
    EXPECT_NE(progress_ns, 0U);
    EXPECT_EQ(consumer_.try_pop_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(value(consuming_.last_progress_ns), progress_ns) << "waiting is none";
}

TEST_F(SpscRingCounters, OutliveTheirHolder) {
    ASSERT_TRUE(producer_.try_push(message(1)));
    producer_.detach();
    EXPECT_EQ(value(producing_.messages), 1U);
    consumer_ = Ring::Consumer();
    EXPECT_EQ(value(consuming_.messages), 0U);
}

TEST_F(SpscRingCounters, CountStallsSleepsAndWakes) {
    EXPECT_EQ(consumer_.try_pop_for(2ms).error(), Status::timed_out);
    EXPECT_EQ(value(consuming_.empty_stalls), 1U);
    EXPECT_GE(value(consuming_.sleeps), 1U);
    std::thread popping([&] { EXPECT_TRUE(consumer_.pop()); });
    await_sleeper(control_of(ring_).readable);
    EXPECT_TRUE(producer_.try_push(message(1)));
    popping.join();
    EXPECT_EQ(value(producing_.wakes), 1U);
    EXPECT_EQ(value(consuming_.empty_stalls), 2U);

    for (int at = 0; at != 4; ++at) ASSERT_TRUE(producer_.try_push(message(2)));
    EXPECT_EQ(value(producing_.full_stalls), 0U);
    EXPECT_EQ(producer_.try_push_for(message(3), 1ms).error(), Status::timed_out);
    EXPECT_EQ(value(producing_.full_stalls), 1U);
    EXPECT_GE(value(producing_.sleeps), 1U);
    std::thread pushing([&] { EXPECT_TRUE(producer_.push(message(3))); });
    await_sleeper(control_of(ring_).writable);
    EXPECT_TRUE(consumer_.try_pop());
    pushing.join();
    EXPECT_EQ(value(consuming_.wakes), 1U);
    EXPECT_EQ(value(producing_.full_stalls), 2U);
    EXPECT_EQ(value(producing_.empty_stalls) + value(consuming_.full_stalls), 0U);
}

}  // namespace
}  // namespace shmring::test
