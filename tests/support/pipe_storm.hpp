// A storm over pipes: round after round a new pair, a victim that is in some state or other with one end, a survivor with the other
// one that sends and receives in two threads, and a SIGKILL at a random moment. The survivor must hear of it, with all that was
// acknowledged before; the oracle checks both directions.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "shmring/pipe.hpp"
#include "support/child_process.hpp"
#include "support/journal.hpp"
#include "support/numbered_message.hpp"
#include "support/oracle.hpp"
#include "support/shared.hpp"

namespace shmring::test {

/// What the victim is doing when it is killed. `leaves` and `closes` end by themselves, unless the kill is quicker.
enum class Victim {
    unbound,
    bound,
    receives,
    sends,
    sleeps_for_room,
    streams,
    streams_in_threads,
    closes,
    leaves
};
inline constexpr std::array<Victim, 9> kVictims = {
    Victim::unbound, Victim::bound,  Victim::receives,           Victim::sends, Victim::sleeps_for_room,
    Victim::streams, Victim::closes, Victim::streams_in_threads, Victim::leaves};

/// Numbered values of one size.
struct FixedPipeTraffic {
    using Value = NumberedMessage<48>;
    static PipeOptions options(std::uint64_t room) { return {.capacity = room}; }
    static Value make(Number number) {
        Value value{};
        value.write(number);
        return value;
    }
    static const NumberedMessage<48>& of(const Value& value) { return value; }
};
/// And of sizes that differ: copies of one numbered message, all alike.
struct BytePipeTraffic {
    using Value = std::vector<NumberedMessage<24>>;
    static PipeOptions options(std::uint64_t room) { return {.capacity_bytes = 512 * room}; }
    static Value make(Number number) {
        NumberedMessage<24> message{};
        message.write(number);
        return Value(1 + number.sequence % 7, message);
    }
    static NumberedMessage<24> of(const Value& value) {
        NumberedMessage<24> message{};
        if (value.empty()) return message;
        message = value.front();
        if (value.size() != 1 + message.number().sequence % 7) message.words[1] = 0;  // torn
        for (const NumberedMessage<24>& copy : value)
            if (copy.words != message.words) message.words[1] = 0;
        return message;
    }
};

template <class Traffic>
class PipeStorm {
    using Value = typename Traffic::Value;
    using End = PipeEnd<Value>;

 public:
    explicit PipeStorm(std::uint64_t seed) : random_(seed) {}

    void run(int rounds) {
        for (rounds_ = 0; rounds_ != rounds && !testing::Test::HasFailure(); ++rounds_) {
            SCOPED_TRACE("round " + std::to_string(rounds_));
            round(kVictims[random_() % kVictims.size()]);
        }
    }
    void print(const char* title) const {
        std::printf(
            "%s: %d rounds, %llu messages to survivors, %llu to victims; the survivor heard after %.2f ms on "
            "average, "
            "%.2f ms at worst\n",
            title, rounds_, static_cast<unsigned long long>(received_),
            static_cast<unsigned long long>(received_by_victims_),
            static_cast<double>(heard_ns_) / 1e6 / (rounds_ == 0 ? 1 : rounds_),
            static_cast<double>(worst_ns_) / 1e6);
    }

 private:
    static constexpr std::chrono::milliseconds kPeriod{2};
    static constexpr std::chrono::seconds kHang{20};
    using Moment = std::chrono::microseconds;

    /// Of one direction; each has one sender, number 1.
    struct Direction {
        std::array<SenderJournal, 2> senders{};  // [0] is nobody
        ReceiverJournal receiver{};
    };
    struct Board {
        Direction to_survivor{};
        Direction to_victim{};
        std::atomic<int> killed{0};
    };

    // ---- what both do ----------------------------------------------------------------------------------------------

    /// One call in a random manner; ok, or why not.
    static Status send_one(End& end, SenderJournal& journal, std::minstd_rand& random) {
        const Value value = Traffic::make({1, journal.sent.load(std::memory_order_relaxed)});
        journal.before_call(1);
        const Result<void> sent = random() % 3 == 0   ? end.try_send(value)
                                  : random() % 2 == 0 ? end.try_send_for(value, Moment(300))
                                                      : end.send(value);
        journal.after_call(sent ? 1 : 0);
        return sent.error();
    }
    static Status receive_one(End& end, ReceiverJournal& journal, Receiving& oracle,
                              std::minstd_rand& random) {
        if (random() % 5 == 0) (void)end.poll_for(Moment(200));
        journal.before_call(1);
        Result<Value> received = random() % 3 == 0   ? end.try_recv()
                                 : random() % 2 == 0 ? end.try_recv_for(Moment(300))
                                                     : end.recv();
        if (received && !oracle.accept(Traffic::of(*received))) return Status::corrupt;
        journal.after_call();
        return received.error();
    }
    [[nodiscard]] static bool goes_on(Status status) {
        return status == Status::ok || status == Status::full || status == Status::empty ||
               status == Status::timed_out;
    }
    static Status send_all(End& end, Direction& way, std::uint64_t seed) {
        std::minstd_rand random(static_cast<std::uint32_t>(seed));
        Status status = Status::ok;
        while (goes_on(status)) status = send_one(end, way.senders[1], random);
        return status;
    }
    static Status receive_all(End& end, Direction& way, std::uint64_t seed) {
        std::minstd_rand random(static_cast<std::uint32_t>(seed));
        Receiving oracle(way.receiver, way.senders);
        Status status = Status::ok;
        while (goes_on(status)) status = receive_one(end, way.receiver, oracle, random);
        if (status == Status::closed && !oracle.accept_end()) return Status::corrupt;
        return status;
    }

    // ---- the victim ------------------------------------------------------------------------------------------------

    static int be_killed(Victim victim, End& end, Board& board, std::uint64_t seed) {
        switch (victim) {
            case Victim::unbound:
                ::pause();
                return 0;
            case Victim::bound:
                end.bind();
                ::pause();
                return 0;
            case Victim::receives:
                (void)receive_all(end, board.to_victim, seed);
                return 0;
            case Victim::sends:
            case Victim::sleeps_for_room:
                (void)send_all(end, board.to_survivor, seed);
                return 0;
            case Victim::streams_in_threads: {
                std::thread receives([&] { (void)receive_all(end, board.to_victim, seed + 1); });
                (void)send_all(end, board.to_survivor, seed);
                receives.join();
                return 0;
            }
            case Victim::streams:
                return stream(end, board, seed, ~0U);
            case Victim::closes:
                stream(end, board, seed, static_cast<unsigned>(seed % 200));
                end.close();
                ::pause();
                return 0;
            case Victim::leaves:
                return stream(end, board, seed, static_cast<unsigned>(seed % 200));
        }
        return 1;
    }
    /// Both ways by turns, never waiting for one of them alone.
    static int stream(End& end, Board& board, std::uint64_t seed, unsigned calls) {
        std::minstd_rand random(static_cast<std::uint32_t>(seed));
        Receiving oracle(board.to_victim.receiver, board.to_victim.senders);
        SenderJournal& journal = board.to_survivor.senders[1];
        for (; calls != 0; --calls) {
            if (end.writable()) {
                const Value value = Traffic::make({1, journal.sent.load(std::memory_order_relaxed)});
                journal.before_call(1);
                journal.after_call(end.try_send_for(value, Moment(random() % 50)) ? 1 : 0);
            }
            if (!end.readable()) continue;
            const Result<Value> received = end.try_recv_for(Moment(random() % 50));
            if (received && !oracle.accept(Traffic::of(*received))) return 1;
        }
        return 0;
    }

    // ---- a round ---------------------------------------------------------------------------------------------------

    void round(Victim victim) {
        constexpr std::array<std::uint64_t, 3> kRooms = {1, 3, 64};
        PipeOptions options = Traffic::options(kRooms[random_() % kRooms.size()]);
        options.duplex = random_() % 4 != 0;
        options.liveness_period = kPeriod;
        auto ends = Pipe<Value>::pair(options);
        const bool first_dies = random_() % 2 == 0;
        End& theirs = first_dies ? ends.first : ends.second;
        End& ours = first_dies ? ends.second : ends.first;
        Shared<Board> board;
        const std::uint64_t seed = random_();
        ChildProcess child([&] {
            ours.close();
            return be_killed(victim, theirs, *board, seed);
        });
        theirs.close();

        std::array<std::atomic<Status>, 2> ended{Status::ok, Status::ok};
        std::array<std::thread, 2> survivor;
        if (ours.readable())
            survivor[0] = std::thread([&] {
                while (victim == Victim::sleeps_for_room && board->killed.load() == 0)
                    std::this_thread::yield();
                ended[0] = receive_all(ours, board->to_survivor, seed + 2);
            });
        if (ours.writable())
            survivor[1] = std::thread([&] { ended[1] = send_all(ours, board->to_victim, seed + 3); });

        std::this_thread::sleep_for(Moment(random_() % (random_() % 2 == 0 ? 300 : 2000)));
        child.kill(SIGKILL);
        (void)child.join();
        const std::uint64_t death_ns = detail::platform::monotonic_ns();
        board->killed = 1;
        await(ours, ended, death_ns, victim);
        for (std::thread& thread : survivor)
            if (thread.joinable()) thread.join();
        judge(ours, ended, *board, victim);
    }
    /// Until the survivor's threads have heard. A hang fails here, and ends when the watchdog of ctest does.
    void await(const End& ours, const std::array<std::atomic<Status>, 2>& ended, std::uint64_t death_ns,
               Victim victim) {
        const auto heard = [&] {
            return (!ours.readable() || ended[0] != Status::ok) &&
                   (!ours.writable() || ended[1] != Status::ok);
        };
        const auto limit = std::chrono::steady_clock::now() + kHang;
        while (!heard() && std::chrono::steady_clock::now() < limit) std::this_thread::sleep_for(Moment(20));
        if (!heard())
            std::fprintf(stderr, "round %d, victim %d: the survivor hangs\n", rounds_,
                         static_cast<int>(victim));
        EXPECT_TRUE(heard()) << "the survivor hangs; victim " << static_cast<int>(victim);
        const std::uint64_t took_ns = detail::platform::monotonic_ns() - death_ns;
        heard_ns_ += took_ns;
        worst_ns_ = std::max(worst_ns_, took_ns);
    }
    void judge(End& ours, const std::array<std::atomic<Status>, 2>& ended, const Board& board,
               Victim victim) {
        const int state = static_cast<int>(victim);
        if (ours.readable()) {
            EXPECT_EQ(ended[0], Status::closed)
                << "receiving; victim " << state << ", fault " << board.to_survivor.receiver.fault.load();
            EXPECT_EQ(ours.try_recv().error(), Status::closed);
        }
        if (ours.writable()) {
            EXPECT_EQ(ended[1], Status::closed) << "sending; victim " << state;
            EXPECT_EQ(ours.try_send(Traffic::make({1, 0})).error(), Status::closed);
        }
        EXPECT_EQ(board.to_victim.receiver.fault.load(), 0U) << "what the victim received; victim " << state;
        EXPECT_NE(ours.peer(), PeerState::never_came);
        EXPECT_NE(ours.peer(), PeerState::here);
        received_ += board.to_survivor.receiver.received.load();
        received_by_victims_ += board.to_victim.receiver.received.load();
    }

    std::minstd_rand random_;
    int rounds_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t received_by_victims_ = 0;
    std::uint64_t heard_ns_ = 0;
    std::uint64_t worst_ns_ = 0;
};

}  // namespace shmring::test
