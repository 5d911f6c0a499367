// The traffic of a kill storm over ByteRing: numbered messages of any size from nothing to the largest that fits, by every verb.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "support/numbered_bytes.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

struct ByteTraffic {
    using Ring = ByteRing;

    [[nodiscard]] static Ring make(std::uint64_t capacity, std::chrono::nanoseconds liveness_period) {
        return Ring::anonymous({.capacity_bytes = capacity, .liveness_period = liveness_period});
    }
    /// A batch has one tag for all, so each message of it carries its own number.
    [[nodiscard]] static ByteSizes sizes(Style style, std::size_t most) {
        return {style == Style::batch ? NumberedBytes::kNumberSize : 0, most};
    }

    class Sender {
        using Producer = Ring::Producer;

     public:
        explicit Sender(const Ring& ring) : most_(ring.max_message_bytes()) {}

        [[nodiscard]] Status send(Producer& out, SendingCalls& calls) {
            sizes_ = sizes(calls.style, most_);
            return in_style(
                calls,
                [&] { return calls.random() % 2 == 0 ? send_one(out, calls) : send_gathered(out, calls); },
                [&] { return send_batch(out, calls); }, [&] { return send_in_place(out, calls); });
        }

     private:
        /// The next `count` messages. What was composed and could not be sent is still there: a side that finds the ring full, or
        /// its peer dead, asks again and again.
        [[nodiscard]] std::span<const Bytes> compose(Number first, std::size_t count) {
            if (first == composed_ && count <= messages_.size()) return std::span(messages_).first(count);
            composed_ = first;
            messages_.clear();
            bytes_.clear();
            bytes_.reserve(count * sizes_.most);  // the messages stay where they are
            for (std::size_t i = 0; i != count; ++i) {
                const Number number{first.sender, first.sequence + i};
                const std::size_t start = bytes_.size();
                bytes_.resize(start + sizes_.of(number));
                const auto message = std::span(bytes_).subspan(start);
                NumberedBytes::write(number, message);
                messages_.emplace_back(message);
            }
            return messages_;
        }
        [[nodiscard]] Status send_one(Producer& out, SendingCalls& calls) {
            const Bytes message = compose(calls.next(), 1).front();
            const std::uint32_t tag = NumberTag::of(calls.next());
            calls.journal.before_call(1);
            const auto pushed = calls.waiting == Waiting::spin ? out.try_push(message, tag)
                                : calls.random() % 4 != 0
                                    ? out.push(message, tag)
                                    : out.try_push_for(message, std::chrono::microseconds(300), tag);
            calls.journal.after_call(pushed ? 1 : 0);
            return pushed.error();
        }
        /// Cut in three, anywhere.
        [[nodiscard]] Status send_gathered(Producer& out, SendingCalls& calls) {
            const Bytes message = compose(calls.next(), 1).front();
            const std::size_t second = calls.random() % (message.size() + 1);
            const std::size_t third = second + calls.random() % (message.size() - second + 1);
            const std::array<Bytes, 3> parts{message.first(second), message.subspan(second, third - second),
                                             message.subspan(third)};
            const std::uint32_t tag = NumberTag::of(calls.next());
            calls.journal.before_call(1);
            const auto pushed = calls.waiting == Waiting::spin ? out.try_push_gathered(parts, tag)
                                                               : out.push_gathered(parts, tag);
            calls.journal.after_call(pushed ? 1 : 0);
            return pushed.error();
        }
        [[nodiscard]] Status send_batch(Producer& out, SendingCalls& calls) {
            const auto messages = compose(calls.next(), 1 + calls.random() % kBatch);
            calls.journal.before_call(messages.size());
            const auto pushed = out.try_push_n(messages, NumberTag::of(calls.next()));
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
            if (calls.random() % 16 == 0) return Status::ok;  // dropped: must not be sent
            calls.journal.before_call(1);
            claim->commit(size, NumberTag::of(number));
            calls.journal.after_call(1);
            return Status::ok;
        }

        std::size_t most_;
        ByteSizes sizes_{};
        Number composed_{};
        std::vector<Bytes> messages_{};
        std::vector<std::byte> bytes_{};
    };

    class Receiver {
        using Consumer = Ring::Consumer;
        static constexpr std::size_t kViews = 4;

     public:
        explicit Receiver(const Ring& ring) : most_(ring.max_message_bytes()), buffer_(2 * most_ + 64) {}

        [[nodiscard]] Status receive(Consumer& in, ReceivingCalls& calls) {
            sizes_ = sizes(calls.style, most_);
            return in_style(
                calls,
                [&] { return calls.random() % 2 == 0 ? receive_one(in, calls) : receive_text(in, calls); },
                [&] { return receive_batch(in, calls); }, [&] { return receive_in_place(in, calls); });
        }

     private:
        [[nodiscard]] NumberedBytes read(Bytes bytes, std::uint32_t tag, Number last,
                                         const ReceivingCalls& calls) const {
            return {bytes, tag, last, sizes_, calls.style == Style::batch ? kBatch - 1 : 0};
        }
        [[nodiscard]] Status receive_one(Consumer& in, ReceivingCalls& calls) {
            const std::span<std::byte> buffer(buffer_);  // the vector itself would be resized
            calls.journal.before_call(1);
            const auto got = calls.waiting == Waiting::spin ? in.try_pop(buffer)
                             : calls.random() % 4 != 0
                                 ? in.pop(buffer)
                                 : in.try_pop_for(buffer, std::chrono::microseconds(300));
            if (got) calls.accept(read(buffer.first(got->size), got->tag, calls.last(), calls));
            calls.journal.after_call();
            return got.error();
        }
        /// Into a string; now and then a buffer comes first that is too small, and the message stays.
        [[nodiscard]] Status receive_text(Consumer& in, ReceivingCalls& calls) {
            if (calls.random() % 8 == 0) {
                std::array<std::byte, 4> small{};
                calls.journal.before_call(1);
                const auto got = in.try_pop(small);
                if (got) calls.accept(read(std::span(small).first(got->size), got->tag, calls.last(), calls));
                calls.journal.after_call();
                if (got.error() != Status::too_large) return got.error();
            }
            calls.journal.before_call(1);
            const auto got = calls.waiting == Waiting::spin ? in.try_pop(text_) : in.pop(text_);
            if (got) calls.accept(read(std::as_bytes(std::span(text_)), got->tag, calls.last(), calls));
            calls.journal.after_call();
            return got.error();
        }
        [[nodiscard]] Status receive_batch(Consumer& in, ReceivingCalls& calls) {
            std::array<std::span<std::byte>, kBatch> messages;
            const std::size_t count = 1 + calls.random() % kBatch;
            calls.journal.before_call(count);
            const auto popped = in.try_pop_n(buffer_, std::span(messages).first(count));
            for (std::size_t i = 0; popped && i != *popped; ++i) calls.accept(read_untagged(messages[i]));
            calls.journal.after_call();
            return popped.error();
        }
        /// try_pop_n does not tell tags.
        [[nodiscard]] NumberedBytes read_untagged(Bytes bytes) const {
            return {bytes, NumberTag::of(NumberedBytes(bytes, 0, {}, sizes_).number()), {}, sizes_};
        }
        /// Looks at up to four messages where they lie, hands them back in their order or in reverse, and only then are they received.
        [[nodiscard]] Status receive_in_place(Consumer& in, ReceivingCalls& calls) {
            std::array<std::optional<Consumer::View>, kViews> views;
            std::array<std::optional<NumberedBytes>, kViews> messages;
            const std::size_t most = 1 + calls.random() % kViews;
            std::size_t count = 0;
            Number last = calls.last();
            while (count != most) {
                auto view = count != 0 || calls.waiting == Waiting::spin ? in.try_next() : in.next();
                if (!view && count == 0) return view.error();
                if (!view) break;
                messages[count].emplace(read(view->bytes(), view->tag(), last, calls));
                last = messages[count]->number();
                views[count++].emplace(std::move(*view));
            }
            const bool reverse = calls.random() % 2 == 0;
            calls.journal.before_call(count);
            for (std::size_t i = 0; i != count; ++i) views[reverse ? count - 1 - i : i]->hand_back();
            for (std::size_t i = 0; i != count; ++i) calls.accept(*messages[i]);
            calls.journal.after_call();
            return Status::ok;
        }

        std::size_t most_;
        ByteSizes sizes_{};
        std::vector<std::byte> buffer_;
        std::string text_{};
    };
};

}  // namespace shmring::test
