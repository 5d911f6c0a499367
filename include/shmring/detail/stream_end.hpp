// What every producer and consumer of a single-producer, single-consumer ring is: an endpoint (seat, record, waiting) and one
// side of an algorithm. The rings add their verbs.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <system_error>
#include <utility>

#include "shmring/detail/await_verbs.hpp"
#include "shmring/detail/endpoint.hpp"
#include "shmring/detail/event_set.hpp"
#include "shmring/detail/one_thread.hpp"
#include "shmring/peer.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class RingObject;

/// `Side` is an algorithm's producer or consumer; it has `join(memory, status)` and `progress()`.
template <class Side, Role kRole>
class StreamEnd : public AwaitVerbs<StreamEnd<Side, kRole>> {
 public:
    StreamEnd(const StreamEnd&) = delete;
    StreamEnd& operator=(const StreamEnd&) = delete;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(end_); }

    /// Ends the stream for good and wakes the sleepers of both sides. From the producer: the consumer gets what is left, then
    /// closed. From the consumer: later pushes answer closed, and what is left can still be read, here or by a successor.
    /// An empty object's, and a forked child's copy's, does nothing.
    void close() noexcept {
        if (!end_.usable()) return;
        account();
        end_.close();
    }
    /// Gives the seat back now, as the destructor does. The stream stays open for a successor.
    void detach() noexcept {
        if (end_.usable()) account();
        end_.leave();
    }
    void set_wait_policy(const WaitPolicy& policy) noexcept { end_.set_wait_policy(policy); }
    /// Whether everything that was published had been taken and handed back: a few loads. True of a handle that holds no seat, or another
    /// process's. Of ByteRing only its ends can tell: its headers stand among the bytes, and a third could take a payload for one.
    [[nodiscard]] bool was_empty() noexcept {
        if (!end_.usable()) return true;
        if (side_.progress().in_ring != 0) return false;
        if constexpr (kRole == Role::consumer)
            return side_.prepare() != Status::ok;  // beyond what we have looked at
        else
            return true;
    }
    /// How the other side stands: of a producer, its consumer. A system call or two while somebody has that seat.
    [[nodiscard]] PeerState peer() const noexcept { return end_.peer(); }

    /// A descriptor for epoll, poll or select that is readable while there is something to read: a message, the end of the
    /// stream, the producer's death. Wait level-triggered, then take messages by calls that do not wait until one answers `empty`:
    /// only that makes it unreadable. It may be readable for nothing. Made by the first call, closed with this consumer; do not
    /// read from it. Throws std::system_error: errc::no_bell, errc::untrusted_bell, errc::retired, errc::not_owner, or what the
    /// system said.
    [[nodiscard]] int readable_fd() requires(kRole == Role::consumer) {
        SetupError error;
        const int descriptor = end_.readable_descriptor(error);
        if (error.code) throw_setup_error(error);
        return descriptor;
    }
    /// The same; -1 and `code`.
    [[nodiscard]] int readable_fd(std::error_code& code) noexcept requires(kRole == Role::consumer) {
        SetupError error;
        const int descriptor = end_.readable_descriptor(error);
        code = error.code;
        return descriptor;
    }

    /// ok: a call that takes would not wait, for there is a message, the end of the stream, or an error to be told. empty: it would,
    /// and the descriptor is unreadable, as after a call that found nothing. Takes nothing. not_owner: not this process's.
    [[nodiscard]] Result<void> poll() noexcept requires(kRole == Role::consumer) {
        const Status found = peek();
        return found == kNotYet || found == Status::not_owner ? found : Status::ok;
    }

    /// What wait_any and WaitSet need of a consumer; valid while it stays where it is.
    [[nodiscard]] WaitPoint<ShippedEnv> read_point() noexcept requires(kRole == Role::consumer) {
        WaitPoint<ShippedEnv> point{
            .object = this,
            .ready = [](void* self,
                        bool asks) noexcept { return static_cast<StreamEnd*>(self)->readable(asks); },
            .examine = [](void* self) noexcept { static_cast<StreamEnd*>(self)->end_.examine_peer(); }};
        if (!end_) return point;  // always ready: the call on it says what it is; nobody sleeps there
        point.line = &end_.control().readable;
        point.period_ns = end_.segment().geometry().liveness_period_ns;
        return point;
    }

 protected:
    template <class, class, class, class>
    friend class RingObject;
    friend struct PipeAccess;
    friend class AwaitVerbs<StreamEnd>;

    static constexpr Status kNotYet = kRole == Role::producer ? Status::full : Status::empty;

    StreamEnd() noexcept = default;
    StreamEnd(StreamEnd&&) noexcept = default;
    StreamEnd& operator=(StreamEnd&& other) noexcept {
        if (this == &other) return *this;
        detach();
        end_ = std::move(other.end_);
        side_ = other.side_;
        accounted_ = other.accounted_;
        return *this;
    }
    ~StreamEnd() { detach(); }

    /// Takes the seat and continues the stream where it stands.
    template <class Memory>
    void enter(const std::shared_ptr<Segment>& segment, const Memory& memory, const WaitPolicy& policy,
               SetupError& error, const PipeWatch& watch = {}) noexcept {
        end_ = Endpoint::take(segment, *memory.control, kRole, policy, watch, error);
        if (error.code) return;
        Status status = Status::ok;
        side_ = Side::join(memory, status);
        accounted_ = side_.progress();
        if (status != Status::ok) end_.refuse_corrupt(error);
    }
    [[nodiscard]] Result<void> await_peer_by(std::uint64_t deadline_ns,
                                             const std::stop_token& stop) noexcept {
        return end_.await_peer(kNotYet, deadline_ns, stop);
    }
    /// Whether a reading call would not wait: there is a message, an end, or an error to be told. Leaves the descriptor alone.
    /// `asks`: whether the peer lives, when it is time to.
    [[nodiscard]] bool readable(bool asks) noexcept {
        const InCall here(occupied_, is_ours());
        return end_.try_once(kNotYet, preparing(), asks) != kNotYet;
    }
    /// What a call would find, without taking it; the descriptor is told, too.
    [[nodiscard]] Status peek() noexcept { return once(preparing()); }
    /// The same, waiting while there is nothing.
    [[nodiscard]] Status await_readable(std::uint64_t deadline_ns, const std::stop_token& stop) noexcept {
        return waiting(deadline_ns, stop, preparing());
    }
    template <class Attempt>
    [[nodiscard]] Status once(Attempt&& attempt) noexcept {
        const InCall here(occupied_, is_ours());
        const Status found = end_.try_once(kNotYet, attempt);
        if constexpr (kRole == Role::consumer) return end_.settle_descriptor(found, kNotYet, attempt);
        return found;
    }
    /// Copies of the attempt, not references: so that the way without a wait need not put it into memory.
    template <class Attempt>
    [[nodiscard]] Status waiting(std::uint64_t deadline_ns, const std::stop_token& stop,
                                 Attempt attempt) noexcept {
        const InCall here(occupied_, is_ours());
        if (!end_.usable()) [[unlikely]]
            return Status::not_owner;
        const Status found = attempt();
        if (found == Status::ok) [[likely]]
            return found;
        return waiting_longer(found, deadline_ns, stop, attempt);
    }
    template <class Attempt>
    [[nodiscard, gnu::noinline]] Status waiting_longer(Status found, std::uint64_t deadline_ns,
                                                       const std::stop_token& stop,
                                                       Attempt attempt) noexcept {
        const OutOfLine again(attempt);
        if (found == kNotYet)
            found = end_.wait_longer(kNotYet, deadline_ns, stop, again, [this]() noexcept { account(); });
        if constexpr (kRole == Role::consumer) return end_.settle_descriptor(found, kNotYet, again);
        return found;
    }
    template <class Clock, class Duration, class Attempt>
    [[nodiscard]] Status waiting_until(std::chrono::time_point<Clock, Duration> deadline,
                                       const std::stop_token& stop,
                                       Attempt&& attempt) noexcept(kNothrowClock<Clock>) {
        return wait_until(deadline, [&](std::uint64_t ns) noexcept { return waiting(ns, stop, attempt); });
    }
    /// Brings the record's counters up to date: when we have to wait anyway, at close, and when we leave.
    void account() noexcept {
        const Progress now = side_.progress();
        end_.account(now.messages - accounted_.messages, now.bytes - accounted_.bytes, now.in_ring);
        accounted_ = now;
    }

    Endpoint end_{};
    Side side_{};

 private:
    [[nodiscard]] auto is_ours() const noexcept {
        return [this]() noexcept { return end_.usable(); };
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return side_.prepare(); };
    }

    Progress accounted_{};
    Occupied occupied_{};
};

}  // namespace shmring::detail
