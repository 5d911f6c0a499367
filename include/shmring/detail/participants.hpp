// Who is attached to a segment and who is alive. One record = one handle = one thread at a time; a free lock
// is the only proof of death (docs/algorithms/liveness.md). Seats and peer_lost stand on it; there is no
// second mechanism.
//
// Edges:
//   attach   the new holder stores `incarnation`, odd; who reads that number also sees its role and identity
//   role     whoever gives a record back or takes it stores another role; who reads that sees what was before: the end of the
//            former holding, and of its own stream also the explicit producers that were counted till then
//   detach   the holder stores `incarnation`, even; who reads that number, or the next one, also sees all that
//            the holder wrote. (After a death the kernel orders instead: it lets the lock go after the last store.)
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <system_error>

#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring {
class Segment;
}

namespace shmring::detail {

/// Names one holding of one record for ever: `incarnation << 12 | index + 1`, never 0. What seats and claims
/// carry, so that a record taken again is not mistaken for its former holder. The two highest bits stay 0:
/// they are the seats' own.
struct ParticipantId {
    std::uint64_t value = 0;

    static constexpr unsigned kIndexBits = 12;
    static constexpr unsigned kIncarnationBits =
        50;  ///< enough for a million attachments a second over 17 years
    static constexpr std::uint64_t kIncarnationMask = (std::uint64_t{1} << kIncarnationBits) - 1;
    [[nodiscard]] static constexpr ParticipantId of(std::uint32_t index, std::uint64_t incarnation) noexcept {
        return {(incarnation & kIncarnationMask) << kIndexBits | (index + 1)};
    }
    [[nodiscard]] constexpr std::uint32_t index() const noexcept {
        return static_cast<std::uint32_t>(value & ((1u << kIndexBits) - 1)) - 1;
    }
    [[nodiscard]] constexpr std::uint64_t incarnation() const noexcept { return value >> kIndexBits; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return value != 0; }
    friend constexpr bool operator==(ParticipantId, ParticipantId) = default;
};
static_assert(ParticipantId::of(kMaxParticipants - 1, 1).index() == kMaxParticipants - 1);

using Record = ParticipantRecord<ShippedEnv>;

/// Whether the numbers of a record's process and thread mean something here, and no other process by accident: its holder is not in a
/// container with numbers of its own. False also where that cannot be known (no /proc).
[[nodiscard]] bool is_of_our_pid_namespace(const Record& record) noexcept;

enum class Life { alive, dead, unknown };

/// Where the records are, and which file their locks are in. Copyable; does not own the descriptor. To be
/// made when the segment is opened, and kept: it remembers which file the descriptor was, so that a
/// descriptor which the application has closed or reused since is noticed.
class ParticipantTable {
 public:
    ParticipantTable() noexcept = default;
    explicit ParticipantTable(const Segment& segment) noexcept;
    /// The parts of it. `descriptor` -1: no crash recovery.
    ParticipantTable(std::span<Record> records, std::uint64_t liveness_base, int descriptor,
                     const platform::FileIdentity& file) noexcept;

    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] Record& record(std::uint32_t index) const noexcept { return records_[index]; }
    /// Whether records have locks that tell of deaths: not where no file was given for them.
    [[nodiscard]] bool crash_recovery() const noexcept { return descriptor_ >= 0; }

    /// How many records have `role` and are not known to be let go by their holder, or to be a dead one's. A system call for each.
    [[nodiscard]] std::uint32_t count_living(Role role) const noexcept;
    /// Dead: this holding of the record is over, by detach() or by death. An id that nobody can hold is
    /// `dead`, too. Unknown: no crash recovery and no detach() seen, or the descriptor is not our file any
    /// more. Nobody may take that for a death. Alive may be out of date when it arrives; dead is final.
    [[nodiscard]] Life life_of(ParticipantId id) const noexcept;

 private:
    friend class Participant;
    [[nodiscard]] std::uint64_t lock_byte(std::uint32_t index) const noexcept {
        return liveness_base_ + index;
    }

    Record* records_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint64_t liveness_base_ = 0;
    int descriptor_ = -1;  // nothing is ever locked through it, so that it sees all locks
    platform::FileIdentity file_{};
};

/// Whether what the former holder of a record named in it may concern others, and is settled before the new one says that it lives.
enum class Past { none, to_be_settled };

/// One held record. Move-only; the destructor gives it back, except in a forked child, where it does nothing.
/// Used by one thread at a time; it may end in another thread than it began in.
///
/// With crash recovery the record belongs to whoever holds its lock. Without, to whoever made its incarnation
/// odd: then the record of a killed holder stays taken until the segment is made anew.
class Participant {
 public:
    Participant() noexcept = default;
    Participant(Participant&& other) noexcept;
    Participant& operator=(Participant&& other) noexcept;
    ~Participant() { detach(); }

    /// Takes a free record, one that was given back rather than one whose holder died.
    /// errc::participants_exhausted when live handles hold them all; otherwise what the system said.
    /// to_be_settled: where the record names something still, it is a dead one's to all others until announce().
    [[nodiscard]] static Participant attach(const ParticipantTable& table, Role role, std::error_code& error,
                                            Past past = Past::none) noexcept;
    [[nodiscard]] static Participant attach(const Segment& segment, Role role, std::error_code& error,
                                            Past past = Past::none) noexcept;
    /// Takes this record, whose holder died or left it behind, with the lease that is in it. Empty without an error: somebody else
    /// holds it. Only with crash recovery.
    [[nodiscard]] static Participant adopt(const ParticipantTable& table, std::uint32_t index, Role role,
                                           std::error_code& error) noexcept;
    [[nodiscard]] bool is_announced() const noexcept {
        return record_->incarnation.load(relaxed) == id_.incarnation();  // our own word
    }
    /// Whoever finds this record from here on finds us, alive.
    void announce() const noexcept {
        record_->incarnation.store(id_.incarnation(), release);  // [attach] release side
    }
    void detach() noexcept;
    /// Lets the record go as a death would: what is named in it is for others to settle. Only with crash recovery.
    void leave_behind() noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return record_ != nullptr; }
    [[nodiscard]] ParticipantId id() const noexcept { return id_; }
    [[nodiscard]] Record& record() const noexcept { return *record_; }
    [[nodiscard]] const ParticipantTable& table() const noexcept { return table_; }
    /// One load: false in a forked child, whose parent this handle belongs to.
    [[nodiscard]] bool owned_by_this_process() const noexcept {
        return record_ != nullptr && token_word_->load(relaxed) == token_;
    }

 private:
    enum class Leases { none, any };  // which records suit us
    [[nodiscard]] bool retire_dead_holder(std::uint32_t index) const noexcept;
    [[nodiscard]] bool try_take(std::uint32_t index, Role role, Leases leases,
                                std::error_code& error) noexcept;
    [[nodiscard]] static Participant blank(const ParticipantTable& table, std::error_code& error) noexcept;
    [[nodiscard]] bool claim_unlocked(std::uint32_t index, Role role) noexcept;
    void own(std::uint32_t index, std::uint64_t incarnation) noexcept;

    ParticipantTable table_{};
    Record* record_ = nullptr;
    ParticipantId id_{};
    platform::LivenessLock lock_{};
    const std::atomic<std::uint64_t>* token_word_ = nullptr;
    std::uint64_t token_ = 0;
};

}  // namespace shmring::detail
