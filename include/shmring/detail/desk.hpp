// A desk: a participant record with room for one task. What is named in it is a worker's; if that dies, whoever takes the record's lock
// settles it.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/lease_table.hpp"
#include "shmring/detail/participants.hpp"

namespace shmring::detail {

class Desk {
 public:
    Desk() noexcept = default;
    Desk(Participant participant, const LeaseTable& leases) noexcept
        : participant_(std::move(participant)), leases_(leases) {}

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(participant_); }
    [[nodiscard]] bool usable() const noexcept { return participant_.owned_by_this_process(); }
    /// Acquire: it may be another thread that was done, and who joins after our next task must see what that did, too.
    [[nodiscard]] bool is_free() const noexcept {
        return word().load(acquire) == 0;  // [done] acquire side
    }
    /// Ours, with this task: not left behind since, and not another's by now.
    [[nodiscard]] bool has(LeaseWord task) const noexcept { return usable() && lease() == task; }
    [[nodiscard]] LeaseWord lease() const noexcept { return {word().load(relaxed)}; }  // ours alone
    [[nodiscard]] std::uint32_t index() const noexcept { return participant_.id().index(); }
    [[nodiscard]] const Participant& participant() const noexcept { return participant_; }

    /// From here on the task is ours, as soon as the ring's place is handed back, which publishes this, too.
    void name(LeaseWord task) noexcept { word().store(task.value, relaxed); }
    /// What a successor of ours would begin with.
    void keep(Bytes task) noexcept {
        ShippedEnv::copy_in(leases_.bytes(index()), task.data(), task.size());
        leases_.block(index()).length.store(task.size(),
                                            relaxed);  // published with the place, or by the death
    }
    /// What a predecessor kept. Its length is input.
    [[nodiscard]] Bytes kept() const noexcept {
        const std::uint64_t length = leases_.block(index()).length.load(relaxed);
        return length <= leases_.room() ? Bytes(leases_.bytes(index()), length) : Bytes();
    }
    /// In any thread.
    void clear() noexcept { word().store(0, release); }  // [done] release side
    /// Leaves the task to others, as a death would.
    void abandon() noexcept {
        word().store(word().load(relaxed), release);  // [abandon] release side
        participant_.leave_behind();
    }
    /// Leaves what we adopted as it is: another's step is missing.
    void put_back() noexcept { participant_.leave_behind(); }
    /// The task died with its worker for good: counted once, whoever dies here.
    void give_up() noexcept;
    /// The task is delivered again, to us.
    void deliver_again() noexcept;
    void leave() noexcept { participant_.detach(); }

 private:
    [[nodiscard]] ShippedEnv::Atom<std::uint64_t>& word() const noexcept {
        return participant_.record().lease;
    }

    Participant participant_{};
    LeaseTable leases_{};
};

}  // namespace shmring::detail
