// What the survivors of a killed process got, in memory they share, and what must be true of it.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "support/torture_kinds.hpp"

namespace shmring::test {

/// Numbers tell who sent them.
inline constexpr std::uint64_t kOfVictim = 1000;   // and the following, as many as its operation sends
inline constexpr std::uint64_t kOfHelper = 2000;   // who acts when the victim is asleep
inline constexpr std::uint64_t kOfSleeper = 3000;  // the peer that slept in a push
inline constexpr std::uint64_t kMarker = 4000;     // sent by a survivor after the death

/// One writer at a time: a peer in its own process, then the test.
struct TortureLog {
    static constexpr std::size_t kRoom = 64;

    std::atomic<std::uint32_t> count{0};
    std::array<Taken, kRoom> taken{};
    std::atomic<std::uint64_t> progress_ns{
        0};                                ///< when a survivor had moved a message, or had heard of the end
    std::atomic<std::uint32_t> closed{0};  ///< the survivor heard that the stream has ended
    std::atomic<std::uint32_t> stop{0};    ///< for the helper: the victim is dead
    std::atomic<std::uint32_t> acted{0};   ///< the helper did its part
    std::atomic<std::uint32_t> falls_asleep{0};  ///< likewise: it stands in front of its futex call
    std::atomic<std::uint32_t> returned{0};      ///< from the call of a victim that reads

    void add(const Taken& what) {
        const std::uint32_t at = count.load(std::memory_order_relaxed);  // ours
        if (at < kRoom) taken[at] = what;
        count.store(at + 1, std::memory_order_release);
    }
    [[nodiscard]] std::uint32_t times(std::uint64_t number) const {
        std::uint32_t found = 0;
        for (std::uint32_t i = 0; i != size(); ++i) found += taken[i].number == number ? 1 : 0;
        return found;
    }
    [[nodiscard]] std::uint32_t size() const {
        const std::uint32_t all = count.load(std::memory_order_acquire);
        return all < kRoom ? all : static_cast<std::uint32_t>(kRoom);
    }
};

/// In the victim: where it says that its call returned.
inline TortureLog* log_of_victim = nullptr;

/// What was in the ring and what everybody did, by plan.
struct TorturePlan {
    std::uint64_t first_inside = 0;
    std::uint64_t inside = 0;
    std::uint64_t sends = 0;  ///< by the victim, if it comes to its end
    std::uint64_t takes = 0;
    bool helper_pushed = false;
    bool sleeper_pushed = false;
    bool at_least_once = false;
};

struct TortureJudgement {
    std::uint64_t lost = 0;      ///< beyond what the policy allows
    std::uint64_t repeated = 0;  ///< likewise; out of order, torn and never sent count here
    std::uint64_t moved = 0;     ///< by the victim
    std::string first{};         ///< what was wrong first
};

/// Each message that was acknowledged comes once. What the victim had in hand may be missing: up to `takes` of the oldest, which only it
/// took; of what it sent a prefix is there, and all of it if it came to its end.
[[nodiscard]] inline TortureJudgement judge(const TortureLog& log, const TorturePlan& plan, bool finished) {
    TortureJudgement found;
    const auto complain = [&](std::uint64_t& counter, std::uint64_t number, const char* what) {
        ++counter;
        if (found.first.empty()) found.first = std::to_string(number) + ' ' + what;
    };
    std::uint64_t missing = 0;
    for (std::uint64_t i = 0; i != plan.inside + (plan.helper_pushed ? 1 : 0); ++i) {
        const std::uint64_t number = i < plan.inside ? plan.first_inside + i : kOfHelper;
        const std::uint32_t times = log.times(number);
        if (times > 1) complain(found.repeated, number, "came twice");
        if (times != 0) continue;
        ++missing;
        // What is delivered again comes late, so that a younger one may be missing in its place only where that is so.
        if (missing > plan.takes || (!plan.at_least_once && i >= plan.takes))
            complain(found.lost, number, "was not in the victim's hand, and is missing");
    }
    std::uint64_t came = 0;
    for (; came != plan.sends && log.times(kOfVictim + came) != 0; ++came) {
    }
    for (std::uint64_t i = 0; i != plan.sends; ++i) {
        const std::uint32_t times = log.times(kOfVictim + i);
        if (times > 1) complain(found.repeated, kOfVictim + i, "came twice");
        if (times != 0 && i > came) complain(found.lost, kOfVictim + came, "is missing before a later one");
    }
    if (finished && came != plan.sends)
        complain(found.lost, kOfVictim + came, "was acknowledged, and is missing");
    if (finished && missing != plan.takes && plan.takes != 0)
        complain(found.repeated, plan.first_inside, "was taken, and came again");
    if (plan.sleeper_pushed && log.times(kOfSleeper) != 1)
        complain(found.lost, kOfSleeper, "did not come once");
    std::optional<std::uint64_t> before;
    for (std::uint32_t i = 0; i != log.size(); ++i) {
        const Taken& taken = log.taken[i];
        const bool known =
            (taken.number >= plan.first_inside && taken.number < plan.first_inside + plan.inside) ||
            (taken.number >= kOfVictim && taken.number < kOfVictim + plan.sends) ||
            taken.number == kOfHelper || taken.number == kOfSleeper || taken.number == kMarker;
        if (!known) complain(found.repeated, taken.number, "was never sent");
        if (taken.redelivered) {
            if (!plan.at_least_once) complain(found.repeated, taken.number, "was delivered again");
            continue;
        }
        const bool ours = taken.number < kOfVictim + plan.sends;  // inside, then the victim's: in this order
        if (ours && before && taken.number < *before && !plan.at_least_once)
            complain(found.repeated, taken.number, "came out of order");
        if (ours) before = taken.number;
    }
    found.moved = plan.sends != 0 ? came : missing;
    return found;
}

}  // namespace shmring::test
