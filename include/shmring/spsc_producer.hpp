// The writing end of SpscRing<T>.
#pragma once

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "shmring/detail/spsc.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// The one who writes. Move-only; do not move it while a Claim of it is alive. Destroying it gives the seat back and leaves the
/// stream open: a restarted producer continues. In a forked child every call answers not_owner.
template <class T>
class SpscRingProducer
    : public detail::StreamEnd<detail::SpscProducer<T, detail::ShippedEnv>, detail::Role::producer> {
    using Base = detail::StreamEnd<detail::SpscProducer<T, detail::ShippedEnv>, detail::Role::producer>;
    using Base::end_;
    using Base::kNever;
    using Base::once;
    using Base::side_;
    using Base::waiting;

 public:
    class Claim;

    SpscRingProducer() noexcept = default;

    /// Publishes a copy of `message`. full: no room, and the exact read position was looked at; closed: the stream has ended;
    /// peer_lost: full, and the consumer is dead. Messages pushed while no consumer lives are kept for its successor.
    [[nodiscard]] Result<void> try_push(const T& message) noexcept {
        return published(once(pushing(message)));
    }
    /// Waits while the ring is full. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> push(const T& message, const std::stop_token& stop = {}) noexcept {
        return published(waiting(kNever, stop, pushing(message)));
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(const T& message, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return published(waiting(detail::deadline_after(timeout), stop, pushing(message)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(const T& message,
                                              std::chrono::time_point<Clock, Duration> deadline,
                                              const std::stop_token& stop = {}) noexcept {
        return published(detail::call_until(
            deadline, [&](std::uint64_t ns) -> Result<void> { return waiting(ns, stop, pushing(message)); }));
    }
    /// Publishes as many as fit, in order, with one publication per cache line and at most one wake-up. Answers how many (at
    /// least one, unless none were given), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const T> messages) noexcept {
        std::size_t done = 0;
        const Status status = once([&]() noexcept {
            Status stopped_by = Status::ok;
            done = side_.try_push_n(messages.data(), messages.size(), stopped_by);
            return done != 0 ? Status::ok : stopped_by;
        });
        if (status != Status::ok) return status;
        if (done != 0) (void)published(Status::ok);
        return done;
    }

    /// The place of the next message, to be written there and committed. Nothing is visible before commit(); a claim that is
    /// dropped, or dies with its process, sends nothing. One claim at a time, no push meanwhile. Statuses as for try_push.
    [[nodiscard]] Result<Claim> try_claim() noexcept { return claimed(once(preparing())); }
    /// Waits while the ring is full.
    [[nodiscard]] Result<Claim> claim(const std::stop_token& stop = {}) noexcept {
        return claimed(waiting(kNever, stop, preparing()));
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<Claim> try_claim_for(std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept {
        return claimed(waiting(detail::deadline_after(timeout), stop, preparing()));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<Claim> try_claim_until(std::chrono::time_point<Clock, Duration> deadline,
                                                const std::stop_token& stop = {}) noexcept {
        return detail::call_until(deadline,
                                  [&](std::uint64_t ns) { return claimed(waiting(ns, stop, preparing())); });
    }
    /// Constructs the message in the ring as T{arguments...}. Statuses as for try_push.
    template <class... Arguments>
    requires(noexcept(T{std::declval<Arguments>()...}))
        [[nodiscard]] Result<void> try_emplace(Arguments&&... arguments) noexcept {
        const Status ready = once(preparing());
        if (ready != Status::ok) return ready;
        ::new (static_cast<void*>(side_.place())) T{std::forward<Arguments>(arguments)...};
        side_.publish(1);
        return published(Status::ok);
    }

 private:
    [[nodiscard]] auto pushing(const T& message) noexcept {
        return [this, &message]() noexcept { return side_.try_push(message); };
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return side_.prepare(); };
    }
    [[nodiscard]] Result<void> published(Result<void> result) noexcept {
        if (!result) [[unlikely]]
            return result;
        end_.wake_peer();
        return result;
    }
    [[nodiscard]] Result<Claim> claimed(Status status) noexcept {
        if (status != Status::ok) return status;
        return Claim(*this);
    }
};

/// One message under construction in the ring. Its bytes are those of an old message until they are written.
template <class T>
class SpscRingProducer<T>::Claim {
 public:
    Claim(Claim&& other) noexcept : producer_(std::exchange(other.producer_, nullptr)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() = default;  // not committed: not sent

    [[nodiscard]] T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] T* operator->() const noexcept {
        assert(producer_ != nullptr);
        return std::launder(reinterpret_cast<T*>(producer_->side_.place()));
    }
    /// Publishes the message. Once.
    void commit() noexcept {
        assert(producer_ != nullptr);
        SpscRingProducer& producer = *std::exchange(producer_, nullptr);
        if (!producer.end_.usable()) return;  // a forked child's copy: the claim is its parent's
        producer.side_.publish(1);
        (void)producer.published(Status::ok);
    }

 private:
    friend class SpscRingProducer;
    explicit Claim(SpscRingProducer& producer) noexcept : producer_(&producer) {}
    SpscRingProducer* producer_;
};

}  // namespace shmring
