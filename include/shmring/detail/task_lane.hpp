// The lanes of a joinable queue: those of Queue, and how a task lies in its ring until a worker has it in hand.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <new>
#include <optional>

#include "shmring/codec.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/queue_lane.hpp"
#include "shmring/detail/ring_object.hpp"
#include "shmring/detail/unfinished.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// What both lanes ask of their segment. The ring itself always delivers again: what no pop returned is nobody's loss.
template <class Lane>
[[nodiscard]] SegmentSpec task_spec(const JoinableQueueOptions& options, RingKind kind,
                                    std::uint64_t max_task_bytes) noexcept {
    SegmentSpec spec = Lane::spec({.capacity = options.capacity,
                                   .capacity_bytes = options.capacity_bytes,
                                   .delivery = Delivery::at_least_once,
                                   .ends_with_last_producer = options.ends_with_last_producer,
                                   .participants = options.participants,
                                   .liveness_period = options.liveness_period});
    spec.kind = kind;
    // Room for nothing would mean that no task is delivered again: unknown is refused, like too much.
    const std::uint64_t kept = max_task_bytes != 0 ? max_task_bytes : kMaxLeaseSize;
    spec.lease_size = lease_size_for(options.delivery == Delivery::at_least_once ? kept : 0);
    return spec;
}

template <class T>
struct FixedTasks : FixedLane<T> {
    using Lane = FixedLane<T>;
    static constexpr bool kNothrow = true;

    [[nodiscard]] static SegmentSpec spec(const JoinableQueueOptions& options) noexcept {
        return task_spec<Lane>(options, RingKind::tasks, sizeof(T));
    }
    [[nodiscard]] static auto unfinished(const Segment& segment) noexcept {
        const auto slots = RingAccess::memory<typename Lane::Ring>(segment);
        return Unfinished(slots, extent_of(slots));
    }

    template <class Side>
    [[nodiscard]] static Status claim(Side& side) noexcept {
        return side.claim(1);
    }
    template <class Side>
    [[nodiscard]] static Bytes bytes(const Side& side) noexcept {
        return {side.payload(0), sizeof(T)};
    }
    template <class Side>
    static void hand_back(Side& side) noexcept {
        side.hand_back(0);
        side.settle();
    }
    /// Makes the value in place. corrupt: so many bytes are no T.
    [[nodiscard]] static Status read(Bytes bytes, void* to) noexcept {
        if (bytes.size() != sizeof(T)) return Status::corrupt;
        ShippedEnv::copy_out(to, bytes.data(), sizeof(T));
        return Status::ok;
    }

 private:
    template <SlotShape kShape>
    [[nodiscard]] static SlotExtent<ShippedEnv, kShape> extent_of(
        const MpmcSlots<ShippedEnv, kShape>&) noexcept {
        return {};
    }
};

template <class T>
struct CodecTasks : CodecLane<T> {
    using Lane = CodecLane<T>;
    static constexpr bool kNothrow = false;

    [[nodiscard]] static SegmentSpec spec(const JoinableQueueOptions& options) noexcept {
        const std::uint64_t share = options.capacity == 0 ? 0 : options.capacity_bytes / options.capacity;
        return task_spec<Lane>(options, RingKind::byte_tasks,
                               options.max_task_bytes != 0 ? options.max_task_bytes : share);
    }
    [[nodiscard]] static auto unfinished(const Segment& segment) noexcept {
        const auto memory = RingAccess::memory<typename Lane::Ring>(segment);
        return Unfinished(memory.slots, UnitExtent<ShippedEnv>(memory));
    }

    template <class Side>
    [[nodiscard]] static Status claim(Side& side) noexcept {
        return side.claim(RecordHeader::kMaxLength);
    }
    template <class Side>
    [[nodiscard]] static Bytes bytes(const Side& side) noexcept {
        return {side.payload(), side.length()};
    }
    template <class Side>
    static void hand_back(Side& side) noexcept {
        side.hand_back();
    }
    [[nodiscard]] static Status read(Bytes bytes, std::optional<T>& to) {
        return Codec<T>::decode(bytes, to.emplace()) ? Status::ok : Status::corrupt;
    }
    [[nodiscard]] static Status read(Bytes bytes, void* to) {
        return Codec<T>::decode(bytes, *::new (to) T{}) ? Status::ok : Status::corrupt;
    }
};

template <class T>
struct TasksOf {
    using type = CodecTasks<T>;
};
template <Message T>
struct TasksOf<T> {
    using type = FixedTasks<T>;
};

}  // namespace shmring::detail
