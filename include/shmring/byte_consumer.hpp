// The reading end of ByteRing.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/borrow_ledger.hpp"
#include "shmring/detail/byte_verbs.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"

namespace shmring {

class ByteRingView;

/// The one who reads. Move-only; do not move it while a View of it is alive. Destroying it gives the seat back; what it has not
/// handed back waits for its successor. In a forked child every call answers not_owner. One thread at a time.
///
/// Statuses: empty, closed (the stream has ended and all was read), peer_lost (empty, and the producer is dead), too_large (the
/// buffer is smaller than the message, which stays; needed_bytes() tells), corrupt (the ring holds what no producer writes).
/// Several messages may be borrowed at once, up to 64 (then: overflow), and handed back in any order: the ring gets its bytes back in
/// theirs.
class ByteRingConsumer
    : public detail::StreamEnd<detail::ByteConsumer<detail::ShippedEnv>, detail::Role::consumer>,
      public detail::ByteReceiveVerbs<ByteRingConsumer, ByteRingView> {
 public:
    using View = ByteRingView;

    ByteRingConsumer() noexcept = default;

    /// Copies whole messages into `buffer`, one behind the other, as many as fit into it and into `messages`, with at most one
    /// hand-back and wake-up. messages[i] is where message i lies. Answers how many (at least one), or why none.
    [[nodiscard]] Result<std::size_t> try_pop_n(std::span<std::byte> buffer,
                                                std::span<std::span<std::byte>> messages) noexcept;

    /// How many bytes the message takes that the last call found too large for its buffer.
    [[nodiscard]] std::size_t needed_bytes() const noexcept { return side_.record().length; }

 private:
    friend class detail::ByteReceiveVerbs<ByteRingConsumer, ByteRingView>;
    friend class ByteRingView;
    using Env = detail::ShippedEnv;

    // One attempt each; the public calls below say how often to make it.
    [[nodiscard]] auto looking() noexcept {
        return [this]() noexcept { return ledger_.full() ? Status::overflow : side_.prepare(); };
    }
    [[nodiscard]] auto popping(std::span<std::byte> buffer) noexcept {
        return [this, buffer]() noexcept {
            if (ledger_.full()) [[unlikely]]
                return Status::overflow;
            const Status found = side_.prepare();
            if (found != Status::ok) [[unlikely]]
                return found;
            if (side_.record().length > buffer.size()) [[unlikely]]
                return Status::too_large;
            Env::copy_out(buffer.data(), side_.payload(side_.record()), side_.record().length);
            return Status::ok;
        };
    }

    /// The message at hand was copied out: takes it.
    [[nodiscard]] Result<Received> received(Status status) noexcept {
        if (status != Status::ok) [[unlikely]]
            return status;
        const Received what{side_.record().length, side_.record().tag};
        take();
        end_.wake_peer();
        return what;
    }
    /// Borrows and returns the record at hand; while older ones are borrowed the ring waits for those.
    void take() noexcept {
        const std::uint64_t bytes = side_.record().skip + side_.record().span;
        side_.borrow();
        if (ledger_.empty()) [[likely]]
            return side_.hand_back(bytes);
        (void)ledger_.give_back(ledger_.lend(bytes));
    }
    template <class Container, class Call>
    [[nodiscard]] Result<Received> grown(Container& container, Call&& call) {
        const Status status = call(looking());
        if (status != Status::ok) return status;
        container.resize(side_.record().length);
        Env::copy_out(container.data(), side_.payload(side_.record()), side_.record().length);
        return received(Status::ok);
    }
    template <class T>
    [[nodiscard]] Result<Received> decoded(T& value, Status status) {
        static_assert(detail::explain_codec<T>() && Decodable<T>);
        if (status != Status::ok) return status;
        const bool is_one =
            Codec<T>::decode(Bytes(side_.payload(side_.record()), side_.record().length), value);
        return is_one ? received(Status::ok) : Status::corrupt;
    }
    [[nodiscard]] Result<View> borrowed(Status status) noexcept;
    void give_back(std::uint32_t name) noexcept {
        if (!end_.usable()) return;  // a forked child's copy: the message is its parent's
        const std::uint64_t bytes = ledger_.give_back(name);
        if (bytes == 0) return;
        side_.hand_back(bytes);
        end_.wake_peer();
    }

    detail::BorrowLedger ledger_{};
};

/// A borrowed message. Its producer cannot write over it before it, and all older ones, are handed back.
class ByteRingView {
 public:
    ByteRingView(ByteRingView&& other) noexcept
        : consumer_(std::exchange(other.consumer_, nullptr)),
          bytes_(other.bytes_),
          tag_(other.tag_),
          name_(other.name_) {}
    /// What was borrowed here before is handed back first, but after the right side was made: `view = in.next()` while `view` holds a
    /// message asks for another beside it.
    ByteRingView& operator=(ByteRingView&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~ByteRingView() { hand_back(); }

    [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
    /// Hands the message back now, as the destructor does. Once.
    void hand_back() noexcept {
        if (consumer_ != nullptr) std::exchange(consumer_, nullptr)->give_back(name_);
    }

 private:
    friend class ByteRingConsumer;
    ByteRingView(ByteRingConsumer& consumer, Bytes bytes, std::uint32_t tag, std::uint32_t name) noexcept
        : consumer_(&consumer), bytes_(bytes), tag_(tag), name_(name) {}
    ByteRingConsumer* consumer_;
    Bytes bytes_;
    std::uint32_t tag_;
    std::uint32_t name_;
};

inline Result<std::size_t> ByteRingConsumer::try_pop_n(std::span<std::byte> buffer,
                                                       std::span<std::span<std::byte>> messages) noexcept {
    std::size_t done = 0;
    std::size_t used = 0;
    std::uint64_t bytes = 0;
    const Status status = once([&]() noexcept {
        Status stopped_by =
            ledger_.empty() ? Status::ok : Status::overflow;  // a batch hands back at once, views come first
        while (done != messages.size() && stopped_by == Status::ok) {
            stopped_by = popping(buffer.subspan(used))();
            if (stopped_by != Status::ok) break;
            messages[done++] = buffer.subspan(used, side_.record().length);
            used += side_.record().length;
            bytes += side_.record().skip + side_.record().span;
            side_.borrow();
        }
        return done != 0 ? Status::ok : stopped_by;
    });
    if (status != Status::ok) return status;
    if (done != 0) {
        side_.hand_back(bytes);
        end_.wake_peer();
    }
    return done;
}

inline Result<ByteRingView> ByteRingConsumer::borrowed(Status status) noexcept {
    if (status != Status::ok) return status;
    const detail::RecordJudgement record = side_.record();
    side_.borrow();
    return ByteRingView(*this, Bytes(side_.payload(record), record.length), record.tag,
                        ledger_.lend(record.skip + record.span));
}
}  // namespace shmring

#include "shmring/detail/header_end.hpp"
