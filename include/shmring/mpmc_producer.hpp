// The writing end of MpmcRing<T>.
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
class MpmcRingClaim;

/// One of those who write. Move-only; do not move it while a claim of it is alive. One thread at a time; every thread and process
/// takes its own. In a forked child every call answers not_owner.
///
/// Statuses: full (the oldest place is not handed back), closed (the stream has ended), overflow (a claim of this handle is alive),
/// corrupt (the ring's words contradict each other). What a producer wrote before a push is visible to the consumer after the pop.
template <class T>
class MpmcRingProducer
    : public detail::MemberEnd<
          detail::MpmcProducer<detail::ShippedEnv, detail::SlotShape::of(sizeof(T), alignof(T))>,
          detail::Role::producer>,
      public detail::SendVerbs<MpmcRingProducer<T>, T, MpmcRingClaim<T>> {
 public:
    using Claim = MpmcRingClaim<T>;

    MpmcRingProducer() noexcept = default;

    /// Publishes as many of the messages as fit, at most 223, side by side in the ring's order, with one claim and one wake-up. Answers
    /// how many (at least one, unless none were given), or the Status that says why none. If the process is killed meanwhile, the rest
    /// of them is stepped over.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const T> messages) noexcept {
        if (messages.empty()) return std::size_t{0};
        const Status status =
            this->once([&]() noexcept { return this->side_.claim(detail::most_at_once(messages.size())); });
        if (status != Status::ok) return status;
        const std::uint64_t count = this->side_.claimed().count;
        for (std::uint64_t i = 0; i != count; ++i) {
            detail::ShippedEnv::copy_in(this->side_.payload(i), &messages[i], sizeof(T));
            this->side_.publish(i);
        }
        settled(count);
        return static_cast<std::size_t>(count);
    }

 private:
    friend class detail::SendVerbs<MpmcRingProducer<T>, T, MpmcRingClaim<T>>;
    friend class MpmcRingClaim<T>;

    [[nodiscard]] auto pushing(const T& message) noexcept {
        return [this, &message]() noexcept { return this->side_.try_push(&message, sizeof(T)); };
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return this->side_.claim(1); };
    }
    [[nodiscard]] Result<void> published(Result<void> result) noexcept {
        if (result) [[likely]]
            this->moved_on(1);
        return result;
    }
    [[nodiscard]] Result<Claim> claimed(Status status) noexcept {
        if (status != Status::ok) return status;
        this->left_there();
        return Claim(*this);
    }
    void settled(std::uint64_t count) noexcept {
        this->side_.settle();
        this->moved_on(count);
    }
};

/// One message under construction in the ring. Its bytes are those of an old message until they are written. Readers wait for it,
/// so that messages come in the order of their claims; dropped, or dead with its process, it is stepped over.
template <class T>
class MpmcRingClaim {
 public:
    MpmcRingClaim(MpmcRingClaim&& other) noexcept : producer_(std::exchange(other.producer_, nullptr)) {}
    /// What was claimed here before is dropped first, as by the destructor.
    MpmcRingClaim& operator=(MpmcRingClaim&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~MpmcRingClaim() {
        if (producer_ != nullptr) finish([](auto& side) noexcept { side.skip(0); });
    }

    [[nodiscard]] T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] T* operator->() const noexcept {
        assert(producer_ != nullptr);
        return std::launder(reinterpret_cast<T*>(producer_->side_.payload(0)));
    }
    /// Publishes the message. Once.
    void commit() noexcept {
        assert(producer_ != nullptr);
        finish([](auto& side) noexcept { side.publish(0); });
    }

 private:
    friend class MpmcRingProducer<T>;
    explicit MpmcRingClaim(MpmcRingProducer<T>& producer) noexcept : producer_(&producer) {}

    template <class How>
    void finish(How&& how) noexcept {
        MpmcRingProducer<T>& producer = *std::exchange(producer_, nullptr);
        if (!producer.usable()) return;  // a forked child's copy: the claim is its parent's
        how(producer.side_);
        producer.settled(1);
    }
    MpmcRingProducer<T>* producer_;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
