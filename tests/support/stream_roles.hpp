// What the processes of a kill storm do until they are killed or told to stop: one streams numbered messages into a ring, the
// other takes them out and holds them against the oracle. Every way of pushing and popping, every way of waiting.
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

#include "shmring/spsc_ring.hpp"
#include "support/journal.hpp"
#include "support/numbered_message.hpp"
#include "support/oracle.hpp"

namespace shmring::test {

enum class Style { single, batch, in_place };
enum class Waiting { spin, block };

/// How a role ends, as the exit status of its process.
enum RoleEnd : int { kDone = 0, kNoSeat = 20, kFaulty = 21, kUnexpectedStatus = 40 /* + the Status */ };

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

/// The sending process. `to` is where the messages it numbers as `sender`-th process are journalled.
template <std::size_t kSize>
class SendingRole {
    using Ring = SpscRing<NumberedMessage<kSize>>;

 public:
    SendingRole(Style style, Waiting waiting, const Mood& mood, SenderJournal& journal, std::uint64_t sender)
        : style_(style),
          waiting_(waiting),
          mood_(mood),
          journal_(journal),
          sender_(sender),
          random_(mood.seed) {}

    [[nodiscard]] int run(const Ring& ring, const WaitPolicy& policy,
                          const std::atomic<std::uint32_t>& stop) {
        std::error_code code;
        auto out = take_seat_in_time([&](std::error_code& why) { return ring.producer(policy, why); }, code);
        if (code) return kNoSeat;
        journal_.seated.store(1, std::memory_order_release);

        while (stop.load(std::memory_order_relaxed) == 0) {
            const Status status = send(out);
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
        return out.close() ? kDone : kUnexpectedStatus;
    }

 private:
    using Producer = typename Ring::Producer;

    [[nodiscard]] Number next(std::uint64_t ahead = 0) const {
        return {sender_, journal_.sent.load(std::memory_order_relaxed) + ahead};
    }

    [[nodiscard]] Status send(Producer& out) {
        switch (style_) {
            case Style::single:
                return send_one(out);
            case Style::batch: {
                const Status status = send_batch(out);
                return status == Status::full && waiting_ == Waiting::block ? send_one(out) : status;
            }
            case Style::in_place:
                return send_in_place(out);
        }
        return Status::corrupt;
    }
    [[nodiscard]] Status send_one(Producer& out) {
        NumberedMessage<kSize> message{};
        message.write(next());
        journal_.before_call(1);
        const auto pushed = waiting_ == Waiting::spin ? out.try_push(message)
                            : random_() % 4 != 0      ? out.push(message)
                                                 : out.try_push_for(message, std::chrono::microseconds(300));
        journal_.after_call(pushed ? 1 : 0);
        return pushed.error();
    }
    [[nodiscard]] Status send_batch(Producer& out) {
        std::array<NumberedMessage<kSize>, kBatch> messages{};
        const std::size_t count = 1 + random_() % kBatch;
        for (std::size_t i = 0; i != count; ++i) messages[i].write(next(i));
        journal_.before_call(count);
        const auto pushed = out.try_push_n(std::span(messages).first(count));
        journal_.after_call(pushed ? *pushed : 0);
        return pushed.error();
    }
    [[nodiscard]] Status send_in_place(Producer& out) {
        auto claim = waiting_ == Waiting::spin ? out.try_claim() : out.claim();
        if (!claim) return claim.error();
        claim->operator->()->write(next());
        if (random_() % 16 == 0) return Status::ok;  // dropped: must not be sent
        journal_.before_call(1);
        claim->commit();
        journal_.after_call(1);
        return Status::ok;
    }

    Style style_;
    Waiting waiting_;
    Mood mood_;
    SenderJournal& journal_;
    std::uint64_t sender_;
    std::minstd_rand random_;
    std::uint64_t pause_at_ = 0;
};

/// The receiving process: ends when the stream is closed and drained, or something is wrong.
template <std::size_t kSize>
class ReceivingRole {
    using Ring = SpscRing<NumberedMessage<kSize>>;

 public:
    /// `journals` are those of all receivers up to this one, whose is the last.
    ReceivingRole(Style style, Waiting waiting, const Mood& mood, std::span<ReceiverJournal> journals,
                  std::span<const SenderJournal> senders)
        : style_(style),
          waiting_(waiting),
          mood_(mood),
          journals_(journals),
          journal_(journals.back()),
          senders_(senders),
          random_(mood.seed) {}

    [[nodiscard]] int run(const Ring& ring, const WaitPolicy& policy) {
        std::error_code code;
        auto in = take_seat_in_time([&](std::error_code& why) { return ring.consumer(policy, why); }, code);
        if (code) return kNoSeat;
        inherit();
        journal_.seated.store(1, std::memory_order_release);
        Receiving receiving(journal_, senders_);
        receiving_ = &receiving;

        for (;;) {
            const Status status = receive(in);
            if (faulty_) return kFaulty;
            if (status == Status::closed) return receiving.accept_end() ? kDone : kFaulty;
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
    using Consumer = typename Ring::Consumer;

    [[nodiscard]] Status receive(Consumer& in) {
        switch (style_) {
            case Style::single:
                return receive_one(in);
            case Style::batch: {
                const Status status = receive_batch(in);
                return status == Status::empty && waiting_ == Waiting::block ? receive_one(in) : status;
            }
            case Style::in_place:
                return receive_in_place(in);
        }
        return Status::corrupt;
    }
    void accept(const NumberedMessage<kSize>& message) { faulty_ = faulty_ || !receiving_->accept(message); }

    /// Whoever held the seat before is dead by now, so its journal is final. One that died before it said that it was seated
    /// has received nothing.
    void inherit() {
        for (std::size_t i = journals_.size() - 1; i != 0; --i) {
            if (journals_[i - 1].seated.load(std::memory_order_acquire) == 0) continue;
            journal_.inherit(journals_[i - 1]);
            return;
        }
    }

    [[nodiscard]] Status receive_one(Consumer& in) {
        journal_.before_call(1);
        const auto message = waiting_ == Waiting::spin ? in.try_pop()
                             : random_() % 4 != 0      ? in.pop()
                                                       : in.try_pop_for(std::chrono::microseconds(300));
        if (message) accept(*message);
        journal_.after_call();
        return message.error();
    }
    [[nodiscard]] Status receive_batch(Consumer& in) {
        std::array<NumberedMessage<kSize>, kBatch> messages;
        const std::size_t count = 1 + random_() % kBatch;
        journal_.before_call(count);
        const auto popped = in.try_pop_n(std::span(messages).first(count));
        for (std::size_t i = 0; popped && i != *popped; ++i) accept(messages[i]);
        journal_.after_call();
        return popped.error();
    }
    /// Looks at the message where it lies, hands it back, and only then is it received.
    [[nodiscard]] Status receive_in_place(Consumer& in) {
        auto view = waiting_ == Waiting::spin ? in.try_next() : in.next();
        if (!view) return view.error();
        const NumberedMessage<kSize> message = **view;
        journal_.before_call(1);
        view->hand_back();
        accept(message);
        journal_.after_call();
        return Status::ok;
    }

    Style style_;
    Waiting waiting_;
    Mood mood_;
    std::span<ReceiverJournal> journals_;
    ReceiverJournal& journal_;
    std::span<const SenderJournal> senders_;
    Receiving* receiving_ = nullptr;
    std::minstd_rand random_;
    std::uint64_t pause_at_ = 0;
    bool faulty_ = false;
};

}  // namespace shmring::test
