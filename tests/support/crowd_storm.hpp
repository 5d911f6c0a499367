// A storm over a ring of many: four senders and four receivers, each a process of its own, of which one to three at a time are killed
// with SIGKILL at random moments and followed by others, at once or later. Whoever survives must go on; the oracle checks the rest.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "support/child_process.hpp"
#include "support/crowd_journal.hpp"
#include "support/crowd_oracle.hpp"
#include "support/crowd_report.hpp"
#include "support/crowd_roles.hpp"
#include "support/crowd_stand.hpp"
#include "support/shared.hpp"

namespace shmring::test {

template <class Traffic>
class CrowdStorm {
 public:
    explicit CrowdStorm(const CrowdPlan& plan)
        : plan_(plan),
          random_(plan.seed),
          ring_(Traffic::make(plan)),
          oracle_(board_->senders, kSide, redelivers()) {}

    [[nodiscard]] CrowdReport run() {
        for (Member& member : members_) start(member);
        while (report_.kills + report_.stops < static_cast<std::uint64_t>(plan_.kills) && step())
            plan_.stops_only ? halt() : strike();
        finish();
        for (Member& member : members_) member.process.reset();
        report_.add(oracle_, ring_.losses(), redelivers());
        return report_;
    }

 private:
    static constexpr std::size_t kSide = 4;
    static constexpr std::size_t kLives = 512;  // of senders: nine bits of a byte message's tag
    static constexpr std::uint64_t kHang_ns = 10'000'000'000;
    static constexpr std::uint64_t kSuspicious_ns = 20'000'000;
    static constexpr std::chrono::seconds kChildWatchdog{1800};  // kHang_ns is what catches a hang

    struct Board {
        std::atomic<std::uint32_t> stop{0};
        std::array<SenderJournal, kLives> senders{};  // [0] is nobody
        std::array<CrowdReceiverJournal, kSide> receivers{};
    };
    struct Stopwatch {
        std::uint64_t start_ns = 0;
        bool in_hand = false;  ///< somebody was killed with a claim or a View in hand
    };
    /// One of the eight places, and who is in it.
    struct Member {
        std::optional<ChildProcess> process{};
        std::uint64_t sender = 0;        ///< the number of this life, where it is a sender
        std::uint64_t starts_at_ns = 0;  ///< nobody is in it until then
        bool is_killed = false;          ///< and not yet waited for
        bool was_asleep = false;         ///< just before it was killed
        std::uint64_t moved = 0;         ///< messages, when it was last looked at
        std::uint64_t moved_at_ns = 0;
        std::vector<Stopwatch> stopwatches{};  ///< started by the kills since it last moved
    };

    [[nodiscard]] static std::uint64_t now_ns() { return detail::platform::monotonic_ns(); }
    [[nodiscard]] std::uint64_t draw(std::uint64_t choices) { return random_() % choices; }
    [[nodiscard]] bool redelivers() const { return plan_.delivery == Delivery::at_least_once; }
    [[nodiscard]] std::size_t index(const Member& member) const {
        return static_cast<std::size_t>(&member - members_.data());
    }
    [[nodiscard]] bool is_sender(const Member& member) const { return index(member) < kSide; }
    [[nodiscard]] std::size_t receiver(const Member& member) const { return index(member) - kSide; }

    // ---- lives -----------------------------------------------------------------------------------------------------

    void start(Member& member) {
        constexpr std::array<std::uint32_t, 4> kPauses = {4096, 512, 64, 3};
        const std::uint32_t pause_every = kPauses[draw(kPauses.size())];
        const auto waiting = draw(2) == 0 ? Waiting::spin : Waiting::block;
        const WaitPolicy policy{.spin = draw(2) == 0 ? std::chrono::nanoseconds(0) : WaitPolicy{}.spin};
        auto style = static_cast<Style>(draw(3));
        const std::minstd_rand random(random_());
        member.stopwatches.clear();
        member.moved_at_ns = now_ns();
        if (is_sender(member)) {
            member.sender = ++senders_;
            SenderJournal& journal = board_->senders[senders_];
            member.process.emplace(
                [&] {
                    return send_in_crowd<Traffic>(ring_, {style, waiting, senders_, journal, random, true},
                                                  policy, pause_every, board_->stop);
                },
                kChildWatchdog);
        } else {
            if (plan_.receives_in_place_only) style = Style::in_place;
            CrowdReceiverJournal& journal = board_->receivers[receiver(member)];
            journal.start_afresh();
            member.process.emplace(
                [&] {
                    return receive_in_crowd<Traffic>(ring_, {style, waiting, redelivers(), journal, random},
                                                     policy, pause_every);
                },
                kChildWatchdog);
        }
        member.moved = moved(member);
    }
    [[nodiscard]] std::uint64_t moved(const Member& member) const {
        return is_sender(member) ? board_->senders[member.sender].sent.load(std::memory_order_acquire)
                                 : board_->receivers[receiver(member)].logged.load(std::memory_order_acquire);
    }

    // ---- kills -----------------------------------------------------------------------------------------------------

    /// One, two or three at a time. Now and then the dead stay zombies for a while.
    void strike() {
        const std::size_t most = draw(6) == 0 ? 3 : draw(4) == 0 ? 2 : 1;
        std::vector<Member*> victims;
        for (std::size_t i = 0; i != most; ++i) {
            Member& victim = members_[draw(members_.size())];
            if (!victim.process || has_ended(victim)) continue;
            if (std::find(victims.begin(), victims.end(), &victim) != victims.end()) continue;
            victim.was_asleep = is_asleep(victim.process->pid());
            victim.process->kill(SIGKILL);
            victim.is_killed = true;
            victims.push_back(&victim);
        }
        if (draw(8) == 0) (void)watch_for(draw(3'000'000));
        const std::uint64_t before = report_.died_with_claim + report_.died_with_view;
        for (Member* victim : victims) bury(*victim);
        const bool in_hand = report_.died_with_claim + report_.died_with_view != before;
        for (Member& survivor : members_)
            if (survivor.process && !victims.empty()) survivor.stopwatches.push_back({now_ns(), in_hand});
    }
    /// Up to three at a time, for longer than a liveness period.
    void halt() {
        std::vector<Member*> stopped;
        for (std::size_t i = draw(3); i != 3; ++i) stopped.push_back(&members_[draw(members_.size())]);
        for (const Member* member : stopped) member->process->kill(SIGSTOP);
        (void)watch_for(draw(3 * static_cast<std::uint64_t>(plan_.liveness_period.count())));
        for (const Member* member : stopped) member->process->kill(SIGCONT);
        report_.stops += stopped.size();
    }
    void bury(Member& victim) {
        const Ended ended = victim.process->join();
        if (!ended.killed_by(SIGKILL)) fail(victim, ended);
        victim.process.reset();
        victim.is_killed = false;
        ++report_.kills;
        const Doing doing = is_sender(victim) ? board_->senders[victim.sender].doing.load()
                                              : board_->receivers[receiver(victim)].doing.load();
        ++report_.died_doing[static_cast<std::size_t>(doing)];
        report_.died_asleep_in_call += doing == Doing::calling && victim.was_asleep ? 1 : 0;
        if (is_sender(victim)) {
            ++report_.sender_kills;
            report_.died_with_claim +=
                board_->senders[victim.sender].has_claim.load(std::memory_order_acquire);
        } else {
            drain(receiver(victim));
            const CrowdReceiverJournal& journal = board_->receivers[receiver(victim)];
            report_.died_with_view += journal.has_view.load(std::memory_order_acquire);
            oracle_.died(receiver(victim), journal);
        }
        // Who comes at once repairs at once; so that survivors have to, others come later.
        const auto period = static_cast<std::uint64_t>(plan_.liveness_period.count());
        victim.starts_at_ns = now_ns() + (draw(2) == 0 ? 0 : draw(2 * period));
    }
    [[nodiscard]] static bool is_asleep(pid_t process) {
        std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
        std::string fields;
        std::getline(stat, fields);
        const std::size_t name_end = fields.rfind(')');  // a name may hold anything
        return name_end != std::string::npos && fields.compare(name_end, 3, ") S") == 0;
    }
    [[nodiscard]] static bool has_ended(const Member& member) {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(member.process->pid()), &info,
                        WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    // ---- looking on ------------------------------------------------------------------------------------------------

    [[nodiscard]] bool step() {
        const auto longest_ns =
            static_cast<std::uint64_t>(std::chrono::nanoseconds(plan_.longest_rest).count());
        return watch_for(draw(longest_ns + 1)) && senders_ + kSide < kLives;
    }
    /// False when something went wrong.
    [[nodiscard]] bool watch_for(std::uint64_t span_ns) {
        const std::uint64_t end_ns = now_ns() + span_ns;
        do {
            if (!look()) return false;
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        } while (now_ns() < end_ns);
        return true;
    }
    [[nodiscard]] bool look() {
        for (std::size_t i = 0; i != kSide; ++i) drain(i);
        const std::uint64_t now = now_ns();
        for (Member& member : members_) {
            if (!member.process) {
                if (now >= member.starts_at_ns) start(member);
                continue;
            }
            const std::uint64_t moved_now = moved(member);
            if (moved_now != member.moved) {
                member.moved = moved_now;
                member.moved_at_ns = now;
                for (const Stopwatch& watch : member.stopwatches)
                    (watch.in_hand ? report_.stuck : report_.recoveries).add(now - watch.start_ns);
                member.stopwatches.clear();
            } else if (now - member.moved_at_ns > kSuspicious_ns && !member.is_killed && has_ended(member)) {
                fail(member, member.process->join());
            } else if (now - member.moved_at_ns > kHang_ns && !member.is_killed) {
                fail(member, {});
            }
        }
        for (const CrowdReceiverJournal& journal : board_->receivers)
            if (journal.torn.load(std::memory_order_acquire) != 0) (void)oracle_.judge_torn({});
        if (oracle_.fault() != CrowdFault::none && report_.failure.empty()) report_.failure = oracle_.text();
        return report_.failure.empty();
    }
    void drain(std::size_t receiver) {
        board_->receivers[receiver].drain(
            [&](const Reception& reception) { (void)oracle_.judge(receiver, reception); });
    }

    // ---- the end ---------------------------------------------------------------------------------------------------

    void finish() {
        if (!report_.failure.empty()) return;
        for (Member& member : members_)
            if (!member.process) start(member);
        board_->stop.store(1, std::memory_order_release);
        if (!await_end(0, kSide)) return;
        ring_.producer().close();
        if (!await_end(kSide, members_.size())) return;
        (void)ring_.producer().recover();  // nobody stood still for them, so nobody counted them yet
        if (oracle_.judge_end() != CrowdFault::none) report_.failure = oracle_.text();
    }
    [[nodiscard]] bool await_end(std::size_t from, std::size_t to) {
        const std::uint64_t start_ns = now_ns();
        for (std::size_t i = from; i != to; ++i) {
            Member& member = members_[i];
            while (!has_ended(member)) {
                for (std::size_t each = 0; each != kSide; ++each) drain(each);
                if (now_ns() - start_ns > kHang_ns) return fail(member, {});
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            }
            const Ended ended = member.process->join();
            if (!ended.exited_with(kDone)) return fail(member, ended);
            if (!is_sender(member)) drain(receiver(member));
        }
        return true;
    }
    /// Everything that a reader of a failed test wants to know.
    bool fail(const Member& which, const Ended& ended) {
        std::ostringstream out;
        out << (is_sender(which) ? "a sender " : "a receiver ") << ended << " after " << report_.kills
            << " kills of seed " << plan_.seed << ", oracle: " << oracle_.text() << ";";
        for (const Member& member : members_)
            out << (is_sender(member) ? " sender " : " receiver ") << index(member) << " moved "
                << moved(member) << ", last " << (now_ns() - member.moved_at_ns) / 1'000'000 << " ms ago;";
        out << stand_of(ring_.segment(), Traffic::slots(plan_.capacity), Traffic::kStride);
        if (report_.failure.empty()) report_.failure = out.str();
        return false;
    }

    CrowdPlan plan_;
    std::minstd_rand random_;
    typename Traffic::Ring ring_;
    Shared<Board> board_{};
    CrowdOracle oracle_;
    std::uint64_t senders_ = 0;  // how many have been started: the last one's number
    std::array<Member, 2 * kSide> members_{};
    CrowdReport report_{};
};

}  // namespace shmring::test
