// The writing end of ByteRing.
#pragma once

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stop_token>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// The one who writes. Move-only; do not move it while a Claim of it is alive. Destroying it gives the seat back and leaves the
/// stream open: a restarted producer continues. In a forked child every call answers not_owner. One thread at a time.
///
/// Statuses: full (no room, and the exact read position was looked at), too_large (more than max_message_bytes(), at once),
/// closed (the stream has ended), peer_lost (full, and the consumer is dead).
class ByteRingProducer
    : public detail::StreamEnd<detail::ByteProducer<detail::ShippedEnv>, detail::Role::producer> {
    using Env = detail::ShippedEnv;
    static constexpr std::size_t kEarlyWakeBytes =
        std::size_t{16} * 1024;  // copying this takes as long as waking a sleeper

    /// A sleeping reader is woken before a long copy: it takes as long to come as the copy does.
    void wake_early(std::size_t size) noexcept {
        if (size >= kEarlyWakeBytes) [[unlikely]]
            end_.wake_peer();
    }

    /// Room for one message, its bytes by `write(std::byte* to)`, its publication.
    template <class Write>
    [[nodiscard]] Status write_message(std::size_t size, std::uint32_t tag, Write&& write) noexcept {
        const Status room = side_.prepare(size);
        if (room != Status::ok) [[unlikely]]
            return room;
        wake_early(size);
        write(side_.place());
        side_.publish(static_cast<std::uint32_t>(size), tag);
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
                if (part.size() > max_message_bytes() - size) return Status::too_large;
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
        return [this, most_bytes]() noexcept { return side_.prepare(most_bytes); };
    }

 public:
    class Claim;

    ByteRingProducer() noexcept = default;

    /// Publishes a copy of `message` under a tag of the caller's. An empty message is a message.
    [[nodiscard]] Result<void> try_push(Bytes message, std::uint32_t tag = 0) noexcept {
        return published(once(pushing(message, tag)));
    }
    /// Waits while there is no room.
    [[nodiscard]] Result<void> push(Bytes message, std::uint32_t tag = 0,
                                    const std::stop_token& stop = {}) noexcept {
        return published(waiting(kNever, stop, pushing(message, tag)));
    }
    /// Waits at most `timeout`; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(Bytes message, std::chrono::duration<Rep, Period> timeout,
                                            std::uint32_t tag = 0,
                                            const std::stop_token& stop = {}) noexcept {
        return published(waiting(detail::deadline_after(timeout), stop, pushing(message, tag)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(Bytes message,
                                              std::chrono::time_point<Clock, Duration> deadline,
                                              std::uint32_t tag = 0,
                                              const std::stop_token& stop = {}) noexcept {
        return published(detail::call_until(deadline, [&](std::uint64_t ns) -> Result<void> {
            return waiting(ns, stop, pushing(message, tag));
        }));
    }

    /// Publishes a value as its Codec writes it, straight into the ring.
    template <class T>
    [[nodiscard]] Result<void> try_push_value(const T& value, std::uint32_t tag = 0) noexcept {
        static_assert(detail::explain_codec<T>() && Encodable<T>);
        return published(once(encoding(value, tag)));
    }
    template <class T>
    [[nodiscard]] Result<void> push_value(const T& value, std::uint32_t tag = 0,
                                          const std::stop_token& stop = {}) noexcept {
        static_assert(detail::explain_codec<T>() && Encodable<T>);
        return published(waiting(kNever, stop, encoding(value, tag)));
    }

    /// Publishes the parts, one behind the other, as one message.
    [[nodiscard]] Result<void> try_push_gathered(std::span<const Bytes> parts,
                                                 std::uint32_t tag = 0) noexcept {
        return published(once(gathering(parts, tag)));
    }
    [[nodiscard]] Result<void> push_gathered(std::span<const Bytes> parts, std::uint32_t tag = 0,
                                             const std::stop_token& stop = {}) noexcept {
        return published(waiting(kNever, stop, gathering(parts, tag)));
    }
    /// Publishes as many of the messages as fit, in order, with at most one wake-up. Answers how many (at least one, unless none
    /// were given), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const Bytes> messages,
                                                 std::uint32_t tag = 0) noexcept {
        std::size_t done = 0;
        const Status status = once([&]() noexcept {
            Status stopped_by = Status::ok;
            while (done != messages.size() && stopped_by == Status::ok) {
                stopped_by = side_.try_push(messages[done].data(), messages[done].size(), tag);
                if (stopped_by == Status::ok) ++done;
            }
            return done != 0 ? Status::ok : stopped_by;
        });
        if (status != Status::ok) return status;
        if (done != 0) (void)published(Status::ok);
        return done;
    }

    /// Up to `most_bytes` writable bytes inside the ring, contiguous. commit(n) publishes the first n; dropped, it publishes nothing
    /// and costs nothing. One claim at a time, no push meanwhile.
    [[nodiscard]] Result<Claim> try_claim(std::size_t most_bytes) noexcept;
    [[nodiscard]] Result<Claim> claim(std::size_t most_bytes, const std::stop_token& stop = {}) noexcept;
    template <class Rep, class Period>
    [[nodiscard]] Result<Claim> try_claim_for(std::size_t most_bytes,
                                              std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept;
    template <class Clock, class Duration>
    [[nodiscard]] Result<Claim> try_claim_until(std::size_t most_bytes,
                                                std::chrono::time_point<Clock, Duration> deadline,
                                                const std::stop_token& stop = {}) noexcept;

    /// The largest message: about half the ring, so that it fits however the ring stands.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept { return side_.memory().max_message(); }

 private:
    [[nodiscard]] Result<void> published(Result<void> result) noexcept {
        if (!result) [[unlikely]]
            return result;
        end_.wake_peer();
        return result;
    }
    [[nodiscard]] Result<Claim> claimed(Status status, std::size_t most_bytes) noexcept;
};

/// A message under construction in the ring. Its bytes are those of old messages until they are written.
class ByteRingProducer::Claim {
 public:
    Claim(Claim&& other) noexcept
        : producer_(std::exchange(other.producer_, nullptr)), bytes_(other.bytes_) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() = default;  // not committed: not sent

    /// Where to write: as many bytes as were claimed, aligned as the ring promises (8, or 64 by option).
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// Publishes the first `size` bytes, at most as many as were claimed. Once.
    void commit(std::size_t size, std::uint32_t tag = 0) noexcept {
        assert(producer_ != nullptr && size <= bytes_.size());
        ByteRingProducer& producer = *std::exchange(producer_, nullptr);
        if (!producer.end_.usable()) return;  // a forked child's copy: the claim is its parent's
        producer.side_.publish(static_cast<std::uint32_t>(size), tag);
        (void)producer.published(Status::ok);
    }

 private:
    friend class ByteRingProducer;
    Claim(ByteRingProducer& producer, std::span<std::byte> bytes) noexcept
        : producer_(&producer), bytes_(bytes) {}
    ByteRingProducer* producer_;
    std::span<std::byte> bytes_;
};

inline Result<ByteRingProducer::Claim> ByteRingProducer::claimed(Status status,
                                                                 std::size_t most_bytes) noexcept {
    if (status != Status::ok) return status;
    return Claim(*this, {side_.place(), most_bytes});
}
inline Result<ByteRingProducer::Claim> ByteRingProducer::try_claim(std::size_t most_bytes) noexcept {
    return claimed(once(preparing(most_bytes)), most_bytes);
}
inline Result<ByteRingProducer::Claim> ByteRingProducer::claim(std::size_t most_bytes,
                                                               const std::stop_token& stop) noexcept {
    return claimed(waiting(kNever, stop, preparing(most_bytes)), most_bytes);
}
template <class Rep, class Period>
Result<ByteRingProducer::Claim> ByteRingProducer::try_claim_for(std::size_t most_bytes,
                                                                std::chrono::duration<Rep, Period> timeout,
                                                                const std::stop_token& stop) noexcept {
    return claimed(waiting(detail::deadline_after(timeout), stop, preparing(most_bytes)), most_bytes);
}
template <class Clock, class Duration>
Result<ByteRingProducer::Claim> ByteRingProducer::try_claim_until(
    std::size_t most_bytes, std::chrono::time_point<Clock, Duration> deadline,
    const std::stop_token& stop) noexcept {
    return detail::call_until(deadline, [&](std::uint64_t ns) {
        return claimed(waiting(ns, stop, preparing(most_bytes)), most_bytes);
    });
}

}  // namespace shmring
