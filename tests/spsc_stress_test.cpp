// Threads over one mapping, as the thread sanitizer sees them best: ten million messages in every style, waiting in every way,
// and ends that change hands while the other side goes on. SHMRING_SOAK=1 sends ten times as many.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include "shmring/spsc_ring.hpp"
#include "support/memory_ring.hpp"
#include "support/numbered_message.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Ten times as much where the long form was asked for.
std::uint64_t scaled(std::uint64_t count) { return is_soak() ? 10 * count : count; }

template <class Message>
Message numbered(std::uint64_t sequence) {
    Message message;
    message.write({.sender = 1, .sequence = sequence});
    return message;
}
template <class Message>
[[nodiscard]] bool is_right(const Message& message, std::uint64_t sequence) {
    return message.is_whole() && message.number() == Number{.sender = 1, .sequence = sequence};
}

// ---- the styles ------------------------------------------------------------------------------------------------------

enum class Style { single, batch, in_place };
enum class Waiting { spin, block };

constexpr std::size_t kBatch = 32;

/// Sends the messages numbered `from` to `to`.
template <class Message>
void send(typename SpscRing<Message>::Producer& producer, Style style, std::uint64_t from, std::uint64_t to) {
    switch (style) {
        case Style::single:
            for (std::uint64_t at = from; at != to; ++at) ASSERT_TRUE(producer.push(numbered<Message>(at)));
            break;
        case Style::batch:
            for (std::uint64_t at = from; at != to;) {
                std::vector<Message> messages;
                for (std::uint64_t next = at; next != to && messages.size() != kBatch; ++next)
                    messages.push_back(numbered<Message>(next));
                const auto pushed = producer.try_push_n(messages);
                at += pushed.value_or(0U);
                if (pushed || at == to) continue;
                ASSERT_EQ(pushed.error(), Status::full);
                ASSERT_TRUE(producer.push(numbered<Message>(at++)));  // there is no batch that waits
            }
            break;
        case Style::in_place:
            for (std::uint64_t at = from; at != to; ++at) {
                auto claim = producer.claim();
                ASSERT_TRUE(claim);
                (*claim)->write({.sender = 1, .sequence = at});
                claim->commit();
            }
            break;
    }
}

/// Receives them and expects each.
template <class Message>
void receive(typename SpscRing<Message>::Consumer& consumer, Style style, std::uint64_t from,
             std::uint64_t to) {
    switch (style) {
        case Style::single:
            for (std::uint64_t at = from; at != to; ++at) {
                const auto popped = consumer.pop();
                ASSERT_TRUE(popped && is_right(*popped, at)) << at;
            }
            break;
        case Style::batch: {
            std::array<Message, kBatch> messages;
            for (std::uint64_t at = from; at != to;) {
                const auto popped =
                    consumer.try_pop_n(std::span(messages).first(std::min<std::size_t>(kBatch, to - at)));
                for (std::size_t place = 0; place != popped.value_or(0U); ++place)
                    ASSERT_TRUE(is_right(messages[place], at++)) << at;
                if (popped) continue;
                ASSERT_EQ(popped.error(), Status::empty);
                const auto one = consumer.pop();
                ASSERT_TRUE(one && is_right(*one, at++)) << at;
            }
            break;
        }
        case Style::in_place:
            for (std::uint64_t at = from; at != to; ++at) {
                const auto view = consumer.next();
                ASSERT_TRUE(view && is_right(**view, at)) << at;
            }
            break;
    }
}

// ---- a stream --------------------------------------------------------------------------------------------------------

class SpscStress : public ::testing::TestWithParam<std::tuple<std::size_t, Style, Waiting>> {
 protected:
    [[nodiscard]] static WaitPolicy policy() {
        // Spin: hardly ever sleeps, and does not spin away the time of others where threads are more than processors.
        return {.spin = std::get<Waiting>(GetParam()) == Waiting::spin ? 500us : 5us};
    }
    template <class Message>
    static void run(std::uint64_t capacity, std::uint64_t count) {
        auto ring = SpscRing<Message>::anonymous({.capacity = capacity});
        auto producer = ring.producer(policy());
        auto consumer = ring.consumer(policy());
        std::jthread sending([&] {
            send<Message>(producer, std::get<Style>(GetParam()), 0, count);
            producer.close();
        });
        receive<Message>(consumer, std::get<Style>(GetParam()), 0, count);
        if (HasFatalFailure()) consumer.close();  // or the sender waits for ever
        EXPECT_EQ(consumer.pop().error(), Status::closed);
    }
    static void run(std::uint64_t capacity, std::uint64_t count) {
        switch (std::get<std::size_t>(GetParam())) {
            case 8:
                run<NumberedMessage<8>>(capacity, count);
                break;
            case 48:
                run<NumberedMessage<48>>(capacity, count);
                break;
            default:
                run<NumberedMessage<64>>(capacity, count);
                break;
        }
    }
};

std::string name_of(const ::testing::TestParamInfo<SpscStress::ParamType>& stress) {
    static constexpr std::array<const char*, 3> kStyleNames = {"Single", "Batch", "InPlace"};
    static constexpr std::array<const char*, 2> kWaitingNames = {"Spinning", "Blocking"};
    const auto& [size, style, waiting] = stress.param;
    return std::to_string(size) + "Bytes" + kStyleNames.at(static_cast<std::size_t>(style)) +
           kWaitingNames.at(static_cast<std::size_t>(waiting));
}
INSTANTIATE_TEST_SUITE_P(AllStyles, SpscStress,
                         ::testing::Combine(::testing::Values(8U, 48U, 64U),
                                            ::testing::Values(Style::single, Style::batch, Style::in_place),
                                            ::testing::Values(Waiting::spin, Waiting::block)),
                         name_of);

constexpr std::uint64_t kMessagesInAll = 10'000'000;
constexpr std::uint64_t kStyles = 18;  // 3 sizes, 3 styles, 2 ways of waiting

TEST_P(SpscStress, EveryMessageArrivesOnceInOrderAndWhole) { run(1000, scaled(kMessagesInAll / kStyles)); }

TEST_P(SpscStress, EveryMessageArrivesWhereTheRingIsFullOrEmptyAllTheTime) {
    for (const std::uint64_t capacity : {1U, 2U, 7U, 13U}) run(capacity, scaled(3'000));
}

// ---- ends that change hands ------------------------------------------------------------------------------------------

using Message = NumberedMessage<48>;
using Ring = SpscRing<Message>;

/// Waits for the seat; others may have it.
template <class Take>
auto take_when_free(Take take) {
    for (;;) {
        std::error_code code;
        auto end = take(code);
        if (!code) return end;
        EXPECT_EQ(code, errc::seat_taken);
        std::this_thread::yield();
    }
}

TEST(SpscTakeover, ProducersComeAndGoWhileTheConsumerReads) {
    const std::uint64_t count = scaled(100'000);
    auto ring = Ring::anonymous({.capacity = 50});
    auto consumer = ring.consumer();
    // Without a lock and not atomic: the seat alone orders those who sit down on it one after the other.
    std::uint64_t next = 0;
    std::atomic<std::uint64_t> holders{0};
    const auto produce = [&](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        for (bool more = true; more;) {
            auto producer =
                take_when_free([&](std::error_code& code) { return ring.producer({.spin = 5us}, code); });
            EXPECT_EQ(holders.fetch_add(1, std::memory_order_relaxed), 0U);
            for (std::uint64_t left = random() % 100; left != 0 && next != count; --left)
                ASSERT_TRUE(producer.push(numbered<Message>(next++)));
            more = next != count;
            if (auto unsent = producer.try_claim())
                (*unsent)->write({.sender = 9, .sequence = 9});  // left behind
            holders.fetch_sub(1, std::memory_order_relaxed);
            if (random() % 2 == 0) producer.detach();  // or at the end of the scope
        }
    };
    std::jthread first(produce, 1);
    std::jthread second(produce, 2);
    receive<Message>(consumer, Style::single, 0, count);
    if (::testing::Test::HasFatalFailure()) consumer.close();
    EXPECT_EQ(consumer.try_pop().error(), Status::empty);
}

TEST(SpscTakeover, ConsumersComeAndGoWhileTheProducerWrites) {
    const std::uint64_t count = scaled(100'000);
    auto ring = Ring::anonymous({.capacity = 50});
    auto producer = ring.producer();
    std::uint64_t next = 0;  // as above
    const auto consume = [&](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        for (bool more = true; more;) {
            auto consumer =
                take_when_free([&](std::error_code& code) { return ring.consumer({.spin = 5us}, code); });
            for (std::uint64_t left = random() % 100; left != 0 && next != count; --left) {
                const auto view = consumer.next();
                ASSERT_TRUE(view && is_right(**view, next++));
            }
            more = next != count;
            if (const auto looked_at = consumer.try_next()) {  // and not taken: it is there for the next one
                EXPECT_TRUE(is_right(**looked_at, next));
                consumer.detach();
            }
        }
    };
    std::jthread first(consume, 3);
    std::jthread second(consume, 4);
    send<Message>(producer, Style::single, 0, count);
}

TEST(SpscTakeover, ObserversLookWhileBothSidesWork) {
    const std::uint64_t count = scaled(200'000);
    auto ring = Ring::anonymous({.capacity = 50});
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    std::jthread looking([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            EXPECT_LE(ring.count_approx(), 50U);
            (void)ring.was_empty();
            (void)ring.was_full();
            EXPECT_FALSE(ring.was_closed());
        }
    });
    std::jthread sending([&] { send<Message>(producer, Style::in_place, 0, count); });
    receive<Message>(consumer, Style::in_place, 0, count);
    if (::testing::Test::HasFatalFailure()) consumer.close();
    sending.join();
    looking.request_stop();
    looking.join();
    EXPECT_EQ(ring.count_approx(), 0U);
}

}  // namespace
}  // namespace shmring::test
