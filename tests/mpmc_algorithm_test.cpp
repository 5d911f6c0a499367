// The algorithm of a ring of many on the heap, in one thread: against a model through every kind of call, at every kind of position,
// with several producers and consumers taking turns; and whatever a hostile peer may have written.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "shmring/detail/divider.hpp"
#include "shmring/detail/mpmc_recovery.hpp"
#include "support/mortal_env.hpp"
#include "support/mpmc_memory.hpp"

namespace shmring::test {
namespace {

using detail::Divider;
using detail::kMaxPosition;
using detail::kTailClosed;
using detail::SlotState;
using detail::SlotWord;

constexpr std::array<std::uint64_t, 6> kCapacities = {1, 2, 3, 7, 8, 100};

/// Where laps, and 32-bit pieces of positions and laps, wrap; and near the last position there can be.
std::vector<std::uint64_t> positions_for(std::uint64_t capacity) {
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 32;
    std::vector<std::uint64_t> all = {0, 1, capacity - 1, capacity, 7 * capacity - 1, kMaxPosition - 4000};
    for (const std::uint64_t wrap : {kPiece, kPiece * capacity, kPiece << 16, (kPiece >> 8) * capacity})
        for (const std::uint64_t before : {0U, 1U, 5U}) all.push_back(wrap - before);
    return all;
}

// ---- the model -------------------------------------------------------------------------------------------------------

/// What stands at each position that is not handed back, and where both sides are: the semantics in a few lines.
class Model {
 public:
    enum class At { written, published, skipped, read };
    Model(std::uint64_t capacity, std::uint64_t first) : capacity_(capacity), head_(first), tail_(first) {}

    Status claim_places(std::uint64_t most, std::uint64_t& count) {
        if (closed_) return Status::closed;
        for (count = 0; count != most && count != capacity_; ++count)
            if (tail_ + count >= capacity_ && at_.contains(tail_ + count - capacity_)) break;
        if (count == 0) return Status::full;
        for (std::uint64_t i = 0; i != count; ++i) at_[tail_++] = At::written;
        return Status::ok;
    }
    void set(std::uint64_t position, At what) { at_[position] = what; }
    void hand_back(std::uint64_t position) { at_.erase(position); }
    Status claim_messages(std::uint64_t most, std::uint64_t& count) {
        while (head_ != tail_ && at_[head_] == At::skipped) at_.erase(head_++);
        if (head_ == tail_) return closed_ ? Status::closed : Status::empty;
        if (at_[head_] == At::written) return Status::busy;
        for (count = 0; count != most && head_ != tail_ && at_[head_] == At::published; ++count)
            at_[head_++] = At::read;
        return Status::ok;
    }
    void close() { closed_ = true; }
    [[nodiscard]] std::uint64_t head() const { return head_; }
    [[nodiscard]] std::uint64_t tail() const { return tail_; }

 private:
    std::uint64_t capacity_;
    std::uint64_t head_;
    std::uint64_t tail_;
    bool closed_ = false;
    std::map<std::uint64_t, At> at_{};
};

template <class T>
class MpmcAlgorithm : public ::testing::Test {
 protected:
    using Memory = MpmcMemory<T, MortalEnv>;
    static constexpr std::size_t kEach = 3;  // producers, and consumers

    /// Everybody does something, again and again: pushes, batches and claims held for a while on both sides.
    static void run(std::uint64_t capacity, std::uint64_t first, std::uint64_t seed, int steps) {
        Memory ring(capacity);
        ring.arrange(first, first);
        Model model(capacity, first);
        std::array<typename Memory::Word, 2 * kEach> intents{};
        std::vector<typename Memory::Producer> out;
        std::vector<typename Memory::Consumer> in;
        for (std::size_t i = 0; i != kEach; ++i) {
            out.emplace_back(ring.slots(), intents[i], false);
            in.emplace_back(ring.slots(), intents[kEach + i], false);
        }
        std::mt19937_64 random(seed);
        for (int step = 0; step != steps; ++step) {
            const std::size_t who = random() % kEach;
            const std::uint64_t most = random() % 3 != 0 ? 1 : 1 + random() % detail::Intent::kMaxCount;
            if (step == steps - steps / 8) {
                detail::close_tail(ring.control());
                model.close();
            }
            if (random() % 2 == 0)
                ASSERT_NO_FATAL_FAILURE(write(out[who], model, ring, most, random()));
            else
                ASSERT_NO_FATAL_FAILURE(read(in[who], model, ring, most, random()));
            ASSERT_EQ(ring.control().head.now(), model.head());
            ASSERT_EQ(ring.control().tail.now() & ~kTailClosed, model.tail());
            for (std::size_t i = 0; i != kEach; ++i) {
                ASSERT_EQ(intents[i].now() != 0, out[i].claimed().count != 0);
                ASSERT_EQ(intents[kEach + i].now() != 0, in[i].claimed().count != 0);
            }
        }
    }

 private:
    static void write(typename Memory::Producer& out, Model& model, Memory& ring, std::uint64_t most,
                      std::uint64_t dice) {
        if (out.claimed().count != 0) {
            const T message{};
            ASSERT_EQ(out.claim(1), Status::overflow);
            ASSERT_EQ(out.try_push(&message, sizeof message), Status::overflow);
            if (dice % 4 == 0) return;  // held on
            const auto [first, count] = out.claimed();
            for (std::uint64_t i = 0; i != count; ++i) {
                const bool drop = dice >> (i % 60) & 1;
                const T text = T::numbered(first + i);
                std::memcpy(out.payload(i), &text, sizeof text);
                drop ? out.skip(i) : out.publish(i);
                model.set(first + i, drop ? Model::At::skipped : Model::At::published);
            }
            out.settle();
            return;
        }
        const std::uint64_t place = model.tail();
        const bool in_one = most == 1 && dice % 2 == 0;
        const T text = T::numbered(place);
        const Status status = in_one ? out.try_push(&text, sizeof text) : out.claim(most);
        std::uint64_t count = 0;
        ASSERT_EQ(status, model.claim_places(most, count));
        if (status != Status::ok) return;
        if (in_one) return model.set(place, Model::At::published);
        ASSERT_EQ(out.claimed().first, place);
        ASSERT_EQ(out.claimed().count, count);
        ASSERT_EQ(out.payload(count - 1), ring.payload(place + count - 1));
    }
    static void read(typename Memory::Consumer& in, Model& model, Memory& ring, std::uint64_t most,
                     std::uint64_t dice) {
        if (in.claimed().count != 0) {
            T message;
            ASSERT_EQ(in.claim(1), Status::overflow);
            ASSERT_EQ(in.peek(), Status::overflow);
            ASSERT_EQ(in.try_pop(&message, sizeof message), Status::overflow);
            if (dice % 4 == 0) return;
            const auto [first, count] = in.claimed();
            for (std::uint64_t i = 0; i != count; ++i) {
                ASSERT_EQ(std::memcmp(in.payload(i), ring.payload(first + i), sizeof message), 0);
                std::memcpy(&message, in.payload(i), sizeof message);
                ASSERT_EQ(message, T::numbered(first + i));
                in.hand_back(i);
                model.hand_back(first + i);
            }
            in.settle();
            return;
        }
        T message;
        const bool in_one = most == 1 && dice % 2 == 0;
        if (dice % 8 == 1) {
            std::uint64_t none = 0;
            ASSERT_EQ(in.peek(), model.claim_messages(0, none));
        }
        const Status status = in_one ? in.try_pop(&message, sizeof message) : in.claim(most);
        std::uint64_t count = 0;
        ASSERT_EQ(status, model.claim_messages(most, count));
        if (status != Status::ok) return;
        if (in_one) {
            ASSERT_EQ(message, T::numbered(model.head() - 1));
            return model.hand_back(model.head() - 1);
        }
        ASSERT_EQ(in.claimed().first, model.head() - count);
        ASSERT_EQ(in.claimed().count, count);
    }
};
using Sizes = ::testing::Types<Sized<1, 1>, Sized<8, 8>, Sized<24, 8>, Sized<48, 8>, Sized<56, 8>,
                               Sized<57, 1>, Sized<64, 64>, Sized<200, 8>, Sized<4096, 64>>;
TYPED_TEST_SUITE(MpmcAlgorithm, Sizes);

TYPED_TEST(MpmcAlgorithm, DoesWhatTheModelDoesAtEveryPosition) {
    std::uint64_t seed = sizeof(TypeParam);
    for (const bool weak : {false, true})
        for (const std::uint64_t capacity : kCapacities)
            for (const std::uint64_t first : positions_for(capacity)) {
                SCOPED_TRACE("capacity " + std::to_string(capacity) + " from " + std::to_string(first));
                fate.weak = weak;
                this->run(capacity, first, ++seed, 1000);
                fate.weak = false;
                if (this->HasFatalFailure()) return;
            }
}
TYPED_TEST(MpmcAlgorithm, ABatchIsNeverMoreThanTheRingOrThanAnIntentCanName) {
    for (const std::uint64_t capacity :
         {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{223}, std::uint64_t{300}})
        for (const std::uint64_t first : {std::uint64_t{0}, capacity - 1, 5 * capacity + capacity / 2}) {
            MpmcMemory<TypeParam, MortalEnv> ring(capacity);
            ring.arrange(first, first);
            std::array<typename decltype(ring)::Word, 2> intents{};
            typename decltype(ring)::Producer out(ring.slots(), intents[0], false);
            typename decltype(ring)::Consumer in(ring.slots(), intents[1], false);
            const std::uint64_t most = detail::most_at_once(1000);
            EXPECT_EQ(most, 223U);
            ASSERT_EQ(out.claim(most), Status::ok);
            ASSERT_EQ(out.claimed().count, std::min(capacity, most));
            EXPECT_EQ(intents[0].now(),
                      detail::Intent::of(detail::ClaimSide::write, first, out.claimed().count).value);
            EXPECT_EQ(in.claim(most), Status::busy);
            for (std::uint64_t i = 0; i != out.claimed().count; ++i) out.publish(i);
            const std::uint64_t count = out.claimed().count;
            out.settle();
            ASSERT_EQ(in.claim(most), Status::ok);
            EXPECT_EQ(in.claimed().count, count);
            in.abandon();
            EXPECT_EQ(in.claim(most), Status::empty);
        }
}

}  // namespace
}  // namespace shmring::test
