// Memory for a segment that ends where its pages end: a step beyond them is a crash, a step out of its sections is seen by the address
// sanitizer. And a file whose bytes are its liveness locks, so that records which nobody locks are those of the dead.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHMRING_FUZZ_SEES_ADDRESSES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SHMRING_FUZZ_SEES_ADDRESSES 1
#endif
#if defined(SHMRING_FUZZ_SEES_ADDRESSES)
#include <sanitizer/asan_interface.h>
#endif

#include "fuzz_input.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {

/// What a fuzz target promises, in every build. A crash is what a fuzzer understands.
inline void insist(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (condition) return;
    std::fprintf(stderr, "%s:%d: what was promised does not hold\n", file, line);
    std::abort();
}

class FuzzMemory {
 public:
    static constexpr std::size_t kSize = std::size_t{64} * 1024;

    FuzzMemory() {
        void* start = ::mmap(nullptr, kSize + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        insist(start != MAP_FAILED);
        first_ = static_cast<std::byte*>(start) + kPage;
        insist(::mmap(first_, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
               first_);
        liveness_ = ::memfd_create("fuzz-liveness", MFD_CLOEXEC);
        insist(liveness_ >= 0);
    }
    FuzzMemory(const FuzzMemory&) = delete;
    FuzzMemory& operator=(const FuzzMemory&) = delete;
    ~FuzzMemory() {
        ::munmap(first_ - kPage, kSize + 2 * kPage);
        ::close(liveness_);
    }

    [[nodiscard]] std::span<std::byte> all() const { return {first_, kSize}; }
    /// The last pages, so that nothing is mapped behind them.
    [[nodiscard]] std::span<std::byte> last(std::size_t size) const {
        const std::size_t pages = (size + kPage - 1) / kPage * kPage;
        insist(pages <= kSize);
        return all().last(pages);
    }
    [[nodiscard]] SegmentOptions options() const {
        SegmentOptions options;
        options.liveness_descriptor = liveness_;
        options.prefault = false;
        return options;
    }

 private:
    static constexpr std::size_t kPage = 4096;
    std::byte* first_ = nullptr;
    int liveness_ = -1;
};

/// A part of a segment that its rings use.
struct FuzzSection {
    std::uint64_t offset;
    std::uint64_t size;
};
[[nodiscard]] inline std::array<FuzzSection, 4> sections_of(const Segment& segment) {
    const SegmentGeometry& geometry = segment.geometry();
    const std::uint64_t records =
        geometry.participant_count * sizeof(detail::ParticipantRecord<detail::ShippedEnv>);
    const std::uint64_t leases =
        detail::has_leases(geometry.kind) ? geometry.segment_size - geometry.leases_offset : 0;
    return {{{geometry.participants_offset, records},
             {geometry.control_offset, geometry.control_size},
             {geometry.data_offset, geometry.data_size},
             {geometry.leases_offset, leases}}};
}

/// In a scope: what lies between the sections of a segment must not be touched.
class ForbiddenGaps {
 public:
    explicit ForbiddenGaps(const Segment& segment) : memory_(segment.bytes()) {
        std::uint64_t end = detail::kHeaderSize;
        for (const FuzzSection& section : sections_of(segment)) {
            if (section.size == 0) continue;
            forbid(end, section.offset);
            end = section.offset + section.size;
        }
        forbid(end, memory_.size());
    }
    ForbiddenGaps(const ForbiddenGaps&) = delete;
    ForbiddenGaps& operator=(const ForbiddenGaps&) = delete;
    ~ForbiddenGaps() {  // NOLINT(modernize-use-equals-default): not trivial where addresses are seen
#if defined(SHMRING_FUZZ_SEES_ADDRESSES)
        __asan_unpoison_memory_region(memory_.data(), memory_.size());
#endif
    }

 private:
    void forbid([[maybe_unused]] std::uint64_t from, [[maybe_unused]] std::uint64_t to) const {
#if defined(SHMRING_FUZZ_SEES_ADDRESSES)
        if (from < to && to <= memory_.size()) __asan_poison_memory_region(memory_.data() + from, to - from);
#endif
    }
    std::span<std::byte> memory_;
};

/// A word that others look at.
[[nodiscard]] inline std::atomic_ref<std::uint64_t> shared_word(std::span<std::byte> memory,
                                                                std::size_t index) {
    return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(memory.data() + index * sizeof(std::uint64_t)));
}

/// Changes a word of one of the sections: most of what matters stands in their first kilobyte.
inline void change_a_word(const Segment& segment, FuzzInput& input) {
    const auto sections = sections_of(segment);
    const FuzzSection& section = sections[input.choose(sections.size())];
    if (section.size == 0) return;
    constexpr std::uint64_t kReach = 1024;
    const std::uint64_t words = std::min(section.size, kReach) / sizeof(std::uint64_t);
    auto word = shared_word(segment.bytes(), section.offset / sizeof(std::uint64_t) + input.choose(words));
    word.store(fuzzed(word.load(std::memory_order_relaxed), input), std::memory_order_relaxed);
}

}  // namespace shmring::test
