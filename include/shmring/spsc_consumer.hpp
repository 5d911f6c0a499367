// The reading end of SpscRing<T>.
#pragma once

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <stop_token>
#include <utility>

#include "shmring/detail/spsc.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// The one who reads. Move-only; do not move it while a View of it is alive. Destroying it gives the seat back; what it has not
/// taken waits for its successor. In a forked child every call answers not_owner.
template <class T>
class SpscRingConsumer
    : public detail::StreamEnd<detail::SpscConsumer<T, detail::ShippedEnv>, detail::Role::consumer> {
    using Base = detail::StreamEnd<detail::SpscConsumer<T, detail::ShippedEnv>, detail::Role::consumer>;
    using Base::end_;
    using Base::kNever;
    using Base::once;
    using Base::side_;
    using Base::waiting;

 public:
    class View;

    SpscRingConsumer() noexcept = default;

    /// Takes the oldest message. empty: nothing there; closed: the stream has ended and all was read; peer_lost: empty, and the
    /// producer is dead; corrupt: the ring's words contradict each other.
    [[nodiscard]] Result<T> try_pop() noexcept {
        return popped([this](auto&& popping) { return this->once(popping); });
    }
    /// Waits while the ring is empty. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<T> pop(const std::stop_token& stop = {}) noexcept {
        return popped([&](auto&& popping) { return this->waiting(kNever, stop, popping); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<T> try_pop_for(std::chrono::duration<Rep, Period> timeout,
                                        const std::stop_token& stop = {}) noexcept {
        return popped(
            [&](auto&& popping) { return this->waiting(detail::deadline_after(timeout), stop, popping); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<T> try_pop_until(std::chrono::time_point<Clock, Duration> deadline,
                                          const std::stop_token& stop = {}) noexcept {
        return detail::call_until(deadline, [&](std::uint64_t ns) {
            return popped([&](auto&& popping) { return this->waiting(ns, stop, popping); });
        });
    }
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

    /// Borrows the oldest message where it lies, without a copy; it is handed back when the View goes. One View at a time, no pop
    /// meanwhile. A consumer that dies with a View has not taken the message. Statuses as for try_pop.
    [[nodiscard]] Result<View> try_next() noexcept { return borrowed(once(preparing())); }
    /// Waits while the ring is empty.
    [[nodiscard]] Result<View> next(const std::stop_token& stop = {}) noexcept {
        return borrowed(waiting(kNever, stop, preparing()));
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<View> try_next_for(std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return borrowed(waiting(detail::deadline_after(timeout), stop, preparing()));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<View> try_next_until(std::chrono::time_point<Clock, Duration> deadline,
                                              const std::stop_token& stop = {}) noexcept {
        return detail::call_until(deadline,
                                  [&](std::uint64_t ns) { return borrowed(waiting(ns, stop, preparing())); });
    }

 private:
    /// `call` gets the attempt and says how often to make it; the message is copied straight into the answer.
    template <class Call>
    [[nodiscard]] Result<T> popped(Call&& call) noexcept {
        Result<T> result(std::in_place, [&](void* to) noexcept {
            return call([this, to]() noexcept { return side_.try_pop(to); });
        });
        if (result) [[likely]]
            handed_back();
        return result;
    }
    [[nodiscard]] auto preparing() noexcept {
        return [this]() noexcept { return side_.prepare(); };
    }
    void handed_back() noexcept { end_.wake_peer(); }
    [[nodiscard]] Result<View> borrowed(Status status) noexcept {
        if (status != Status::ok) return status;
        return View(*this);
    }
};

/// The oldest message, borrowed. Its producer cannot write over it before it is handed back.
template <class T>
class SpscRingConsumer<T>::View {
 public:
    View(View&& other) noexcept : consumer_(std::exchange(other.consumer_, nullptr)) {}
    View& operator=(View&&) = delete;
    ~View() { hand_back(); }

    [[nodiscard]] const T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] const T* operator->() const noexcept {
        assert(consumer_ != nullptr);
        return std::launder(reinterpret_cast<const T*>(consumer_->side_.place()));
    }
    /// Hands the message back now, as the destructor does. Once.
    void hand_back() noexcept {
        if (consumer_ == nullptr) return;
        SpscRingConsumer& consumer = *std::exchange(consumer_, nullptr);
        if (!consumer.end_.usable()) return;  // a forked child's copy: the message is its parent's
        consumer.side_.hand_back(1);
        consumer.handed_back();
    }

 private:
    friend class SpscRingConsumer;
    explicit View(SpscRingConsumer& consumer) noexcept : consumer_(&consumer) {}
    SpscRingConsumer* consumer_;
};

}  // namespace shmring
