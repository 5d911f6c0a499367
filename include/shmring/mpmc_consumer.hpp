// The reading end of MpmcRing<T>.
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

#include "shmring/detail/member_end.hpp"
#include "shmring/detail/mpmc.hpp"
#include "shmring/detail/verbs.hpp"
#include "shmring/result.hpp"

namespace shmring {

template <class T>
class MpmcRingView;

/// One of those who read: each message goes to exactly one of them, in the order of the claims for writing. Move-only; do not move it
/// while a View of it is alive. One thread at a time; every thread and process takes its own. In a forked child every call answers
/// not_owner.
///
/// Statuses: empty, busy (the oldest message is claimed and not yet published), closed (ended, and every message was taken),
/// overflow (a View of this handle is alive), corrupt (the ring's words contradict each other). Waiting calls wait through empty and
/// busy; after a death for at most about one liveness period.
template <class T>
class MpmcRingConsumer
    : public detail::MemberEnd<
          detail::MpmcConsumer<detail::ShippedEnv, detail::SlotShape::of(sizeof(T), alignof(T))>,
          detail::Role::consumer>,
      public detail::ReceiveVerbs<MpmcRingConsumer<T>, T, MpmcRingView<T>> {
 public:
    using View = MpmcRingView<T>;

    MpmcRingConsumer() noexcept = default;

    /// Takes up to messages.size() messages, at most 223, that stand side by side, with one claim and one wake-up of the producers.
    /// Answers how many (at least one, unless there was no room for any), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_pop_n(std::span<T> messages) noexcept {
        if (messages.empty()) return std::size_t{0};
        const Status status =
            this->once([&]() noexcept { return this->side_.claim(detail::most_at_once(messages.size())); });
        if (status != Status::ok) return status;
        const std::uint64_t count = this->side_.claimed().count;
        const bool in_the_end = this->redelivers();
        for (std::uint64_t i = 0; i != count; ++i) {
            detail::ShippedEnv::copy_out(&messages[i], this->side_.payload(i), sizeof(T));
            if (!in_the_end) this->side_.hand_back(i);
        }
        this->conclude(count, [&]() noexcept {
            if (in_the_end) this->side_.hand_back_all();
        });
        return static_cast<std::size_t>(count);
    }
    /// How often the message of the last call was in the hands of a consumer that died with it: 0 but for at_least_once.
    [[nodiscard]] std::uint64_t redeliveries() const noexcept { return this->side_.deliveries(); }

 private:
    friend class detail::ReceiveVerbs<MpmcRingConsumer<T>, T, MpmcRingView<T>>;
    friend class MpmcRingView<T>;

    /// `call` gets the attempt and says how often to make it; the message is copied straight into the answer.
    template <class Call>
    [[nodiscard]] Result<T> popped(Call&& call) {
        detail::Slot<detail::ShippedEnv> taken;
        Result<T> result(std::in_place, [&](void* to) {
            return call([&, to]() noexcept { return this->side_.try_take(to, sizeof(T), taken); });
        });
        if (result) [[likely]]
            this->conclude(1, [&]() noexcept { detail::free_slot(taken); });
        return result;
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return this->side_.claim(1); };
    }
    [[nodiscard]] Result<View> borrowed(Status status) noexcept {
        if (status != Status::ok) return status;
        this->left_there();
        return View(*this);
    }
    /// The message in hand is in the caller's memory: the last of a call.
    void take_over() noexcept {
        this->conclude(1, [this]() noexcept { this->side_.hand_back_all(); });
    }
    void settled(std::uint64_t count) noexcept {
        this->side_.settle();
        this->moved_on(count);
    }
};

/// A message in hand. Producers of the next lap cannot write over it before it is handed back. If its process dies, it is lost or
/// delivered again, as the ring's Delivery says.
template <class T>
class MpmcRingView {
 public:
    MpmcRingView(MpmcRingView&& other) noexcept : consumer_(std::exchange(other.consumer_, nullptr)) {}
    /// What was borrowed here before is handed back first, but after the right side was made: `view = in.next()` while `view` holds a
    /// message asks for another beside it.
    MpmcRingView& operator=(MpmcRingView&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~MpmcRingView() { hand_back(); }

    [[nodiscard]] const T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] const T* operator->() const noexcept {
        assert(consumer_ != nullptr);
        return std::launder(reinterpret_cast<const T*>(consumer_->side_.payload(0)));
    }
    /// Whether a consumer died with this message in hand before: it may have done something with it.
    [[nodiscard]] bool redelivered() const noexcept {
        assert(consumer_ != nullptr);
        return consumer_->redeliveries() != 0;
    }
    /// Hands the message back now, as the destructor does. Once.
    void hand_back() noexcept {
        if (consumer_ == nullptr) return;
        MpmcRingConsumer<T>& consumer = *std::exchange(consumer_, nullptr);
        if (!consumer.usable()) return;  // a forked child's copy: the message is its parent's
        consumer.side_.hand_back(0);
        consumer.settled(1);
    }
    /// Hands it back unread: what a death would do happens to it. It is delivered again, or lost and counted, as the ring's Delivery says.
    void abandon() noexcept {
        if (consumer_ == nullptr) return;
        MpmcRingConsumer<T>& consumer = *std::exchange(consumer_, nullptr);
        if (consumer.usable()) consumer.leave_unread();
    }

 private:
    friend class MpmcRingConsumer<T>;
    friend struct detail::ViewAccess;
    /// As hand_back().
    void conclude() noexcept {
        if (consumer_ == nullptr) return;
        MpmcRingConsumer<T>& consumer = *std::exchange(consumer_, nullptr);
        if (consumer.usable()) consumer.take_over();
    }
    explicit MpmcRingView(MpmcRingConsumer<T>& consumer) noexcept : consumer_(&consumer) {}
    MpmcRingConsumer<T>* consumer_;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
