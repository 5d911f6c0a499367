// A memory in which a load may find any store that the C++20 model lets it find, and a plain access that races is found out.
//
// Each location keeps all its stores in modification order, which is here the order in which they are executed. A load may read any
// of them from its actor's floor on: coherence and happens-before raise the floor, sequentially consistent fences and operations
// raise it further. A read-modify-write reads the last one. What a store releases travels with it to whoever acquires it, through
// read-modify-writes too (release sequences), and by way of fences. What this does not cover: docs/proof.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "support/vector_clock.hpp"

namespace shmring::test {

class WeakMemory {
 public:
    struct Store {
        std::uint64_t value = 0;
        View released{};  // what an acquiring reader learns
        Clock cause{};  // the explorer's: the events without which this store would not be (exploration.hpp)
    };
    /// The indices of stores that a load may read.
    struct Range {
        int first = 0;
        int last = 0;
        [[nodiscard]] int count() const { return last - first + 1; }
    };

    /// Another scene: at other addresses.
    void forget_addresses() {
        table_ = {};
        granules_.clear();
        locations_.clear();
    }
    /// Nothing happened yet. `weak`: otherwise every load reads the last store.
    void reset(int actors, bool weak) {
        weak_ = weak;
        actors_ = actors;
        for (Granule& each : granules_) {
            each.stores = 0;
            each.access = {};
        }
        for (State& each : states_) each = {};
        for (int actor = 0; actor != actors; ++actor) state(actor).now.clock.advance(actor);
        sequential_ = {};
    }

    /// The number of the location at `address`, which holds `value` as long as nobody has stored to it.
    [[nodiscard]] int location_at(const void* address, std::uint64_t value) {
        Granule& granule = granule_at(address);
        if (granule.location < 0) {
            if (locations_.size() == Floors::kMostLocations) throw std::length_error("too many locations");
            granule.location = static_cast<int>(locations_.size());
            locations_.push_back(granule_index(granule));
        }
        if (granule.stores == 0) {
            Store& initial = append(granule);
            initial.value = value;
            initial.released = {};
            initial.cause = {};
        }
        return granule.location;
    }
    [[nodiscard]] int length(int location) const { return granule_of(location).stores; }
    [[nodiscard]] Store& store_at(int location, int index) {
        return granule_of(location).history[static_cast<std::size_t>(index)];
    }

    // ---- atomic operations of an actor -----------------------------------------------------------------------------------

    [[nodiscard]] Range readable(int actor, int location, std::memory_order order) const {
        const int last = length(location) - 1;
        if (!weak_) return {last, last};
        const int floor = state(actor).now.floors.at(location);
        return {is_sequential(order) ? std::max(floor, sequential_.at(location)) : floor, last};
    }
    std::uint64_t load(int actor, int location, int index, std::memory_order order) {
        Granule& granule = granule_of(location);
        judge(granule, actor, Kind::atomic_read);
        const Store& store = granule.history[static_cast<std::size_t>(index)];
        State& self = state(actor);
        self.now.floors.raise(location, index);
        if (is_sequential(order)) sequential_.raise(location, index);
        learn(self, store.released, order);
        return store.value;
    }
    void store(int actor, int location, std::uint64_t value, std::memory_order order) {
        Granule& granule = granule_of(location);
        judge(granule, actor, Kind::atomic_write);
        State& self = state(actor);
        const int index = granule.stores;
        self.now.floors.raise(location, index);
        if (is_sequential(order)) sequential_.raise(location, index);
        Store& store = append(granule);
        store.value = value;
        store.released = is_release(order) ? self.now : self.fenced;
        self.now.clock.advance(actor);
    }
    /// Reads the last store and puts `value` behind it.
    void exchange(int actor, int location, std::uint64_t value, std::memory_order order) {
        Granule& granule = granule_of(location);
        judge(granule, actor, Kind::atomic_read);
        judge(granule, actor, Kind::atomic_write);
        State& self = state(actor);
        const int index = granule.stores;
        const View continued = granule.history[static_cast<std::size_t>(index) - 1].released;
        learn(self, continued, order);
        self.now.floors.raise(location, index);
        if (is_sequential(order)) sequential_.raise(location, index);
        Store& store = append(granule);
        store.value = value;
        store.released = is_release(order) ? self.now : self.fenced;
        store.released.join(continued);
        self.now.clock.advance(actor);
    }
    void fence(int actor, std::memory_order order) {
        State& self = state(actor);
        if (is_acquire(order)) self.now.join(self.heard);
        if (is_sequential(order)) {
            self.now.floors.join(sequential_);
            sequential_.join(self.now.floors);
        }
        if (is_release(order)) self.fenced = self.now;
        self.now.clock.advance(actor);
    }

    // ---- plain accesses --------------------------------------------------------------------------------------------------

    /// After `size` bytes at `address` were written.
    void plain_write(int actor, const void* address, std::size_t size) {
        each_granule(address, size, [&](Granule& granule, const std::byte* at) {
            judge(granule, actor, Kind::plain_write);
            if (granule.stores == 0) return;
            // Where atomics stand at other times: a store that nobody may read but those who know of it.
            std::uint64_t value = 0;
            std::memcpy(&value, at, sizeof value);
            state(actor).now.floors.raise(granule.location, granule.stores);
            Store& store = append(granule);
            store.value = value;
            store.released = {};
            store.cause = {};
        });
    }
    void plain_read(int actor, const void* address, std::size_t size) {
        each_granule(address, size,
                     [&](Granule& granule, const std::byte*) { judge(granule, actor, Kind::plain_read); });
    }
    /// Whether two accesses raced, at least one of them plain and at least one a write.
    [[nodiscard]] bool has_race() const { return has_race_; }
    void forget_race() { has_race_ = false; }

    // ---- beyond the language ---------------------------------------------------------------------------------------------

    /// The kernel frees the locks of the dead after their last store: who sees that sees all that the dead one saw.
    void inherit(int heir, int dead) { state(heir).now.join(state(dead).now); }
    /// The kernel looked at a location for `actor`, which now sees nothing older there: that is coherence, and orders nothing else.
    void see_last(int actor, int location) { state(actor).now.floors.raise(location, length(location) - 1); }
    /// A store does not stay hidden for ever: after a long sleep everything that happened is visible, though it orders nothing.
    void see_everything(int actor) {
        for (int location = 0; location != static_cast<int>(locations_.size()); ++location)
            if (length(location) != 0) state(actor).now.floors.raise(location, length(location) - 1);
    }
    [[nodiscard]] const Clock& clock(int actor) const { return state(actor).now.clock; }

 private:
    enum class Kind { plain_write, plain_read, atomic_write, atomic_read };
    /// The last access of each kind, of each actor: when, by its own clock.
    struct Accesses {
        std::array<std::array<std::int16_t, kMostActors>, 4> times{};
        [[nodiscard]] std::int16_t& of(Kind kind, int actor) {
            return times[static_cast<std::size_t>(kind)][static_cast<std::size_t>(actor)];
        }
    };
    /// Eight bytes of shared memory.
    struct Granule {
        std::uintptr_t key = 0;
        int location = -1;  // for atomics
        int stores = 0;     // how many of `history` are of this run
        std::vector<Store> history{};
        Accesses access{};
    };
    struct State {
        View now{};
        View heard{};   // released by stores that were read without acquiring: an acquire fence takes it
        View fenced{};  // what was known at the last release fence: relaxed stores release it
    };

    [[nodiscard]] static bool is_acquire(std::memory_order order) {
        return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
               is_sequential(order);
    }
    [[nodiscard]] static bool is_release(std::memory_order order) {
        return order == std::memory_order_release || order == std::memory_order_acq_rel ||
               is_sequential(order);
    }
    [[nodiscard]] static bool is_sequential(std::memory_order order) {
        return order == std::memory_order_seq_cst;
    }

    static void learn(State& self, const View& released, std::memory_order order) {
        (is_acquire(order) ? self.now : self.heard).join(released);
    }
    [[nodiscard]] static Store& append(Granule& granule) {
        const auto index = static_cast<std::size_t>(granule.stores++);
        if (index == granule.history.size()) granule.history.emplace_back();
        return granule.history[index];
    }
    /// A conflicting access of somebody else must have happened before.
    void judge(Granule& granule, int actor, Kind kind) {
        const bool writes = kind == Kind::plain_write || kind == Kind::atomic_write;
        const bool plain = kind == Kind::plain_write || kind == Kind::plain_read;
        const Clock& known = state(actor).now.clock;
        const auto look = [&](Kind other) {
            for (int who = 0; who != actors_; ++who)
                if (!known.covers(who, granule.access.of(other, who))) has_race_ = true;
        };
        look(Kind::plain_write);
        if (writes) look(Kind::plain_read);
        if (plain) look(Kind::atomic_write);
        if (plain && writes) look(Kind::atomic_read);
        granule.access.of(kind, actor) = static_cast<std::int16_t>(known.at(actor));
    }
    template <class Visit>
    void each_granule(const void* address, std::size_t size, Visit&& visit) {
        const auto* at = static_cast<const std::byte*>(address);
        const std::byte* const end = at + size;
        at -= reinterpret_cast<std::uintptr_t>(at) % kGranule;
        for (; at < end; at += kGranule) visit(granule_at(at), at);
    }

    // ---- where what stands: addresses stay from run to run ---------------------------------------------------------------

    static constexpr std::size_t kGranule = 8;
    static constexpr std::size_t kTable = 1024;

    [[nodiscard]] Granule& granule_at(const void* address) {
        const std::uintptr_t key = reinterpret_cast<std::uintptr_t>(address) / kGranule;
        for (std::size_t at = key * 0x9e37'79b9 >> 7;; ++at) {
            std::int16_t& index = table_[at % kTable];
            if (index != 0) {
                Granule& found = granules_[static_cast<std::size_t>(index) - 1];
                if (found.key == key) return found;
                continue;
            }
            if (granules_.size() == kTable / 2) throw std::length_error("too much shared memory");
            granules_.push_back({});
            index = static_cast<std::int16_t>(granules_.size());
            granules_.back().key = key;
            return granules_.back();
        }
    }
    [[nodiscard]] std::size_t granule_index(const Granule& granule) const {
        return static_cast<std::size_t>(&granule - granules_.data());
    }
    [[nodiscard]] Granule& granule_of(int location) {
        return granules_[locations_[static_cast<std::size_t>(location)]];
    }
    [[nodiscard]] const Granule& granule_of(int location) const {
        return granules_[locations_[static_cast<std::size_t>(location)]];
    }
    [[nodiscard]] State& state(int actor) { return states_[static_cast<std::size_t>(actor)]; }
    [[nodiscard]] const State& state(int actor) const { return states_[static_cast<std::size_t>(actor)]; }

    std::array<std::int16_t, kTable> table_{};  // 1 + index of the granule; 0: none
    std::vector<Granule> granules_{};
    std::vector<std::size_t> locations_{};  // the granule of each
    std::array<State, kMostActors> states_{};
    Floors sequential_{};
    int actors_ = 0;
    bool weak_ = true;
    bool has_race_ = false;
};

}  // namespace shmring::test
