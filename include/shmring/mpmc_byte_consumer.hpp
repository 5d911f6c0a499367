// The reading end of MpmcByteRing.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/byte_verbs.hpp"
#include "shmring/detail/member_end.hpp"
#include "shmring/detail/mpmc_bytes.hpp"
#include "shmring/result.hpp"

namespace shmring {

class MpmcByteRingView;

/// One of those who read: each message goes to exactly one of them, in the order of the claims for writing. Move-only; do not move it
/// while a View of it is alive. One thread at a time; every thread and process takes its own. In a forked child every call answers
/// not_owner.
///
/// Statuses: empty, busy (the oldest message is claimed and not yet published), closed (ended, and every message was taken), too_large
/// (the buffer is smaller than the message, which stays for whoever takes it; needed_bytes() tells), overflow (a View of this handle is
/// alive), corrupt (the ring holds what no producer writes). pop_value answers corrupt also for bytes that are no such value: that
/// message was taken, use next() where it must not be lost. Where decoding throws, the message is delivered again as after a death
/// (at_least_once), or lost and counted (at_most_once): kept here, it would stand in everybody's way.
class MpmcByteRingConsumer
    : public detail::MemberEnd<detail::MpmcByteConsumer<detail::ShippedEnv>, detail::Role::consumer>,
      public detail::ByteReceiveVerbs<MpmcByteRingConsumer, MpmcByteRingView> {
    using Env = detail::ShippedEnv;

    // One attempt each; the message stays in hand.
    [[nodiscard]] auto claiming(std::size_t most_bytes) noexcept {
        return [this, most_bytes]() noexcept { return side_.claim(most_bytes); };
    }
    [[nodiscard]] auto looking() noexcept { return claiming(detail::RecordHeader::kMaxLength); }
    [[nodiscard]] auto popping(std::span<std::byte> buffer) noexcept {
        return [this, buffer]() noexcept {
            const Status found = side_.claim(buffer.size());
            if (found == Status::ok) [[likely]]
                Env::copy_out(buffer.data(), side_.payload(), side_.length());
            return found;
        };
    }

 public:
    using View = MpmcByteRingView;

    MpmcByteRingConsumer() noexcept = default;

    /// Copies whole messages into `buffer`, one behind the other, as many as fit into it and into `messages`, each claimed by itself,
    /// with one wake-up of the producers. messages[i] is where message i lies. At at_least_once it is one per call: what is delivered
    /// again must stay in hand until the call is over. Answers how many (at least one), or why none.
    [[nodiscard]] Result<std::size_t> try_pop_n(std::span<std::byte> buffer,
                                                std::span<std::span<std::byte>> messages) noexcept {
        std::size_t done = 0;
        std::size_t used = 0;
        const Status status = once([&]() noexcept {
            while (done != messages.size()) {
                const Status stopped_by = popping(buffer.subspan(used))();
                if (stopped_by != Status::ok) return done != 0 ? Status::ok : stopped_by;
                messages[done++] = buffer.subspan(used, side_.length());
                used += side_.length();
                if (redelivers()) break;
                side_.hand_back();
            }
            return Status::ok;
        });
        if (status != Status::ok) return refused(status);
        if (redelivers() && done != 0)
            take_over();
        else if (done != 0)
            moved_on(done);
        return done;
    }
    /// How many bytes the message takes that the last call found too large for its buffer.
    [[nodiscard]] std::size_t needed_bytes() const noexcept { return side_.length(); }
    /// How often the message of the last call was in the hands of a consumer that died with it: 0 but for at_least_once.
    [[nodiscard]] std::uint64_t redeliveries() const noexcept { return side_.deliveries(); }

 private:
    friend class detail::ByteReceiveVerbs<MpmcByteRingConsumer, MpmcByteRingView>;
    friend class MpmcByteRingView;
    /// The message in hand was copied out.
    [[nodiscard]] Result<Received> received(Status status) noexcept {
        if (status != Status::ok) [[unlikely]]
            return refused(status);
        const Received what{side_.length(), side_.tag()};
        take_over();
        return what;
    }
    /// The container grows before anything is claimed, so that nothing is lost when it cannot.
    template <class Container, class Call>
    [[nodiscard]] Result<Received> grown(Container& container, Call&& call) {
        for (;;) {
            std::size_t room = container.size();
            if constexpr (requires { container.capacity(); }) {
                if (container.capacity() > room) room = container.capacity();
            }
            const Status status = call(claiming(room));
            if (status == Status::too_large) {
                (void)refused(status);  // the growth may throw
                container.resize(side_.length());
                continue;
            }
            if (status != Status::ok) return status;
            Reading reading(*this);
            container.resize(side_.length());  // within its capacity
            reading.done();
            Env::copy_out(container.data(), side_.payload(), side_.length());
            return received(status);
        }
    }
    template <class T>
    [[nodiscard]] Result<Received> decoded(T& value, Status status) {
        static_assert(detail::explain_codec<T>() && Decodable<T>);
        if (status != Status::ok) return status;
        Reading reading(*this);
        const bool is_one = Codec<T>::decode(Bytes(side_.payload(), side_.length()), value);
        reading.done();
        const Result<Received> taken = received(status);
        return is_one ? taken : Status::corrupt;
    }
    [[nodiscard]] Result<View> borrowed(Status status) noexcept;
    /// A message that is too large for us may be what another was not woken for, because we were.
    [[nodiscard]] Status refused(Status status) noexcept {
        if (status == Status::too_large) left_there();
        return status;
    }
    /// The message in hand is in the caller's memory: the last of a call.
    void take_over() noexcept {
        conclude(1, [this]() noexcept { side_.hand_back_all(); });
    }
    /// The caller is done with the message in hand.
    void give_back() noexcept {
        side_.hand_back();
        moved_on(1);
    }
};

/// A message in hand. If its process dies, it is lost or delivered again, as the ring's Delivery says.
class MpmcByteRingView {
 public:
    MpmcByteRingView(MpmcByteRingView&& other) noexcept
        : consumer_(std::exchange(other.consumer_, nullptr)), bytes_(other.bytes_), tag_(other.tag_) {}
    /// What was borrowed here before is handed back first, but after the right side was made: `view = in.next()` while `view` holds a
    /// message asks for another beside it.
    MpmcByteRingView& operator=(MpmcByteRingView&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~MpmcByteRingView() { hand_back(); }

    /// Aligned to 64.
    [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
    /// Whether a consumer died with this message in hand before: it may have done something with it. Before it is handed back.
    [[nodiscard]] bool redelivered() const noexcept {
        return consumer_ != nullptr && consumer_->redeliveries() != 0;
    }
    /// Hands the message back now, as the destructor does. Once.
    void hand_back() noexcept {
        if (consumer_ == nullptr) return;
        MpmcByteRingConsumer& consumer = *std::exchange(consumer_, nullptr);
        if (consumer.usable())
            consumer.give_back();  // not a forked child's copy: the message is its parent's
    }
    /// Hands it back unread: what a death would do happens to it. It is delivered again, or lost and counted, as the ring's Delivery says.
    void abandon() noexcept {
        if (consumer_ == nullptr) return;
        MpmcByteRingConsumer& consumer = *std::exchange(consumer_, nullptr);
        if (consumer.usable()) consumer.leave_unread();
    }

 private:
    friend class MpmcByteRingConsumer;
    friend struct detail::ViewAccess;
    /// As hand_back().
    void conclude() noexcept {
        if (consumer_ == nullptr) return;
        MpmcByteRingConsumer& consumer = *std::exchange(consumer_, nullptr);
        if (consumer.usable()) consumer.take_over();
    }
    MpmcByteRingView(MpmcByteRingConsumer& consumer, Bytes bytes, std::uint32_t tag) noexcept
        : consumer_(&consumer), bytes_(bytes), tag_(tag) {}
    MpmcByteRingConsumer* consumer_;
    Bytes bytes_;
    std::uint32_t tag_;
};

inline Result<MpmcByteRingView> MpmcByteRingConsumer::borrowed(Status status) noexcept {
    if (status != Status::ok) return status;
    left_there();
    return MpmcByteRingView(*this, Bytes(side_.payload(), side_.length()), side_.tag());
}

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
