// ByteRing beside a wild writer: another process flips bits of headers, positions and event words while this one writes and reads.
// Every answer is a message within the limits or a status; nothing beside the ring is touched (support/hostile_ring.hpp sees to
// that, best under the sanitizers), and no call hangs.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/hostile_ring.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::microseconds kMoment{100};  // a wait that may last to its end

/// Both ends of a hostile ring, every verb of theirs, and a count of what they answered.
class Victim {
 public:
    Victim(HostileRing& hostile, std::uint64_t seed) : hostile_(hostile), random_(seed) { sit_down(); }

    /// One call of either end, by turns of several, so that messages lie in the ring for a while. Whoever finds the ring corrupt
    /// starts afresh on an empty one; so do both when nothing moves: a length that was changed to another legal one makes the ends
    /// disagree where the next message stands, and then one finds the ring full and the other empty, for good.
    void step() {
        if (draw(8) == 0) filling_ = !filling_;
        const Status status = note(filling_ ? write() : read());
        unmoved_ = status == Status::ok ? 0 : unmoved_ + 1;
        if (status == Status::corrupt || status == Status::closed || unmoved_ == kStuck) sit_down();
    }
    [[nodiscard]] std::uint64_t count(Status status) const {
        return answers_[static_cast<std::size_t>(status)];
    }
    /// Messages that came out as they went in.
    [[nodiscard]] std::uint64_t whole() const { return whole_; }
    [[nodiscard]] std::uint64_t refusals() const { return refusals_; }

 private:
    static constexpr int kStuck = 200;

    void sit_down() {
        constexpr int kTries = 100'000;
        unmoved_ = 0;
        out_ = {};
        in_ = {};
        for (int i = 0; i != kTries; ++i) {
            hostile_.heal();
            std::error_code code;
            in_ = hostile_.ring().consumer({.spin = 0ns}, code);
            if (!code) out_ = hostile_.ring().producer({.spin = 0ns}, code);
            if (!code) return;
            ASSERT_EQ(code, errc::corrupt_positions);
            in_ = {};
            ++refusals_;
        }
        FAIL() << "never got both seats";
    }
    Status note(Status status) {
        answers_.at(static_cast<std::size_t>(status))++;
        EXPECT_TRUE(status != Status::peer_lost && status != Status::not_owner && status != Status::busy &&
                    status != Status::interrupted && status != Status::overflow)
            << to_string(status);
        return status;
    }
    [[nodiscard]] std::uint64_t draw(std::uint64_t choices) { return random_() % choices; }

    // ---- the writer: bytes that all say how many they are ------------------------------------------------------------

    static void fill(std::span<std::byte> bytes) {
        std::ranges::fill(bytes, static_cast<std::byte>(bytes.size()));
    }
    void check(std::span<const std::byte> bytes) {
        ASSERT_LE(bytes.size(), hostile_.ring().max_message_bytes());
        const auto expected = static_cast<std::byte>(bytes.size());
        whole_ += std::ranges::all_of(bytes, [&](std::byte byte) { return byte == expected; }) ? 1 : 0;
    }
    [[nodiscard]] Bytes compose() {
        message_.resize(draw(hostile_.ring().max_message_bytes() + 1));
        fill(message_);
        return message_;
    }
    [[nodiscard]] Status write() {
        const Bytes message = compose();
        const std::array<Bytes, 2> two{message.first(message.size() / 2),
                                       message.subspan(message.size() / 2)};
        switch (draw(7)) {
            case 0:
                return out_.try_push(message).error();
            case 1:
                return out_.try_push_for(message, kMoment).error();
            case 2:
                return out_.try_push_gathered(two).error();
            case 3:
                return out_.try_push_n(two).error();
            case 4:
                return out_.try_push_value(words_).error();
            default: {
                auto claim = out_.try_claim(message.size());
                if (!claim) return claim.error();
                EXPECT_TRUE(hostile_.holds(claim->bytes()));
                const auto part = claim->bytes().first(draw(message.size() + 1));
                fill(part);
                if (draw(8) != 0) claim->commit(part.size());
                return Status::ok;
            }
        }
    }

    // ---- the reader --------------------------------------------------------------------------------------------------

    [[nodiscard]] Status read() {
        switch (draw(8)) {
            case 0:
                return copied([&](std::span<std::byte> room) { return in_.try_pop(room); });
            case 1:
                return copied([&](std::span<std::byte> room) { return in_.try_pop_for(room, kMoment); });
            case 2: {
                const auto got = in_.try_pop(text_);
                if (got) check(std::as_bytes(std::span(text_)));
                return got.error();
            }
            case 3: {
                const Status status = in_.try_pop_value(read_words_).error();
                return status == Status::corrupt ? skip() : status;
            }
            case 4: {
                const auto ready = wait_any_for(kMoment, in_);
                EXPECT_TRUE(!ready || *ready == 0);
                return ready.error();
            }
            case 5:
                return batch();
            default:
                return views();
        }
    }
    /// Into a buffer that is often too small.
    template <class Pop>
    [[nodiscard]] Status copied(Pop&& pop) {
        std::array<std::byte, 2048> bytes{};
        const auto buffer = std::span(bytes).first(draw(hostile_.ring().max_message_bytes() + 1));
        const Result<Received> got = pop(buffer);
        if (!got) return got.error();
        EXPECT_LE(got->size, buffer.size());
        if (got->size <= buffer.size()) check(buffer.first(got->size));
        return Status::ok;
    }
    /// These bytes are no value, or the ring is corrupt: as bytes they can be had, or not.
    [[nodiscard]] Status skip() { return in_.try_pop(text_).error(); }
    [[nodiscard]] Status batch() {
        std::array<std::byte, 300> room{};
        std::array<std::span<std::byte>, 4> messages;
        const auto got = in_.try_pop_n(room, messages);
        for (std::size_t i = 0; i != got.value_or(std::size_t{0}); ++i) check(messages.at(i));
        return got.error();
    }
    [[nodiscard]] Status views() {
        std::array<std::optional<ByteRing::Consumer::View>, 3> views;
        for (auto& slot : views) {
            auto view = draw(2) == 0 ? in_.try_next() : in_.try_next_for(kMoment);
            if (!view) return view.error();  // those borrowed before are handed back
            EXPECT_TRUE(hostile_.holds(view->bytes()));
            check(view->bytes());
            slot.emplace(std::move(*view));
        }
        return Status::ok;
    }

    HostileRing& hostile_;
    std::mt19937_64 random_;
    ByteRing::Producer out_{};
    ByteRing::Consumer in_{};
    std::vector<std::byte> message_{};
    std::string text_{};
    std::vector<std::string> words_{"vectors", "of", "strings", "", "carry sizes inside"};
    std::vector<std::string> read_words_{};
    std::array<std::uint64_t, 16> answers_{};
    bool filling_ = true;
    int unmoved_ = 0;
    std::uint64_t whole_ = 0;
    std::uint64_t refusals_ = 0;
};

class Mutator : public testing::TestWithParam<std::tuple<Aim, std::uint64_t, std::uint32_t>> {
 protected:
    void SetUp() override { ::alarm(110); }  // the watchdog: no call of this process may hang
    void TearDown() override { ::alarm(0); }
};

TEST_P(Mutator, LeadsNobodyOutOfTheRingAndHangsNobody) {
    const auto& [aim, capacity, alignment] = GetParam();
    constexpr std::uint64_t kSteps = 3'000;
    constexpr std::uint64_t kMutations = 1'000;
    HostileRing hostile({.capacity_bytes = capacity, .alignment = alignment, .participants = 4});
    const Shared<std::atomic<std::uint64_t>> mutations;
    const ChildProcess mutator([&, aim = aim] { hostile.mutate(aim, 7, *mutations); });
    Victim victim(hostile, 11);
    std::uint64_t steps = 0;
    // Until it has been hit often enough to mean something; a mutator that never runs is caught by the watchdog.
    while ((steps < kSteps || mutations->load(std::memory_order_relaxed) < kMutations ||
            victim.count(Status::corrupt) < 10) &&
           !HasFailure()) {
        victim.step();
        ++steps;
    }
    std::printf(
        "%llu steps, %llu mutations: %llu ok, %llu whole messages, %llu corrupt, %llu refused at the door\n",
        static_cast<unsigned long long>(steps),
        static_cast<unsigned long long>(mutations->load(std::memory_order_relaxed)),
        static_cast<unsigned long long>(victim.count(Status::ok)),
        static_cast<unsigned long long>(victim.whole()),
        static_cast<unsigned long long>(victim.count(Status::corrupt)),
        static_cast<unsigned long long>(victim.refusals()));
    EXPECT_GT(victim.count(Status::corrupt), 0U);
    EXPECT_GT(victim.whole(), 0U);
}

std::string name_of(const testing::TestParamInfo<Mutator::ParamType>& mutator) {
    static constexpr std::array<const char*, 4> kAims = {"Headers", "Positions", "Everything", "Oldest"};
    const auto& [aim, capacity, alignment] = mutator.param;
    return kAims.at(static_cast<std::size_t>(aim)) + std::to_string(capacity) + "Bytes" +
           std::to_string(alignment) + "Aligned";
}
INSTANTIATE_TEST_SUITE_P(Of, Mutator,
                         testing::Combine(testing::Values(Aim::headers, Aim::positions, Aim::everything,
                                                          Aim::oldest),
                                          testing::Values(192U, 3904U), testing::Values(8U, 64U)),
                         name_of);

/// The control: without a mutator nothing is corrupt, and every message is whole.
TEST(MutatorControl, WithoutOneNothingIsCorrupt) {
    HostileRing hostile({.capacity_bytes = 192, .participants = 4});
    Victim victim(hostile, 11);
    for (int i = 0; i != 5'000; ++i) victim.step();
    EXPECT_EQ(victim.count(Status::corrupt), 0U);
    EXPECT_EQ(victim.refusals(), 0U);
    EXPECT_GT(victim.whole(), 500U);
}

}  // namespace
}  // namespace shmring::test
