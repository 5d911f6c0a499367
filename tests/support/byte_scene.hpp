// Scenes of the ring of records of any size, with one producer and one consumer.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shmring/detail/spsc.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "support/memory_byte_ring.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {

/// Messages of 8 or, every third, 16 bytes, which say which they are; room for `capacity` of the larger ones. `kLong`: all are long, so
/// that one in a few does not fit before the end of the storage.
template <bool kLong>
class ByteEnds {
    using Ring = MemoryByteRing<SchedulerEnv>;
    using Producer = detail::ByteProducer<SchedulerEnv>;
    using Consumer = detail::ByteConsumer<SchedulerEnv>;

 public:
    static constexpr std::uint64_t kTorn = ~std::uint64_t{0};
    static constexpr bool kCountsMessages = false;

    explicit ByteEnds(std::uint64_t capacity) : ring_(capacity * 2 * kSpan) {}
    /// `read` messages had gone through before.
    void arrange(std::uint64_t read, std::uint64_t written) {
        ring_.clear();
        clear_event_lines(ring_.control());
        (void)join_producer();
        (void)join_consumer();
        std::uint64_t number = 0;
        while (number != read) {
            (void)push(number);
            (void)pop(number);
            ++number;
        }
        while (number != written) (void)push(number++);
    }
    [[nodiscard]] auto& control() { return ring_.control(); }
    [[nodiscard]] Status join_producer() {
        Status status{};
        producer_ = Producer::join(ring_.memory(), status);
        return status;
    }
    [[nodiscard]] Status join_consumer() {
        Status status{};
        consumer_ = Consumer::join(ring_.memory(), status);
        return status;
    }
    void close(std::uint64_t side) { detail::close_stream(ring_.control(), side); }

    [[nodiscard]] Status push(std::uint64_t value) {
        const Bytes bytes = bytes_of(value);
        return producer_.try_push(bytes.data(), size_of(value), tag_of(value));
    }
    /// Claims more than it needs.
    [[nodiscard]] Status claim_and_publish(std::uint64_t value) {
        const Status status = producer_.prepare(kLargest);
        if (status != Status::ok) return status;
        const Bytes bytes = bytes_of(value);
        SchedulerEnv::copy_in(producer_.place(), bytes.data(), size_of(value));
        producer_.publish(size_of(value), tag_of(value));
        return status;
    }
    [[nodiscard]] std::size_t push_two(std::uint64_t first, Status& status) {
        status = push(first);
        if (status != Status::ok) return 0;
        status = push(first + 1);
        return status == Status::ok ? 2 : 1;
    }
    [[nodiscard]] Status pop(std::uint64_t& value) {
        const Status status = borrow(value);
        if (status == Status::ok) consumer_.hand_back(taken_.skip + taken_.span);
        return status;
    }
    [[nodiscard]] Status borrow_and_return(std::uint64_t& value) { return pop(value); }
    /// Two on loan, handed back at once.
    [[nodiscard]] std::size_t pop_two(std::array<std::uint64_t, 2>& values, Status& status) {
        std::size_t count = 0;
        std::uint64_t bytes = 0;
        while (count != 2 && (status = borrow(values[count])) == Status::ok) {
            bytes += taken_.skip + taken_.span;
            ++count;
        }
        if (count != 0) consumer_.hand_back(bytes);
        return count;
    }

 private:
    static constexpr std::uint64_t kLargest = kLong ? 32 : 16;
    static constexpr std::uint64_t kSpan = kLargest + 8;
    using Bytes = std::array<std::byte, kLargest>;

    [[nodiscard]] static std::uint32_t size_of(std::uint64_t value) {
        return static_cast<std::uint32_t>(kLong || value % 3 == 2 ? kLargest : 8);
    }
    [[nodiscard]] static std::uint32_t tag_of(std::uint64_t value) {
        return static_cast<std::uint32_t>(value + 100);
    }
    [[nodiscard]] static Bytes bytes_of(std::uint64_t value) {
        Bytes bytes{};
        bytes.fill(static_cast<std::byte>(value + 1));
        return bytes;
    }
    [[nodiscard]] Status borrow(std::uint64_t& value) {
        const Status status = consumer_.prepare();
        if (status != Status::ok) return status;
        taken_ = consumer_.record();
        Bytes bytes{};
        SchedulerEnv::copy_out(bytes.data(), consumer_.payload(taken_),
                               std::min<std::size_t>(taken_.length, bytes.size()));
        consumer_.borrow();
        value = taken_.tag - 100;
        const Bytes expected = bytes_of(value);
        const bool is_whole =
            taken_.length == size_of(value) && std::memcmp(bytes.data(), expected.data(), taken_.length) == 0;
        if (!is_whole) value = kTorn;
        return status;
    }

    Ring ring_;
    Producer producer_{};
    Consumer consumer_{};
    detail::RecordJudgement taken_{};
};

}  // namespace shmring::test
