// The verbs for messages of any size, each in the four shapes of a call that may have to wait (detail/verbs.hpp), written once for all
// rings of bytes, over what the end provides:
//
//   once(attempt), waiting(deadline, stop, attempt)     make one attempt, or as many as it takes; waiting_until on any clock
//   side_                                               the algorithm: prepare(size), place(), publish(size, tag)
//   announce(count)                                     the wake-up after so many messages
//   claimed(status, most), borrowed(status)             the guard over a message in place
//   looking(), popping(buffer)                          one attempt each
//   received(status), grown(container, call), decoded(value, call)
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>

#include "shmring/codec.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// What was copied out: how many bytes, and the producer's tag.
struct Received {
    std::size_t size = 0;
    std::uint32_t tag = 0;
};

/// A byte container that a message can be popped into: std::string, std::vector<std::byte> and their like.
template <class Container>
concept ByteContainer = sizeof(typename Container::value_type) == 1 && requires(Container& container) {
    container.resize(std::size_t{1});
    container.data();
};

namespace detail {

/// Sending. `Claim` is what the ring calls a message under construction.
template <class Self, class Claim>
class ByteSendVerbs {
    using Env = ShippedEnv;
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

    static constexpr std::size_t kEarlyWakeBytes =
        std::size_t{16} * 1024;  // copying this takes as long as waking a sleeper

    /// A sleeping reader is woken before a long copy: it takes as long to come as the copy does.
    void wake_early(std::size_t size) noexcept {
        if (size >= kEarlyWakeBytes) [[unlikely]]
            self().announce(1);
    }

    [[nodiscard]] Result<void> published(Result<void> result) noexcept {
        if (result) [[likely]]
            self().announce(1);
        return result;
    }
    /// Room for one message, its bytes by `write(std::byte* to)`, its publication.
    template <class Write>
    [[nodiscard]] Status write_message(std::size_t size, std::uint32_t tag, Write&& write) noexcept {
        auto& side = self().side_;
        const Status room = side.prepare(size);
        if (room != Status::ok) [[unlikely]]
            return room;
        wake_early(size);
        write(side.place());
        side.publish(static_cast<std::uint32_t>(size), tag);
        return Status::ok;
    }

    // One attempt each; the public calls below say how often to make it.
    [[nodiscard]] auto pushing(Bytes message, std::uint32_t tag) noexcept {
        return [this, message, tag]() noexcept {
            return write_message(message.size(), tag, [message](std::byte* to) noexcept {
                Env::copy_in(to, message.data(), message.size());
            });
        };
    }
    [[nodiscard]] auto gathering(std::span<const Bytes> parts, std::uint32_t tag) noexcept {
        return [this, parts, tag]() noexcept {
            std::size_t size = 0;
            for (const Bytes part : parts) {
                if (part.size() > self().max_message_bytes() - size) return Status::too_large;
                size += part.size();
            }
            return write_message(size, tag, [parts](std::byte* to) noexcept {
                for (const Bytes part : parts) {
                    Env::copy_in(to, part.data(), part.size());
                    to += part.size();
                }
            });
        };
    }
    template <class T>
    [[nodiscard]] auto encoding(const T& value, std::uint32_t tag) noexcept {
        return [this, &value, tag]() noexcept {
            const std::size_t size = Codec<T>::size(value);
            return write_message(size, tag, [&value, size](std::byte* to) noexcept {
                Codec<T>::encode(value, {to, size});
            });
        };
    }
    [[nodiscard]] auto preparing(std::size_t most_bytes) noexcept {
        return [this, most_bytes]() noexcept { return self().side_.prepare(most_bytes); };
    }

 public:
    /// Publishes a copy of `message` under a tag of the caller's. An empty message is a message.
    [[nodiscard]] Result<void> try_push(Bytes message, std::uint32_t tag = 0) noexcept {
        return published(self().once(pushing(message, tag)));
    }
    /// Waits while there is no room.
    [[nodiscard]] Result<void> push(Bytes message, std::uint32_t tag = 0,
                                    const std::stop_token& stop = {}) noexcept {
        return published(self().waiting(platform::kNever, stop, pushing(message, tag)));
    }
    /// Waits at most `timeout`; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(Bytes message, std::chrono::duration<Rep, Period> timeout,
                                            std::uint32_t tag = 0,
                                            const std::stop_token& stop = {}) noexcept {
        return published(self().waiting(deadline_after(timeout), stop, pushing(message, tag)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(
        Bytes message, std::chrono::time_point<Clock, Duration> deadline, std::uint32_t tag = 0,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return published(self().waiting_until(deadline, stop, pushing(message, tag)));
    }

    /// Publishes a value as its Codec writes it, straight into the ring.
    template <class T>
    [[nodiscard]] Result<void> try_push_value(const T& value, std::uint32_t tag = 0) noexcept {
        static_assert(explain_codec<T>() && Encodable<T>);
        return published(self().once(encoding(value, tag)));
    }
    template <class T>
    [[nodiscard]] Result<void> push_value(const T& value, std::uint32_t tag = 0,
                                          const std::stop_token& stop = {}) noexcept {
        static_assert(explain_codec<T>() && Encodable<T>);
        return published(self().waiting(platform::kNever, stop, encoding(value, tag)));
    }

    template <class T, class Rep, class Period>
    [[nodiscard]] Result<void> try_push_value_for(const T& value, std::chrono::duration<Rep, Period> timeout,
                                                  std::uint32_t tag = 0,
                                                  const std::stop_token& stop = {}) noexcept {
        static_assert(explain_codec<T>() && Encodable<T>);
        return published(self().waiting(deadline_after(timeout), stop, encoding(value, tag)));
    }
    template <class T, class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_value_until(
        const T& value, std::chrono::time_point<Clock, Duration> deadline, std::uint32_t tag = 0,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        static_assert(explain_codec<T>() && Encodable<T>);
        return published(self().waiting_until(deadline, stop, encoding(value, tag)));
    }

    /// Publishes the parts, one behind the other, as one message.
    [[nodiscard]] Result<void> try_push_gathered(std::span<const Bytes> parts,
                                                 std::uint32_t tag = 0) noexcept {
        return published(self().once(gathering(parts, tag)));
    }
    [[nodiscard]] Result<void> push_gathered(std::span<const Bytes> parts, std::uint32_t tag = 0,
                                             const std::stop_token& stop = {}) noexcept {
        return published(self().waiting(platform::kNever, stop, gathering(parts, tag)));
    }
    /// Publishes as many of the messages as fit, in order, with at most one wake-up. Answers how many (at least one, unless none
    /// were given), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const Bytes> messages,
                                                 std::uint32_t tag = 0) noexcept {
        std::size_t done = 0;
        const Status status = self().once([&]() noexcept {
            Status stopped_by = Status::ok;
            while (done != messages.size() && stopped_by == Status::ok) {
                stopped_by = pushing(messages[done], tag)();
                if (stopped_by == Status::ok) ++done;
            }
            return done != 0 ? Status::ok : stopped_by;
        });
        if (status != Status::ok) return status;
        if (done != 0) self().announce(done);
        return done;
    }

    /// Up to `most_bytes` writable bytes inside the ring, contiguous. commit(n) publishes the first n; dropped, it sends nothing. One
    /// claim at a time, no push meanwhile.
    [[nodiscard]] Result<Claim> try_claim(std::size_t most_bytes) noexcept {
        return self().claimed(self().once(preparing(most_bytes)), most_bytes);
    }
    [[nodiscard]] Result<Claim> claim(std::size_t most_bytes, const std::stop_token& stop = {}) noexcept {
        return self().claimed(self().waiting(platform::kNever, stop, preparing(most_bytes)), most_bytes);
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<Claim> try_claim_for(std::size_t most_bytes,
                                              std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept {
        return self().claimed(self().waiting(deadline_after(timeout), stop, preparing(most_bytes)),
                              most_bytes);
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<Claim> try_claim_until(
        std::size_t most_bytes, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().claimed(self().waiting_until(deadline, stop, preparing(most_bytes)), most_bytes);
    }
};

/// Receiving. `View` is what the ring calls a message borrowed in place.
template <class Self, class View>
class ByteReceiveVerbs {
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

 public:
    /// Copies the oldest message into `buffer`.
    [[nodiscard]] Result<Received> try_pop(std::span<std::byte> buffer) noexcept {
        return self().received(self().once(self().popping(buffer)));
    }
    /// Waits while the ring is empty.
    [[nodiscard]] Result<Received> pop(std::span<std::byte> buffer,
                                       const std::stop_token& stop = {}) noexcept {
        return self().received(self().waiting(platform::kNever, stop, self().popping(buffer)));
    }
    /// Waits at most `timeout`; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<Received> try_pop_for(std::span<std::byte> buffer,
                                               std::chrono::duration<Rep, Period> timeout,
                                               const std::stop_token& stop = {}) noexcept {
        return self().received(self().waiting(deadline_after(timeout), stop, self().popping(buffer)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<Received> try_pop_until(
        std::span<std::byte> buffer, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().received(self().waiting_until(deadline, stop, self().popping(buffer)));
    }
    /// Into a string or vector kept by the caller, resized to the message: no allocation once it is large enough. Growing may
    /// throw std::bad_alloc; the message then stays.
    template <ByteContainer Container>
    [[nodiscard]] Result<Received> try_pop(Container& container) {
        return self().grown(container, [&](auto&& attempt) noexcept { return self().once(attempt); });
    }
    template <ByteContainer Container>
    [[nodiscard]] Result<Received> pop(Container& container, const std::stop_token& stop = {}) {
        return self().grown(container, [&](auto&& attempt) noexcept {
            return self().waiting(platform::kNever, stop, attempt);
        });
    }
    template <ByteContainer Container, class Rep, class Period>
    [[nodiscard]] Result<Received> try_pop_for(Container& container,
                                               std::chrono::duration<Rep, Period> timeout,
                                               const std::stop_token& stop = {}) {
        const std::uint64_t deadline_ns = deadline_after(timeout);
        return self().grown(
            container, [&](auto&& attempt) noexcept { return self().waiting(deadline_ns, stop, attempt); });
    }
    /// Reads the oldest message as a value of T, as its Codec reads it. corrupt: these bytes are no T. Decoding may throw. With one
    /// consumer the message then stays, in both cases, and can be popped as bytes; with many: see MpmcByteRingConsumer.
    template <class T>
    [[nodiscard]] Result<Received> try_pop_value(T& value) {
        return self().decoded(value, self().once(self().looking()));
    }
    template <class T>
    [[nodiscard]] Result<Received> pop_value(T& value, const std::stop_token& stop = {}) {
        return self().decoded(value, self().waiting(platform::kNever, stop, self().looking()));
    }
    template <class T, class Rep, class Period>
    [[nodiscard]] Result<Received> try_pop_value_for(T& value, std::chrono::duration<Rep, Period> timeout,
                                                     const std::stop_token& stop = {}) {
        return self().decoded(value, self().waiting(deadline_after(timeout), stop, self().looking()));
    }
    template <class T, class Clock, class Duration>
    [[nodiscard]] Result<Received> try_pop_value_until(T& value,
                                                       std::chrono::time_point<Clock, Duration> deadline,
                                                       const std::stop_token& stop = {}) {
        return self().decoded(value, self().waiting_until(deadline, stop, self().looking()));
    }

    /// Borrows the oldest message that nobody has, where it lies. It is handed back when the View goes.
    [[nodiscard]] Result<View> try_next() noexcept { return self().borrowed(self().once(self().looking())); }
    [[nodiscard]] Result<View> next(const std::stop_token& stop = {}) noexcept {
        return self().borrowed(self().waiting(platform::kNever, stop, self().looking()));
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<View> try_next_for(std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return self().borrowed(self().waiting(deadline_after(timeout), stop, self().looking()));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<View> try_next_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().borrowed(self().waiting_until(deadline, stop, self().looking()));
    }
};

}  // namespace detail

}  // namespace shmring
