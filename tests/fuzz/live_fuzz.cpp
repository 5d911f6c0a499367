// Rings whose words change while they are read: another thread writes what the input says, all the time. What a reader looked at once must
// not be looked at again.
// SPDX-License-Identifier: MIT

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "fuzz_game.hpp"
#include "fuzz_target.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/spsc_ring.hpp"

namespace {

using namespace shmring;
using namespace shmring::test;

struct Change {
    std::size_t word;
    std::uint64_t bits;
};

/// Flips bits and flips them back, round and round, until it is stopped.
void disturb(std::span<std::byte> memory, const std::vector<Change>& changes, const std::atomic<bool>& stop) {
    while (!stop.load(std::memory_order_relaxed)) {
        for (const Change& change : changes) {
            auto word = shared_word(memory, change.word);
            word.fetch_xor(change.bits, std::memory_order_relaxed);
            word.fetch_xor(change.bits, std::memory_order_relaxed);
        }
    }
}

/// The messages' bytes themselves are left alone: that their readers see them change is the promise of no ring.
[[nodiscard]] std::vector<Change> choose_changes(const SegmentGeometry& geometry, FuzzInput& input) {
    std::vector<Change> changes;
    for (std::size_t count = 1 + input.choose(4); count != 0; --count) {
        const bool is_control = input.choose(2) == 0;
        const std::uint64_t start = is_control ? geometry.control_offset : geometry.data_offset;
        const std::uint64_t size = is_control ? geometry.control_size : geometry.data_size;
        const std::uint64_t stride = is_control ? 8 : 64;  // where commit words, slots and most headers stand
        changes.push_back({(start + input.choose(size / stride) * stride) / 8, input.take<std::uint64_t>()});
    }
    return changes;
}

template <class Ring, class Calls, class Options>
void play_disturbed(Options options, FuzzInput& input) {
    options.participants = 4;
    with_game<Ring, Calls>(options, [&input](FuzzGame<Ring, Calls>& game, const Ring& ring) {
        std::atomic<bool> stop{false};
        const std::vector<Change> changes = choose_changes(ring.segment().geometry(), input);
        std::thread disturber([&] { disturb(ring.segment().bytes(), changes, stop); });
        for (int moves = 0; moves != 300; ++moves) {
            game.send(input);
            game.receive(input);
            if (moves % 50 == 49) game.reseat(input);
        }
        stop.store(true, std::memory_order_relaxed);
        disturber.join();
    });
}

}  // namespace

void shmring::test::fuzz(FuzzInput& input) {
    const std::size_t kind = input.choose(4);
    if (kind == 0)
        play_disturbed<SpscRing<std::uint64_t>, FixedCalls<std::uint64_t>>(RingOptions{.capacity = 9}, input);
    if (kind == 1) play_disturbed<ByteRing, ByteCalls>(ByteRingOptions{.capacity_bytes = 640}, input);
    if (kind == 2)
        play_disturbed<MpmcRing<std::uint64_t>, FixedCalls<std::uint64_t>>(MpmcRingOptions{.capacity = 4},
                                                                           input);
    if (kind == 3) play_disturbed<MpmcByteRing, ByteCalls>(MpmcByteRingOptions{.capacity_bytes = 512}, input);
}
