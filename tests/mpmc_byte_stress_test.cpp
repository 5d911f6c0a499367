// Threads over one mapping, many on each side of a byte ring: every message of every size exactly once, whole, and each producer's in its
// order. A million messages in all; SHMRING_SOAK=1 sends ten million.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <latch>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "shmring/mpmc_byte_ring.hpp"
#include "support/numbered_bytes.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

struct Crowd {
    const char* name;
    std::size_t each_side;
    std::uint64_t capacity_bytes;
    std::uint64_t capacity_messages;
    std::uint64_t messages;
    Delivery delivery = Delivery::at_most_once;
};
void PrintTo(const Crowd& crowd, std::ostream* out) { *out << crowd.name; }

class Stream {
 public:
    explicit Stream(const Crowd& crowd)
        : crowd_(crowd),
          each_(scaled(crowd.messages) / crowd.each_side),
          ring_(MpmcByteRing::anonymous({.capacity_bytes = crowd.capacity_bytes,
                                         .capacity_messages = crowd.capacity_messages,
                                         .delivery = crowd.delivery})),
          sizes_{NumberedBytes::kNumberSize, ring_.max_message_bytes()},
          seen_(std::make_unique<std::atomic<std::uint8_t>[]>(crowd.each_side * each_)),
          start_(static_cast<std::ptrdiff_t>(2 * crowd.each_side)) {}

    void go() {
        std::vector<std::jthread> consumers;
        for (std::size_t i = 0; i != crowd_.each_side; ++i) consumers.emplace_back([this, i] { receive(i); });
        {
            std::vector<std::jthread> producers;
            for (std::size_t i = 0; i != crowd_.each_side; ++i)
                producers.emplace_back([this, i] { send(i + 1); });
        }
        ring_.producer().close();
        consumers.clear();
        EXPECT_EQ(faults_.load(), 0U) << "torn, repeated, invented or out of order";
        EXPECT_EQ(came_.load(), each_ * crowd_.each_side);
        const auto losses = ring_.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U) << "nobody died";
    }

 private:
    static constexpr WaitPolicy kPolicy{.spin = 20us};

    /// Ten times as much where the long form was asked for.
    static std::uint64_t scaled(std::uint64_t count) { return is_soak() ? 10 * count : count; }
    void send(std::uint64_t sender) {
        auto out = ring_.producer(kPolicy);
        std::vector<std::byte> bytes;
        start_.arrive_and_wait();
        for (std::uint64_t at = 0; at != each_; ++at) {
            const Number number{.sender = sender, .sequence = at};
            const std::size_t size = sizes_.of(number);
            if ((at / 1000 + sender) % 2 == 0) {
                bytes.resize(size);
                NumberedBytes::write(number, bytes);
                if (!out.push(bytes, NumberTag::of(number))) return fault();
                continue;
            }
            if (at % 16 == 0) (void)out.try_claim(size);  // and dropped
            auto claim = out.claim(at % 8 == 0 ? sizes_.most : size);
            if (!claim) return fault();
            NumberedBytes::write(number, claim->bytes().first(size));
            claim->commit(size, NumberTag::of(number));
        }
    }
    void receive(std::size_t who) {
        auto in = ring_.consumer(kPolicy);
        std::vector<std::uint64_t> next(crowd_.each_side, 0);  // of each producer, the least that may come
        std::vector<std::byte> buffer;
        std::array<std::span<std::byte>, 4> several;
        std::vector<std::byte> room(4 * sizes_.most);
        const auto accept = [&](std::span<const std::byte> bytes, std::uint32_t tag) {
            const NumberedBytes message(bytes, tag, {}, sizes_);
            const Number number = message.number();
            if (!message.is_whole() || number.sender - 1 >= crowd_.each_side || number.sequence >= each_ ||
                number.sequence < next[number.sender - 1] ||
                seen_[(number.sender - 1) * each_ + number.sequence].exchange(1, std::memory_order_relaxed) !=
                    0)
                return fault();
            next[number.sender - 1] = number.sequence + 1;
            came_.fetch_add(1, std::memory_order_relaxed);
        };
        start_.arrive_and_wait();
        for (std::uint64_t turn = who;; ++turn) {
            if (turn / 1000 % 3 == 0) {
                const auto view = in.next();
                if (!view) return expect_end(view.error());
                accept(view->bytes(), view->tag());
                continue;
            }
            if (turn / 1000 % 3 == 1) {
                const auto popped = in.try_pop_n(room, several);
                for (std::size_t i = 0; i != popped.value_or(0U); ++i) {
                    // A batch tells no tags: the number in the bytes says which it has.
                    std::uint64_t head = 0;
                    std::memcpy(&head, several[i].data(), sizeof head);
                    accept(several[i], NumberTag::of(Number::unpacked(head >> 16)));
                }
                if (popped) continue;
            }
            const auto popped = in.pop(buffer);
            if (!popped) return expect_end(popped.error());
            accept(buffer, popped->tag);
        }
    }
    void fault() { faults_.fetch_add(1, std::memory_order_relaxed); }
    void expect_end(Status status) {
        if (status != Status::closed) fault();
    }

    Crowd crowd_;
    std::uint64_t each_;
    MpmcByteRing ring_;
    ByteSizes sizes_;
    std::unique_ptr<std::atomic<std::uint8_t>[]> seen_;
    std::latch start_;
    std::atomic<std::uint64_t> came_{0};
    std::atomic<std::uint64_t> faults_{0};
};

class MpmcByteStress : public ::testing::TestWithParam<Crowd> {};

TEST_P(MpmcByteStress, EveryMessageArrivesExactlyOnceWholeAndInItsProducersOrder) { Stream(GetParam()).go(); }

INSTANTIATE_TEST_SUITE_P(
    Of, MpmcByteStress,
    ::testing::Values(Crowd{"EightByEight", 8, 1 << 16, 0, 500'000},
                      Crowd{"EightByEightAtLeastOnce", 8, 8192, 0, 300'000, Delivery::at_least_once},
                      Crowd{"EightByEightOfThreeMessages", 8, 64 * 15, 3, 60'000},
                      Crowd{"EightByEightInFiveUnits", 8, 64 * 5, 0, 60'000},
                      Crowd{"EightByEightInOneUnit", 8, 64, 0, 20'000},
                      Crowd{"OneByOne", 1, 4096, 0, 60'000}),
    [](const ::testing::TestParamInfo<Crowd>& crowd) { return std::string(crowd.param.name); });

}  // namespace
}  // namespace shmring::test
