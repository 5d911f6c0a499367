// What storms over rings of many came to, and what must be true of the ring's own counters.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "shmring/detail/member_ring.hpp"
#include "support/crowd_oracle.hpp"
#include "support/recovery_times.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

/// `failure` is empty, or says what went wrong first.
struct CrowdReport {
    std::uint64_t kills = 0;
    std::uint64_t sender_kills = 0;
    std::uint64_t stops = 0;
    std::uint64_t messages = 0;
    std::uint64_t missing = 0;   ///< acknowledged and not received
    std::uint64_t missable = 0;  ///< what killed receivers could have taken in the calls they died in
    std::uint64_t uncounted =
        0;  ///< missing, but not in the ring's `lost` (at_most_once): died between hand-back and journal
    std::uint64_t flagged = 0;   ///< received as delivered again
    std::uint64_t repeated = 0;  ///< of these, received before by one who died with it in hand
    Losses losses{};
    std::uint64_t died_with_claim = 0;  ///< killed while they rested with one
    std::uint64_t died_with_view = 0;
    std::array<std::uint64_t, 4> died_doing{};  ///< by Doing, where the traffic says what it does
    std::uint64_t died_asleep_in_call = 0;      ///< of these
    RecoveryTimes recoveries{};                 ///< after kills of others than these
    RecoveryTimes stuck{};                      ///< after these, behind which the ring stands still
    std::string failure{};

    void add(const CrowdOracle& oracle, const Losses& counted, bool redelivers) {
        messages = oracle.messages();
        missing = oracle.missing();
        missable = oracle.missable();
        flagged = oracle.flagged();
        repeated = oracle.repeated();
        losses = counted;
        uncounted = !redelivers && missing > losses.lost ? missing - losses.lost : 0;
        if (failure.empty()) failure = check_counters(redelivers);
    }
    CrowdReport& operator+=(const CrowdReport& more) {
        kills += more.kills;
        sender_kills += more.sender_kills;
        stops += more.stops;
        messages += more.messages;
        missing += more.missing;
        missable += more.missable;
        uncounted += more.uncounted;
        flagged += more.flagged;
        repeated += more.repeated;
        losses.skipped += more.losses.skipped;
        losses.lost += more.losses.lost;
        losses.redelivered += more.losses.redelivered;
        died_with_claim += more.died_with_claim;
        died_with_view += more.died_with_view;
        for (std::size_t i = 0; i != died_doing.size(); ++i) died_doing[i] += more.died_doing[i];
        died_asleep_in_call += more.died_asleep_in_call;
        recoveries += more.recoveries;
        stuck += more.stuck;
        if (failure.empty()) failure = more.failure;
        return *this;
    }
    void print(const char* title) const {
        const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
        std::printf(
            "%s: %llu kills (%llu of senders), %llu messages; missing %llu of %llu that may be, %llu of them "
            "not "
            "counted; flagged %llu, of which %llu had been seen; losses(): skipped %llu, lost %llu, "
            "redelivered "
            "%llu\n",
            title, number(kills), number(sender_kills), number(messages), number(missing), number(missable),
            number(uncounted), number(flagged), number(repeated), number(losses.skipped), number(losses.lost),
            number(losses.redelivered));
        std::printf("  killed with a claim in hand %llu, with a view in hand %llu\n", number(died_with_claim),
                    number(died_with_view));
        stuck.print("a survivor's next message after such a kill");
        recoveries.print("a survivor's next message after another kill");
        std::fflush(stdout);
    }

 private:
    /// Never too few, and at most one call for each victim and one repair that it was killed in.
    [[nodiscard]] std::string check_counters(bool redelivers) const {
        const std::uint64_t most = 2 * kills * kBatch;
        if (losses.redelivered < flagged) return "fewer redeliveries counted than received";
        if (losses.skipped < died_with_claim)
            return "fewer claims counted as skipped than died with their senders";
        if (!redelivers && losses.lost < died_with_view)
            return "fewer messages counted as lost than died with their receivers";
        if (redelivers && losses.redelivered < died_with_view)
            return "fewer redeliveries counted than messages died with their receivers";
        if (losses.skipped > most) return "more claims counted as skipped than kills permit";
        if (losses.lost > most) return "more messages counted as lost than kills permit";
        if (losses.redelivered > kills * 2 + flagged) return "more redeliveries counted than kills permit";
        return "";
    }
};

}  // namespace shmring::test
