// Waiting by descriptor: a ring in an epoll loop misses nothing, and hears of ends and deaths.
// What it costs: spsc_syscall_test.cpp. Whether the bell itself can be trusted: bell_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"
#include "support/readable_cases.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

// ---- every kind of ring and of bell --------------------------------------------------------------------------------

template <class Case>
class ReadableFd : public testing::Test {
 protected:
    using Consumer = typename decltype(Case::ring)::Consumer;
    using Producer = typename decltype(Case::ring)::Producer;

    Status take_all(Consumer& in) { return drain<Case>(in, taken_); }
    /// Found empty, and only the bell can speak for an hour.
    bool settled(Consumer& in) {
        return settle(in.readable_fd(), [&] { EXPECT_EQ(take_all(in), Status::empty); });
    }

    std::vector<std::uint64_t> taken_{};
};
using Cases = testing::Types<Named<OfNumbers>, Anonymous<OfNumbers>, Named<OfBytes>, Anonymous<OfBytes>>;
TYPED_TEST_SUITE(ReadableFd, Cases);

TYPED_TEST(ReadableFd, IsReadableFromAMessageToTheFirstEmptyAnswer) {
    TypeParam setup(1h);
    auto in = setup.ring.consumer();
    auto out = setup.ring.producer();
    const int descriptor = in.readable_fd();
    EXPECT_TRUE(is_readable(descriptor)) << "nobody has looked yet";
    for (std::uint64_t round = 0; round != 20; ++round) {
        ASSERT_TRUE(this->settled(in));
        ASSERT_TRUE(TypeParam::push(out, 2 * round) && TypeParam::push(out, 2 * round + 1));
        ASSERT_TRUE(is_readable(descriptor)) << "round " << round;
        ASSERT_EQ(TypeParam::take(in).value_or(0), 2 * round);
        EXPECT_TRUE(is_readable(descriptor)) << "one message is left";
        ASSERT_EQ(TypeParam::take(in).value_or(0), 2 * round + 1);
        EXPECT_TRUE(is_readable(descriptor)) << "no call has answered empty yet";
    }
    EXPECT_EQ(in.readable_fd(), descriptor) << "the same one, however often it is asked for";
}

TYPED_TEST(ReadableFd, HearsEachWayToPublishFromAnotherProcess) {
    TypeParam setup(1h);
    auto in = setup.ring.consumer();
    Turnstile go;
    ChildProcess child([&] {
        auto out = setup.ring.producer();
        for (std::uint64_t i = 0; i != 50; ++i)
            if (!go.pass() || !TypeParam::push(out, i)) return 1;
        if (!go.pass()) return 2;
        out.close();
        return 0;
    });
    for (std::uint64_t i = 0; i != 50; ++i) {
        ASSERT_TRUE(this->settled(in));
        go.let_through();
        ASSERT_TRUE(becomes_readable(in.readable_fd())) << i;
    }
    ASSERT_TRUE(this->settled(in));
    go.let_through();
    ASSERT_TRUE(becomes_readable(in.readable_fd())) << "the close";
    EXPECT_EQ(this->take_all(in), Status::closed);
    EXPECT_EQ(this->take_all(in), Status::closed);
    EXPECT_TRUE(is_readable(in.readable_fd())) << "the end stays to be told";
    EXPECT_EQ(this->taken_.size(), 50U);
    EXPECT_TRUE(child.join().exited_with(0));
}

TYPED_TEST(ReadableFd, HearsOfADeathAndGoesOnWithASuccessor) {
    TypeParam setup(5ms);
    auto in = setup.ring.consumer();
    const int descriptor = in.readable_fd();
    ChildProcess child([&] {
        auto out = setup.ring.producer();
        (void)TypeParam::push(out, 1);
        ::pause();
    });
    Status status = Status::empty;
    while (this->taken_.empty()) {
        ASSERT_TRUE(becomes_readable(descriptor));
        status = this->take_all(in);
    }
    child.kill(SIGKILL);
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    for (int wakes = 0; status == Status::empty; ++wakes) {
        ASSERT_LT(wakes, 4) << "each time the timer comes somebody asks who lives";
        ASSERT_TRUE(becomes_readable(descriptor));
        status = this->take_all(in);
    }
    EXPECT_EQ(status, Status::peer_lost);
    EXPECT_TRUE(is_readable(descriptor)) << "the loss stays to be told";

    auto successor = setup.ring.producer();
    EXPECT_EQ(this->take_all(in), Status::empty);
    ASSERT_TRUE(TypeParam::push(successor, 2));
    ASSERT_TRUE(becomes_readable(descriptor));
    EXPECT_EQ(this->take_all(in), Status::empty);
    EXPECT_EQ(this->taken_.back(), 2U);
}

TYPED_TEST(ReadableFd, IsNoticedWithoutAStrokeWhenTheProducerDiedBeforeIt) {
    // Killed after publishing, before or after it took the armed bit: the message or the end is there, and no stroke comes.
    struct Death {
        bool bit_was_taken;
        bool closes;
    };
    for (const Death death : {Death{false, false}, Death{true, false}, Death{true, true}}) {
        TypeParam setup(5ms);
        auto in = setup.ring.consumer();
        for (int look = 0; look != 3; ++look) {  // beyond the first millisecond after arming
            ASSERT_TRUE(becomes_readable(in.readable_fd()));
            ASSERT_EQ(this->take_all(in), Status::empty);
        }
        auto& word = control_of(setup.ring.segment()).readable.word;
        EXPECT_EQ(word.load(std::memory_order_acquire) & detail::kArmed, detail::kArmed);
        word.fetch_and(~detail::kArmed, std::memory_order_acq_rel);
        ChildProcess child([&] {
            auto out = setup.ring.producer();
            if (death.closes)
                out.close();  // with nobody armed
            else
                (void)TypeParam::push(out, 7);
            ::raise(SIGKILL);
        });
        EXPECT_TRUE(child.join().killed_by(SIGKILL));
        if (!death.bit_was_taken) word.fetch_or(detail::kArmed, std::memory_order_acq_rel);
        ASSERT_TRUE(becomes_readable(in.readable_fd()));
        const auto number = TypeParam::take(in);
        EXPECT_EQ(number.error(), death.closes ? Status::closed : Status::ok);
        EXPECT_EQ(number.value_or(7), 7U);
    }
}

TYPED_TEST(ReadableFd, AnArmedBitLeftByADeadConsumerDoesNotDeceiveItsSuccessor) {
    TypeParam setup(1h);
    auto out = setup.ring.producer();
    ChildProcess dead([&] {
        auto in = setup.ring.consumer();
        (void)in.readable_fd();
        (void)TypeParam::take(in);
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(dead.join().killed_by(SIGKILL));
    auto& word = control_of(setup.ring.segment()).readable.word;
    EXPECT_EQ(word.load(std::memory_order_acquire) & detail::kArmed, detail::kArmed);
    {
        auto in = setup.ring.consumer();
        EXPECT_EQ(this->take_all(in), Status::empty);
        EXPECT_TRUE(becomes_readable(in.readable_fd()))
            << "its own timer runs, though the line was armed before";
        EXPECT_TRUE(this->settled(in));
        ASSERT_TRUE(TypeParam::push(out, 3));
        ASSERT_TRUE(is_readable(in.readable_fd()));
        EXPECT_EQ(this->take_all(in), Status::empty);
    }
    ASSERT_TRUE(TypeParam::push(out, 4)) << "one stroke may be for nobody";
    EXPECT_EQ(word.load(std::memory_order_acquire) & detail::kArmed, 0U);
}

TYPED_TEST(ReadableFd, GoesTogetherWithBlockingCalls) {
    TypeParam setup(1h);
    auto in = setup.ring.consumer();
    auto out = setup.ring.producer();
    const int descriptor = in.readable_fd();
    for (std::uint64_t round = 0; round != 20; ++round) {
        ASSERT_TRUE(this->settled(in));
        std::thread pusher([&] {
            std::this_thread::sleep_for(1ms);
            (void)TypeParam::push(out, round);
        });
        const auto ready = wait_any_for(20s, in);  // sleeps on the futex, beside the armed bit
        pusher.join();
        ASSERT_TRUE(ready) << to_string(ready.error());
        ASSERT_EQ(TypeParam::take(in).value_or(99), round);
        ASSERT_TRUE(is_readable(descriptor)) << "the stroke came, too";
    }
    EXPECT_EQ(in.readable_fd(), descriptor);
}

TYPED_TEST(ReadableFd, AForkedChildsCopyIsNotItsOwner) {
    TypeParam setup(1h);
    auto in = setup.ring.consumer();
    const int descriptor = in.readable_fd();
    EXPECT_TRUE(this->settled(in));
    ChildProcess child([&] {
        std::error_code code;
        EXPECT_EQ(in.readable_fd(code), -1);
        EXPECT_EQ(code, errc::not_owner);
        EXPECT_THROW((void)in.readable_fd(), std::system_error);
        EXPECT_EQ(TypeParam::take(in).error(), Status::not_owner);
        EXPECT_FALSE(is_readable(descriptor)) << "nothing was struck";
        in = {};  // closes the child's copies of the descriptors, and nothing else
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(control_of(setup.ring.segment()).readable.word.load(std::memory_order_acquire) & detail::kArmed,
              detail::kArmed);
    auto out = setup.ring.producer();
    ASSERT_TRUE(TypeParam::push(out, 1));
    EXPECT_TRUE(is_readable(descriptor));
    std::error_code code;
    EXPECT_EQ(decltype(in){}.readable_fd(code), -1);
    EXPECT_EQ(code, std::errc::bad_file_descriptor);
}

// ---- an epoll loop over several rings --------------------------------------------------------------------------------

/// Bursts of 1 to 7 messages into one ring or another, and an acknowledgement that is waited for: each burst needs its wake-up.
TEST(EpollLoop, LosesNoWakeUpOverAHundredThousandMessages) {
    constexpr std::uint64_t kMessages = 100'000;
    Named<OfNumbers> named(1h);  // after the first millisecond no timer helps out
    Anonymous<OfNumbers> anonymous(1h);
    Named<OfBytes> named_bytes(1h);
    Anonymous<OfBytes> anonymous_bytes(1h);
    const Numbers acknowledged = Numbers::anonymous({.capacity = 16});
    ChildProcess child([&] {
        auto out_0 = named.ring.producer();
        auto out_1 = anonymous.ring.producer();
        auto out_2 = named_bytes.ring.producer();
        auto out_3 = anonymous_bytes.ring.producer();
        auto answers = acknowledged.consumer();
        std::uint64_t chosen = 1;
        for (std::uint64_t sent = 0; sent != kMessages;) {
            chosen = chosen * 6364136223846793005u + 1442695040888963407u;
            const std::uint64_t burst = std::min(kMessages - sent, 1 + (chosen >> 40) % 7);
            for (std::uint64_t i = 0; i != burst; ++i, ++sent) {
                const std::uint64_t ring = chosen >> 62;
                const bool pushed = ring == 0   ? OfNumbers::push(out_0, sent)
                                    : ring == 1 ? OfNumbers::push(out_1, sent)
                                    : ring == 2 ? OfBytes::push(out_2, sent)
                                                : OfBytes::push(out_3, sent);
                if (!pushed) return 1;
            }
            for (std::uint64_t seen = 0; seen != sent;) {
                const auto answer = answers.pop();
                if (!answer) return 2;
                seen = *answer;
            }
        }
        return 0;
    });
    auto in_0 = named.ring.consumer();
    auto in_1 = anonymous.ring.consumer();
    auto in_2 = named_bytes.ring.consumer();
    auto in_3 = anonymous_bytes.ring.consumer();
    auto answer = acknowledged.producer();
    const EpollSet set;
    ASSERT_TRUE(set.add(in_0.readable_fd(), 0) && set.add(in_1.readable_fd(), 1) &&
                set.add(in_2.readable_fd(), 2) && set.add(in_3.readable_fd(), 3));
    std::vector<std::uint64_t> taken;
    std::uint64_t looks_for_nothing = 0;
    std::uint64_t of_burst_before = 0;
    while (taken.size() != kMessages) {
        const auto names = set.wait();
        ASSERT_FALSE(names.empty()) << "a wake-up was lost after " << taken.size() << " messages";
        const std::size_t before = taken.size();
        for (const std::uint64_t name : names) {
            const Status status = name == 0   ? drain<OfNumbers>(in_0, taken)
                                  : name == 1 ? drain<OfNumbers>(in_1, taken)
                                  : name == 2 ? drain<OfBytes>(in_2, taken)
                                              : drain<OfBytes>(in_3, taken);
            ASSERT_EQ(status, Status::empty);
        }
        looks_for_nothing += taken.size() == before ? 1 : 0;
        // The end of a burst is not marked: acknowledge what there is, the sender waits for its sum.
        if (taken.size() != of_burst_before) {
            of_burst_before = taken.size();
            ASSERT_TRUE(answer.push(taken.size()));
        }
    }
    EXPECT_TRUE(child.join().exited_with(0));
    for (std::uint64_t i = 0; i != kMessages; ++i) ASSERT_EQ(taken[i], i);
    std::printf("%llu looks for nothing\n", static_cast<unsigned long long>(looks_for_nothing));
}

}  // namespace
}  // namespace shmring::test
