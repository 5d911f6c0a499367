// The traffic of a crowd over MpmcByteRing: numbered messages of any size, by every verb. Who sent a message and the how-manieth it is
// stands in its tag, so that one of no bytes tells it, too. A batch has one tag for all and is read without, so where batches occur every
// message is large enough to carry its number.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "shmring/mpmc_byte_ring.hpp"
#include "support/crowd_roles.hpp"
#include "support/numbered_bytes.hpp"

namespace shmring::test {

/// `sender:9 | sequence:23`.
struct CrowdTag {
    static constexpr unsigned kSequenceBits = 23;

    [[nodiscard]] static std::uint32_t of(Number number) {
        return static_cast<std::uint32_t>(number.sender << kSequenceBits | number.sequence);
    }
    [[nodiscard]] static Number number(std::uint32_t tag) {
        return {tag >> kSequenceBits, tag & ((std::uint32_t{1} << kSequenceBits) - 1)};
    }
};

/// What came out of a ring, held against what its number says it must be.
class CrowdBytes {
 public:
    CrowdBytes(std::span<const std::byte> bytes, Number number, const ByteSizes& sizes)
        : number_(number), whole_(bytes.size() == sizes.of(number)) {
        std::array<std::byte, 512> expected;
        if (!whole_) return;
        if (bytes.size() <= expected.size()) {
            whole_ = is(bytes, std::span(expected).first(bytes.size()));
        } else {
            std::vector<std::byte> longer(bytes.size());
            whole_ = is(bytes, longer);
        }
    }
    /// Of the first word of a message that carries its number.
    [[nodiscard]] static Number number_in(std::span<const std::byte> bytes) {
        std::uint64_t head = 0;
        std::memcpy(&head, bytes.data(), std::min(bytes.size(), sizeof head));
        return Number::unpacked(head >> 16);
    }
    [[nodiscard]] Number number() const { return number_; }
    [[nodiscard]] bool is_whole() const { return whole_; }

 private:
    [[nodiscard]] bool is(std::span<const std::byte> bytes, std::span<std::byte> expected) const {
        NumberedBytes::write(number_, expected);
        return std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end());
    }
    Number number_;
    bool whole_;
};

template <bool kBatches>
struct CrowdByteTraffic {
    using Ring = MpmcByteRing;
    static constexpr std::size_t kLeast = kBatches ? NumberedBytes::kNumberSize : 0;

    static constexpr std::uint64_t kStride = detail::kUnitSlot.stride;
    [[nodiscard]] static std::uint64_t slots(std::uint64_t capacity) { return capacity / detail::kLineSize; }

    [[nodiscard]] static Ring make(const CrowdPlan& plan) {
        return Ring::anonymous({.capacity_bytes = plan.capacity,
                                .delivery = plan.delivery,
                                .participants = 64,
                                .liveness_period = plan.liveness_period});
    }

    class Sender {
        using Producer = Ring::Producer;

     public:
        explicit Sender(const Ring& ring)
            : sizes_{kLeast, ring.max_message_bytes()}, bytes_(kBatch * sizes_.most) {}

        [[nodiscard]] Status send(Producer& out, SendingCalls& calls) {
            if (calls.style == Style::in_place) return send_in_place(out, calls);
            if (calls.style == Style::single || !kBatches) return send_one(out, calls);
            const Status status = send_batch(out, calls);
            return status == Status::full && calls.waiting == Waiting::block ? send_one(out, calls) : status;
        }

     private:
        [[nodiscard]] Bytes compose(Number number, std::size_t at) {
            const auto message = std::span(bytes_).subspan(at, sizes_.of(number));
            NumberedBytes::write(number, message);
            return message;
        }
        [[nodiscard]] Status send_one(Producer& out, SendingCalls& calls) {
            const Bytes message = compose(calls.next(), 0);
            const std::array<Bytes, 2> parts{message.first(message.size() / 3),
                                             message.subspan(message.size() / 3)};
            const std::uint32_t tag = CrowdTag::of(calls.next());
            const auto choice = calls.random() % 4;
            calls.journal.before_call(1);
            const auto pushed =
                calls.waiting == Waiting::spin
                    ? choice != 0 ? out.try_push(message, tag) : out.try_push_gathered(parts, tag)
                : choice != 0 ? out.push(message, tag)
                              : out.try_push_for(message, std::chrono::microseconds(300), tag);
            calls.journal.after_call(pushed ? 1 : 0);
            return pushed.error();
        }
        [[nodiscard]] Status send_batch(Producer& out, SendingCalls& calls) {
            std::array<Bytes, kBatch> messages;
            const std::size_t count = 1 + calls.random() % kBatch;
            std::size_t at = 0;
            for (std::size_t i = 0; i != count; ++i) {
                messages[i] = compose(calls.next(i), at);
                at += messages[i].size();
            }
            calls.journal.before_call(count);
            const auto pushed = out.try_push_n(std::span(messages).first(count));
            calls.journal.after_call(pushed ? *pushed : 0);
            return pushed.error();
        }
        [[nodiscard]] Status send_in_place(Producer& out, SendingCalls& calls) {
            const Number number = calls.next();
            const std::size_t size = sizes_.of(number);
            const std::size_t claimed = size + calls.random() % (sizes_.most - size + 1);
            auto claim = calls.waiting == Waiting::spin ? out.try_claim(claimed) : out.claim(claimed);
            if (!claim) return claim.error();
            NumberedBytes::write(number, claim->bytes().first(size));
            calls.linger();
            if (calls.random() % 16 == 0) return Status::ok;  // dropped: must not be sent
            calls.journal.before_call(1);
            claim->commit(size, CrowdTag::of(number));
            calls.journal.after_call(1);
            return Status::ok;
        }

        ByteSizes sizes_;
        std::vector<std::byte> bytes_;
    };

    class Receiver {
        using Consumer = Ring::Consumer;

     public:
        explicit Receiver(const Ring& ring)
            : sizes_{kLeast, ring.max_message_bytes()}, buffer_(2 * sizes_.most + 64) {}

        [[nodiscard]] Status receive(Consumer& in, CrowdReceivingCalls& calls) {
            if (calls.style == Style::in_place) return receive_in_place(in, calls);
            if (calls.style == Style::single || !kBatches) return receive_one(in, calls);
            const Status status = receive_batch(in, calls);
            const bool waits = status == Status::empty || status == Status::busy;
            return waits && calls.waiting == Waiting::block ? receive_one(in, calls) : status;
        }

     private:
        [[nodiscard]] CrowdBytes read(Bytes bytes, std::uint32_t tag) const {
            return {bytes, kBatches ? CrowdBytes::number_in(bytes) : CrowdTag::number(tag), sizes_};
        }
        /// Now and then a buffer is offered that may be too small, and the message stays.
        [[nodiscard]] Status receive_one(Consumer& in, CrowdReceivingCalls& calls) {
            const auto choice = calls.random() % 8;
            const std::span<std::byte> buffer = std::span(buffer_).first(choice == 0 ? 4 : buffer_.size());
            calls.journal.before_call(1);
            const auto got = calls.waiting == Waiting::spin || choice == 0 ? in.try_pop(buffer)
                             : choice < 3 ? in.try_pop_for(buffer, std::chrono::microseconds(300))
                                          : in.pop(text_);
            if (got) {
                const bool is_text = calls.waiting == Waiting::block && choice >= 3;
                const Bytes bytes =
                    is_text ? std::as_bytes(std::span(text_)) : Bytes(buffer.first(got->size));
                calls.accept(read(bytes, got->tag), in.redeliveries() != 0);
            }
            calls.journal.after_call();
            return got.error() == Status::too_large ? Status::ok : got.error();
        }
        [[nodiscard]] Status receive_batch(Consumer& in, CrowdReceivingCalls& calls) {
            std::array<std::span<std::byte>, kBatch> messages;
            const std::size_t count = 1 + calls.random() % kBatch;
            calls.journal.before_call(count);
            const auto popped = in.try_pop_n(buffer_, std::span(messages).first(count));
            for (std::size_t i = 0; popped && i != *popped; ++i)
                calls.accept(read(messages[i], 0), i + 1 == *popped && in.redeliveries() != 0);
            calls.journal.after_call();
            return popped.error();
        }
        [[nodiscard]] Status receive_in_place(Consumer& in, CrowdReceivingCalls& calls) {
            calls.before_view();
            auto view = calls.waiting == Waiting::spin ? in.try_next() : in.next();
            if (!view) return view.error();
            const CrowdBytes message = read(view->bytes(), view->tag());
            calls.accept_in_place(message, view->redelivered(), [&] { view->hand_back(); });
            return Status::ok;
        }

        ByteSizes sizes_;
        std::vector<std::byte> buffer_;
        std::string text_{};
    };
};

}  // namespace shmring::test
