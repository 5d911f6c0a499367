// The reading end of SpscRing<T>.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "shmring/detail/spsc.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/detail/verbs.hpp"
#include "shmring/result.hpp"

namespace shmring {

template <class T>
class SpscRingView;

/// The one who reads. Move-only; do not move it while a View of it is alive. Destroying it gives the seat back; what it has not
/// taken waits for its successor. In a forked child every call answers not_owner.
///
/// Statuses beside those of the verbs: peer_lost (empty, and the producer is dead), overflow (a View of this handle is alive). A consumer that dies with a View has not taken
/// the message.
template <class T>
class SpscRingConsumer
    : public detail::StreamEnd<detail::SpscConsumer<T, detail::ShippedEnv>, detail::Role::consumer>,
      public detail::ReceiveVerbs<SpscRingConsumer<T>, T, SpscRingView<T>> {
    using Base = detail::StreamEnd<detail::SpscConsumer<T, detail::ShippedEnv>, detail::Role::consumer>;
    using Base::end_;
    using Base::once;
    using Base::side_;
    using Base::waiting;

 public:
    using View = SpscRingView<T>;

    SpscRingConsumer() noexcept = default;

    /// Takes up to messages.size() messages in order, with at most one wake-up of the producer. Answers how many (at least one,
    /// unless there was no room for any), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_pop_n(std::span<T> messages) noexcept {
        std::size_t done = 0;
        const Status status = once([&]() noexcept {
            Status stopped_by = Status::ok;
            done = side_.try_pop_n(messages.data(), messages.size(), stopped_by);
            return done != 0 ? Status::ok : stopped_by;
        });
        if (status != Status::ok) return status;
        if (done != 0) handed_back();
        return done;
    }

 private:
    friend class detail::ReceiveVerbs<SpscRingConsumer<T>, T, SpscRingView<T>>;
    friend class SpscRingView<T>;

    /// `call` gets the attempt and says how often to make it; the message is copied straight into the answer.
    template <class Call>
    [[nodiscard]] Result<T> popped(Call&& call) {
        assert((!lent_ || !end_.usable()) &&
               "shmring: no pop while a View is alive: it would take the View's message");
        Result<T> result(std::in_place,
                         [&](void* to) { return call([this, to]() noexcept { return side_.try_pop(to); }); });
        if (result) [[likely]]
            handed_back();
        return result;
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return lent_ ? Status::overflow : side_.prepare(); };
    }
    void handed_back() noexcept { end_.wake_peer(); }
    [[nodiscard]] Result<View> borrowed(Status status) noexcept {
        if (status != Status::ok) return status;
        lent_ = true;
        return View(*this);
    }

    bool lent_ = false;  // the oldest message, to a View
};

/// The oldest message, borrowed. Its producer cannot write over it before it is handed back.
template <class T>
class SpscRingView {
 public:
    SpscRingView(SpscRingView&& other) noexcept : consumer_(std::exchange(other.consumer_, nullptr)) {}
    /// What was borrowed here before is handed back first, but after the right side was made: `view = in.next()` while `view` holds a
    /// message asks for another beside it.
    SpscRingView& operator=(SpscRingView&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~SpscRingView() { hand_back(); }

    [[nodiscard]] const T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] const T* operator->() const noexcept {
        assert(consumer_ != nullptr);
        return std::launder(reinterpret_cast<const T*>(consumer_->side_.place()));
    }
    /// Hands the message back now, as the destructor does. Once.
    void hand_back() noexcept {
        if (consumer_ == nullptr) return;
        SpscRingConsumer<T>& consumer = *std::exchange(consumer_, nullptr);
        consumer.lent_ = false;
        if (!consumer.end_.usable()) return;  // a forked child's copy: the message is its parent's
        consumer.side_.hand_back(1);
        consumer.handed_back();
    }

 private:
    friend class SpscRingConsumer<T>;
    explicit SpscRingView(SpscRingConsumer<T>& consumer) noexcept : consumer_(&consumer) {}
    SpscRingConsumer<T>* consumer_;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
