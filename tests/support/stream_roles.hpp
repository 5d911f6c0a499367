// What the processes of a kill storm do until they are killed or told to stop: one streams numbered messages into a ring, the
// other takes them out and holds them against the oracle. What differs from ring to ring, its messages and its verbs, is a Traffic:
//
//   struct Traffic {
//       using Ring = ...;
//       static Ring make(std::uint64_t capacity, std::chrono::nanoseconds liveness_period);
//       struct Sender { Status send(Ring::Producer&, SendingCalls&); };         // one call, journalled; made from the Ring
//       struct Receiver { Status receive(Ring::Consumer&, ReceivingCalls&); };  // likewise
//   };
//
// There is one for SpscRing (fixed_traffic.hpp) and one for ByteRing (byte_traffic.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <system_error>
#include <thread>

#include "shmring/result.hpp"
#include "shmring/wait.hpp"
#include "support/journal.hpp"
#include "support/numbered_message.hpp"
#include "support/oracle.hpp"

namespace shmring::test {

enum class Style { single, batch, in_place };
enum class Waiting { spin, block };

/// One call in the style asked for. A batch that found nothing to do, where one waits, is followed by a single call that waits.
template <class Calls, class Single, class Batch, class InPlace>
[[nodiscard]] Status in_style(const Calls& calls, Single&& single, Batch&& batch, InPlace&& in_place) {
    switch (calls.style) {
        case Style::single:
            return single();
        case Style::batch: {
            const Status status = batch();
            const bool nothing_yet =
                status == Status::full || status == Status::empty || status == Status::busy;
            return nothing_yet && calls.waiting == Waiting::block ? single() : status;
        }
        case Style::in_place:
            return in_place();
    }
    return Status::corrupt;
}

/// How a role ends, as the exit status of its process.
inline constexpr int kDone = 0;
inline constexpr int kNoSeat = 20;
inline constexpr int kFaulty = 21;
inline constexpr int kUnexpectedStatus = 40;  // + the Status

/// What differs from one process to the next, drawn when it is started.
struct Mood {
    std::uint64_t seed = 1;
    std::uint32_t pause_every =
        0;  ///< messages between two short sleeps, which let the other side run dry or full; 0: none
};

inline constexpr std::size_t kBatch = 16;

/// Short enough that a side which sleeps this long is not what a test waits for, long enough that the other runs out of work.
inline void pause_a_moment() { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

/// Takes a seat as soon as its dead holder's lock is free: a successor may be started before its predecessor is quite gone.
template <class Take>
[[nodiscard]] auto take_seat_in_time(Take&& take, std::error_code& code) {
    for (;;) {
        auto side = take(code);
        if (code != errc::seat_taken) return side;
        ::sched_yield();
    }
}

/// What the calls of one sending process have in common: how, whose, and where they are written down.
struct SendingCalls {
    Style style;
    Waiting waiting;
    std::uint64_t sender;
    SenderJournal& journal;
    std::minstd_rand random;
    bool lingers = false;  ///< now and then rests with a claim in hand, to be killed there

    void linger() {
        if (!lingers || random() % 4 != 0) return;
        journal.has_claim.store(1, std::memory_order_release);
        pause_a_moment();
        journal.has_claim.store(0, std::memory_order_release);
    }
    /// Of the next message, or the one so many after it.
    [[nodiscard]] Number next(std::uint64_t ahead = 0) const {
        return {sender, journal.sent.load(std::memory_order_relaxed) + ahead};
    }
};

/// The same of one receiving process, and what came of them.
struct ReceivingCalls {
    Style style;
    Waiting waiting;
    ReceiverJournal& journal;
    std::minstd_rand random;
    Receiving oracle;
    bool faulty = false;

    /// `message` has is_whole() and number().
    template <class Message>
    void accept(const Message& message) {
        faulty = faulty || !oracle.accept(message);
    }
    /// Where the stream stands for us.
    [[nodiscard]] Number last() const {
        return Number::unpacked(journal.last.load(std::memory_order_relaxed));
    }
};

/// The sending process, the `sender`-th of its storm.
template <class Traffic>
class SendingRole {
 public:
    SendingRole(Style style, Waiting waiting, const Mood& mood, SenderJournal& journal, std::uint64_t sender)
        : mood_(mood),
          journal_(journal),
          calls_{style, waiting, sender, journal, std::minstd_rand(mood.seed)} {}

    [[nodiscard]] int run(const typename Traffic::Ring& ring, const WaitPolicy& policy,
                          const std::atomic<std::uint32_t>& stop) {
        std::error_code code;
        auto out = take_seat_in_time([&](std::error_code& why) { return ring.producer(policy, why); }, code);
        if (code) return kNoSeat;
        journal_.seated.store(1, std::memory_order_release);

        typename Traffic::Sender sender(ring);
        while (stop.load(std::memory_order_relaxed) == 0) {
            const Status status = sender.send(out, calls_);
            if (status == Status::peer_lost) {
                journal_.lost_peers.fetch_add(1, std::memory_order_relaxed);
                ::sched_yield();
            } else if (status != Status::ok && status != Status::full && status != Status::timed_out) {
                return kUnexpectedStatus + static_cast<int>(status);
            }
            if (mood_.pause_every != 0 && journal_.sent.load(std::memory_order_relaxed) >= pause_at_) {
                pause_at_ += mood_.pause_every;
                pause_a_moment();
            }
        }
        out.close();
        return kDone;
    }

 private:
    Mood mood_;
    SenderJournal& journal_;
    SendingCalls calls_;
    std::uint64_t pause_at_ = 0;
};

/// The receiving process: ends when the stream is closed and drained, or something is wrong.
template <class Traffic>
class ReceivingRole {
 public:
    /// `journals` are those of all receivers up to this one, whose is the last.
    ReceivingRole(Style style, Waiting waiting, const Mood& mood, std::span<ReceiverJournal> journals,
                  std::span<const SenderJournal> senders)
        : style_(style),
          waiting_(waiting),
          mood_(mood),
          journals_(journals),
          journal_(journals.back()),
          senders_(senders) {}

    [[nodiscard]] int run(const typename Traffic::Ring& ring, const WaitPolicy& policy) {
        std::error_code code;
        auto in = take_seat_in_time([&](std::error_code& why) { return ring.consumer(policy, why); }, code);
        if (code) return kNoSeat;
        inherit();
        journal_.seated.store(1, std::memory_order_release);

        typename Traffic::Receiver receiver(ring);
        ReceivingCalls calls{style_, waiting_, journal_, std::minstd_rand(mood_.seed),
                             Receiving(journal_, senders_)};
        for (;;) {
            const Status status = receiver.receive(in, calls);
            if (calls.faulty) return kFaulty;
            if (status == Status::closed) return calls.oracle.accept_end() ? kDone : kFaulty;
            if (status == Status::peer_lost) {
                journal_.lost_peers.fetch_add(1, std::memory_order_relaxed);
                ::sched_yield();
            } else if (status != Status::ok && status != Status::empty && status != Status::timed_out) {
                return kUnexpectedStatus + static_cast<int>(status);
            }
            if (mood_.pause_every != 0 && journal_.received.load(std::memory_order_relaxed) >= pause_at_) {
                pause_at_ += mood_.pause_every;
                pause_a_moment();
            }
        }
    }

 private:
    /// Whoever held the seat before is dead by now, so its journal is final. One that died before it said that it was seated
    /// has received nothing.
    void inherit() {
        for (std::size_t i = journals_.size() - 1; i != 0; --i) {
            if (journals_[i - 1].seated.load(std::memory_order_acquire) == 0) continue;
            journal_.inherit(journals_[i - 1]);
            return;
        }
    }

    Style style_;
    Waiting waiting_;
    Mood mood_;
    std::span<ReceiverJournal> journals_;
    ReceiverJournal& journal_;
    std::span<const SenderJournal> senders_;
    std::uint64_t pause_at_ = 0;
};

}  // namespace shmring::test
