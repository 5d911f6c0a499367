// What every producer and consumer of a ring with many on both sides is: a member (record, waiting), one side of the algorithm, and
// repair of what the dead left. The rings add their verbs.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "shmring/detail/event_set.hpp"
#include "shmring/detail/member.hpp"
#include "shmring/detail/mpmc.hpp"
#include "shmring/detail/mpmc_recovery.hpp"
#include "shmring/detail/one_thread.hpp"
#include "shmring/detail/participant_roll.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// A living participant that a ring stands still for: it claimed the oldest place or message and is not done with it. If its process
/// is stopped, the ring stands still until it is resumed or killed.
struct Blocker {
    std::uint32_t process_id = 0;
    std::uint32_t thread_id = 0;  ///< of the thread that attached the handle
    bool is_elsewhere =
        false;  ///< in another PID namespace (a container): those numbers are its, and mean others here
    bool is_consumer = false;    ///< it is reading (writers stand still), not writing (readers stand still)
    std::uint64_t position = 0;  ///< number of the message since the ring was made
    std::chrono::nanoseconds since{0};  ///< how long this handle has seen it there; 0 at the first look
};

namespace detail {

template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class RingObject;
struct RingAccess;

/// How a facade hands a View back that it made for the length of a call.
struct ViewAccess {
    /// As the last of the call: see MemberEnd::conclude.
    template <class View>
    static void conclude(View& view) noexcept {
        view.conclude();
    }
};

/// `Side` is an algorithm's producer or consumer: `slots()`, `more()`, `moved()`.
template <class Side, Role kRole>
class MemberEnd {
 public:
    MemberEnd(const MemberEnd&) = delete;
    MemberEnd& operator=(const MemberEnd&) = delete;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(member_); }
    /// Whether it has a record and is this process's: not a forked child's copy.
    [[nodiscard]] bool usable() const noexcept { return member_.usable(); }

    /// Ends the stream for every process and wakes the sleepers of both sides: no claim for writing succeeds any more (a message
    /// under construction is still delivered), readers get what is left, then closed. An empty object's, and a forked child's copy's,
    /// does nothing.
    void close() noexcept {
        if (!member_.usable()) return;
        account();
        close_tail(member_.control());
        member_.wake_all();
    }
    /// Gives the record back now, as the destructor does. Nothing ends; what is in hand is dropped, as if its guard went first.
    void detach() noexcept {
        if (member_.usable()) {
            if (const std::uint64_t in_hand = side_.claimed().count; in_hand != 0) {
                side_.abandon();
                moved_on(in_hand);
            }
            look_for_overlooked();
            account();
        }
        member_.leave();
    }
    void set_wait_policy(const WaitPolicy& policy) noexcept { member_.set_wait_policy(policy); }

    /// Looks after the dead now, as blocked calls do once per liveness period: finds their claims and repairs them. Answers whether
    /// there was something to repair. A scan of the participants; system calls.
    bool recover() noexcept { return member_.usable() && repair(); }
    /// Whom the ring stands still for, if for anybody. A scan of the participants; system calls.
    [[nodiscard]] std::optional<Blocker> blocker() noexcept {
        if (!member_.usable()) return std::nullopt;
        const ParticipantRoll roll(member_.participant(), false);
        ClaimSide side{};
        Blocker found;
        const std::uint32_t index = recovery(roll).find_blocker(side, found.position);
        if (index == roll.count()) return std::nullopt;
        found.is_consumer = side == ClaimSide::read;
        found.process_id = roll.record(index).process_id.load(relaxed);  // for people
        found.thread_id = roll.record(index).thread_id.load(relaxed);
        found.is_elsewhere = !is_of_our_pid_namespace(roll.record(index));
        const std::uint64_t now = ShippedEnv::now();
        if (!seen_ || seen_->position != found.position || seen_->is_consumer != found.is_consumer) {
            seen_ = found;
            seen_at_ns_ = now;
        }
        found.since = std::chrono::nanoseconds(now - seen_at_ns_);
        return found;
    }

    /// A descriptor for epoll, poll or select that is readable while there is something to read: a message, the end of the
    /// stream. Another consumer may be quicker. Wait level-triggered, then take messages by calls that do not wait until one
    /// answers `empty`: only that makes it unreadable. It may be readable for nothing. Made by the first call, closed with this
    /// consumer; do not read from it. Throws std::system_error: errc::no_bell, errc::untrusted_bell, errc::retired, errc::not_owner, or what the
    /// system said.
    [[nodiscard]] int readable_fd() requires(kRole == Role::consumer) {
        SetupError error;
        const int descriptor = member_.readable_descriptor(error);
        if (error.code) throw_setup_error(error);
        return descriptor;
    }
    /// The same; -1 and `code`.
    [[nodiscard]] int readable_fd(std::error_code& code) noexcept requires(kRole == Role::consumer) {
        SetupError error;
        const int descriptor = member_.readable_descriptor(error);
        code = error.code;
        return descriptor;
    }

    /// ok: a call that takes would not wait, for there is a message, the end of the stream, or an error to be told. empty, busy: it
    /// would, and the descriptor is unreadable, as after a call that found nothing. Takes nothing; another consumer may be
    /// quicker. not_owner: not this process's.
    [[nodiscard]] Result<void> poll() noexcept requires(kRole == Role::consumer) {
        return told_by_poll(once([this]() noexcept { return side_.peek(); }));
    }

    /// What wait_any and WaitSet need of a consumer; valid while it stays where it is. Another consumer may be quicker.
    [[nodiscard]] WaitPoint<ShippedEnv> read_point() noexcept requires(kRole == Role::consumer) {
        WaitPoint<ShippedEnv> point{
            .object = this,
            .ready = [](void* self,
                        bool asks) noexcept { return static_cast<MemberEnd*>(self)->readable(asks); },
            .examine = [](void* self) noexcept { (void)static_cast<MemberEnd*>(self)->recover(); }};
        if (!member_) return point;  // always ready: the call on it says what it is; nobody sleeps there
        point.line = &member_.control().readable;
        point.period_ns = member_.segment().geometry().liveness_period_ns;
        return point;
    }

 protected:
    template <class, class, class, class>
    friend class RingObject;
    friend struct RingAccess;

    MemberEnd() noexcept = default;
    MemberEnd(MemberEnd&&) noexcept = default;
    MemberEnd& operator=(MemberEnd&& other) noexcept {
        if (this == &other) return *this;
        detach();
        member_ = std::move(other.member_);
        side_ = other.side_;
        redelivers_ = other.redelivers_;
        woke_ahead_ = other.woke_ahead_;
        accounted_ = other.accounted_;
        return *this;
    }
    ~MemberEnd() { detach(); }

    /// Takes a record, repairs what its former holder left, and begins.
    template <class Slots>
    void enter(const std::shared_ptr<Segment>& segment, const Slots& slots, const WaitPolicy& policy,
               SetupError& error) noexcept {
        member_ = Member::join(segment, kRole, policy, error);
        if (error.code) return;
        redelivers_ = segment->geometry().delivery == Delivery::at_least_once;
        side_ = Side(slots, member_.record().intent, redelivers_);
        if (!plausible_positions(member_.control(), side_.slots().capacity()))
            return member_.refuse_corrupt(error);
        settle_past_of(member_.participant());
    }
    /// Of a record that was just taken: what its former holder had named is repaired with the name still there, and then the name goes.
    /// Until then the record is a dead one's to everybody, who repair it, too, and need not wait for us.
    void settle_past_of(const Participant& taken) noexcept {
        auto& intent = taken.record().intent;
        if (taken.is_announced() && intent.load(relaxed) == 0) return;  // our own words
        const ParticipantRoll roll(taken, true);
        if (recovery(roll).run()) member_.wake_all();
        recovery(roll).forget(taken.id().index());
        intent.store(0, release);  // [intent] release side
        taken.announce();
    }
    template <class Attempt>
    [[nodiscard]] Status once(Attempt attempt) noexcept {
        const InCall here(occupied_, is_ours());
        look_for_overlooked();
        const auto whole = with_consequences(attempt);
        const Status found = member_.try_once(whole, repairing());
        if constexpr (kRole == Role::consumer) return member_.settle_descriptor(found, whole, repairing());
        return found;
    }
    /// Copies of the attempt, not references: so that the way without a wait need not put it into memory.
    template <class Attempt>
    [[nodiscard]] Status waiting(std::uint64_t deadline_ns, const std::stop_token& stop,
                                 Attempt attempt) noexcept {
        const InCall here(occupied_, is_ours());
        look_for_overlooked();
        if (!member_.usable()) [[unlikely]]
            return Status::not_owner;
        const auto whole = with_consequences(attempt);
        const Status found = whole();
        if (found == Status::ok) [[likely]]
            return found;
        return waiting_longer(found, deadline_ns, stop, whole);
    }
    template <class Whole>
    [[nodiscard, gnu::noinline]] Status waiting_longer(Status found, std::uint64_t deadline_ns,
                                                       const std::stop_token& stop, Whole whole) noexcept {
        const OutOfLine again(whole);
        found = member_.wait_longer(
            found, deadline_ns, stop, again, repairing(), [this]() noexcept { account(); }, more_here());
        if constexpr (kRole == Role::consumer) return member_.settle_descriptor(found, again, repairing());
        return found;
    }
    [[nodiscard]] static Status told_by_poll(Status found) noexcept {
        const bool waits = found == Status::empty || found == Status::busy;
        return waits || found == Status::not_owner ? found : Status::ok;
    }
    /// Whether a call that takes would not wait. Leaves the descriptor alone.
    /// `asks`: after the dead, when it is time to.
    [[nodiscard]] bool readable(bool asks) noexcept {
        const InCall here(occupied_, is_ours());
        look_for_overlooked();
        const auto peek = [this]() noexcept { return side_.peek(); };
        const Status status = member_.try_once(with_consequences(peek), repairing(), asks);
        return status != Status::empty && status != Status::busy;
    }
    template <class Clock, class Duration, class Attempt>
    [[nodiscard]] Status waiting_until(std::chrono::time_point<Clock, Duration> deadline,
                                       const std::stop_token& stop,
                                       Attempt&& attempt) noexcept(kNothrowClock<Clock>) {
        return wait_until(deadline, [&](std::uint64_t ns) noexcept { return waiting(ns, stop, attempt); });
    }
    /// After `count` messages were published or handed back.
    void moved_on(std::uint64_t count) noexcept { member_.wake(count, more_here()); }
    /// The one message in hand is left as by a death: delivered again where the ring delivers again, else lost, and counted.
    void leave_unread() noexcept {
        if (side_.leave_to_others()) return member_.wake_all();  // those who sleep look at the head only
        member_.control().lost.fetch_add(1, relaxed);            // a statistic, before: never too few
        side_.abandon();
        moved_on(1);
    }
    /// The end of a call that took `count` messages out: it returns them next. `hand_back()`: the words of their places. Until then
    /// they are somebody's who may die with them, so whatever takes time comes before.
    ///
    /// at_least_once: handing back is last, for then nobody can deliver them again. So the wake-up of who sleeps for the places goes
    /// ahead of them, as the waiters expect (Waiter::await_announced), and our next call looks whether it came too early.
    /// at_most_once: the name goes last, by which the dead one's messages are counted.
    template <class HandBack>
    void conclude(std::uint64_t count, HandBack&& hand_back) noexcept requires(kRole == Role::consumer) {
        if (redelivers_) {
            moved_on(count);
            woke_ahead_ = true;
            hand_back();
        } else {
            hand_back();
            moved_on(count);
        }
        side_.settle();
    }
    [[nodiscard]] bool redelivers() const noexcept { return redelivers_; }
    /// While code of the user's reads the one message in hand. If that throws, the message is left as by a death: delivered again where
    /// the ring delivers again, else lost, and counted.
    class Reading {
     public:
        explicit Reading(MemberEnd& end) noexcept : end_(end) {}
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
        ~Reading() {
            if (!done_) end_.leave_unread();
        }
        void done() noexcept { done_ = true; }

     private:
        MemberEnd& end_;
        bool done_ = false;
    };
    /// After we found something, perhaps by a wake-up, and leave it to others; or took it and will keep it for a while, so that
    /// nobody hears of what stands behind it before we are done.
    void left_there() noexcept { member_.pass_on(more_here()); }

    Member member_{};
    Side side_{};

 private:
    /// What only consumers do, and only where messages are delivered again; see conclude().
    void look_for_overlooked() noexcept {
        if constexpr (kRole == Role::consumer) {
            if (woke_ahead_) [[unlikely]]
                look_for_overlooked_places();
        }
    }
    [[gnu::noinline]] void look_for_overlooked_places() noexcept {
        if (!member_.usable()) return;
        woke_ahead_ = false;
        member_.wake_overlooked([this]() noexcept { return side_.slots().has_room(); });
    }
    /// A consumer that steps over what the dead or the undecided left makes room, whatever it finds behind it. And a stream has not
    /// ended before what a dead consumer had in hand was delivered again: who hears that it has may not ask again.
    template <class Attempt>
    [[nodiscard]] auto with_consequences(Attempt attempt) noexcept {
        if constexpr (kRole == Role::producer) {
            return attempt;
        } else {
            return [this, attempt]() noexcept {
                const Status status = attempt();
                if (const std::uint64_t places = side_.take_stepped_over(); places != 0) [[unlikely]]
                    moved_on(places);
                if (status == Status::closed && redelivers_ && repair()) return attempt();
                return status;
            };
        }
    }
    [[nodiscard]] auto more_here() const noexcept {
        return [this]() noexcept { return side_.more(); };
    }
    [[nodiscard]] auto repairing() noexcept {
        return [this]() noexcept { repair(); };
    }
    [[nodiscard]] auto recovery(const ParticipantRoll& roll) const noexcept {
        return MpmcRecovery(side_.slots(), side_.extent(), redelivers_, roll);
    }
    bool repair() noexcept {
        const ParticipantRoll roll(member_.participant(), false);
        const bool changed = recovery(roll).run();
        if (changed) member_.wake_all();
        const bool ended = member_.end_if_deserted();
        return changed || ended;
    }
    /// Brings the record's counters up to date: when we have to wait anyway, at close, and when we leave.
    void account() noexcept {
        const std::uint64_t moved = side_.moved() - accounted_;
        member_.account(moved, moved * member_.segment().geometry().element_size, 0);
        accounted_ = side_.moved();
    }

    [[nodiscard]] auto is_ours() const noexcept {
        return [this]() noexcept { return usable(); };
    }

    bool redelivers_ = false;
    Occupied occupied_{};
    bool woke_ahead_ = false;  // in our last call
    std::uint64_t accounted_ = 0;
    std::optional<Blocker> seen_{};
    std::uint64_t seen_at_ns_ = 0;
};

}  // namespace detail

}  // namespace shmring
