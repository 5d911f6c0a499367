// How much memory this process may still take before the kernel kills somebody for it: of the machine, and of its memory cgroup. What
// cannot succeed is refused in words instead of tried.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

namespace shmring::detail {

inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

/// Bytes that processes could take before the kernel would have to kill some; kUnlimited where that is not known.
[[nodiscard]] std::uint64_t available_memory() noexcept;

/// One memory cgroup that has too little room.
struct CgroupRoom {
    std::uint64_t free =
        kUnlimited;  ///< bytes: below the limit, or to be had by dropping cached files or by swapping
    std::uint64_t limit = kUnlimited;  ///< bytes
    std::array<char, 256> limit_file{};
};

/// The first of our own cgroup and its ancestors (versions 1 and 2) that has no room for `needed` bytes; one without a limit if all
/// have, or none is to be seen. The paths are for tests.
[[nodiscard]] CgroupRoom cgroup_without_room_for(std::uint64_t needed,
                                                 const char* membership = "/proc/self/cgroup",
                                                 const char* mount = "/sys/fs/cgroup") noexcept;

}  // namespace shmring::detail
