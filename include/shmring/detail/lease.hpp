// Leases: what the workers of a joinable queue have in hand, in shared memory. Part of the ABI, as layout.hpp is.
//
// A desk is a participant record with room for one task. Its lease word names the task, and is 0 while there is none; a worker has as
// many desks as it has tasks in hand. Which states a task goes through and what a death leaves: docs/algorithms/leases.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"

namespace shmring::detail {

/// `position:55 | deliveries:5 | 1`, 0: no task. The position is where the task stood in the ring, so no two tasks have the same name;
/// deliveries counts how often a consumer died with it.
struct LeaseWord {
    std::uint64_t value = 0;

    static constexpr std::uint64_t kMaxDeliveries = 31;

    [[nodiscard]] static constexpr LeaseWord of(std::uint64_t position, std::uint64_t deliveries) noexcept {
        return {position << 6 | deliveries << 1 | 1};
    }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return value != 0; }
    [[nodiscard]] constexpr std::uint64_t position() const noexcept { return value >> 6; }
    [[nodiscard]] constexpr std::uint64_t deliveries() const noexcept { return value >> 1 & kMaxDeliveries; }
    friend constexpr bool operator==(LeaseWord, LeaseWord) = default;
};

/// The first bytes of the section `leases`.
template <class Env>
struct LeaseControl {
    EventLine<Env> finished;  ///< joiners sleep here
};

/// What belongs to one participant record in that section: lease_size bytes, of which this is the first line.
///
///   offset field        written by   read by   meaning
///   0      lost         lock holder  all       `count:20 | the last one's name:44`: tasks that were given up after a death
///   8      redelivered  lock holder  people    tasks that were given to a worker again, from this desk
///   16     length       worker       adopters  bytes of the task behind this line
///   64     task         worker       adopters  its bytes; only where tasks are delivered again
///
/// `lost` is one word, so that whoever dies between counting and clearing the lease has not counted for two.
template <class Env>
struct alignas(kLineSize) LeaseBlock {
    template <class T>
    using Atom = typename Env::template Atom<T>;

    Atom<std::uint64_t> lost;
    Atom<std::uint64_t> redelivered;
    Atom<std::uint64_t> length;
};

/// The first line of a lease, before the bytes of the task.
inline constexpr std::uint64_t kLeaseHead = kLineSize;
inline constexpr std::uint64_t kMaxLeaseSize = std::uint64_t{1} << 31;

/// `task_size`: bytes of the largest task, 0 where no task is delivered again.
[[nodiscard]] constexpr std::uint64_t lease_size_for(std::uint64_t task_size) noexcept {
    return task_size < kMaxLeaseSize ? kLeaseHead + round_up(task_size, kLineSize) : kMaxLeaseSize + 1;
}
[[nodiscard]] constexpr bool is_lease_size(std::uint64_t size) noexcept {
    return size >= kLeaseHead && size % kLineSize == 0 && size <= kMaxLeaseSize;
}
/// Bytes of the section; 0: there is none.
[[nodiscard]] constexpr std::uint64_t leases_size(std::uint32_t participants,
                                                  std::uint64_t lease_size) noexcept {
    return lease_size == 0 ? 0 : kLineGap + participants * lease_size;
}

}  // namespace shmring::detail
