// A kill storm: two processes stream through one ring, and round after round one of them (or both) is killed with SIGKILL at a
// random moment and followed by a successor, which takes its seat. Whoever survives must go on; the oracle checks the rest.
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
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "shmring/detail/platform.hpp"
#include "support/child_process.hpp"
#include "support/journal.hpp"
#include "support/oracle.hpp"
#include "support/shared.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

struct StormPlan {
    std::uint64_t capacity = 1;
    Style style = Style::single;
    Waiting waiting = Waiting::spin;
    int rounds = 1;
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(2);
    std::uint64_t seed = 1;
};

/// What one or several storms came to. `failure` is empty, or says what went wrong first.
struct StormReport {
    std::uint64_t rounds = 0;
    std::uint64_t kills = 0;
    std::uint64_t messages = 0;
    std::uint64_t differing_pushes = 0;  ///< sent more than the killed sender had journalled
    std::uint64_t differing_pops = 0;    ///< taken by a receiver that was killed before it journalled them
    std::uint64_t lost_peers = 0;
    std::uint64_t total_ns =
        0;  ///< of all rounds, from the kill until survivor and successor had both moved on
    std::uint64_t worst_ns = 0;
    std::uint64_t worst_from_seat_ns = 0;  ///< from the successor being seated to the survivor's next message
    std::string failure{};

    StormReport& operator+=(const StormReport& more) {
        rounds += more.rounds;
        kills += more.kills;
        messages += more.messages;
        differing_pushes += more.differing_pushes;
        differing_pops += more.differing_pops;
        lost_peers += more.lost_peers;
        total_ns += more.total_ns;
        worst_ns = std::max(worst_ns, more.worst_ns);
        worst_from_seat_ns = std::max(worst_from_seat_ns, more.worst_from_seat_ns);
        if (failure.empty()) failure = more.failure;
        return *this;
    }
    void print(const char* title) const {
        const auto milliseconds = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e6; };
        std::printf(
            "%s: %llu rounds, %llu kills, %llu messages; differing calls: %llu pushes, %llu pops; peer_lost "
            "%llu times; "
            "stream on its feet again after %.2f ms on average, %.2f ms at worst; survivor's first message "
            "after its new "
            "peer sat down: %.2f ms at worst\n",
            title, static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(kills),
            static_cast<unsigned long long>(messages), static_cast<unsigned long long>(differing_pushes),
            static_cast<unsigned long long>(differing_pops), static_cast<unsigned long long>(lost_peers),
            milliseconds(rounds == 0 ? 0 : total_ns / rounds), milliseconds(worst_ns),
            milliseconds(worst_from_seat_ns));
    }
};

/// `Traffic`: which ring, which messages (stream_roles.hpp).
template <class Traffic>
class KillStorm {
 public:
    explicit KillStorm(const StormPlan& plan)
        : plan_(plan), random_(plan.seed), ring_(Traffic::make(plan.capacity, plan.liveness_period)) {}

    [[nodiscard]] StormReport run() {
        start_sender();
        start_receiver();
        if (await_both("at the start")) {
            while (report_.rounds != static_cast<std::uint64_t>(plan_.rounds) && round()) ++report_.rounds;
            if (report_.failure.empty()) end();
        }
        sender_.reset();
        receiver_.reset();
        add_up();
        return report_;
    }

 private:
    static constexpr std::size_t kLives = 16384;
    static constexpr std::uint64_t kHang_ns = 20'000'000'000;
    static constexpr std::chrono::seconds kChildWatchdog{
        1800};  // one may outlive all rounds; kHang_ns is what catches a hang

    struct Board {
        std::atomic<std::uint32_t> stop{0};
        std::array<SenderJournal, kLives> senders{};      // [0] is nobody
        std::array<ReceiverJournal, kLives> receivers{};  // [0] is nobody
    };

    // ---- lives -----------------------------------------------------------------------------------------------------

    [[nodiscard]] std::uint64_t draw(std::uint64_t choices) { return random_() % choices; }
    [[nodiscard]] Mood draw_mood() {
        constexpr std::array<std::uint32_t, 4> kPauses = {0, 0, 64, 3};
        const std::uint32_t pause_every = kPauses[draw(kPauses.size())];
        return {random_(), pause_every};
    }
    [[nodiscard]] WaitPolicy draw_policy() {
        return {.spin = draw(2) == 0 ? std::chrono::nanoseconds(0) : WaitPolicy{}.spin};
    }
    void start_sender() {
        SenderJournal& journal = board_->senders[++senders_];
        const Mood mood = draw_mood();
        const WaitPolicy policy = draw_policy();
        sender_.emplace(
            [&, number = senders_] {
                return SendingRole<Traffic>(plan_.style, plan_.waiting, mood, journal, number)
                    .run(ring_, policy, board_->stop);
            },
            kChildWatchdog);
    }
    void start_receiver() {
        const auto journals = std::span(board_->receivers).first(++receivers_ + 1);
        const Mood mood = draw_mood();
        const WaitPolicy policy = draw_policy();
        receiver_.emplace(
            [&] {
                return ReceivingRole<Traffic>(plan_.style, plan_.waiting, mood, journals, board_->senders)
                    .run(ring_, policy);
            },
            kChildWatchdog);
    }

    // ---- one round -------------------------------------------------------------------------------------------------

    [[nodiscard]] bool round() {
        if (draw(4) != 0) rest(600);
        const auto drawn = draw(9);
        const bool kills_sender = drawn < 4 || drawn == 8;
        const bool kills_receiver = drawn >= 4;
        death_ns_ = detail::platform::monotonic_ns();
        if (kills_sender) kill(*sender_);
        if (kills_receiver) kill(*receiver_);
        if (kills_sender) succeed(sender_, [this] { start_sender(); });
        if (kills_receiver) succeed(receiver_, [this] { start_receiver(); });
        return await_both(kills_sender ? kills_receiver ? "both were killed" : "the sender was killed"
                                       : "the receiver was killed");
    }
    void kill(const ChildProcess& victim) {
        victim.kill(SIGKILL);
        ++report_.kills;
    }
    /// The dead is waited for before or after its successor starts. Now and then the successor is killed while it sits down.
    template <class Start>
    void succeed(std::optional<ChildProcess>& role, Start&& start) {
        for (;;) {
            const bool waits_first = draw(2) == 0;
            {
                ChildProcess dead = std::move(*role);
                role.reset();
                if (waits_first) dead.join();
                start();
            }
            if (draw(10) != 0) return;
            rest(300);
            kill(*role);
        }
    }
    void rest(std::uint64_t most_us) {
        std::this_thread::sleep_for(std::chrono::microseconds(draw(most_us + 1)));
    }

    /// Waits until the present sender and receiver both have their seats and have both moved a message since they had.
    [[nodiscard]] bool await_both(const char* when) {
        const SenderJournal& sender = board_->senders[senders_];
        const ReceiverJournal& receiver = board_->receivers[receivers_];
        const auto read = [](const std::atomic<std::uint64_t>& word) {
            return word.load(std::memory_order_acquire);
        };
        if (!await([&] { return read(sender.seated) != 0 && read(receiver.seated) != 0; }))
            return hung(when, "sit down");
        const std::uint64_t seated_ns = detail::platform::monotonic_ns();
        const std::uint64_t sent = read(sender.sent);
        const std::uint64_t received = read(receiver.received);
        if (!await([&] { return read(sender.sent) != sent && read(receiver.received) != received; }))
            return hung(when, "move a message");
        const std::uint64_t now = detail::platform::monotonic_ns();
        if (report_.kills == 0) return true;
        report_.total_ns += now - death_ns_;
        report_.worst_ns = std::max(report_.worst_ns, now - death_ns_);
        report_.worst_from_seat_ns = std::max(report_.worst_from_seat_ns, now - seated_ns);
        return true;
    }
    template <class Condition>
    [[nodiscard]] bool await(Condition&& condition) const {
        const std::uint64_t start_ns = detail::platform::monotonic_ns();
        while (!condition()) {
            if (has_ended(*sender_) || has_ended(*receiver_)) return false;
            if (detail::platform::monotonic_ns() - start_ns > kHang_ns) return false;
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
        return true;
    }
    [[nodiscard]] static bool has_ended(const ChildProcess& child) {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    // ---- the end ---------------------------------------------------------------------------------------------------

    void end() {
        board_->stop.store(1, std::memory_order_relaxed);
        const Ended sender = sender_->join();
        if (!sender.exited_with(kDone)) return explain("the last sender", sender);
        const Ended receiver = receiver_->join();
        if (!receiver.exited_with(kDone)) explain("the last receiver", receiver);
    }
    bool hung(const char* when, const char* what) {
        if (has_ended(*sender_)) {
            explain(when, sender_->join());
        } else if (has_ended(*receiver_)) {
            explain(when, receiver_->join());
        } else {
            explain(when, {});
            report_.failure += std::string("; hangs: sender or receiver did not ") + what;
        }
        return false;
    }
    /// Everything that a reader of a failed test wants to know.
    void explain(const char* when, const Ended& ended) {
        const SenderJournal& sender = board_->senders[senders_];
        const ReceiverJournal& receiver = board_->receivers[receivers_];
        const auto text = [](const std::atomic<std::uint64_t>& word) {
            return std::to_string(word.load(std::memory_order_acquire));
        };
        const Number fault_at = Number::unpacked(receiver.fault_at.load(std::memory_order_acquire));
        const auto fault = static_cast<Fault>(receiver.fault.load(std::memory_order_acquire));
        std::ostringstream out;
        out << "round " << report_.rounds << ", " << when << ": " << ended << "; fault: " << to_string(fault)
            << " at " << fault_at.sender << ":" << fault_at.sequence << "; sender " << senders_ << " seated "
            << text(sender.seated) << " attempted " << text(sender.attempted) << " sent " << text(sender.sent)
            << "; receiver " << receivers_ << " seated " << text(receiver.seated) << " received "
            << text(receiver.received) << " in call " << text(receiver.in_call) << "; " << occupancy()
            << " of " << plan_.capacity << "; seed " << plan_.seed;
        report_.failure = out.str();
    }
    /// In the words of a ring that can count its messages.
    [[nodiscard]] std::string occupancy() const {
        if constexpr (requires { ring_.count_approx(); })
            return "in the ring about " + std::to_string(ring_.count_approx());
        else
            return "capacity";
    }
    void add_up() {
        for (std::size_t i = 1; i <= receivers_; ++i) {
            const ReceiverJournal& journal = board_->receivers[i];
            report_.messages += journal.received.load(std::memory_order_relaxed);
            report_.differing_pops += journal.differing_pops.load(std::memory_order_relaxed);
            report_.differing_pushes += journal.differing_pushes.load(std::memory_order_relaxed);
            report_.lost_peers += journal.lost_peers.load(std::memory_order_relaxed);
        }
        for (std::size_t i = 1; i <= senders_; ++i) {
            report_.lost_peers += board_->senders[i].lost_peers.load(std::memory_order_relaxed);
        }
    }

    StormPlan plan_;
    std::minstd_rand random_;
    typename Traffic::Ring ring_;
    Shared<Board> board_{};
    std::uint64_t senders_ = 0;  // how many have been started: the last one's number
    std::uint64_t receivers_ = 0;
    std::optional<ChildProcess> sender_{};
    std::optional<ChildProcess> receiver_{};
    std::uint64_t death_ns_ = 0;
    StormReport report_{};
};

}  // namespace shmring::test
