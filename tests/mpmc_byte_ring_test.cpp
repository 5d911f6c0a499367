// MpmcByteRing as its users have it: how rings come about and are refused, every way to send and to receive, waiting and the end, and
// processes that are forked or killed.
// SPDX-License-Identifier: MIT

#include "shmring/mpmc_byte_ring.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/memory_ring.hpp"
#include "support/mpmc_internals.hpp"
#include "support/raw_file.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = MpmcByteRing;

shmring::Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(shmring::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::error_code code_of(const MpmcByteRingOptions& options) {
    std::error_code code;
    (void)Ring::anonymous(options, code);
    return code;
}

class MpmcByteRingCalls : public ::testing::Test {
 protected:
    void SetUp() override { ::alarm(30); }  // the watchdog of the calls that wait
    void TearDown() override { ::alarm(0); }
    /// The next message as a string; of a failed call, what it answered.
    static std::string pop(Ring::Consumer& in) {
        std::string text;
        const auto received = in.try_pop(text);
        return received ? text : std::string(to_string(received.error()));
    }
    Ring ring = Ring::anonymous({.capacity_bytes = 1024, .liveness_period = 1h});
    Ring::Producer out = ring.producer();
    Ring::Consumer in = ring.consumer();
};

// ---- how it comes about ----------------------------------------------------------------------------------------------

TEST(MpmcByteRingMaking, ByNameByDescriptorAndInTheCallersMemory) {
    const MpmcByteRingOptions options{
        .capacity_bytes = 640, .capacity_messages = 5, .delivery = Delivery::at_least_once};
    const UniqueName name;
    const Ring made = Ring::create(name, options);
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
            EXPECT_EQ(second.delivery(), Delivery::at_least_once) << "comes from the header";
            EXPECT_EQ(second.capacity_bytes(), 640U);
            EXPECT_EQ(second.capacity_messages(), 5U);
            EXPECT_EQ(second.max_message_bytes(), 384U) << "three shares of five";
            for (int i = 0; i != 5; ++i) ASSERT_TRUE(first->producer().try_push({}));
            EXPECT_EQ(first->producer().try_push({}).error(), Status::full);
            std::string text = "?";
            for (int i = 0; i != 5; ++i) ASSERT_TRUE(second.consumer().try_pop(text));
            EXPECT_EQ(text, "");
        }
    }
    ::munmap(memory, size);
}
TEST(MpmcByteRingMaking, RefusesOptionsOutOfRange) {
    EXPECT_EQ(code_of({.capacity_bytes = 0}), errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = 63}), errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = 64}), std::error_code{});
    EXPECT_EQ(code_of({.capacity_bytes = 640, .capacity_messages = 10}), std::error_code{});
    EXPECT_EQ(code_of({.capacity_bytes = 640, .capacity_messages = 11}), errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = 640, .capacity_messages = std::uint64_t{1} << 60}),
              errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = 640, .capacity_messages = ~std::uint64_t{0}}), errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = (std::uint64_t{1} << 40) + 64}), errc::bad_option);
    EXPECT_EQ(code_of({.capacity_bytes = 640, .delivery = Delivery{2}}), errc::bad_option);
    try {
        (void)Ring::anonymous({.capacity_bytes = 640, .capacity_messages = 11});
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_NE(std::string(error.what()).find("704"), std::string::npos) << error.what();
    }
}
TEST(MpmcByteRingMaking, AHeaderThatCannotBeIsRefused) {
    const UniqueName name;
    (void)Ring::create(name, {.capacity_bytes = 640});
    const Bytes good = read_bytes(name.path());
    constexpr std::size_t kConstants = offsetof(detail::SegmentHeader, constants);
    // Of 10 lines, with 9 to 12 slots in three lines before them.
    for (const std::uint64_t units : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{8}, std::uint64_t{9},
                                      std::uint64_t{10}, std::uint64_t{11}, ~std::uint64_t{0}}) {
        Bytes bytes = good;
        set_field(bytes, offsetof(detail::SegmentHeader, unit_count), units);
        fix_checksum(bytes);
        write_bytes(name.path(), bytes);
        std::error_code code;
        const Ring ring = Ring::open(name, {}, code);
        EXPECT_EQ(code, units == 9 || units == 10 ? std::error_code{} : make_error_code(errc::corrupt_header))
            << units;
        if (!code) {
            EXPECT_EQ(ring.capacity_messages(), units);
        }
    }
    for (const std::uint32_t delivery : {2U, ~0U}) {
        Bytes bytes = good;
        set_field(bytes, kConstants + 5 * sizeof(std::uint32_t), delivery);
        fix_checksum(bytes);
        write_bytes(name.path(), bytes);
        std::error_code code;
        (void)Ring::open(name, {}, code);
        EXPECT_EQ(code, errc::corrupt_header) << delivery;
    }
}

// ---- every way to send and to receive --------------------------------------------------------------------------------

TEST_F(MpmcByteRingCalls, CopiesTagsPartsAndBatches) {
    ASSERT_TRUE(out.try_push(bytes_of("one"), 7));
    std::array<std::byte, 2> little{};
    EXPECT_EQ(in.try_pop(little).error(), Status::too_large);
    EXPECT_EQ(in.needed_bytes(), 3U);
    std::array<std::byte, 64> buffer{};
    const auto received = in.try_pop(buffer);
    ASSERT_TRUE(received);
    EXPECT_EQ(received->size, 3U);
    EXPECT_EQ(received->tag, 7U);
    const std::array<std::string, 2> texts = {"a", "bc"};
    const std::array<shmring::Bytes, 3> parts = {bytes_of(texts[0]), {}, bytes_of(texts[1])};
    ASSERT_TRUE(out.try_push_gathered(parts));
    EXPECT_EQ(pop(in), "abc");
    EXPECT_EQ(out.try_push_n(parts).value_or(0U), 3U);
    std::array<std::span<std::byte>, 2> two;
    EXPECT_EQ(in.try_pop_n(buffer, two).value_or(0U), 2U) << "as many as there is room to tell of";
    EXPECT_EQ(text_of(two[0]) + "," + text_of(two[1]), "a,");
    EXPECT_EQ(in.try_pop_n(std::span(buffer).first(1), two).error(), Status::too_large);
    EXPECT_EQ(in.try_pop_n(buffer, two).value_or(0U), 1U);
    EXPECT_EQ(in.try_pop_n(buffer, two).error(), Status::empty);
    const std::vector<shmring::Bytes> many(20, parts[0]);
    EXPECT_EQ(out.try_push_n(many).value_or(0U), 16U) << "as many as fit";
    EXPECT_EQ(out.try_push_n(many).error(), Status::full);
    const std::string large(ring.max_message_bytes() + 1, 'l');
    EXPECT_EQ(out.try_push(bytes_of(large)).error(), Status::too_large);
    const std::array<shmring::Bytes, 2> halves = {bytes_of(large), bytes_of(large)};
    EXPECT_EQ(out.push_gathered(halves).error(), Status::too_large) << "at once, although it may wait";
}
TEST_F(MpmcByteRingCalls, ClaimsViewsAndValues) {
    {
        auto claim = out.try_claim(200);
        ASSERT_TRUE(claim);
        EXPECT_EQ(claim->bytes().size(), 200U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(claim->bytes().data()) % 64, 0U);
        EXPECT_EQ(out.try_push({}).error(), Status::overflow);
        EXPECT_EQ(in.try_next().error(), Status::busy);
        std::memcpy(claim->bytes().data(), "text", 4);
        claim->commit(4, 9);
    }
    { EXPECT_TRUE(out.try_claim(300)) << "and dropped"; }
    {
        const auto view = in.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(text_of(view->bytes()), "text");
        EXPECT_EQ(view->tag(), 9U);
        EXPECT_FALSE(view->redelivered());
        EXPECT_EQ(pop(in), to_string(Status::overflow));
    }
    EXPECT_EQ(pop(in), to_string(Status::empty));
    ASSERT_TRUE(out.try_push_value(std::uint64_t{77}));
    std::uint64_t number = 0;
    ASSERT_TRUE(in.try_pop_value(number));
    EXPECT_EQ(number, 77U);
    ASSERT_TRUE(out.try_push(bytes_of("seven b")));
    EXPECT_EQ(in.try_pop_value(number).error(), Status::corrupt);
    EXPECT_EQ(pop(in), to_string(Status::empty)) << "it was taken";
}
/// A vector that cannot grow beyond what it has.
struct Stubborn {
    using value_type = std::byte;
    std::array<std::byte, 8> bytes{};
    std::size_t length = 0;
    void resize(std::size_t size) {
        if (size > bytes.size()) throw std::bad_alloc();
        length = size;
    }
    std::byte* data() { return bytes.data(); }
    [[nodiscard]] std::size_t size() const { return length; }
    [[nodiscard]] std::size_t capacity() const { return bytes.size(); }
};
TEST_F(MpmcByteRingCalls, ContainersGrowAndWhereTheyCannotTheMessageStays) {
    ASSERT_TRUE(out.try_push(bytes_of("short")));
    ASSERT_TRUE(out.try_push(bytes_of(std::string(100, 'm'))));
    Stubborn stubborn;
    ASSERT_TRUE(in.try_pop(stubborn));
    EXPECT_EQ(stubborn.length, 5U);
    EXPECT_THROW((void)in.try_pop(stubborn), std::bad_alloc);
    EXPECT_EQ(control_of(ring).head.load(), 1U);
    std::vector<std::byte> vector;
    ASSERT_TRUE(in.pop(vector));
    EXPECT_EQ(vector.size(), 100U);
    EXPECT_EQ(in.try_pop_for(vector, 1ms).error(), Status::timed_out);
}

// ---- waiting and the end ---------------------------------------------------------------------------------------------

TEST_F(MpmcByteRingCalls, TimedFormsAndStopTokens) {
    std::stop_source stopped;
    stopped.request_stop();
    std::array<std::byte, 8> buffer{};
    EXPECT_EQ(in.try_pop_for(buffer, 1ms).error(), Status::timed_out);
    EXPECT_EQ(in.try_pop_until(buffer, std::chrono::steady_clock::now() + 1ms).error(), Status::timed_out);
    EXPECT_EQ(in.try_next_for(0ms).error(), Status::timed_out);
    EXPECT_EQ(in.next(stopped.get_token()).error(), Status::interrupted);
    while (out.try_push({})) {
    }
    EXPECT_EQ(out.try_push_for({}, 1ms).error(), Status::timed_out);
    EXPECT_EQ(out.try_claim_for(9, 1ms).error(), Status::timed_out);
    EXPECT_EQ(out.push({}, 0, stopped.get_token()).error(), Status::interrupted);
    EXPECT_EQ(control_of(ring).tail.load(), 16U) << "none of those that gave up left anything behind";
}
TEST_F(MpmcByteRingCalls, ASmallBufferPassesItsWakeUpOn) {
    for (int round = 0; round != 20; ++round) {
        Status small{};
        std::atomic<bool> taken{false};
        std::jthread first([&] {
            auto own = ring.consumer({.spin = 0ns});
            std::array<std::byte, 4> little{};
            small = own.pop(little).error();
        });
        await_sleeper(control_of(ring).readable);
        std::jthread second([&] {
            auto own = ring.consumer({.spin = 0ns});
            std::string text;
            taken = own.pop(text).has_value();
        });
        while (sleepers(control_of(ring).readable) != 2) std::this_thread::yield();
        std::this_thread::sleep_for(3ms);  // their first sleep is short; the next lasts an hour
        ASSERT_TRUE(out.try_push(bytes_of("large enough")));
        second.join();
        EXPECT_TRUE(taken);
        ASSERT_TRUE(out.try_push(bytes_of("once more")));  // should the other not have been woken yet
        first.join();
        EXPECT_EQ(small, Status::too_large);
        while (pop(in) != to_string(Status::empty)) {
        }
    }
}
/// A thread of a test that sleeps at its line, where it is the newest of `all`. Its first sleep was short; the next lasts an hour.
void await_deep_sleep(const Line& line, std::uint64_t all) {
    while (sleepers(line) != all) std::this_thread::yield();
    std::this_thread::sleep_for(3ms);
}
TEST_F(MpmcByteRingCalls, OneThatIsWokenForRoomThatIsTooSmallForItsMessageHandsTheWakeUpOn) {
    const Line& line = control_of(ring).writable;
    for (const bool stopped : {false, true}) {
        for (int round = 0; round != 10; ++round) {
            while (out.try_push({})) {  // of one unit each
            }
            std::stop_source stop;
            std::atomic<bool> large_is_through{false};
            std::atomic<bool> small_is_through{false};
            std::jthread large([&] {
                auto own = ring.producer({.spin = 0ns});
                const std::string text(200, 'x');
                large_is_through = own.push(bytes_of(text), 0, stop.get_token()).has_value();
            });
            await_deep_sleep(line, 1);
            std::jthread small([&] {
                auto own = ring.producer({.spin = 0ns});
                small_is_through = own.push(bytes_of("small")).has_value();
            });
            await_deep_sleep(line, 2);
            ASSERT_EQ(pop(in), "");  // room for the small one, and the large one has slept longer
            if (stopped) stop.request_stop();
            small.join();  // for an hour, if it sleeps beside free room
            EXPECT_TRUE(small_is_through);
            while (!large_is_through && !stop.stop_requested()) (void)pop(in);
            large.join();
            while (pop(in) != to_string(Status::empty)) {
            }
        }
    }
}
TEST_F(MpmcByteRingCalls, OneThatKeepsItsClaimForAWhileLeavesTheRestOfTheRoomToOthers) {
    const std::string half(512, 'x');
    ASSERT_TRUE(out.try_push(bytes_of(half)) && out.try_push(bytes_of(half)));
    std::atomic<bool> goes_on{false};
    std::jthread slow([&] {
        auto own = ring.producer({.spin = 0ns});
        auto claim = own.claim(1);
        while (!goes_on) std::this_thread::yield();
        claim->commit(1);
    });
    await_deep_sleep(control_of(ring).writable, 1);
    std::jthread quick([&] { EXPECT_TRUE(ring.producer({.spin = 0ns}).push(bytes_of("small"))); });
    await_deep_sleep(control_of(ring).writable, 2);
    EXPECT_EQ(pop(in), half);  // one message, one wake-up, and room for eight
    quick.join();
    goes_on = true;
}
TEST_F(MpmcByteRingCalls, OneThatKeepsAMessageInHandForAWhileLeavesTheNextToOthers) {
    auto other = ring.producer();
    auto oldest = out.try_claim(4);
    ASSERT_TRUE(oldest);
    std::atomic<bool> goes_on{false};
    std::jthread slow([&] {
        auto own = ring.consumer({.spin = 0ns});
        const auto view = own.next();
        while (!goes_on) std::this_thread::yield();
    });
    await_deep_sleep(control_of(ring).readable, 1);
    std::jthread quick([&] {
        auto own = ring.consumer({.spin = 0ns});
        std::string text;
        EXPECT_TRUE(own.pop(text));
    });
    await_deep_sleep(control_of(ring).readable, 2);
    for (int i = 0; i != 2; ++i) {
        ASSERT_TRUE(other.try_push(bytes_of("behind")));
        await_deep_sleep(control_of(ring).readable,
                         2);  // first the slow one was woken in vain, then the quick one
    }
    oldest->commit(0);  // one message, one wake-up, and two more behind it
    quick.join();
    goes_on = true;
}
TEST_F(MpmcByteRingCalls, RoomThatIsSteppedOverWakesTheProducerThatWaitsForIt) {
    { ASSERT_TRUE(out.try_claim(512)); }
    { ASSERT_TRUE(out.try_claim(512)); }
    std::atomic<bool> pushed{false};
    std::jthread pushing([&] {
        auto own = ring.producer({.spin = 0ns});
        pushed = own.push(bytes_of("x")).has_value();  // for an hour, if nobody wakes it
    });
    await_sleeper(control_of(ring).writable);
    std::this_thread::sleep_for(3ms);
    const std::string found = pop(in);
    pushing.join();
    EXPECT_TRUE(pushed) << "although its consumer found " << found;
}
TEST_F(MpmcByteRingCalls, CloseWakesTheSleepersOfBothSidesAndLeavesWhatIsThere) {
    auto claim = out.try_claim(512);
    auto other = ring.producer();
    auto rest = other.try_claim(512);
    ASSERT_TRUE(claim && rest);
    Status producer{};
    std::string text;
    std::jthread pushing([&] { producer = ring.producer({.spin = 0ns}).push({}).error(); });
    std::jthread popping([&] { EXPECT_TRUE(ring.consumer({.spin = 0ns}).pop(text)); });
    await_sleeper(control_of(ring).readable);
    await_sleeper(control_of(ring).writable);
    in.close();
    EXPECT_TRUE(ring.was_closed());
    pushing.join();
    EXPECT_EQ(producer, Status::closed);
    rest->commit(0);
    std::memcpy(claim->bytes().data(), "last", 4);
    claim->commit(4);
    popping.join();
    EXPECT_EQ(text, "last");
    EXPECT_EQ(pop(in), "");
    EXPECT_EQ(pop(in), to_string(Status::closed));
    EXPECT_EQ(out.try_claim(1).error(), Status::closed);
}
TEST_F(MpmcByteRingCalls, WaitAnyTakesItAsItTakesOthers) {
    EXPECT_EQ(wait_any_for(1ms, in).error(), Status::timed_out);
    auto claim = out.try_claim(100);
    EXPECT_EQ(wait_any_for(1ms, in).error(), Status::timed_out) << "busy is not yet";
    claim->commit(100);
    EXPECT_EQ(wait_any(in).value_or(9), 0U);
    EXPECT_EQ(control_of(ring).head.load(), 0U) << "a look claims nothing";
    EXPECT_EQ(pop(in).size(), 100U);
}

// ---- processes -------------------------------------------------------------------------------------------------------

TEST_F(MpmcByteRingCalls, EveryCallOfTheParentsHandlesIsRefusedInAForkedChild) {
    auto claim = out.try_claim(8);
    ASSERT_TRUE(claim);
    ChildProcess child([&] {
        std::array<std::byte, 8> buffer{};
        std::array<std::span<std::byte>, 1> messages;
        std::string text;
        EXPECT_EQ(out.try_push({}).error(), Status::not_owner);
        EXPECT_EQ(out.push({}).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim(1).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_value(1).error(), Status::not_owner);
        EXPECT_EQ(in.pop(buffer).error(), Status::not_owner);
        EXPECT_EQ(in.pop(text).error(), Status::not_owner);
        EXPECT_EQ(in.next().error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(buffer, messages).error(), Status::not_owner);
        in.close();        // does nothing
        claim->commit(1);  // the parent's
        EXPECT_EQ(ring.consumer().try_next().error(), Status::busy) << "a child takes its own";
    });
    EXPECT_TRUE(child.join().exited_with(0));
    std::memcpy(claim->bytes().data(), "parent's", 8);
    claim->commit(8);
    EXPECT_EQ(pop(in), "parent's");
}
TEST_F(MpmcByteRingCalls, WhatAKilledConsumerHadIsDeliveredAgainAndAKilledProducersIsSteppedOver) {
    ring = Ring::anonymous(
        {.capacity_bytes = 1024, .delivery = Delivery::at_least_once, .liveness_period = 2ms});
    auto sender = ring.producer();
    auto receiver = ring.consumer();
    ASSERT_TRUE(sender.try_push(bytes_of(std::string(300, 'k'))));
    for (int deaths = 0; deaths != 3; ++deaths) {
        ChildProcess child([&] {
            auto own_out = ring.producer();
            auto own_in = ring.consumer();
            const auto claim = own_out.claim(100);
            const auto view = own_in.next();
            if (view && claim) ::raise(SIGKILL);
        });
        ASSERT_TRUE(child.join().killed_by(SIGKILL));
    }
    ASSERT_TRUE(sender.push(bytes_of("after")));
    {
        const auto view = receiver.next();
        ASSERT_TRUE(view);
        EXPECT_EQ(text_of(view->bytes()), std::string(300, 'k'));
        EXPECT_TRUE(view->redelivered());
        EXPECT_EQ(receiver.redeliveries(), 3U);
    }
    std::string text;
    ASSERT_TRUE(receiver.pop(text));
    EXPECT_EQ(text, "after");
    EXPECT_EQ(ring.losses().skipped, 3U);
    EXPECT_EQ(ring.losses().lost, 0U);
    EXPECT_EQ(ring.losses().redelivered, 3U);
}
TEST_F(MpmcByteRingCalls, ABatchOfWhatIsDeliveredAgainIsOneMessage) {
    ring = Ring::anonymous(
        {.capacity_bytes = 1024, .delivery = Delivery::at_least_once, .liveness_period = 2ms});
    auto sender = ring.producer();
    auto receiver = ring.consumer();
    for (const char* text : {"once", "twice", "thrice"}) ASSERT_TRUE(sender.push(bytes_of(text)));
    ChildProcess child([&] {
        auto own = ring.consumer();
        const auto view = own.next();
        ::raise(view ? SIGKILL : SIGTERM);
    });
    ASSERT_TRUE(child.join().killed_by(SIGKILL));
    receiver.recover();
    std::array<std::byte, 64> buffer{};
    std::array<std::span<std::byte>, 3> messages{};
    ASSERT_EQ(receiver.try_pop_n(buffer, messages).value_or(0), 1U);
    EXPECT_EQ(text_of(messages[0]), "once");
    EXPECT_EQ(receiver.redeliveries(), 1U);
    for (const char* text : {"twice", "thrice"}) {
        ASSERT_EQ(receiver.try_pop_n(buffer, messages).value_or(0), 1U);
        EXPECT_EQ(text_of(messages[0]), text);
        EXPECT_EQ(receiver.redeliveries(), 0U);
    }
}
std::size_t pushes_until_full(Ring::Producer& out) {
    std::size_t pushes = 0;
    while (out.try_push(bytes_of("x"))) ++pushes;
    return pushes;
}
TEST(MpmcByteRingHandles, DetachedWithAClaimOrAViewInHandTheyLeaveNothingInTheWay) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto ring = Ring::anonymous({.capacity_bytes = 1024, .delivery = delivery, .liveness_period = 1h});
        auto out = ring.producer();
        auto in = ring.consumer();
        auto other_out = ring.producer();
        auto other_in = ring.consumer();
        const std::size_t most = pushes_until_full(out);
        for (std::string text; other_in.try_pop(text);) EXPECT_EQ(text, "x");
        auto claim = out.try_claim(100);
        ASSERT_TRUE(claim && other_out.try_push(bytes_of("two")));
        out.detach();
        auto view = in.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(text_of(view->bytes()), "two");
        in.detach();
        EXPECT_EQ(pushes_until_full(other_out), most);
        std::string text;
        for (std::size_t i = 0; i != most; ++i) EXPECT_TRUE(other_in.try_pop(text));
        EXPECT_FALSE(other_in.recover());
        const auto losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U) << "nobody died";
    }
}
TEST_F(MpmcByteRingCalls, ALivingOneThatTheRingStandsStillForIsNamed) {
    EXPECT_FALSE(in.blocker());
    auto claim = out.try_claim(100);
    const auto blocker = in.blocker();
    ASSERT_TRUE(blocker);
    EXPECT_EQ(blocker->process_id, static_cast<std::uint32_t>(::getpid()));
    EXPECT_FALSE(blocker->is_consumer);
    EXPECT_EQ(blocker->position, 0U);
    claim->commit(100);
    EXPECT_FALSE(in.blocker());
}

}  // namespace
}  // namespace shmring::test
