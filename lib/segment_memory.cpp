// Mapping a segment, and what the kernel is asked for beyond that.
// SPDX-License-Identifier: MIT

#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <limits>
#include <utility>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/segment_memory.hpp"

namespace shmring::detail {

namespace {

// In words of our own: a program that is built with the headers of an older kernel may run on a newer one.
constexpr int kMadvPopulateWrite = 23;  // Linux 5.14
constexpr int kMadvCollapse = 25;       // Linux 6.1

constexpr std::size_t kHugePageSize = std::size_t{2} << 20;  // where they are larger, the kernel will say no

[[nodiscard]] std::error_code advise(std::span<std::byte> memory, int advice) noexcept {
    for (int attempt = 0; attempt != 8; ++attempt) {  // EAGAIN: a page was busy for a moment
        if (::madvise(memory.data(), memory.size(), advice) == 0) return {};
        if (errno != EAGAIN && errno != EINTR) break;
    }
    return {errno, std::generic_category()};
}

[[nodiscard]] std::error_code prefault(std::span<std::byte> memory) noexcept {
    const std::error_code error = advise(memory, kMadvPopulateWrite);
    if (error != std::errc::invalid_argument) return error;
    touch_pages(memory);
    return {};
}

/// Advice alone makes no huge page: the pages of a file were allocated before, small. Collapsing them does, and says whether.
[[nodiscard]] std::error_code make_huge(std::span<std::byte> memory) noexcept {
    if (memory.size() < kHugePageSize) return std::make_error_code(std::errc::invalid_argument);
    if (const std::error_code error = advise(memory, MADV_HUGEPAGE)) return error;
    return advise(memory, kMadvCollapse);
}

/// An address range, nothing behind it, that begins where a huge page can; null when there is none.
[[nodiscard]] std::byte* reserve_for_huge_pages(std::size_t size) noexcept {
    const std::size_t wide = size + kHugePageSize;
    void* start = ::mmap(nullptr, wide, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    auto* first = static_cast<std::byte*>(start);
    const auto address = reinterpret_cast<std::uintptr_t>(first);
    const auto before = static_cast<std::size_t>(round_up(address, kHugePageSize) - address);
    if (before != 0) ::munmap(first, before);
    ::munmap(first + before + size, wide - before - size);
    return first + before;
}

bool refuse_mapping(int number, std::uint64_t size, SetupReport& report) noexcept {
    struct rlimit locked {};
    if (number == EAGAIN &&
        ::getrlimit(RLIMIT_MEMLOCK, &locked) == 0)  // mmap's word for that limit, after mlockall()
        return report.refuse_errno(ENOMEM,
                                   "cannot map %" PRIu64
                                   " bytes: this process locks its memory (mlockall) and may lock %" PRIu64
                                   " bytes in all (ulimit -l)",
                                   size, std::uint64_t{locked.rlim_cur});
    if (number == ENOMEM)
        return report.refuse_errno(
            number,
            "cannot map %" PRIu64
            " bytes: too many mappings (vm.max_map_count), or no address space (ulimit -v)",
            size);
    return report.refuse_errno(number, "cannot map %" PRIu64 " bytes", size);
}

}  // namespace

Mapping::~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

bool Mapping::map(int descriptor, std::uint64_t size, bool huge_pages, SetupReport& report) noexcept {
    if (size > std::uint64_t{std::numeric_limits<std::ptrdiff_t>::max()})
        return report.refuse_errno(ENOMEM, "%" PRIu64 " bytes are more than this program can address", size);
    size_ = static_cast<std::size_t>(size);
    std::byte* place = huge_pages && size_ >= kHugePageSize ? reserve_for_huge_pages(size_) : nullptr;
    const int flags = MAP_SHARED | (place != nullptr ? MAP_FIXED : 0);
    void* start = ::mmap(place, size_, PROT_READ | PROT_WRITE, flags, descriptor, 0);
    if (start == MAP_FAILED) {
        const int number = errno;
        if (place != nullptr) ::munmap(place, size_);
        return refuse_mapping(number, size, report);
    }
    data_ = static_cast<std::byte*>(start);
    return true;
}

std::byte* Mapping::release() noexcept { return std::exchange(data_, nullptr); }

void unmap(std::byte* data, std::uint64_t size) noexcept { ::munmap(data, static_cast<std::size_t>(size)); }

SegmentGrants ask_kernel_for(std::span<std::byte> memory, const SegmentOptions& options) noexcept {
    SegmentGrants grants;
    if (options.prefault) grants.prefault = prefault(memory);
    if (options.huge_pages) grants.huge_pages = make_huge(memory);
    if (options.lock_memory && ::mlock(memory.data(), memory.size()) != 0)
        grants.lock_memory = {errno, std::generic_category()};
    return grants;
}

void touch_pages(std::span<std::byte> memory) noexcept {
    for (std::size_t offset = 0; offset < memory.size(); offset += kPageSize) {
        auto& word = *reinterpret_cast<std::uint64_t*>(memory.data() + offset);
        std::atomic_ref(word).fetch_or(0,
                                       relaxed);  // carries nothing: others may be using the page right now
    }
}

}  // namespace shmring::detail
