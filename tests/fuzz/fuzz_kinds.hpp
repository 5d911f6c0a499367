// Every kind of ring that can be opened, for targets that try all of them on the same memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "fuzz_game.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/spsc_ring.hpp"

namespace shmring::test {

inline constexpr std::size_t kFuzzKinds = 6;

/// Both ends of what was opened, and some calls.
template <class Ring, class Calls>
void try_out(const Ring& ring, FuzzInput& input) {
    FuzzGame<Ring, Calls> game(ring);
    for (int moves = 0; moves != 20; ++moves) {
        game.reseat(input);
        game.send(input);
        game.receive(input);
        if (input.empty()) break;
    }
}
template <class T>
void try_out_tasks(JoinableQueue<T>& tasks, const T& task) {
    (void)tasks.try_push(task);
    for (int i = 0; i != 3; ++i) (void)tasks.try_pop();
    (void)tasks.join_for(std::chrono::nanoseconds(0));
    (void)tasks.unfinished();
    (void)tasks.losses();
}

/// What was opened lies in its memory; then it is used.
template <class Ring, class TryOut>
void open_and_try(std::span<std::byte> memory, const SegmentOptions& options, TryOut&& try_it) {
    std::error_code code;
    Ring ring = Ring::open_in(memory, options, code);
    if (code) return;
    const SegmentGeometry& geometry = ring.segment().geometry();
    insist(geometry.segment_size <= memory.size() && geometry.capacity != 0);
    const auto lies_inside = [&](std::uint64_t offset, std::uint64_t size) {
        return offset >= detail::kHeaderSize && offset <= geometry.segment_size &&
               size <= geometry.segment_size - offset;
    };
    insist(lies_inside(geometry.data_offset, geometry.data_size) &&
           lies_inside(geometry.control_offset, geometry.control_size) &&
           lies_inside(geometry.participants_offset,
                       geometry.participant_count * sizeof(detail::ParticipantRecord<detail::ShippedEnv>)));
    insist(geometry.lease_size == 0 || lies_inside(geometry.leases_offset, geometry.lease_size));
    const ForbiddenGaps gaps(ring.segment());
    try_it(ring);
}

/// Opens it as each kind in turn; at most one of them fits.
inline void open_as_every_kind(std::span<std::byte> memory, const SegmentOptions& options, FuzzInput& input) {
    using Numbers = FixedCalls<std::uint64_t>;
    const auto with = [&]<class Calls>(Calls) {
        return [&](auto& ring) { try_out<std::remove_reference_t<decltype(ring)>, Calls>(ring, input); };
    };
    open_and_try<SpscRing<std::uint64_t>>(memory, options, with(Numbers{}));
    open_and_try<MpmcRing<std::uint64_t>>(memory, options, with(Numbers{}));
    open_and_try<ByteRing>(memory, options, with(ByteCalls{}));
    open_and_try<MpmcByteRing>(memory, options, with(ByteCalls{}));
    open_and_try<JoinableQueue<std::uint64_t>>(memory, options,
                                               [](auto& tasks) { try_out_tasks(tasks, std::uint64_t{7}); });
    open_and_try<JoinableQueue<std::string>>(memory, options,
                                             [](auto& tasks) { try_out_tasks(tasks, std::string("task")); });
}

/// A new ring of the kind with this number, in the first pages of the memory.
inline void make_kind(std::size_t kind, std::span<std::byte> memory, const SegmentOptions& segment,
                      std::uint64_t capacity, Delivery delivery) {
    std::error_code code;
    const auto make = [&]<class Ring, class Options>(Ring, Options options) {
        options.participants = 3;
        options.segment = segment;
        (void)Ring::create_in(memory, options, code);
    };
    if (kind == 0) make(SpscRing<std::uint64_t>{}, RingOptions{.capacity = capacity});
    if (kind == 1)
        make(MpmcRing<std::uint64_t>{}, MpmcRingOptions{.capacity = capacity, .delivery = delivery});
    if (kind == 2) make(ByteRing{}, ByteRingOptions{.capacity_bytes = 64 * capacity});
    if (kind == 3)
        make(MpmcByteRing{}, MpmcByteRingOptions{.capacity_bytes = 64 * capacity, .delivery = delivery});
    const JoinableQueueOptions tasks{
        .capacity = capacity, .capacity_bytes = kind == 5 ? 64 * capacity : 0, .delivery = delivery};
    if (kind == 4) make(JoinableQueue<std::uint64_t>{}, tasks);
    if (kind == 5) make(JoinableQueue<std::string>{}, tasks);
    insist(!code);
}

}  // namespace shmring::test
