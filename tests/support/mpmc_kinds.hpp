// The rings of many as scenes play them: how messages are written and read in each.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shmring/detail/mpmc.hpp"
#include "shmring/detail/mpmc_bytes.hpp"
#include "support/memory_ring.hpp"
#include "support/mpmc_byte_memory.hpp"
#include "support/mpmc_memory.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

/// Messages of one size.
struct FixedKind {
    using Message = Sized<16, 8>;
    using Memory = MpmcMemory<Message, SchedulerEnv>;
    static constexpr bool kCountsMessages = true;
    static constexpr std::uint64_t kTorn = ~std::uint64_t{0};

    static std::uint64_t fill(Memory& ring, std::uint64_t before, std::uint64_t inside, Memory::Word&) {
        ring.arrange(before, before + inside);
        return inside;
    }
    [[nodiscard]] static std::uint64_t room(const Memory& ring) { return ring.capacity(); }

    static Status push(Memory::Producer& out, std::uint64_t value) {
        const Message message = Message::numbered(value);
        return out.try_push(&message, sizeof message);
    }
    static Status drop(Memory::Producer& out) {
        const Status status = out.claim(1);
        if (status == Status::ok) out.abandon();
        return status;
    }
    static std::size_t push_two(Memory::Producer& out, std::uint64_t first, Status& status) {
        status = out.claim(2);
        if (status != Status::ok) return 0;
        const std::uint64_t count = out.claimed().count;
        for (std::uint64_t i = 0; i != count; ++i) {
            const Message message = Message::numbered(first + i);
            SchedulerEnv::copy_in(out.payload(i), &message, sizeof message);
            out.publish(i);
        }
        out.settle();
        return count;
    }
    static Status pop(Memory::Consumer& in, std::uint64_t& value) {
        Message message = Message::numbered(0);
        const Status status = in.try_pop(&message, sizeof message);
        if (status == Status::ok) value = number_of(message);
        return status;
    }
    static Status take(Memory::Consumer& in, std::uint64_t& value) {
        const Status status = in.claim(1);
        if (status == Status::ok) value = read(in, 0);
        return status;
    }
    static std::size_t pop_two(Memory::Consumer& in, std::array<std::uint64_t, 2>& values, Status& status) {
        status = in.claim(2);
        if (status != Status::ok) return 0;
        const std::uint64_t count = in.claimed().count;
        for (std::uint64_t i = 0; i != count; ++i) {
            values[i] = read(in, i);
            in.hand_back(i);
        }
        in.settle();
        return count;
    }

 private:
    [[nodiscard]] static std::uint64_t read(Memory::Consumer& in, std::uint64_t i) {
        Message message = Message::numbered(0);
        SchedulerEnv::copy_out(&message, in.payload(i), sizeof message);
        return number_of(message);
    }
    [[nodiscard]] static std::uint64_t number_of(const Message& message) {
        const std::uint64_t number = message.bytes[0];
        return message == Message::numbered(number) ? number : kTorn;
    }
};

/// Records of one unit, and every third of two; the number is the tag.
struct UnitsKind {
    using Memory = MpmcByteHeap<SchedulerEnv>;
    static constexpr bool kCountsMessages = false;
    static constexpr std::uint64_t kTorn = ~std::uint64_t{0};

    static std::uint64_t fill(Memory& ring, std::uint64_t before, std::uint64_t inside,
                              Memory::Word& intent) {
        ring.arrange_empty(before);
        auto out = ring.producer(intent, false);
        std::uint64_t count = 0;
        while (count != inside && push(out, before + count) == Status::ok) ++count;
        return count;
    }
    [[nodiscard]] static std::uint64_t room(const Memory&) { return 1; }

    static Status push(Memory::Producer& out, std::uint64_t value) {
        const std::uint64_t size = size_of(value, out.memory().max_message());
        const Status status = out.prepare(size);
        if (status != Status::ok) return status;
        const std::uint64_t mark = value + 1;
        SchedulerEnv::copy_in(out.place(), &mark, sizeof mark);
        if (size > kShort) SchedulerEnv::copy_in(out.place() + kShort, &mark, sizeof mark);
        out.publish(static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(value));
        return status;
    }
    static Status drop(Memory::Producer& out) {
        const Status status = out.prepare(kShort);
        if (status == Status::ok) out.abandon();
        return status;
    }
    /// One record for which more was claimed than it needs.
    static std::size_t push_two(Memory::Producer& out, std::uint64_t first, Status& status) {
        status = out.prepare(std::min<std::uint64_t>(out.memory().max_message(), 2 * kShort));
        if (status != Status::ok) return 0;
        const std::uint64_t mark = first + 1;
        SchedulerEnv::copy_in(out.place(), &mark, sizeof mark);
        out.publish(kShort, static_cast<std::uint32_t>(first));
        return 1;
    }
    static Status pop(Memory::Consumer& in, std::uint64_t& value) {
        const Status status = take(in, value);
        if (status == Status::ok) in.hand_back();
        return status;
    }
    static Status take(Memory::Consumer& in, std::uint64_t& value) {
        const Status status = in.claim(detail::RecordHeader::kMaxLength);
        if (status != Status::ok) return status;
        std::uint64_t mark = 0;
        SchedulerEnv::copy_out(&mark, in.payload(), sizeof mark);
        std::uint64_t last_mark = mark;
        if (in.length() > kShort) SchedulerEnv::copy_out(&last_mark, in.payload() + kShort, sizeof last_mark);
        value = mark == in.tag() + 1 && mark == last_mark && in.length() >= kShort ? in.tag() : kTorn;
        return status;
    }
    static std::size_t pop_two(Memory::Consumer& in, std::array<std::uint64_t, 2>& values, Status& status) {
        status = pop(in, values[0]);
        return status == Status::ok ? 1 : 0;
    }

 private:
    static constexpr std::uint32_t kShort = 64;
    static std::uint64_t size_of(std::uint64_t value, std::uint64_t most) {
        return value % 3 == 2 ? std::min<std::uint64_t>(most, 2 * kShort) : kShort;
    }
};

}  // namespace shmring::test
