// Torture: one process does one operation on one ring, and is killed after each instruction that anybody else could notice. Survivors then
// move a message, get everything that is left, and find the ring exactly as large as it was. The paths are in torture_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <thread>

#include "shmring/detail/platform.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/stepped_victim.hpp"
#include "support/torture_kinds.hpp"
#include "support/torture_log.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {

/// Who stands on the other side of the ring while the victim acts.
enum class Peer {
    at_hand,  ///< somebody who comes when it is all over
    asleep,   ///< a process in its blocking call: in a push, if the victim reads
    acts,     ///< a process that does its part as soon as the victim is asleep
};

template <class Kind>
struct TorturePath {
    std::string name;
    bool is_reader = false;
    std::uint64_t capacity = 4;
    std::uint64_t before = 0;  ///< messages that have come and gone
    std::uint64_t inside = 0;
    std::uint64_t sends = 0;  ///< the operation, if it is not killed
    std::uint64_t takes = 0;
    Peer peer = Peer::at_hand;
    bool literally = false;  ///< after every instruction, not just after those that matter
    bool is_long = false;    ///< ten thousands of instructions, with the same system calls each time
    bool each_step = is_soak();
    bool in_place = false;  ///< a reader reads before it hands back: that call returns nothing
    /// The victim: marks the begin and the end of the operation by mark_for_stepping().
    std::function<void(const typename Kind::Ring&)> operation{};
    /// What happened before the victim came.
    std::function<void(const typename Kind::Ring&)> prepare{};
};

template <class Kind>
class Torture {
    using Ring = typename Kind::Ring;
    using Out = typename Kind::Out;
    using In = typename Kind::In;

 public:
    /// Kills after 0, 1, 2, ... steps until the operation gets done.
    static void run(const TorturePath<Kind>& path, Delivery delivery = Delivery::at_most_once) {
        if (testing::Test::HasFatalFailure() || testing::Test::IsSkipped()) return;
        std::string name = std::string(Kind::kName) + ": " + path.name;
        if (delivery == Delivery::at_least_once) name += ", at least once";
        if (path.literally) name += " (each instruction)";
        std::map<std::uintptr_t, std::uint64_t>
            gone;  // by the instruction that mattered last; any number may die behind it
        kill_at_each_step(
            {.name = name,
             .quarter = delivery == Delivery::at_least_once ? 2U : 0U,
             .literally = path.literally,
             .is_long = path.is_long,
             .is_alone = path.peer == Peer::at_hand,
             .each_step = path.each_step,
             .behind_each_call = path.each_step},
            [&] { return Torture(path, delivery); },
            [](Torture& world, SteppedVictim& victim) { return world.kill(victim); },
            [&](Torture& world, const SteppedVictim& victim, bool finished, TortureReport& report) {
                world.settle(victim, finished, report);
                std::uint64_t& here = gone[victim.steps().just_done()];
                if (!finished) here = std::max(here, world.gone_);
            });
        // Where a writer moves, too, what it does is taken for the victim's steps: more victims than two may die behind the same one.
        if (!path.literally && !path.in_place && !Kind::kHasSeats && path.peer == Peer::at_hand) {
            const std::uint64_t all =
                std::accumulate(gone.begin(), gone.end(), std::uint64_t{0},
                                [](std::uint64_t sum, const auto& place) { return sum + place.second; });
            EXPECT_LE(all, may_be_gone(path, delivery)) << name << ": dead in calls that had not returned";
        }
    }

 private:
    /// How many messages may go, uncounted, with all who die in the calls of a path: behind the last instruction that matters there is
    /// only the return; at_least_once and where sizes vary also between the places of a batch, and before the name goes. Two ways have two
    /// such instructions.
    [[nodiscard]] static std::uint64_t may_be_gone(const TorturePath<Kind>& path, Delivery delivery) {
        const bool one_by_one = delivery == Delivery::at_least_once || Kind::kSizesVary;
        const std::uint64_t partly = one_by_one ? path.takes * (path.takes + 1) / 2 : 0;
        return 2 * (path.takes + partly);
    }

    Torture(const TorturePath<Kind>& path, Delivery delivery)
        : path_(path), delivery_(delivery), ring_(Kind::make(path.capacity, delivery)) {
        {
            Out out = Kind::out(ring_);
            In in = Kind::in(ring_);
            for (std::uint64_t i = 0; i != path.before; ++i) {
                EXPECT_EQ(Kind::push(out, i), Status::ok);
                EXPECT_EQ(Kind::pop(in).number, i);
            }
            for (std::uint64_t i = 0; i != path.inside; ++i)
                EXPECT_EQ(Kind::push(out, path.before + i), Status::ok);
        }
        if (path.prepare) path.prepare(ring_);
        // Where there are seats, the test takes those of the survivors when they are free.
        if (!Kind::kHasSeats && path.peer != Peer::asleep) {
            out_.emplace(Kind::out(ring_));
            in_.emplace(Kind::in(ring_));
        }
        if (path.peer == Peer::asleep) start_sleeper();
        if (path.peer == Peer::acts) start_helper();
    }

    // ---- peers -----------------------------------------------------------------------------------------------------

    [[nodiscard]] static std::chrono::seconds peer_watchdog() { return 3 * hang_time(); }
    void start_sleeper() {
        peer_.emplace([this] { return path_.is_reader ? sleep_in_push() : sleep_in_pop(); }, peer_watchdog());
        const Line& line = path_.is_reader ? Kind::writable(ring_) : Kind::readable(ring_);
        await_sleeper(line);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the first sleep lasts 1 ms
    }
    /// Pops until it has the marker.
    int sleep_in_pop() {
        In in = Kind::in(ring_);
        for (;;) {
            const Taken taken = Kind::pop_within(in, hang_time());
            if (taken.status == Status::peer_lost) continue;
            if (taken.status == Status::closed) return hear_the_end();
            if (taken.status != Status::ok) return 10 + static_cast<int>(taken.status);
            log_->add(taken);
            if (taken.number != kMarker) continue;
            progress();
            return 0;
        }
    }
    /// The ring is full.
    int sleep_in_push() {
        Out out = Kind::out(ring_);
        for (;;) {
            const Status status = Kind::push_within(out, kOfSleeper, hang_time());
            if (status == Status::peer_lost) continue;
            if (status == Status::closed) return hear_the_end();
            progress();
            return status == Status::ok ? 0 : 10 + static_cast<int>(status);
        }
    }
    int hear_the_end() {
        log_->closed.store(1, std::memory_order_relaxed);
        progress();
        return 0;
    }
    void progress() { log_->progress_ns.store(detail::platform::monotonic_ns(), std::memory_order_release); }

    void start_helper() {
        peer_.emplace(
            [this] {
                std::optional<Out> out;
                std::optional<In> in;
                if (path_.is_reader)
                    out.emplace(Kind::out(ring_));
                else
                    in.emplace(Kind::in(ring_));
                while (log_->falls_asleep.load(std::memory_order_acquire) == 0) {
                    if (log_->stop.load(std::memory_order_acquire) != 0) return 0;
                    std::this_thread::sleep_for(std::chrono::microseconds(50));
                }
                std::this_thread::sleep_for(std::chrono::microseconds(300));  // by then it is in the kernel
                log_->acted.store(1, std::memory_order_relaxed);
                if (path_.is_reader) return Kind::push(*out, kOfHelper) == Status::ok ? 0 : 3;
                const Taken taken = Kind::pop(*in);
                if (taken.status == Status::ok) log_->add(taken);
                return taken.status == Status::ok ? 0 : 4;
            },
            peer_watchdog());
    }

    // ---- the victim ------------------------------------------------------------------------------------------------

    SteppedChild::End kill(SteppedVictim& victim) {
        return victim.kill(ring_.segment(), log_->falls_asleep, [&] {
            log_of_victim = &*log_;
            path_.operation(ring_);
            ::_exit(3);
        });
    }

    // ---- survivors -------------------------------------------------------------------------------------------------

    void settle(const SteppedVictim& victim, bool finished, TortureReport& report) {
        bool hung = false;
        if (path_.peer == Peer::acts) {
            log_->stop.store(1, std::memory_order_release);
            hung = !peer_->join().exited_with(0);
        }
        if (path_.peer == Peer::asleep && !path_.is_reader)
            hung |= !settle_with_reader();
        else
            hung |= !settle_with_both(path_.peer == Peer::asleep);
        EXPECT_FALSE(hung) << "a survivor hangs";
        report.hung += hung ? 1 : 0;
        if (hung) return;
        const bool closed = log_->closed.load(std::memory_order_relaxed) != 0;
        collect_rest();
        const TorturePlan plan{.first_inside = path_.before,
                               .inside = path_.inside,
                               .sends = path_.sends,
                               .takes = path_.takes,
                               .helper_pushed = path_.peer == Peer::acts && path_.is_reader &&
                                                log_->acted.load(std::memory_order_relaxed) != 0,
                               .sleeper_pushed = path_.peer == Peer::asleep && path_.is_reader && !closed,
                               .at_least_once = delivery_ == Delivery::at_least_once};
        const TortureJudgement found = judge(*log_, plan, finished);
        EXPECT_EQ(found.first, "");
        report.lost += found.lost;
        report.repeated += found.repeated;
        if constexpr (!Kind::kHasSeats) {
            const std::uint64_t counted = delivery_ == Delivery::at_least_once ? 0 : ring_.losses().lost;
            const bool in_its_call = path_.is_reader && log_->returned.load(std::memory_order_relaxed) == 0;
            const std::uint64_t missing = in_its_call && path_.sends == 0 ? found.moved : 0;
            gone_ = missing > counted ? missing - counted : 0;
            if (!path_.in_place && victim.steps().is_behind_a_call()) {
                EXPECT_EQ(gone_, 0U) << "handed back before a system call, in which it dies";
            }
        }
        victim.note_recovery(log_->progress_ns.load(std::memory_order_acquire), report);
        if (!closed && !testing::Test::HasFailure()) expect_exact_capacity();
    }
    /// The sleeping reader gets what is there, and then a message that was sent after the death; or it hears of the end.
    [[nodiscard]] bool settle_with_reader() {
        out_.emplace(Kind::out(ring_));
        const Status status = Kind::push_within(*out_, kMarker, hang_time());
        EXPECT_TRUE(status == Status::ok || status == Status::closed) << to_string(status);
        const bool ended = peer_->join().exited_with(0);
        in_.emplace(Kind::in(ring_));
        return ended;
    }
    /// The test is the survivor, in waiting calls: nobody calls recover().
    [[nodiscard]] bool settle_with_both(bool writer_sleeps) {
        if (!in_) in_.emplace(Kind::in(ring_));
        if (writer_sleeps) {
            if (!pop_until([this] { return log_->progress_ns.load(std::memory_order_acquire) != 0; }))
                return false;
            if (!peer_->join().exited_with(0)) return false;
        }
        if (!out_) out_.emplace(Kind::out(ring_));
        Status status = Status::timed_out;
        const bool was_sent = pop_until([&] {
            status = Kind::push_within(*out_, kMarker, kMoment);
            return status == Status::ok || status == Status::closed;
        });
        if (!was_sent) return false;
        if (status == Status::closed) log_->closed.store(1, std::memory_order_relaxed);
        const bool came = pop_until([&] { return log_->times(kMarker) != 0 || at_end_; });
        if (!writer_sleeps) progress();
        return came;
    }
    /// Takes messages until `is_over()`. False: not within the time in which a survivor hangs.
    template <class IsOver>
    [[nodiscard]] bool pop_until(IsOver&& is_over) {
        const std::uint64_t start_ns = detail::platform::monotonic_ns();
        while (!is_over()) {
            if (std::chrono::nanoseconds(detail::platform::monotonic_ns() - start_ns) > hang_time())
                return false;
            const Taken taken = Kind::pop_within(*in_, kMoment);
            if (taken.status == Status::ok) log_->add(taken);
            if (taken.status == Status::closed) at_end_ = true;
        }
        return true;
    }
    /// What was in a dead reader's hand may come behind everything else.
    void collect_rest() {
        if constexpr (requires { in_->recover(); }) (void)in_->recover();
        const auto time = Kind::kIsQueue ? 3 * kTorturePeriod : std::chrono::nanoseconds(0);
        for (Taken taken = Kind::pop_within(*in_, time); taken.status == Status::ok;
             taken = Kind::pop_within(*in_, time))
            log_->add(taken);
    }
    /// Neither a place too many nor one too few.
    void expect_exact_capacity() {
        for (std::uint64_t i = 0; i != path_.capacity; ++i)
            ASSERT_EQ(Kind::push_within(*out_, i, hang_time()), Status::ok) << "place " << i;
        ASSERT_EQ(Kind::push(*out_, 99), Status::full);
        for (std::uint64_t i = 0; i != path_.capacity; ++i) ASSERT_EQ(Kind::pop(*in_).number, i);
    }

    static constexpr std::chrono::nanoseconds kMoment = 2 * kTorturePeriod;

    const TorturePath<Kind>& path_;
    Delivery delivery_;
    Ring ring_;
    std::optional<Out> out_{};
    std::optional<In> in_{};
    Shared<TortureLog> log_{};
    std::optional<ChildProcess> peer_{};
    bool at_end_ = false;
    std::uint64_t gone_ = 0;  // with the victim, and uncounted
};

}  // namespace shmring::test
