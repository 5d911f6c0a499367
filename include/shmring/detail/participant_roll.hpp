// The participants of a segment, as recovery sees them: what each is about, and whether it is dead.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/intent.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/participants.hpp"

namespace shmring::detail {

class ParticipantRoll {
 public:
    /// `fresh`: our record was just taken, and what its intent names is its former holder's.
    ParticipantRoll(const Participant& me, bool fresh) noexcept : me_(me), fresh_(fresh) {}

    [[nodiscard]] std::uint32_t count() const noexcept { return me_.table().count(); }
    [[nodiscard]] const Record& record(std::uint32_t index) const noexcept {
        return me_.table().record(index);
    }
    [[nodiscard]] Intent intent(std::uint32_t index) const noexcept {
        return {record(index).intent.load(acquire)};  // [intent] acquire side
    }
    /// Proven by a free lock, which costs a system call. Ask after intent(): whoever named that had its incarnation stored.
    [[nodiscard]] bool is_dead(std::uint32_t index) const noexcept {
        if (index == me_.id().index()) return fresh_;
        const std::uint64_t incarnation = record(index).incarnation.load(acquire);  // [attach] acquire side
        return me_.table().life_of(ParticipantId::of(index, incarnation)) == Life::dead;
    }
    /// An explicit producer that is not proven gone. Costs a system call for each that there is.
    [[nodiscard]] bool is_explicit_producer(std::uint32_t index) const noexcept {
        const std::uint64_t incarnation =
            record(index).incarnation.load(acquire);  // [attach] acquire side, [detach] acquire side
        const std::uint32_t role = record(index).role.load(acquire);  // [role] acquire side
        return role == static_cast<std::uint32_t>(Role::explicit_producer) &&
               me_.table().life_of(ParticipantId::of(index, incarnation)) != Life::dead;
    }
    [[nodiscard]] bool clear(std::uint32_t index, Intent intent) const noexcept {
        return me_.table().record(index).intent.compare_exchange_strong(intent.value, 0, relaxed, relaxed);
    }
    /// A dead worker had named this task, which is the ring's again. It alone could have named it so, and no other ever will.
    void disown(std::uint64_t position, std::uint64_t deliveries) const noexcept {
        const std::uint64_t name = LeaseWord::of(position, deliveries).value;
        for (std::uint32_t index = 0; index != count(); ++index) {
            auto& lease = me_.table().record(index).lease;
            std::uint64_t expected = name;
            if (lease.load(relaxed) == name)  // its owner is dead, and its stores came before its death
                (void)lease.compare_exchange_strong(expected, 0, release,
                                                    relaxed);  // [done] release side: of its tasks before
        }
    }

 private:
    const Participant& me_;
    bool fresh_;
};

}  // namespace shmring::detail
