// The SPSC algorithm's ring on the heap, with any past a test likes: no segment, no names, no seats.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <vector>

#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc.hpp"
#include "shmring/result.hpp"

namespace shmring {

/// For the messages of failing tests.
inline void PrintTo(Status status, std::ostream* out) { *out << to_string(status); }

}  // namespace shmring

namespace shmring::test {

/// A message of any size and alignment whose bytes tell its number (up to 256^Size).
template <std::size_t Size, std::size_t Align>
struct alignas(Align) Sized {
    std::array<std::uint8_t, Size> bytes;

    [[nodiscard]] static Sized numbered(std::uint64_t number) noexcept {
        Sized message;
        for (std::size_t at = 0; at < Size; at += sizeof number) {
            const std::uint64_t mixed =
                number + at * 0x0101'0101'0101'0101;  // no two places of a message look alike
            std::memcpy(message.bytes.data() + at, &mixed, std::min(sizeof mixed, Size - at));
        }
        return message;
    }
    friend bool operator==(const Sized&, const Sized&) = default;
};

/// The control words and blocks of one ring, each in an allocation of its own and exactly as long as it needs to be, so that
/// the address sanitizer sees a step outside.
template <class T, class Env>
class MemoryRing {
 public:
    using Cursor = detail::SpscCursor<T, Env>;
    using Producer = detail::SpscProducer<T, Env>;
    using Consumer = detail::SpscConsumer<T, Env>;
    using Word = typename Env::template Atom<std::uint64_t>;
    static constexpr std::uint64_t kPerBlock = Cursor::kPerBlock;
    static constexpr std::uint64_t kStride = Cursor::kShape.block_stride;

    explicit MemoryRing(std::uint64_t capacity)
        : capacity_(capacity),
          block_count_(Cursor::kShape.block_count(capacity)),
          blocks_(static_cast<std::byte*>(::operator new(block_count_* kStride, kAlignment))) {
        arrange(0, 0);
    }

    /// As if `write_pos` messages had been pushed and `read_pos` popped, each message numbered with its position. The read
    /// position was last published at `published`.
    void arrange(std::uint64_t read_pos, std::uint64_t write_pos, std::uint64_t published) {
        std::memset(blocks_.get(), 0, block_count_ * kStride);
        for (std::uint64_t index = 0; index != block_count_; ++index)
            ::new (blocks_.get() + index * kStride) Word{};
        control().closed.store(0, std::memory_order_relaxed);
        control().read_pos.store(read_pos, std::memory_order_relaxed);
        control().read_pos_published.store(published, std::memory_order_relaxed);
        if (write_pos == 0) return;

        // The blocks that were written to last, one for each place; earlier laps left nothing behind.
        std::uint64_t block = (write_pos - 1) / kPerBlock + 1;
        for (std::uint64_t left = std::min(block, block_count_); left != 0; --left) {
            --block;
            const std::uint64_t count = std::min(kPerBlock, write_pos - block * kPerBlock);
            word(block % block_count_).store(lap_of(block) << 8 | count, std::memory_order_relaxed);
            for (std::uint64_t place = 0; place != count; ++place) {
                const T message = T::numbered(block * kPerBlock + place);
                std::memcpy(at(block * kPerBlock + place), &message, sizeof message);
            }
        }
    }
    void arrange(std::uint64_t read_pos, std::uint64_t write_pos) { arrange(read_pos, write_pos, read_pos); }

    [[nodiscard]] detail::SpscMemory<Env> memory() {
        return {control_.get(), blocks_.get(), capacity_, block_count_};
    }
    [[nodiscard]] detail::SpscControl<Env>& control() { return *control_; }
    [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
    [[nodiscard]] std::uint64_t block_count() const { return block_count_; }
    [[nodiscard]] std::uint64_t positions_per_lap() const { return block_count_ * kPerBlock; }
    [[nodiscard]] std::uint64_t lap_of(std::uint64_t block) const { return block / block_count_ + 1; }

    [[nodiscard]] Word& word(std::uint64_t index) {
        return *reinterpret_cast<Word*>(blocks_.get() + index * kStride);
    }
    /// Where the message of a position stands, worked out from the text of layout.hpp and not by the cursor.
    [[nodiscard]] std::byte* at(std::uint64_t position) {
        return blocks_.get() + position / kPerBlock % block_count_ * kStride + Cursor::kShape.payload_offset +
               position % kPerBlock * sizeof(T);
    }

    [[nodiscard]] Producer join_producer(Status& status) { return Producer::join(memory(), status); }
    [[nodiscard]] Consumer join_consumer(Status& status) { return Consumer::join(memory(), status); }

 private:
    static constexpr std::align_val_t kAlignment{std::max(alignof(T), detail::kLineSize)};
    struct Free {
        void operator()(std::byte* memory) const noexcept { ::operator delete(memory, kAlignment); }
    };

    std::uint64_t capacity_;
    std::uint64_t block_count_;
    std::unique_ptr<detail::SpscControl<Env>> control_ = std::make_unique<detail::SpscControl<Env>>();
    std::unique_ptr<std::byte, Free> blocks_;
};

/// A MemoryRing with both its sides, whatever its messages are: a test over many types is compiled once.
class AnyRing {
 public:
    AnyRing() = default;
    AnyRing(const AnyRing&) = delete;
    AnyRing& operator=(const AnyRing&) = delete;
    virtual ~AnyRing() = default;

    virtual void arrange(std::uint64_t read_pos, std::uint64_t write_pos, std::uint64_t published) = 0;
    void arrange(std::uint64_t read_pos, std::uint64_t write_pos) { arrange(read_pos, write_pos, read_pos); }
    [[nodiscard]] virtual std::uint64_t capacity() const = 0;
    [[nodiscard]] virtual std::uint64_t positions_per_lap() const = 0;
    [[nodiscard]] virtual std::uint64_t count_committed() = 0;
    [[nodiscard]] virtual Status join_producer() = 0;
    [[nodiscard]] virtual Status join_consumer() = 0;
    [[nodiscard]] virtual std::uint64_t write_pos() const = 0;
    [[nodiscard]] virtual std::uint64_t read_pos() const = 0;

    [[nodiscard]] virtual Status push(std::uint64_t number) = 0;
    /// Messages numbered from `first` on; how many went in, and why not more.
    [[nodiscard]] virtual std::size_t push_n(std::uint64_t first, std::size_t count, Status& status) = 0;
    /// Writes a message in place, and publishes it or thinks better of it.
    [[nodiscard]] virtual Status claim(std::uint64_t number, bool publish) = 0;

    /// What came out, and whether it was the message of that number, whole, and nothing beyond it.
    struct Taken {
        Status status = Status::ok;
        std::size_t count = 0;
        bool right = true;
    };
    [[nodiscard]] virtual Taken pop(std::uint64_t number) = 0;
    [[nodiscard]] virtual Taken pop_n(std::uint64_t first, std::size_t count) = 0;
    /// Looks at the oldest message where it lies, and hands it back or not.
    [[nodiscard]] virtual Taken borrow(std::uint64_t number, bool hand_back) = 0;
};

template <class T, class Env>
class AnyRingOf : public AnyRing {
 public:
    explicit AnyRingOf(std::uint64_t capacity) : ring_(capacity) {}

    void arrange(std::uint64_t read_pos, std::uint64_t write_pos, std::uint64_t published) override {
        ring_.arrange(read_pos, write_pos, published);
    }
    [[nodiscard]] std::uint64_t capacity() const override { return ring_.capacity(); }
    [[nodiscard]] std::uint64_t positions_per_lap() const override { return ring_.positions_per_lap(); }
    [[nodiscard]] std::uint64_t count_committed() override {
        return detail::count_committed<T>(ring_.memory());
    }
    [[nodiscard]] Status join_producer() override {
        Status status = Status::corrupt;
        producer_ = ring_.join_producer(status);
        return status;
    }
    [[nodiscard]] Status join_consumer() override {
        Status status = Status::corrupt;
        consumer_ = ring_.join_consumer(status);
        return status;
    }
    [[nodiscard]] std::uint64_t write_pos() const override { return producer_.position(); }
    [[nodiscard]] std::uint64_t read_pos() const override { return consumer_.position(); }

    [[nodiscard]] Status push(std::uint64_t number) override {
        return producer_.try_push(T::numbered(number));
    }
    [[nodiscard]] std::size_t push_n(std::uint64_t first, std::size_t count, Status& status) override {
        std::vector<T> messages;
        for (std::size_t at = 0; at != count; ++at) messages.push_back(T::numbered(first + at));
        return producer_.try_push_n(messages.data(), count, status);
    }
    [[nodiscard]] Status claim(std::uint64_t number, bool publish) override {
        const Status status = producer_.prepare();
        if (status != Status::ok) return status;
        const T message = T::numbered(number);
        std::memcpy(producer_.place(), &message, sizeof message);
        if (publish) producer_.publish(1);
        return status;
    }

    [[nodiscard]] Taken pop(std::uint64_t number) override {
        T message = T::numbered(~number);
        const Status status = consumer_.try_pop(&message);
        const std::size_t count = status == Status::ok ? 1 : 0;
        return {status, count, message == T::numbered(count == 1 ? number : ~number)};
    }
    [[nodiscard]] Taken pop_n(std::uint64_t first, std::size_t count) override {
        const T untouched = T::numbered(~first);
        std::vector<T> messages(count + 1, untouched);
        Taken taken;
        taken.count = consumer_.try_pop_n(messages.data(), count, taken.status);
        for (std::size_t at = 0; at != messages.size(); ++at)
            taken.right =
                taken.right && messages[at] == (at < taken.count ? T::numbered(first + at) : untouched);
        return taken;
    }
    [[nodiscard]] Taken borrow(std::uint64_t number, bool hand_back) override {
        const Status status = consumer_.prepare();
        if (status != Status::ok) return {.status = status};
        const T expected = T::numbered(number);
        const bool right = std::memcmp(consumer_.place(), &expected, sizeof expected) == 0;
        if (hand_back) consumer_.hand_back(1);
        return {status, 1, right};
    }

 private:
    MemoryRing<T, Env> ring_;
    typename MemoryRing<T, Env>::Producer producer_{};
    typename MemoryRing<T, Env>::Consumer consumer_{};
};

}  // namespace shmring::test
