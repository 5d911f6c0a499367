// One side of a ring in an event loop is interrupted after every few instructions, in the long form after each. The producer is
// killed in a push or a close that has to strike the bell: whatever it had done by then, the loop hears of it, and of its death.
// The consumer stands still in an empty answer while the producer acts: no stroke is lost.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"
#include "support/ring_internals.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = SpscRing<std::uint64_t>;

/// Instructions from one kill to the next: where time is short there is nothing to hit that takes fewer.
std::uint64_t stride() { return is_soak() ? 1 : 7; }

/// How far the victims came, all of them together.
struct Seen {
    int nothing = 0;    ///< nothing was published
    int unstruck = 0;   ///< published, the line still armed
    int bit_taken = 0;  ///< published and the bit taken: with the stroke, or without
    int looks_most = 0;
};

class ReadableFdKill : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// Kills one producer, and lets the loop go on until it has heard of the death.
    SteppedChild::End kill_once(std::uint64_t instructions, const std::function<void(Ring::Producer&)>& act) {
        const Ring ring = Ring::anonymous(
            {.capacity = 4, .participants = 4, .liveness_period = 2ms, .segment = {.bell = true}});
        Ring::Consumer in = ring.consumer();
        const int descriptor = in.readable_fd();
        // Armed, and not looking again before the victim is dead.
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
            Ring::Producer out = ring.producer();
            mark_for_stepping();
            act(out);
            mark_for_stepping();
        });
        if (end == SteppedChild::End::cannot_be_traced || end == SteppedChild::End::failed) return end;
        const bool armed =
            (control_of(ring).readable.word.load(std::memory_order_acquire) & detail::kArmed) != 0;
        std::uint64_t messages = 0;
        Status status = Status::empty;
        int looks = 0;
        for (; status == Status::empty; ++looks) {
            EXPECT_LT(looks, 100) << "neither the end nor the death was told";
            EXPECT_TRUE(becomes_readable(descriptor));
            if (HasFailure()) return SteppedChild::End::failed;
            for (;;) {
                const auto number = in.try_pop();
                status = number.error();
                if (!number) break;
                ++messages;
            }
        }
        EXPECT_TRUE(status == Status::peer_lost || status == Status::closed) << to_string(status);
        EXPECT_TRUE(is_readable(descriptor)) << "what ended the stream stays to be told";
        const bool published = messages != 0 || status == Status::closed;
        (!published ? seen_.nothing : armed ? seen_.unstruck : seen_.bit_taken) += 1;
        if (looks > seen_.looks_most) seen_.looks_most = looks;
        return end;
    }
    void kill_everywhere(const char* name, const std::function<void(Ring::Producer&)>& act) {
        for (std::uint64_t instructions = 0;; instructions += stride()) {
            const SteppedChild::End end = kill_once(instructions, act);
            if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, SteppedChild::End::failed) << name << " after " << instructions << " instructions";
            if (end == SteppedChild::End::finished) break;
        }
        std::printf("%s: %d found nothing, %d a line still armed, %d the bit taken; %d looks at most\n", name,
                    seen_.nothing, seen_.unstruck, seen_.bit_taken, seen_.looks_most);
        EXPECT_GT(seen_.nothing, 0);
        EXPECT_GT(seen_.bit_taken, 0);
    }

    Seen seen_{};
};

TEST_F(ReadableFdKill, InAPush) {
    kill_everywhere("a push", [](Ring::Producer& out) { (void)out.push(1); });
}

TEST_F(ReadableFdKill, InAClose) {
    kill_everywhere("a close", [](Ring::Producer& out) { out.close(); });
}

// ---- the consumer stands still -------------------------------------------------------------------------------------

/// `producer_acts` while the consumer is on its way through an empty answer. Afterwards the line is armed or the bell is struck:
/// otherwise the next message would find nobody to tell, and nobody told.
void interrupt_an_empty_answer(const std::function<void(const Ring&)>& producer_acts) {
    constexpr std::uint64_t kClosely = 600;  // until it is armed, silent and timed: then it only looks
    int interrupted = 0;
    for (std::uint64_t instructions = 0;;
         instructions += is_soak() || instructions < kClosely ? stride() : 97) {
        const Ring ring = Ring::anonymous(
            {.capacity = 4, .participants = 4, .liveness_period = 1h, .segment = {.bell = true}});
        const auto armed = [&ring] {
            return (control_of(ring).readable.word.load(std::memory_order_acquire) & detail::kArmed) != 0;
        };
        const auto consumer = [&] {
            Ring::Consumer in = ring.consumer();
            (void)in.readable_fd();
            mark_for_stepping();
            const bool took_it = in.try_pop().has_value();
            mark_for_stepping();
            const bool struck = is_readable(ring.segment().bell_descriptor());
            if (!struck && !armed()) ::_exit(3);
            if (!struck && !took_it && in.try_pop()) ::_exit(4);
        };
        const SteppedChild::End end =
            SteppedChild::stop_after(instructions, consumer, [&] { producer_acts(ring); });
        if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
        ASSERT_NE(end, SteppedChild::End::failed)
            << "interrupted after " << instructions << " instructions: a stroke was lost";
        if (end == SteppedChild::End::finished) break;
        ++interrupted;
    }
    EXPECT_GT(interrupted, 20);
}

TEST(ReadableFdInterrupted, ByAMessage) {
    interrupt_an_empty_answer([](const Ring& ring) { (void)ring.producer().push(1); });
}

TEST(ReadableFdInterrupted, ByALateStrokeForWhatWasTakenBefore) {
    interrupt_an_empty_answer([](const Ring& ring) {
        const std::uint64_t one = 1;
        const bool was_armed = detail::EventCount<detail::ShippedEnv>::disarm(control_of(ring).readable);
        EXPECT_TRUE(!was_armed || ::write(ring.segment().bell_descriptor(), &one, sizeof one) == 8);
    });
}

}  // namespace
}  // namespace shmring::test
