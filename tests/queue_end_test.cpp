// The end of a queue with its last explicit producer (QueueOptions::ends_with_last_producer), on both lanes: however it leaves, the
// consumers get what is left and then closed, and nothing before.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/queue.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/shared.hpp"
#include "support/soak.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Deaths are noticed: what is seen sooner was told by who left.
constexpr std::chrono::nanoseconds kNever = 1h;

template <class T>
class QueueEnd : public QueueOf<T> {
 protected:
    [[nodiscard]] static Queue<T> make(std::chrono::nanoseconds liveness_period = 2ms) {
        return Queue<T>::anonymous(ending<T>(8, liveness_period));
    }
    /// Binds, puts `count` values from `first` on, and lives on as `rest` says.
    template <class Rest>
    [[nodiscard]] ChildProcess producer(const Queue<T>& queue, std::uint64_t first, std::uint64_t count,
                                        Rest&& rest) const {
        return ChildProcess([&queue, first, count, rest, this] {
            auto mine = queue.attach();
            mine.bind_producer();
            for (std::uint64_t i = 0; i != count; ++i)
                if (!mine.push(this->value(first + i))) return 1;
            return rest(mine);
        });
    }
    [[nodiscard]] ChildProcess killed_producer(const Queue<T>& queue, std::uint64_t first,
                                               std::uint64_t count) const {
        return producer(queue, first, count, [](auto&) { return ::raise(SIGKILL); });
    }
    /// Everything up to the end, which must come.
    static void expect_end_after(Queue<T>& queue, std::uint64_t first, std::uint64_t count) {
        for (std::uint64_t i = 0; i != count; ++i) {
            const auto got = queue.pop();
            ASSERT_TRUE(got) << i;
            ASSERT_EQ(number_of(*got), first + i);
        }
        EXPECT_EQ(queue.pop().error(), Status::closed);
        EXPECT_TRUE(queue.was_closed());
    }
    static void expect_no_end(Queue<T>& queue) {
        EXPECT_EQ(queue.try_pop_for(20ms).error(), Status::timed_out);  // ten periods
        EXPECT_FALSE(queue.was_closed());
    }
};
TYPED_TEST_SUITE(QueueEnd, QueueTypes);

TYPED_TEST(QueueEnd, TheLastExplicitProducerDetachesAndItsValuesAreStillRead) {
    auto queue = this->make(kNever);
    auto out = queue.attach();
    out.bind_producer();
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(out.push(this->value(i)));
    EXPECT_FALSE(queue.was_closed());
    out.detach();
    EXPECT_EQ(out.push(this->value(9)).error(), Status::closed) << "late";
    EXPECT_EQ(queue.attach().try_push(this->value(9)).error(), Status::closed);
    this->expect_end_after(queue, 0, 3);
}

TYPED_TEST(QueueEnd, TheLastOneIsDestroyedReplacedOrExitsThroughItsDestructor) {
    for (const bool replaced : {false, true}) {
        auto queue = this->make(kNever);
        {
            auto out = queue.attach();
            out.bind_producer();
            ASSERT_TRUE(out.push(this->value(1)));
            if (replaced) out = Queue<TypeParam>();
            EXPECT_EQ(queue.was_closed(), replaced);
        }
        this->expect_end_after(queue, 1, 1);
    }
    auto queue = this->make(kNever);
    EXPECT_TRUE(this->producer(queue, 5, 2, [](auto&) { return 0; }).join().exited_with(0));
    this->expect_end_after(queue, 5, 2);
}

TYPED_TEST(QueueEnd, TheLastOneIsKilledOrExitsWithoutItsDestructor) {
    auto killed = this->make();
    EXPECT_TRUE(this->killed_producer(killed, 0, 3).join().killed_by(SIGKILL));
    this->expect_end_after(killed, 0, 3);
    auto gone = this->make();
    const auto leave = [](auto&) {
        ::_exit(7);
        return 0;
    };
    EXPECT_TRUE(this->producer(gone, 4, 1, leave).join().exited_with(7));
    this->expect_end_after(gone, 4, 1);
}

TYPED_TEST(QueueEnd, OneThatDiesBeforeItIsCountedHasNotBeenThere) {
    auto queue = this->make();
    ChildProcess half([&] {
        std::error_code code;
        const auto mine = detail::Participant::attach(queue.segment(), detail::Role::explicit_producer, code);
        return mine ? ::raise(SIGKILL) : 1;
    });
    EXPECT_TRUE(half.join().killed_by(SIGKILL));
    this->expect_no_end(queue);
    EXPECT_TRUE(this->killed_producer(queue, 0, 2).join().killed_by(SIGKILL));
    this->expect_end_after(queue, 0, 2);
}

TYPED_TEST(QueueEnd, OneOfTwoLeavesAndTheQueueGoesOn) {
    auto queue = this->make();
    auto stays = queue.attach();
    stays.bind_producer();
    EXPECT_TRUE(this->killed_producer(queue, 0, 1).join().killed_by(SIGKILL));
    EXPECT_EQ(number_of(*queue.pop()), 0U);
    this->expect_no_end(queue);
    {
        auto second = queue.attach();
        second.bind_producer();
    }
    this->expect_no_end(queue);
    ASSERT_TRUE(stays.push(this->value(1)));
    stays.detach();
    this->expect_end_after(queue, 1, 1);
}

TYPED_TEST(QueueEnd, ProducersThatDidNotBindDoNotCount) {
    auto queue = this->make();
    auto implicit = queue.attach();
    ASSERT_TRUE(implicit.push(this->value(0)));
    implicit.detach();
    EXPECT_EQ(number_of(*queue.pop()), 0U);
    this->expect_no_end(queue);

    ASSERT_TRUE(implicit.push(this->value(1)));
    EXPECT_TRUE(this->killed_producer(queue, 2, 1).join().killed_by(SIGKILL));
    this->expect_end_after(queue, 1, 2);
    EXPECT_EQ(implicit.push(this->value(3)).error(), Status::closed) << "though it is still there";
}

TYPED_TEST(QueueEnd, OneThatHasPushedBeforeItBindsCountsFromThenOn) {
    auto queue = this->make(kNever);
    auto out = queue.attach();
    ASSERT_TRUE(out.push(this->value(0)));
    out.bind_producer();
    out.bind_producer();  // once more: counts once
    out.detach();
    this->expect_end_after(queue, 0, 1);
}

TYPED_TEST(QueueEnd, ANewExplicitProducerBeforeAnybodySawTheEndGoesOn) {
    auto queue = this->make();
    EXPECT_TRUE(this->killed_producer(queue, 0, 1).join().killed_by(SIGKILL));
    auto successor = queue.attach();  // and nobody has looked since
    successor.bind_producer();
    EXPECT_EQ(number_of(*queue.pop()), 0U);
    this->expect_no_end(queue);
    ASSERT_TRUE(successor.push(this->value(1)));
    successor.detach();
    this->expect_end_after(queue, 1, 1);
}

TYPED_TEST(QueueEnd, AQueueThatWasNotMadeSoDoesNotEnd) {
    auto queue = queue_of<TypeParam>(8);
    EXPECT_TRUE(this->killed_producer(queue, 0, 1).join().killed_by(SIGKILL));
    {
        auto out = queue.attach();
        out.bind_producer();
    }
    EXPECT_EQ(number_of(*queue.pop()), 0U);
    this->expect_no_end(queue);
}

TYPED_TEST(QueueEnd, SleepersInThreeProcessesWakeWithClosed) {
    for (const bool is_killed : {false, true}) {
        auto queue = this->make(is_killed ? std::chrono::nanoseconds(2ms) : kNever);
        Turnstile begin;
        ChildProcess last([&] {
            auto mine = queue.attach();
            mine.bind_producer();
            if (!begin.pass()) return 1;
            if (is_killed) ::raise(SIGKILL);
            return 0;
        });
        std::vector<std::unique_ptr<ChildProcess>> sleepers;
        for (int i = 0; i != 3; ++i)
            sleepers.push_back(std::make_unique<ChildProcess>(
                [&] { return queue.pop().error() == Status::closed ? 0 : 1; }));
        std::this_thread::sleep_for(30ms);  // asleep by now, most likely: awake they must hear it as well
        begin.let_through();
        const Ended ended = last.join();
        EXPECT_TRUE(is_killed ? ended.killed_by(SIGKILL) : ended.exited_with(0)) << ended;
        for (auto& sleeper : sleepers) EXPECT_TRUE(sleeper->join().exited_with(0));
    }
}

TYPED_TEST(QueueEnd, AProducerThatSleepsForRoomHearsIt) {
    auto queue = Queue<TypeParam>::anonymous(ending<TypeParam>(1));
    ASSERT_TRUE(queue.push(this->value(0)));
    ChildProcess waits([&] { return queue.attach().push(this->value(1)).error() == Status::closed ? 0 : 1; });
    std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(this->killed_producer(queue, 0, 0).join().killed_by(SIGKILL));
    EXPECT_TRUE(waits.join().exited_with(0));
    this->expect_end_after(queue, 0, 1);
}

TYPED_TEST(QueueEnd, WhoPollsWaitsForManyOrForADescriptorHearsIt) {
    QueueOptions options = ending<TypeParam>(8);
    options.segment.bell = true;
    auto polled = Queue<TypeParam>::anonymous(options);
    auto waited = Queue<TypeParam>::anonymous(options);
    auto watched = Queue<TypeParam>::anonymous(options);
    auto other = queue_of<TypeParam>(1);
    pollfd readable{watched.readable_fd(), POLLIN, 0};
    EXPECT_EQ(watched.try_pop().error(), Status::empty);  // from here on unreadable
    for (auto* queue : {&polled, &waited, &watched}) {
        EXPECT_TRUE(this->killed_producer(*queue, 0, 0).join().killed_by(SIGKILL));
    }

    Status status = Status::empty;
    while (status == Status::empty) status = polled.try_pop().error();  // the alarm is the watchdog
    EXPECT_EQ(status, Status::closed);
    EXPECT_EQ(*wait_any(other, waited), 1U);
    EXPECT_EQ(waited.try_pop().error(), Status::closed);
    do {
        ASSERT_EQ(::poll(&readable, 1, 60'000), 1);
        status = watched.try_pop().error();
    } while (status == Status::empty);  // readable for nothing: the timer's first stroke
    EXPECT_EQ(status, Status::closed);
}

TYPED_TEST(QueueEnd, OfTwoThatLeaveAtOnceOneTellsTheSleepers) {
    for (int round = 0; round != (is_soak() ? 5000 : 200); ++round) {
        auto queue = this->make(kNever);
        std::atomic<int> there{0};
        const auto come_and_go = [&] {
            auto mine = queue.attach();
            mine.bind_producer();
            there.fetch_add(1);
            while (there.load() != 2) std::this_thread::yield();
        };
        std::thread one(come_and_go);
        std::thread other(come_and_go);
        const auto got = queue.pop();
        one.join();
        other.join();
        ASSERT_EQ(got.error(), Status::closed);
    }
}

/// Each comes before the one before it leaves, while two others look for the end all the time.
TYPED_TEST(QueueEnd, AHandOverFromOneToTheNextIsNoEnd) {
    auto queue = Queue<TypeParam>::anonymous(ending<TypeParam>(8, 100us));
    auto current = std::make_unique<Queue<TypeParam>>(queue.attach());
    current->bind_producer();
    std::atomic<std::uint64_t> received{0};
    std::vector<std::thread> readers;
    for (int i = 0; i != 2; ++i)
        readers.emplace_back([&] {
            auto mine = queue.attach();
            while (mine.pop()) received.fetch_add(1);
        });
    const std::uint64_t hand_overs = is_soak() ? 20'000 : 500;
    std::uint64_t sent = 0;
    for (; sent != hand_overs && current->push(this->value(sent)); ++sent) {
        auto next = std::make_unique<Queue<TypeParam>>(queue.attach());
        next->bind_producer();
        current = std::move(next);
    }
    EXPECT_EQ(sent, hand_overs) << "it ended too early";
    current.reset();
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(received.load(), sent);
}

/// Producers that are killed while they put; what was acknowledged comes once, then the end.
TYPED_TEST(QueueEnd, NothingThatWasAcknowledgedIsLost) {
    constexpr std::uint64_t kProducers = 3;
    constexpr std::uint64_t kMost = 4096;
    struct Board {
        std::array<std::atomic<std::uint64_t>, kProducers> acknowledged{};
        std::array<std::atomic<std::uint8_t>, kProducers * kMost> received{};
    };
    std::minstd_rand random(7);
    for (int round = 0; round != (is_soak() ? 500 : 15); ++round) {
        auto queue = this->make();
        Shared<Board> board;
        Turnstile bound;
        std::vector<std::unique_ptr<ChildProcess>> producers;
        std::vector<std::unique_ptr<ChildProcess>> consumers;
        for (std::uint64_t which = 0; which != kProducers; ++which)
            producers.push_back(std::make_unique<ChildProcess>([&, which] {
                auto mine = queue.attach();
                mine.bind_producer();
                bound.let_through();
                for (std::uint64_t i = 0; i != kMost && mine.push(this->value(which * kMost + i)); ++i)
                    board->acknowledged[which].store(i + 1);
                return 0;
            }));
        for (int i = 0; i != 2; ++i)
            consumers.push_back(std::make_unique<ChildProcess>([&] {
                auto mine = queue.attach();
                for (const TypeParam& value : mine) board->received[number_of(value)].fetch_add(1);
                return mine.error() == Status::closed ? 0 : 1;
            }));
        for (std::uint64_t i = 0; i != kProducers; ++i) ASSERT_TRUE(bound.pass());
        for (auto& producer : producers) {
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
            producer->kill(SIGKILL);
        }
        for (auto& producer : producers) (void)producer->join();  // killed, or done before
        for (auto& consumer : consumers) ASSERT_TRUE(consumer->join().exited_with(0));
        for (std::uint64_t which = 0; which != kProducers; ++which)
            for (std::uint64_t i = 0; i != kMost; ++i) {
                const unsigned times = board->received[which * kMost + i].load();
                const std::uint64_t acknowledged = board->acknowledged[which].load();
                if (i < acknowledged)
                    ASSERT_EQ(times, 1U) << which << ":" << i;
                else if (i == acknowledged)
                    ASSERT_LE(times, 1U) << "it died in this call";
                else
                    ASSERT_EQ(times, 0U) << which << ":" << i;
            }
    }
}

// ---- names, headers, errors ----------------------------------------------------------------------------------------

TEST(QueueEndByName, WhoOpensAQueueHonoursHowItWasMade) {
    const UniqueName name;
    auto made = Queue<int>::create(name, ending<int>(4, kNever));
    auto found = Queue<int>::open(name);
    found.bind_producer();
    ASSERT_TRUE(found.push(1));
    found.detach();
    EXPECT_EQ(*made.pop(), 1);
    EXPECT_EQ(made.pop().error(), Status::closed);
    EXPECT_TRUE(Queue<int>::open(name).was_closed());
}

TEST(QueueEndByName, WithoutCrashRecoveryOnlyLeavingEndsIt) {
    QueueOptions options = ending<std::uint64_t>(4);
    void* memory = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    auto queue = Queue<std::uint64_t>::create_in({static_cast<std::byte*>(memory), 1 << 20}, options);
    auto dead = ChildProcess([&] {
        queue.bind_producer();
        return ::raise(SIGKILL);
    });
    EXPECT_TRUE(dead.join().killed_by(SIGKILL));
    EXPECT_EQ(queue.try_pop_for(20ms).error(), Status::timed_out) << "no death can be noticed here";
    EXPECT_FALSE(queue.was_closed());

    auto other = Queue<std::uint64_t>::create_in({static_cast<std::byte*>(memory), 1 << 20}, options);
    auto out = other.attach();
    out.bind_producer();
    out.detach();
    EXPECT_EQ(other.pop().error(), Status::closed);
}

}  // namespace
}  // namespace shmring::test
