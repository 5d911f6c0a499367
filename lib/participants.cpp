// Taking a record, giving it back, and asking whether a holder lives.
//
// Whoever takes a dead one's record first says, by its incarnation, that the dead one's holding is over; anybody may, for the free lock
// proves it. So whoever holds the lock and is stopped before it stored its own incarnation keeps nobody from finding the dead one dead,
// and repairing what it left; nor does one that has not settled yet what the dead one had named (announce()).
//
// What a death leaves behind, by the moment it comes:
//   after the dead holder was retired an even incarnation and a free lock: a record given back, with what the dead one had named
//   after the lock was taken          the same; the lock is free again
//   while the record is filled in     the same with some of the new identity, for people only
//   after the incarnation was stored  an odd incarnation and a free lock: a dead holder
//   in detach(), before its store     the same
//   after that store                  an even incarnation and a free lock: a record given back
// In each case the next one who takes the lock owns a record it can use: nothing leaks, nothing has to be repaired.
// SPDX-License-Identifier: MIT

#include "shmring/detail/participants.hpp"

#include <cstring>
#include <new>
#include <utility>

#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

namespace {

using Words = std::array<std::uint64_t, 2>;
/// By memcpy, for Debian 11's libstdc++ has no std::bit_cast.
template <class Bytes>
[[nodiscard]] Words words_of(const Bytes& bytes) noexcept {
    Words words{};
    static_assert(sizeof bytes == sizeof words);
    std::memcpy(words.data(), bytes.data(), sizeof words);
    return words;
}

[[nodiscard]] bool is_held(std::uint64_t incarnation) noexcept { return incarnation % 2 != 0; }

/// The next odd number, whether the former holder gave the record back (even) or died with it (odd). Masked,
/// because the number comes from the segment and an id must be able to carry it.
[[nodiscard]] std::uint64_t next_holding(std::uint64_t incarnation) noexcept {
    return ((incarnation + 1) | 1) & ParticipantId::kIncarnationMask;
}

/// Everything of the former holder that must not be taken for the new one's. Counters go on where they stood, and so does the
/// intent of a dead one: what it names is the ring's to repair (detail/member_end.hpp).
void introduce(Record& record, Role role) noexcept {
    record.role.store(static_cast<std::uint32_t>(role),
                      release);  // [role] release side; all else by the incarnation

    const platform::ProcessIdentity identity = platform::process_identity();
    const Words boot_id = words_of(identity.boot_id);
    const Words command = words_of(identity.command);
    record.process_id.store(identity.process_id, relaxed);
    record.thread_id.store(identity.thread_id, relaxed);
    record.pid_namespace.store(identity.pid_namespace, relaxed);
    record.start_time.store(identity.start_time, relaxed);
    record.attached_ns.store(platform::monotonic_ns(), relaxed);
    for (std::size_t word = 0; word != boot_id.size(); ++word) {
        record.boot_id[word].store(boot_id[word], relaxed);
        record.command[word].store(command[word], relaxed);
    }
}

}  // namespace

bool is_of_our_pid_namespace(const Record& record) noexcept {
    const std::uint64_t its = record.pid_namespace.load(relaxed);  // for people
    return its != 0 && its == platform::process_identity().pid_namespace;
}

ParticipantTable::ParticipantTable(std::span<Record> records, std::uint64_t liveness_base, int descriptor,
                                   const platform::FileIdentity& file) noexcept
    : records_(records.data()),
      count_(static_cast<std::uint32_t>(records.size())),
      liveness_base_(liveness_base),
      descriptor_(descriptor),
      file_(file) {}

ParticipantTable::ParticipantTable(const Segment& segment) noexcept
    : ParticipantTable(
          std::span(
              std::launder(reinterpret_cast<Record*>(segment.at(segment.geometry().participants_offset))),
              segment.geometry().participant_count),
          segment.geometry().liveness_base, segment.descriptor(), segment.file_identity()) {}

Life ParticipantTable::life_of(ParticipantId id) const noexcept {
    if (id.index() >= count_ || !is_held(id.incarnation())) return Life::dead;
    const auto holding_goes_on = [&] {
        return records_[id.index()].incarnation.load(acquire) ==
               id.incarnation();  // [attach] acquire side, [detach] acquire side
    };
    // Whoever has an id has it from its holder, after the holder's own store: so another number is a later
    // one, and final.
    if (!holding_goes_on()) return Life::dead;
    if (!crash_recovery()) return Life::unknown;
    switch (ShippedEnv::probe(descriptor_, file_, lock_byte(id.index()))) {
        // The holder had the lock before there was an id and lets it go only at the end. No second look: once
        // free is enough.
        case platform::LockState::free:
            return Life::dead;
        // Held, but by whom? A successor makes the number even before it takes the lock, so one that is unchanged means the holder (or a
        // successor that could not ask before, and is about to make it even).
        case platform::LockState::held:
            return holding_goes_on() ? Life::alive : Life::dead;
        case platform::LockState::unknown:
            break;
    }
    return Life::unknown;
}

std::uint32_t ParticipantTable::count_living(Role role) const noexcept {
    const auto bit = static_cast<std::uint32_t>(role);
    std::uint32_t count = 0;
    for (std::uint32_t index = 0; index != count_; ++index) {
        const std::uint64_t incarnation =
            records_[index].incarnation.load(acquire);  // [attach] acquire side, [detach] acquire side
        const bool has_role = (records_[index].role.load(acquire) & bit) != 0;  // [role] acquire side
        if (has_role && life_of(ParticipantId::of(index, incarnation)) != Life::dead) ++count;
    }
    return count;
}

Participant::Participant(Participant&& other) noexcept
    : table_(other.table_),
      record_(std::exchange(other.record_, nullptr)),
      id_(std::exchange(other.id_, {})),
      lock_(std::move(other.lock_)),
      token_word_(other.token_word_),
      token_(other.token_) {}

Participant& Participant::operator=(Participant&& other) noexcept {
    if (this == &other) return *this;
    detach();
    table_ = other.table_;
    record_ = std::exchange(other.record_, nullptr);
    id_ = std::exchange(other.id_, {});
    lock_ = std::move(other.lock_);
    token_word_ = other.token_word_;
    token_ = other.token_;
    return *this;
}

Participant Participant::attach(const Segment& segment, Role role, std::error_code& error,
                                Past past) noexcept {
    return attach(ParticipantTable(segment), role, error, past);
}

Participant Participant::attach(const ParticipantTable& table, Role role, std::error_code& error,
                                Past past) noexcept {
    Participant participant = blank(table, error);
    if (error) return participant;
    // Each begins somewhere else, so that many who come at once do not queue at the same record. Records that
    // were given back come first: those of the dead can still tell people what happened.
    const auto start = table.count() == 0 ? 0 : platform::random_u64() % table.count();
    for (const bool only_given_back : {true, false}) {
        for (std::uint64_t step = 0; step != table.count(); ++step) {
            const auto index = static_cast<std::uint32_t>((start + step) % table.count());
            const std::uint64_t seen =
                table.record(index).incarnation.load(relaxed);  // a hint; the lock decides
            if (only_given_back && is_held(seen)) continue;
            if (!participant.try_take(index, role, Leases::none, error)) {
                if (error) return participant;
                continue;
            }
            const bool is_settled = past == Past::none || table.record(index).intent.load(relaxed) == 0;
            if (is_settled) participant.announce();  // nobody names anything in it while the lock is ours
            return participant;
        }
    }
    error = make_error_code(errc::participants_exhausted);
    return participant;
}

Participant Participant::blank(const ParticipantTable& table, std::error_code& error) noexcept {
    error.clear();
    Participant participant;
    participant.table_ = table;
    participant.token_word_ = platform::process_token_word();
    participant.token_ = platform::process_token();
    if (participant.token_ == 0)
        error = std::make_error_code(std::errc::not_enough_memory);  // the kernel refused the page
    return participant;
}

Participant Participant::adopt(const ParticipantTable& table, std::uint32_t index, Role role,
                               std::error_code& error) noexcept {
    Participant participant = blank(table, error);
    if (!error && participant.try_take(index, role, Leases::any, error)) participant.announce();
    return participant;
}

/// False: somebody holds the record. Asking costs a tenth of trying; any other answer than "held" is for take() to find out.
bool Participant::retire_dead_holder(std::uint32_t index) const noexcept {
    auto& incarnation = table_.record(index).incarnation;
    std::uint64_t seen = incarnation.load(acquire);  // [attach] acquire side: a holder had its lock before
    const auto state = platform::probe_lock(table_.descriptor_, table_.file_, table_.lock_byte(index));
    if (state == platform::LockState::held) return false;
    // Free, and so was it with this very number: who had it is dead, and nobody else ever has it.
    if (state == platform::LockState::free && is_held(seen))
        (void)incarnation.compare_exchange_strong(seen, seen + 1, release,
                                                  relaxed);  // [detach] release side, for the dead
    return true;
}

/// False without an error: somebody else holds the record, or it has a lease, which is not for everybody to take over. To be announced.
bool Participant::try_take(std::uint32_t index, Role role, Leases leases, std::error_code& error) noexcept {
    if (!table_.crash_recovery()) return claim_unlocked(index, role);
    Record& record = table_.record(index);
    if (leases == Leases::none && record.lease.load(relaxed) != 0) return false;  // a hint
    if (!retire_dead_holder(index)) return false;
    lock_ = platform::LivenessLock::take(table_.descriptor_, table_.file_, table_.lock_byte(index), error);
    if (!lock_.held()) {
        if (error == std::errc::resource_unavailable_try_again) error.clear();  // another was quicker
        return false;
    }
    // As others will ask: what does not show now would never show, and waits behind our death would not end.
    if (platform::probe_lock(table_.descriptor_, table_.file_, table_.lock_byte(index)) !=
        platform::LockState::held) {
        lock_.release();
        error = std::make_error_code(std::errc::no_lock_available);
        return false;
    }
    const std::uint64_t before = record.incarnation.load(acquire);    // [detach] acquire side
    if (leases == Leases::none && record.lease.load(relaxed) != 0) {  // the lock is ours: nobody sets it now
        lock_.release();
        return false;
    }
    if (is_held(before)) record.incarnation.store(before + 1, release);  // [detach] release side: died since
    introduce(record, role);
    own(index, next_holding(before));
    return true;
}

bool Participant::claim_unlocked(std::uint32_t index, Role role) noexcept {
    Record& record = table_.record(index);
    std::uint64_t seen = record.incarnation.load(relaxed);  // the exchange below decides
    if (is_held(seen)) return false;
    const std::uint64_t mine = next_holding(seen);
    if (!record.incarnation.compare_exchange_strong(seen, mine, acquire, relaxed))
        return false;  // [detach] acquire side
    introduce(record, role);
    record.incarnation.store(mine,
                             release);  // [attach] release side: the same number, now with what it stands for
    own(index, mine);
    return true;
}

void Participant::own(std::uint32_t index, std::uint64_t incarnation) noexcept {
    record_ = &table_.record(index);
    id_ = ParticipantId::of(index, incarnation);
}

void Participant::leave_behind() noexcept {
    lock_.release();
    record_ = nullptr;
    id_ = {};
}

void Participant::detach() noexcept {
    if (owned_by_this_process()) {
        record_->intent.store(0, release);                                     // [intent] release side
        record_->role.store(static_cast<std::uint32_t>(Role::none), release);  // [role] release side
        record_->incarnation.store(id_.incarnation() + 1, release);            // [detach] release side
    }
    leave_behind();
}

}  // namespace shmring::detail
