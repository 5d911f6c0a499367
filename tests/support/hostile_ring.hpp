// A ByteRing whose words another process keeps changing: a wild writer. Nothing beside the ring's own bytes can be touched without
// a crash or a finding: pages that cannot be read stand on both sides, and the address sanitizer knows the rest of its pages.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "shmring/byte_ring.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"

namespace shmring::test {

/// What the mutator changes. `oldest`: the length of the message that is read next, back and forth as fast as it can, so that it
/// may change between two looks at it.
enum class Aim { headers, positions, everything, oldest };

class HostileRing {
    using Env = detail::ShippedEnv;
    using Control = detail::SpscControl<Env>;
    using Word = Env::Atom<std::uint64_t>;

 public:
    explicit HostileRing(const ByteRingOptions& options) : page_(static_cast<std::size_t>(::getpagesize())) {
        const std::size_t needed = ByteRing::required_bytes(options);
        size_ = (needed + page_ - 1) / page_ * page_;
        void* start = ::mmap(nullptr, size_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(start, MAP_FAILED);
        first_ = static_cast<std::byte*>(start) + page_;
        EXPECT_EQ(
            ::mmap(first_, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            first_);
        ring_ = ByteRing::create_in({first_, size_}, options);
        const SegmentGeometry& geometry = ring_.segment().geometry();
        control_ = reinterpret_cast<Control*>(first_ + geometry.control_offset);
        storage_ = detail::ByteMemory<Env>::storage_for(geometry.capacity);
        data_ = first_ + geometry.data_offset + (options.alignment - detail::kRecordHeaderSize);
        forbid(first_ + geometry.control_offset + sizeof(Control), data_);
        forbid(data_ + storage_, first_ + size_);
    }
    HostileRing(const HostileRing&) = delete;
    HostileRing& operator=(const HostileRing&) = delete;
    ~HostileRing() {
        ring_ = ByteRing{};
        allow();
        ::munmap(first_ - page_, size_ + 2 * page_);
    }

    [[nodiscard]] const ByteRing& ring() const { return ring_; }
    /// Whether these bytes are the ring's records'.
    [[nodiscard]] bool holds(std::span<const std::byte> bytes) const {
        return bytes.data() >= data_ && bytes.data() + bytes.size() <= data_ + storage_;
    }
    /// An empty ring again, for as long as the mutator lets it be one. Nobody has a seat.
    void heal() {
        for (std::uint64_t index = 0; index != storage_ / sizeof(Word); ++index)
            word(index).store(0, std::memory_order_relaxed);
        control_->read_pos.store(0, std::memory_order_relaxed);
        control_->read_pos_published.store(0, std::memory_order_relaxed);
        control_->closed.store(0, std::memory_order_relaxed);
    }

    /// For a process of its own: changes words until it is killed, counting.
    void mutate(Aim aim, std::uint64_t seed, std::atomic<std::uint64_t>& mutations) {
        std::mt19937_64 random(seed);
        while (aim == Aim::oldest) flip_length_of_oldest(random, mutations);
        for (;;) {
            Word& target = pick(aim, random);
            const std::uint64_t bits = random() % 2 == 0 ? std::uint64_t{1} << random() % 64 : header(random);
            target.fetch_xor(bits, std::memory_order_relaxed);
            mutations.fetch_add(1, std::memory_order_relaxed);
            for (std::uint64_t pauses = random() % 256; pauses != 0; --pauses) Env::pause();
            if (random() % 2 == 0)
                target.fetch_xor(bits, std::memory_order_relaxed);  // as if nothing had been
            for (std::uint64_t pauses = random() % 2048; pauses != 0; --pauses) Env::pause();
        }
    }

 private:
    void flip_length_of_oldest(std::mt19937_64& random, std::atomic<std::uint64_t>& mutations) const {
        using Header = detail::RecordHeader;
        const std::uint64_t read_pos = control_->read_pos.load(std::memory_order_relaxed);
        Word& target = word(read_pos % storage_ / sizeof(Word));
        if (Header::of(target.load(std::memory_order_relaxed)).state != Header::State::message) return;
        const std::uint64_t bits = std::uint64_t{1} << random() % Header::kLengthBits;
        target.fetch_xor(bits, std::memory_order_relaxed);
        mutations.fetch_add(1, std::memory_order_relaxed);
        target.fetch_xor(bits, std::memory_order_relaxed);
    }
    [[nodiscard]] Word& word(std::uint64_t index) const {
        return *reinterpret_cast<Word*>(data_ + index * sizeof(Word));
    }
    [[nodiscard]] Word& pick(Aim aim, std::mt19937_64& random) const {
        Word& any = word(random() % (storage_ / sizeof(Word)));
        if (aim == Aim::headers || random() % 2 == 0) return any;
        const std::uint64_t choice = random() % (aim == Aim::positions ? 2 : 4);
        if (choice == 0) return control_->read_pos;
        if (choice == 1) return control_->read_pos_published;
        return choice == 2 ? control_->readable.word : control_->writable.word;
    }
    /// Some bits that look like a header: any state, lengths near every limit.
    [[nodiscard]] std::uint64_t header(std::mt19937_64& random) const {
        using Header = detail::RecordHeader;
        const std::uint32_t lengths[] = {
            0,
            1,
            static_cast<std::uint32_t>(random() % storage_),
            static_cast<std::uint32_t>(ring_.max_message_bytes() + random() % 3 - 1),
            static_cast<std::uint32_t>(storage_),
            Header::kMaxLength};
        return Header{static_cast<std::uint32_t>(random() % 2), static_cast<Header::State>(random() % 4),
                      lengths[random() % std::size(lengths)] & Header::kMaxLength}
            .word();
    }
    static void forbid([[maybe_unused]] std::byte* from, [[maybe_unused]] std::byte* to) {
#if defined(__SANITIZE_ADDRESS__)
        __asan_poison_memory_region(from, static_cast<std::size_t>(to - from));
#endif
    }
    void allow() const {
#if defined(__SANITIZE_ADDRESS__)
        __asan_unpoison_memory_region(first_, size_);
#endif
    }

    std::size_t page_;
    std::size_t size_ = 0;
    std::byte* first_ = nullptr;
    std::byte* data_ = nullptr;  // the header of position 0
    std::uint64_t storage_ = 0;
    Control* control_ = nullptr;
    ByteRing ring_{};
};

}  // namespace shmring::test
