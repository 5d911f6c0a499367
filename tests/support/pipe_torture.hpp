// One end of a pipe does one operation in a process that is killed after each instruction that anybody else could notice. Whoever has the
// other end, in a process of its own, gets everything that was acknowledged, and then hears of the end. The paths are in
// pipe_step_kill_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "shmring/detail/pipe_lane.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/pipe.hpp"
#include "support/child_process.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/stepped_victim.hpp"
#include "support/torture_kinds.hpp"
#include "support/torture_log.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {

/// What the other end does while the victim acts.
enum class Partner {
    at_hand,         ///< waits until it is all over
    unbound,         ///< likewise, and has not used its end before
    asleep_in_recv,  ///< in its blocking call; there is nothing for it
    asleep_in_send,  ///< likewise; there is no room for it
    reads_then,      ///< as soon as the victim is asleep
    writes_then,     ///< likewise
};

template <class T>
struct PipePath {
    static constexpr std::uint64_t kFull = 1000;  ///< as many as fit

    std::string name;
    bool duplex = true;
    bool victim_is_first = false;
    std::uint64_t before = 0;  ///< messages that have come and gone, each way
    std::uint64_t sent = 0;    ///< by the victim, and not received
    std::uint64_t coming = 0;  ///< to the victim, and not received
    std::uint64_t sends = 0;   ///< the operation, if it is not killed
    std::uint64_t takes = 0;
    Partner partner = Partner::at_hand;
    bool victim_is_bound = true;
    bool literally = false;
    bool is_long = false;  ///< ten thousands of instructions, with the same system calls each time
    /// What it took is told by `got(number)`.
    std::function<void(PipeEnd<T>&, const std::function<void(std::uint64_t)>& got)> operation{};
    /// What happened to the victim's end before it came.
    std::function<void(PipeEnd<T>&)> prepare{};
};

template <class T>
class PipeTorture {
    using End = PipeEnd<T>;
    using Path = PipePath<T>;

 public:
    static void run(const Path& path) {
        if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
        const std::string name = std::string(Message<T> ? "Pipe<uint64>: " : "Pipe<string>: ") + path.name +
                                 (path.literally ? " (each instruction)" : "");
        kill_at_each_step(
            {.name = name,
             .quarter = Message<T> ? 0U : 2U,
             .literally = path.literally,
             .is_long = path.is_long,
             .is_alone = path.partner == Partner::at_hand || path.partner == Partner::unbound},
            [&] { return PipeTorture(path); },
            [](PipeTorture& world, SteppedVictim& victim) { return world.kill(victim); },
            [](PipeTorture& world, const SteppedVictim& victim, bool finished, TortureReport& report) {
                world.settle(victim, finished, report);
            });
    }

 private:
    struct State {
        TortureLog log;                        // what the partner got
        TortureLog received;                   // what the victim got
        std::atomic<std::uint64_t> sent{0};    ///< before the operation, and not received by then
        std::atomic<std::uint64_t> coming{0};  ///< likewise
    };
    static constexpr std::uint32_t kReached = 1;  // the only step of each

    explicit PipeTorture(const Path& path)
        : path_(path),
          ends_(Pipe<T>::pair({.capacity = Message<T> ? 4U : 0U,
                               .capacity_bytes = Message<T> ? 0U : 160U,
                               .duplex = path.duplex,
                               .liveness_period = kTorturePeriod})) {
        if (path.prepare) path.prepare(theirs());
        partner_.emplace([this] { return live(); }, 3 * hang_time());
    }
    [[nodiscard]] End& theirs() { return path_.victim_is_first ? ends_.first : ends_.second; }
    [[nodiscard]] End& ours() { return path_.victim_is_first ? ends_.second : ends_.first; }
    /// Where whoever has this end sleeps, for messages or for room.
    [[nodiscard]] const Line& readable(bool at_first) const {
        return lane(at_first ? detail::PipeSide::first : detail::PipeSide::second).readable;
    }
    [[nodiscard]] const Line& writable(bool at_first) const {
        return lane(at_first ? detail::PipeSide::second : detail::PipeSide::first).writable;
    }
    [[nodiscard]] Control& lane(detail::PipeSide to) const {
        return detail::lane_control(ends_.first.segment(), to);
    }

    // ---- the other end ---------------------------------------------------------------------------------------------

    [[nodiscard]] int live() {
        theirs().close();  // our copy
        End& end = ours();
        end.set_wait_policy({.spin = std::chrono::nanoseconds(0)});
        if (path_.partner != Partner::unbound) {
            if (const int failed = set_up(end)) return failed;
            if (const int failed = act_meanwhile(end)) return failed;
        }
        if (!dead_->await(kReached)) return 20;
        return hear_of_the_end(end);
    }
    /// With the victim's set_up(): each waits for the other's messages.
    [[nodiscard]] int set_up(End& end) {
        std::error_code code;
        end.bind(code);
        if (code) return 21;
        if (path_.victim_is_bound) {
            for (std::uint64_t i = 0; i != path_.before; ++i) {
                if (end.writable() && !end.send(Numbered<T>::value(i))) return 22;
                if (end.readable() && number_of(end.try_recv_for(hang_time())) != i) return 23;
            }
        }
        state_->coming = fill(end, path_.coming);
        ready_->reach(kReached);
        return 0;
    }
    /// Sends so many, or as many as fit.
    [[nodiscard]] std::uint64_t fill(End& end, std::uint64_t count) const {
        std::uint64_t done = 0;
        while (done != count && end.try_send(Numbered<T>::value(path_.before + done))) ++done;
        return done;
    }
    [[nodiscard]] static std::uint64_t number_of(const Result<T>& got) {
        return got ? Numbered<T>::number(*got) : kTorn;
    }
    [[nodiscard]] int act_meanwhile(End& end) {
        switch (path_.partner) {
            case Partner::at_hand:
            case Partner::unbound:
                return 0;
            case Partner::asleep_in_recv: {
                const Result<T> got = end.try_recv_for(hang_time());
                if (got) state_->log.add({Status::ok, number_of(got), false});
                return got || got.error() == Status::closed ? 0 : 24;
            }
            case Partner::asleep_in_send: {
                const Status status = end.try_send_for(Numbered<T>::value(kOfSleeper), hang_time()).error();
                return status == Status::ok || status == Status::closed ? 0 : 25;
            }
            case Partner::reads_then:
            case Partner::writes_then:
                break;
        }
        while (state_->log.falls_asleep.load(std::memory_order_acquire) == 0) {
            if (state_->log.stop.load(std::memory_order_acquire) != 0) return 0;
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(300));  // by then it is in the kernel
        if (path_.partner == Partner::writes_then) {
            const Status status = end.try_send(Numbered<T>::value(kOfHelper)).error();
            return status == Status::ok || status == Status::closed ? 0 : 26;
        }
        const Result<T> got = end.try_recv();
        if (got) state_->log.add({Status::ok, number_of(got), false});
        return got ? 0 : 27;
    }
    /// What was sent comes; then, on every road, the end.
    [[nodiscard]] int hear_of_the_end(End& end) {
        if (end.readable()) {
            Result<T> got = end.try_recv_for(hang_time());
            for (; got; got = end.try_recv_for(hang_time()))
                state_->log.add({Status::ok, number_of(got), false});
            if (got.error() != Status::closed) return 30;
            if (!end.eof()) return 31;
        }
        if (end.writable()) {
            Status status = Status::ok;
            for (int i = 0; i != 6 && status == Status::ok; ++i)
                status = end.try_send_for(Numbered<T>::value(0), hang_time()).error();
            if (status != Status::closed) return 32;
        }
        state_->log.progress_ns.store(detail::platform::monotonic_ns(), std::memory_order_release);
        const PeerState peer = end.peer();
        return peer == PeerState::dead || peer == PeerState::left ? 0 : 33;
    }

    // ---- the victim ------------------------------------------------------------------------------------------------

    SteppedChild::End kill(SteppedVictim& victim) {
        return victim.kill(ends_.first.segment(), state_->log.falls_asleep, [&] {
            End& end = theirs();
            end.set_wait_policy({.spin = std::chrono::nanoseconds(0)});
            if (path_.victim_is_bound && !set_up_victim(end)) ::_exit(4);
            if (path_.partner != Partner::unbound && !ready_->await(kReached)) ::_exit(5);
            state_->sent = fill(end, path_.sent);  // now that the partner has received what came before
            await_partner();
            const auto got = [this](std::uint64_t number) {
                state_->received.add({Status::ok, number, false});
            };
            mark_for_stepping();
            path_.operation(end, got);
            mark_for_stepping();
            ::_exit(3);
        });
    }
    [[nodiscard]] bool set_up_victim(End& end) {
        std::error_code code;
        end.bind(code);
        if (code) return false;
        for (std::uint64_t i = 0; i != path_.before && path_.partner != Partner::unbound; ++i) {
            if (end.readable() && number_of(end.try_recv_for(hang_time())) != i) return false;
            if (end.writable() && !end.send(Numbered<T>::value(i))) return false;
        }
        return true;
    }
    void await_partner() const {
        const bool at_first = !path_.victim_is_first;
        if (path_.partner == Partner::asleep_in_recv) await_sleeper(readable(at_first));
        if (path_.partner == Partner::asleep_in_send) await_sleeper(writable(at_first));
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the first sleep lasts 1 ms
    }

    // ---- what is left ----------------------------------------------------------------------------------------------

    void settle(const SteppedVictim& victim, bool finished, TortureReport& report) {
        theirs().close();  // our copy
        state_->log.stop.store(1, std::memory_order_release);
        dead_->reach(kReached);
        const Ended ended = partner_->join();
        const bool hung = !ended.exited_with(0);
        EXPECT_FALSE(hung) << "the other end " << ended;
        report.hung += hung ? 1 : 0;
        if (hung) return;
        const TorturePlan plan{.first_inside = path_.before, .inside = state_->sent, .sends = path_.sends};
        const TortureJudgement found = judge(state_->log, plan, finished);
        EXPECT_EQ(found.first, "");
        report.lost += found.lost;
        report.repeated += found.repeated;
        judge_received(finished, report);
        victim.note_recovery(state_->log.progress_ns.load(std::memory_order_acquire), report);
    }
    /// The victim got what was there, in order, and all that it asked for if it came to its end.
    void judge_received(bool finished, TortureReport& report) {
        const TortureLog& received = state_->received;
        const std::uint64_t coming = state_->coming;
        const bool is_helped = path_.partner == Partner::writes_then;
        for (std::uint32_t i = 0; i != received.size(); ++i) {
            const bool right =
                received.taken[i].number == (is_helped && i == coming ? kOfHelper : path_.before + i);
            EXPECT_TRUE(right && i < path_.takes) << "the victim got " << received.taken[i].number;
            report.repeated += right ? 0 : 1;
        }
        if (!finished || received.size() == path_.takes) return;
        ADD_FAILURE() << "the victim got " << received.size() << " of " << path_.takes;
        ++report.lost;
    }

    const Path& path_;
    std::pair<End, End> ends_;
    Shared<State> state_{};
    Shared<Steps> ready_{};
    Shared<Steps> dead_{};
    std::optional<ChildProcess> partner_{};
};

}  // namespace shmring::test
