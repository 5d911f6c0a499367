// Reading what the leases say: who is dead, and what was lost.
// SPDX-License-Identifier: MIT
#include "shmring/detail/lease_table.hpp"

namespace shmring::detail {

namespace {

constexpr unsigned kNameBits = 44;
constexpr std::uint64_t kNameMask = (std::uint64_t{1} << kNameBits) - 1;
constexpr std::uint64_t kMostLost = ~std::uint64_t{0} >> kNameBits;

}  // namespace

std::uint64_t count_lost(std::uint64_t lost, LeaseWord task) noexcept {
    const std::uint64_t name = task.value & kNameMask;
    if ((lost & kNameMask) == name) return lost;
    const std::uint64_t count = lost >> kNameBits;
    return (count < kMostLost ? count + 1 : count) << kNameBits | name;
}

bool LeaseTable::is_dead(std::uint32_t index) const noexcept {
    const std::uint64_t incarnation =
        records_.record(index).incarnation.load(acquire);  // [attach] acquire side
    return records_.life_of(ParticipantId::of(index, incarnation)) == Life::dead;
}

std::uint64_t LeaseTable::lost() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t index = 0; index != records_.count(); ++index)
        sum += block(index).lost.load(relaxed) >> kNameBits;  // a statistic
    return sum;
}

std::uint64_t LeaseTable::redelivered() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t index = 0; index != records_.count(); ++index)
        sum += block(index).redelivered.load(relaxed);  // a statistic
    return sum;
}

}  // namespace shmring::detail
