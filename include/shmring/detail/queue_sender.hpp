// Putting values into a queue, in all shapes of the call: the half that the queues have in common.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/attach_refusal.hpp"
#include "shmring/detail/one_thread.hpp"
#include "shmring/detail/ring_object.hpp"
#include "shmring/message.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Takes a participant record when it is first used. overflow: none was free; unavailable: the system refused a descriptor, a page or a
/// lock; not_owner: an empty object, or a forked child's copy.
template <class T, class Lane>
class QueueSender {
 public:
    using value_type = T;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(ring_); }

    /// Takes a record now that would be taken at first use. Throws std::system_error: errc::participants_exhausted, or errc::not_owner
    /// in a forked child whose parent uses this handle.
    /// From here on, and until it detaches, this is an explicit producer: see ends_with_last_producer of the queue's options.
    void bind_producer() {
        if (!out_) out_ = ring_.producer(policy_);
        if (!RingAccess::make_explicit(out_)) throw_foreign_handle();
    }
    void bind_producer(std::error_code& code) noexcept {
        code.clear();
        if (!out_) out_ = ring_.producer(policy_, code);
        if (!code && !RingAccess::make_explicit(out_)) code = make_error_code(errc::not_owner);
    }

    /// Puts a copy of `value` into the queue: full, closed, or, at once, too_large: its Codec writes more than max_value_bytes().
    [[nodiscard]] Result<void> try_push(const T& value) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::try_push(out, value); });
    }
    /// Waits while the queue is full. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> push(const T& value, const std::stop_token& stop = {}) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::push(out, value, stop); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(const T& value, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::push_by(out, value, timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(
        const T& value, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return sending(value, [&](auto& out) { return Lane::push_by(out, value, deadline, stop); });
    }
    /// As many of `values` as fit, in order: how many (at least one, unless none were given), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const T> values) noexcept {
        std::size_t done = 0;
        const Result<void> all =
            with_record([&](auto& out) noexcept { return push_some(out, values, done); });
        return all || done != 0 ? Result<std::size_t>(done) : all.error();
    }

    /// Ends the queue for every process: pushes answer closed, readers get what is left, then closed; every sleeper wakes.
    /// Needs no participant record: it works although others hold them all, and takes none. A forked child's copy of a handle in use,
    /// or an empty object, ends nothing.
    void close() noexcept {
        if (out_)
            out_.close();
        else if (ring_)
            ring_.close();
    }

    /// Values the queue holds at most, exactly as asked.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return Lane::capacity(ring_); }
    /// The largest value, in bytes as its Codec writes them: about half of capacity_bytes, so that it fits however the ring stands; of a
    /// JoinableQueue that delivers again at most what is kept of a task. A queue of larger values needs a larger capacity_bytes.
    [[nodiscard]] std::size_t max_value_bytes() const noexcept {
        const std::size_t fits = Lane::max_bytes(ring_);
        return fits < largest_ ? fits : largest_;
    }
    /// What was so a moment ago, and may be over when the answer arrives. Counting ends at `most`: of values of varying size it looks at
    /// each, at 5 to 10 ns apiece, so whoever wants to know whether more than a hundred wait asks for `count_approx(101)`. The other
    /// questions take a few loads.
    [[nodiscard]] std::uint64_t count_approx(std::uint64_t most = ~std::uint64_t{0}) const noexcept {
        return Lane::count(ring_, most);
    }
    [[nodiscard]] bool was_empty() const noexcept { return ring_.was_empty(); }
    [[nodiscard]] bool was_full() const noexcept { return ring_.was_full(); }
    [[nodiscard]] bool was_closed() const noexcept { return ring_.was_closed(); }
    /// How many handles that have pushed, or popped, or were bound for it, and have not detached, there are in all processes; those of the
    /// dead are not counted. A look at each participant's record, and a system call or two for each handle.
    [[nodiscard]] std::uint32_t count_producers() const noexcept { return ring_.count_producers(); }
    [[nodiscard]] std::uint32_t count_consumers() const noexcept { return ring_.count_consumers(); }
    /// Not of an empty object.
    [[nodiscard]] Segment& segment() const noexcept { return *segment_; }

 protected:
    static constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();

    QueueSender() noexcept = default;
    /// `largest`: bytes of the largest value, where sizes vary.
    explicit QueueSender(std::shared_ptr<Segment> segment, std::size_t largest = kAnySize) noexcept
        : segment_(std::move(segment)), largest_(largest) {
        if (segment_ != nullptr) ring_ = RingAccess::make<typename Lane::Ring>(segment_);
    }

    /// Why there is no end to call, where taking it failed with `code`.
    [[nodiscard]] Status no_end(const std::error_code& code) const noexcept {
        return ring_ ? status_of_refusal(code) : Status::not_owner;
    }
    template <class Call>
    [[nodiscard]] Result<void> with_record(Call&& call) {
        const InCall here(occupied_, [this]() noexcept { return !out_ || out_.usable(); });
        if (!out_) [[unlikely]] {
            std::error_code code;
            out_ = ring_.producer(policy_, code);
            if (code) return no_end(code);
        }
        return call(out_);
    }

    std::shared_ptr<Segment> segment_{};
    typename Lane::Ring ring_{};
    typename Lane::Producer out_{};
    WaitPolicy policy_{};

 private:
    [[nodiscard]] bool is_too_large(const T& value) const noexcept {
        if constexpr (Message<T>)
            return false;
        else
            return largest_ != kAnySize && Codec<T>::size(value) > largest_;
    }
    template <class Call>
    [[nodiscard]] Result<void> sending(const T& value, Call&& call) {
        if (is_too_large(value)) return Status::too_large;
        return with_record(call);
    }
    /// `done`: how many; why not all is the answer.
    [[nodiscard]] Result<void> push_some(typename Lane::Producer& out, std::span<const T> values,
                                         std::size_t& done) noexcept {
        std::size_t fitting = 0;
        while (fitting != values.size() && !is_too_large(values[fitting])) ++fitting;
        const Result<void> all = Lane::try_push_n(out, values.first(fitting), done);
        return all && fitting != values.size() ? Result<void>(Status::too_large) : all;
    }

    std::size_t largest_ = kAnySize;
    Occupied occupied_{};
};

}  // namespace shmring::detail
