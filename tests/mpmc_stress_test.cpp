// Threads over one mapping, many on each side: every message exactly once (a bitmap tells), whole, and each producer's in its order;
// single, in batches and in place, at capacities from one on. Ten million messages in all; SHMRING_SOAK=1 sends a hundred million.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <ostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "shmring/mpmc_ring.hpp"
#include "support/numbered_message.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Ten times as much where the long form was asked for.
std::uint64_t scaled(std::uint64_t count) { return is_soak() ? 10 * count : count; }

struct Crowd {
    const char* name;
    std::size_t producers;
    std::size_t consumers;
    std::uint64_t capacity;
    std::uint64_t messages;
    Delivery delivery = Delivery::at_most_once;
};
void PrintTo(const Crowd& crowd, std::ostream* out) { *out << crowd.name; }

/// Which messages came: of each producer, one bit per message.
class Bitmap {
 public:
    Bitmap(std::size_t producers, std::uint64_t each)
        : words_each_((each + 63) / 64), words_(producers * words_each_) {}
    /// False when it was there already.
    [[nodiscard]] bool set(Number number) {
        const std::uint64_t bit = std::uint64_t{1} << number.sequence % 64;
        return (word(number).fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
    }
    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t count = 0;
        for (const auto& each : words_)
            count += static_cast<std::uint64_t>(std::popcount(each.load(std::memory_order_relaxed)));
        return count;
    }

 private:
    std::atomic<std::uint64_t>& word(Number number) {
        return words_[(number.sender - 1) * words_each_ + number.sequence / 64];
    }
    std::uint64_t words_each_;
    std::vector<std::atomic<std::uint64_t>> words_;
};

constexpr std::size_t kBatch = 32;

template <class Message>
class Stream {
 public:
    using Ring = MpmcRing<Message>;

    explicit Stream(const Crowd& crowd)
        : crowd_(crowd),
          each_(scaled(crowd.messages) / crowd.producers),
          ring_(Ring::anonymous({.capacity = crowd.capacity, .delivery = crowd.delivery})),
          seen_(crowd.producers, each_),
          start_(static_cast<std::ptrdiff_t>(crowd.producers + crowd.consumers)) {}

    void go() {
        std::vector<std::jthread> consumers;
        for (std::size_t i = 0; i != crowd_.consumers; ++i) consumers.emplace_back([this, i] { receive(i); });
        {
            std::vector<std::jthread> producers;
            for (std::size_t i = 0; i != crowd_.producers; ++i)
                producers.emplace_back([this, i] { send(i + 1); });
        }
        ring_.producer().close();
        consumers.clear();
        EXPECT_EQ(faults_.load(), 0U) << "torn, repeated, invented or out of order";
        EXPECT_EQ(seen_.count(), each_ * crowd_.producers);
        EXPECT_EQ(ring_.count_approx(), 0U);
        const auto losses = ring_.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U) << "nobody died";
    }

 private:
    // Hardly ever sleeps where a CPU is at hand, and does not spin away the time of the others where it is not.
    static constexpr WaitPolicy kPolicy{.spin = 20us};

    void send(std::uint64_t sender) {
        auto out = ring_.producer(kPolicy);
        std::vector<Message> batch;
        start_.arrive_and_wait();
        for (std::uint64_t at = 0; at != each_;) {
            const std::uint64_t style = (at / 1000 + sender) % 4;
            Message message;
            message.write({.sender = sender, .sequence = at});
            if (style == 0) {
                auto claim = out.claim();
                if (!claim) return fault();
                **claim = message;
                claim->commit();
                ++at;
            } else if (style == 1) {
                if (!out.push(message)) return fault();
                ++at;
            } else {
                batch.clear();
                for (std::uint64_t next = at; next != each_ && batch.size() != kBatch; ++next)
                    batch.emplace_back().write({.sender = sender, .sequence = next});
                const auto pushed = out.try_push_n(batch);
                if (pushed)
                    at += *pushed;
                else if (pushed.error() != Status::full || !out.push(batch.front()))
                    return fault();
                else
                    ++at;  // there is no batch that waits
            }
        }
    }
    void receive(std::size_t who) {
        auto in = ring_.consumer(kPolicy);
        std::vector<std::uint64_t> next(crowd_.producers, 0);  // of each producer, the least that may come
        const auto accept = [&](const Message& message) {
            const Number number = message.number();
            const bool is_right = message.is_whole() && number.sender - 1 < crowd_.producers &&
                                  number.sequence < each_ && number.sequence >= next[number.sender - 1] &&
                                  seen_.set(number);
            if (!is_right) return fault();
            next[number.sender - 1] = number.sequence + 1;
        };
        std::array<Message, kBatch> batch;
        start_.arrive_and_wait();
        for (std::uint64_t turn = who;; ++turn) {
            if (turn / 1000 % 3 == 0) {
                const auto view = in.next();
                if (!view) return expect_end(view.error());
                accept(**view);
                continue;
            }
            if (turn / 1000 % 3 == 1) {
                const auto popped = in.try_pop_n(batch);
                for (std::size_t i = 0; i != popped.value_or(0U); ++i) accept(batch[i]);
                if (popped) continue;
            }
            const auto popped = in.pop();
            if (!popped) return expect_end(popped.error());
            accept(*popped);
        }
    }
    void fault() { faults_.fetch_add(1, std::memory_order_relaxed); }
    void expect_end(Status status) {
        if (status != Status::closed) fault();
    }

    Crowd crowd_;
    std::uint64_t each_;
    Ring ring_;
    Bitmap seen_;
    std::latch start_;
    std::atomic<std::uint64_t> faults_{0};
};

class MpmcStress : public ::testing::TestWithParam<Crowd> {};

TEST_P(MpmcStress, EveryMessageArrivesExactlyOnceWholeAndInItsProducersOrder) {
    Stream<NumberedMessage<8>>(GetParam()).go();
    Stream<NumberedMessage<64>>(GetParam()).go();
}

// Each line twice, with 8 and with 64 bytes: ten million in all.
INSTANTIATE_TEST_SUITE_P(
    Of, MpmcStress,
    ::testing::Values(Crowd{"OneByOne", 1, 1, 1000, 900'000}, Crowd{"OneByFour", 1, 4, 1000, 900'000},
                      Crowd{"FourByOne", 4, 1, 1000, 900'000}, Crowd{"EightByEight", 8, 8, 1000, 1'200'000},
                      Crowd{"EightByEightAtLeastOnce", 8, 8, 1000, 900'000, Delivery::at_least_once},
                      Crowd{"EightByEightFullAndEmpty", 8, 8, 13, 160'000},
                      Crowd{"EightByEightInTwoSlots", 8, 8, 2, 24'000},
                      Crowd{"EightByEightInOneSlot", 8, 8, 1, 16'000}),
    [](const ::testing::TestParamInfo<Crowd>& crowd) { return std::string(crowd.param.name); });

}  // namespace
}  // namespace shmring::test
