// The leases of a joinable queue, as everybody sees them: who has which task in hand, and what deaths have cost.
//
// Edges:
//   done      a worker clears its lease; a joiner that reads 0 sees what the worker did before
//   abandon   a worker names its task again and lets the record go; who adopts the record sees the task's bytes
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/env.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// Copyable; the segment must outlive it.
class LeaseTable {
 public:
    using Control = LeaseControl<ShippedEnv>;
    using Block = LeaseBlock<ShippedEnv>;

    LeaseTable() noexcept = default;
    explicit LeaseTable(const Segment& segment) noexcept
        : records_(segment),
          base_(segment.at(segment.geometry().leases_offset)),
          lease_size_(segment.geometry().lease_size) {}

    [[nodiscard]] const ParticipantTable& records() const noexcept { return records_; }
    [[nodiscard]] Control& control() const noexcept { return *reinterpret_cast<Control*>(base_); }
    [[nodiscard]] Block& block(std::uint32_t index) const noexcept {
        return *reinterpret_cast<Block*>(base_ + kLineGap + index * lease_size_);
    }
    [[nodiscard]] std::byte* bytes(std::uint32_t index) const noexcept {
        return reinterpret_cast<std::byte*>(&block(index)) + kLeaseHead;
    }
    /// Bytes kept of a task, so that it can be delivered again; 0: none is.
    [[nodiscard]] std::size_t room() const noexcept {
        return static_cast<std::size_t>(lease_size_ - kLeaseHead);
    }
    [[nodiscard]] bool redelivers() const noexcept { return room() != 0; }

    [[nodiscard]] LeaseWord lease(std::uint32_t index) const noexcept {
        return {records_.record(index).lease.load(acquire)};  // [done] acquire side, [abandon] acquire side
    }
    [[nodiscard]] bool none_in_hand() const noexcept {
        std::uint32_t index = 0;
        while (index != records_.count() && !lease(index)) ++index;
        return index == records_.count();
    }
    /// Tasks in the hands of the living and the dead, as far as `counts(word)`.
    template <class Counts>
    [[nodiscard]] std::uint64_t in_hand(Counts&& counts) const noexcept {
        std::uint64_t sum = 0;
        for (std::uint32_t index = 0; index != records_.count(); ++index) {
            const LeaseWord task = lease(index);
            if (task && counts(task)) ++sum;
        }
        return sum;
    }
    /// The holder of this record is dead. A system call.
    [[nodiscard]] bool is_dead(std::uint32_t index) const noexcept;
    [[nodiscard]] std::uint64_t lost() const noexcept;
    [[nodiscard]] std::uint64_t redelivered() const noexcept;

 private:
    ParticipantTable records_{};
    std::byte* base_ = nullptr;
    std::uint64_t lease_size_ = kLeaseHead;
};

/// LeaseBlock::lost, counted on by one for this task, unless it was its name that was counted last.
[[nodiscard]] std::uint64_t count_lost(std::uint64_t lost, LeaseWord task) noexcept;

}  // namespace shmring::detail
