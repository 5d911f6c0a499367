// BytePipe: byte messages of any size between two ends, one or both ways.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/byte_verbs.hpp"
#include "shmring/detail/pipe_end.hpp"
#include "shmring/detail/pipe_lane.hpp"
#include "shmring/detail/pipe_object.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring {

class BytePipe;

/// What is sent of a buffer: all of it, or `{buffer, offset}`, or `{buffer, offset, size}`. A part that does not lie in its buffer is
/// found out by the call, which answers invalid.
class Part {
 public:
    template <std::convertible_to<Bytes> Buffer>
    Part(const Buffer& buffer, std::ptrdiff_t offset = 0, std::optional<std::ptrdiff_t> size = {}) noexcept
        : buffer_(buffer), offset_(offset), size_(size) {}

    /// The bytes that it names, or invalid.
    [[nodiscard]] Result<Bytes> bytes() const noexcept {
        const auto whole = static_cast<std::ptrdiff_t>(buffer_.size());
        if (offset_ < 0 || offset_ > whole) return Status::invalid;
        const std::ptrdiff_t size = size_.value_or(whole - offset_);
        if (size < 0 || size > whole - offset_) return Status::invalid;
        return buffer_.subspan(static_cast<std::size_t>(offset_), static_cast<std::size_t>(size));
    }

 private:
    Bytes buffer_;
    std::ptrdiff_t offset_;
    std::optional<std::ptrdiff_t> size_;
};

/// Where a message is received: a buffer, or `{buffer, offset}`, which leaves alone what stands before the offset.
class Room {
 public:
    template <std::convertible_to<std::span<std::byte>> Buffer>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): a Room is no buffer
    Room(Buffer&& buffer, std::ptrdiff_t offset = 0) noexcept : buffer_(buffer), offset_(offset) {}

    /// The bytes that may be written, or invalid.
    [[nodiscard]] Result<std::span<std::byte>> bytes() const noexcept {
        if (offset_ < 0 || offset_ > static_cast<std::ptrdiff_t>(buffer_.size())) return Status::invalid;
        return buffer_.subspan(static_cast<std::size_t>(offset_));
    }

 private:
    std::span<std::byte> buffer_;
    std::ptrdiff_t offset_;
};

/// One end of a BytePipe. Life, threads and statuses as for PipeEnd<T>. Messages stay apart, and an empty one is a message. Where a
/// message is larger than the buffer it is received into, the answer is too_large, needed_bytes() tells its size, and it stays.
class BytePipeEnd : public detail::PipeEndBase<detail::BytePipeLane> {
    using Base = detail::PipeEndBase<detail::BytePipeLane>;

 public:
    BytePipeEnd() noexcept = default;

    /// Sends one message: full, closed (the other end is gone), too_large (more than max_message_bytes(), at once), invalid.
    [[nodiscard]] Result<void> try_send(const Part& message) noexcept {
        return sending_part(message, [](auto& out, Bytes bytes) noexcept { return out.try_push(bytes); });
    }
    /// Waits while there is no room. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> send(const Part& message, const std::stop_token& stop = {}) noexcept {
        return sending_part(message,
                            [&](auto& out, Bytes bytes) noexcept { return out.push(bytes, 0, stop); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_send_for(const Part& message, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return sending_part(message, [&](auto& out, Bytes bytes) noexcept {
            return out.try_push_for(bytes, timeout, 0, stop);
        });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_send_until(
        const Part& message, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        return sending_part(
            message, [&](auto& out, Bytes bytes) { return out.try_push_until(bytes, deadline, 0, stop); });
    }

    /// The same under a tag of the caller's, which the other end finds in tag().
    [[nodiscard]] Result<void> try_send(const Part& message, std::uint32_t tag) noexcept {
        return sending_part(message,
                            [tag](auto& out, Bytes bytes) noexcept { return out.try_push(bytes, tag); });
    }
    [[nodiscard]] Result<void> send(const Part& message, std::uint32_t tag,
                                    const std::stop_token& stop = {}) noexcept {
        return sending_part(message,
                            [&](auto& out, Bytes bytes) noexcept { return out.push(bytes, tag, stop); });
    }
    /// Sends the parts, one behind the other, as one message.
    [[nodiscard]] Result<void> try_send_gathered(std::span<const Bytes> parts,
                                                 std::uint32_t tag = 0) noexcept {
        return sending([&](auto& out) noexcept { return out.try_push_gathered(parts, tag); });
    }
    [[nodiscard]] Result<void> send_gathered(std::span<const Bytes> parts, std::uint32_t tag = 0,
                                             const std::stop_token& stop = {}) noexcept {
        return sending([&](auto& out) noexcept { return out.push_gathered(parts, tag, stop); });
    }

    using View = ByteRingView;
    /// Borrows the oldest message that was not borrowed, where it lies, without a copy; it is received when the View goes. Up to 64 at
    /// once; do not move or close the end meanwhile. Statuses as for try_recv.
    [[nodiscard]] Result<View> try_next() noexcept {
        return receiving([](auto& in) noexcept { return in.try_next(); });
    }
    /// Waits while there is nothing.
    [[nodiscard]] Result<View> next(const std::stop_token& stop = {}) noexcept {
        return receiving([&](auto& in) noexcept { return in.next(stop); });
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<View> try_next_for(std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return receiving([&](auto& in) noexcept { return in.try_next_for(timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<View> try_next_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        return receiving([&](auto& in) { return in.try_next_until(deadline, stop); });
    }

    /// Copies the oldest message into `room` and answers its size, leaving alone what stands behind it: empty, closed (the other end
    /// is gone, and everything was received), too_large, invalid.
    [[nodiscard]] Result<std::size_t> try_recv(const Room& room) noexcept {
        return receiving_into(room, [this](std::span<std::byte> to) noexcept {
            return receiving([to](auto& in) noexcept { return in.try_pop(to); });
        });
    }
    /// Waits while there is nothing.
    [[nodiscard]] Result<std::size_t> recv(const Room& room, const std::stop_token& stop = {}) noexcept {
        return receiving_into(room, [&](std::span<std::byte> to) noexcept {
            return receiving([&](auto& in) noexcept { return in.pop(to, stop); });
        });
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<std::size_t> try_recv_for(const Room& room,
                                                   std::chrono::duration<Rep, Period> timeout,
                                                   const std::stop_token& stop = {}) noexcept {
        return receiving_into(room, [&](std::span<std::byte> to) noexcept {
            return receiving([&](auto& in) noexcept { return in.try_pop_for(to, timeout, stop); });
        });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<std::size_t> try_recv_until(
        const Room& room, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        return receiving_into(room, [&](std::span<std::byte> to) {
            return receiving([&](auto& in) { return in.try_pop_until(to, deadline, stop); });
        });
    }
    /// Into a string or vector kept by the caller, resized to the message: no allocation once it is large enough. Growing may throw
    /// std::bad_alloc; the message then stays.
    template <ByteContainer Container>
    [[nodiscard]] Result<std::size_t> try_recv(Container& container) {
        return size_of(receiving([&](auto& in) { return in.try_pop(container); }));
    }
    template <ByteContainer Container>
    [[nodiscard]] Result<std::size_t> recv(Container& container, const std::stop_token& stop = {}) {
        return size_of(receiving([&](auto& in) { return in.pop(container, stop); }));
    }
    template <ByteContainer Container, class Rep, class Period>
    [[nodiscard]] Result<std::size_t> try_recv_for(Container& container,
                                                   std::chrono::duration<Rep, Period> timeout,
                                                   const std::stop_token& stop = {}) {
        return size_of(receiving([&](auto& in) { return in.try_pop_for(container, timeout, stop); }));
    }

    /// The size of the message that the last call found too large for its buffer.
    [[nodiscard]] std::size_t needed_bytes() const noexcept { return consumer().needed_bytes(); }
    /// The tag of the message that this end received last; 0 unless its sender gave one.
    [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
    /// The largest message: about half of the capacity. A larger one is too_large at once, and needs a larger capacity_bytes.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept {
        return *this ? detail::BytePipeLane::memory(segment(), detail::PipeSide::first).max_message() : 0;
    }

 private:
    friend detail::PipeObject<BytePipe, BytePipeEnd>;
    explicit BytePipeEnd(detail::PipeHold hold) noexcept : Base(std::move(hold)) {}

    template <class Call>
    [[nodiscard]] Result<void> sending_part(const Part& message, Call&& call) {
        const Result<Bytes> bytes = message.bytes();
        if (!bytes) return bytes.error();
        return sending([&](auto& out) { return call(out, *bytes); });
    }
    template <class Call>
    [[nodiscard]] Result<std::size_t> receiving_into(const Room& room, Call&& call) {
        const Result<std::span<std::byte>> bytes = room.bytes();
        if (!bytes) return bytes.error();
        return size_of(call(*bytes));
    }
    [[nodiscard]] Result<std::size_t> size_of(const Result<Received>& received) noexcept {
        if (!received) return received.error();
        tag_ = received->tag;
        return received->size;
    }

    std::uint32_t tag_ = 0;
};

/// Byte messages between two ends; made and shared as Pipe<T> is. `BytePipe::pair({.capacity_bytes = 1 << 20})`.
class BytePipe : public detail::PipeObject<BytePipe, BytePipeEnd> {
    using Base = detail::PipeObject<BytePipe, BytePipeEnd>;

 public:
    BytePipe() noexcept = default;

    [[nodiscard]] static detail::SegmentSpec spec(const PipeOptions& options) noexcept {
        return detail::BytePipeLane::spec(options);
    }

 private:
    friend detail::RingFactory<BytePipe, PipeOptions>;
    explicit BytePipe(std::shared_ptr<Segment> segment) noexcept : Base(std::move(segment)) {}
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
