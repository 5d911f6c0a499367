// What an actor, or a store, knows of the past: how far it has seen every actor come (a vector clock), and for every location how
// old a store it may still read (its floor). Both only grow, and both travel together along every edge of happens-before.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace shmring::test {

inline constexpr int kMostActors = 6;

/// So many events of each actor.
class Clock {
 public:
    [[nodiscard]] int at(int actor) const { return times_[static_cast<std::size_t>(actor)]; }
    void advance(int actor) { ++times_[static_cast<std::size_t>(actor)]; }
    void join(const Clock& other) {
        for (std::size_t i = 0; i != times_.size(); ++i) times_[i] = std::max(times_[i], other.times_[i]);
    }
    /// Whether event number `time` of `actor` is known here.
    [[nodiscard]] bool covers(int actor, int time) const { return at(actor) >= time; }
    friend bool operator==(const Clock&, const Clock&) = default;

 private:
    std::array<std::int16_t, 8> times_{};
};
static_assert(kMostActors <= 8);

/// By location: the index of the oldest store in its history that may still be read.
class Floors {
 public:
    static constexpr int kMostLocations = 56;

    [[nodiscard]] int at(int location) const { return floors_[static_cast<std::size_t>(location)]; }
    void raise(int location, int index) {
        std::int16_t& floor = floors_[static_cast<std::size_t>(location)];
        floor = std::max(floor, static_cast<std::int16_t>(index));
    }
    void join(const Floors& other) {
        for (std::size_t i = 0; i != floors_.size(); ++i) floors_[i] = std::max(floors_[i], other.floors_[i]);
    }

 private:
    std::array<std::int16_t, kMostLocations> floors_{};
};

struct View {
    Clock clock{};
    Floors floors{};

    void join(const View& other) {
        clock.join(other.clock);
        floors.join(other.floors);
    }
};

}  // namespace shmring::test
