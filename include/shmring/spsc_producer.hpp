// The writing end of SpscRing<T>.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "shmring/detail/spsc.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/detail/verbs.hpp"
#include "shmring/result.hpp"

namespace shmring {

template <class T>
class SpscRingClaim;

/// The one who writes. Move-only; do not move it while a Claim of it is alive. Destroying it gives the seat back and leaves the
/// stream open: a restarted producer continues. In a forked child every call answers not_owner.
///
/// Statuses beside those of the verbs: peer_lost (full, and the consumer is dead). Messages pushed while no consumer lives are kept
/// for its successor. A claim that is dropped, or dies with its process, sends nothing.
template <class T>
class SpscRingProducer
    : public detail::StreamEnd<detail::SpscProducer<T, detail::ShippedEnv>, detail::Role::producer>,
      public detail::SendVerbs<SpscRingProducer<T>, T, SpscRingClaim<T>> {
    using Base = detail::StreamEnd<detail::SpscProducer<T, detail::ShippedEnv>, detail::Role::producer>;
    using Base::end_;
    using Base::once;
    using Base::side_;
    using Base::waiting;

 public:
    using Claim = SpscRingClaim<T>;

    SpscRingProducer() noexcept = default;

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
    friend class detail::SendVerbs<SpscRingProducer<T>, T, SpscRingClaim<T>>;
    friend class SpscRingClaim<T>;

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
class SpscRingClaim {
 public:
    SpscRingClaim(SpscRingClaim&& other) noexcept : producer_(std::exchange(other.producer_, nullptr)) {}
    /// What was claimed here before is dropped first, as by the destructor.
    SpscRingClaim& operator=(SpscRingClaim&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~SpscRingClaim() = default;  // not committed: not sent

    [[nodiscard]] T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] T* operator->() const noexcept {
        assert(producer_ != nullptr);
        return std::launder(reinterpret_cast<T*>(producer_->side_.place()));
    }
    /// Publishes the message. Once.
    void commit() noexcept {
        assert(producer_ != nullptr);
        SpscRingProducer<T>& producer = *std::exchange(producer_, nullptr);
        if (!producer.end_.usable()) return;  // a forked child's copy: the claim is its parent's
        producer.side_.publish(1);
        (void)producer.published(Status::ok);
    }

 private:
    friend class SpscRingProducer<T>;
    explicit SpscRingClaim(SpscRingProducer<T>& producer) noexcept : producer_(&producer) {}
    SpscRingProducer<T>* producer_;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
