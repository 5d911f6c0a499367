// The event count: sleeping and waking on one 64-bit word in shared memory (layout.hpp, EventLine), across processes.
//
// A notifier that finds nobody waiting does one load of a line it has in its cache: no store, no fence, no system call. The
// price is Dekker's problem: its store (the message) may still sit in the store buffer when it loads the word, while a waiter
// registers and re-checks just before the store appears. So the first sleep after each registration lasts at most 1 ms: by
// then every earlier store is visible, and every later one was made by somebody who could see the registration. A wake-up
// missed this way is counted in missed_wakes. The argument, its cost and the rejected forms: docs/algorithms/sleeping.md.
//
// Who waits in epoll instead of here sets the word's armed bit: notifiers find it with the same load, take it away with the same
// exchange, and owe a stroke of the bell for it (detail/bell.hpp). It counts nobody: waiters come and go beside it.
//
// A waiter may be woken for something that it cannot use: room for a small message where it has a large one. Then another that
// sleeps there may have a use for it, and nobody will wake that one again. So whoever was woken alone and leaves behind what woke it
// wakes everybody else, once: the word says that the last wake-up was everybody's, and who finds that hands on nothing.
//
// Death: a waiter killed asleep leaves the count one too high, which costs one needless wake-up, since waking takes the
// credits away. A notifier killed between publishing and waking, or a wake eaten by a dying waiter, is made good by the
// bounded sleeps of the others.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <utility>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail {

inline constexpr std::uint64_t kWaitersMask = 0xffff;
inline constexpr std::uint64_t kArmed = std::uint64_t{1} << 16;
inline constexpr std::uint64_t kAllWoken = std::uint64_t{1} << 17;  // the last wake-up was everybody's
inline constexpr std::uint64_t kUnheard = std::uint64_t{1} << 18;   // somebody could not strike the bell
inline constexpr std::uint64_t kOneEpoch = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kFirstSleep_ns = 1'000'000;
inline constexpr int kRecheckPolls = 32;  // about the time a store buffer takes to drain, several times over

enum class SleepResult { ready, timed_out, interrupted };

/// Goes back to sleep at once.
struct NoLinger {
    bool operator()() const noexcept { return false; }
};

/// Whatever woke us, nobody else has a use for it.
struct NothingLeft {
    bool operator()() const noexcept { return false; }
};

template <class Env>
class EventCount {
 public:
    /// Whether anybody may be asleep, or waits for the bell. Call it after publishing; if true, call notify().
    [[nodiscard]] static bool somebody_waits(const EventLine<Env>& line) noexcept {
        Env::compiler_barrier();
        return (line.word.load(relaxed) & (kWaitersMask | kArmed)) !=
               0;  // a late answer is what the 1 ms sleep is for
    }

    /// Wakes up to `count` waiters: takes their credits, bumps the epoch (so that one between its re-check and its sleep does
    /// not fall asleep), then tells the kernel. True: the line was armed and is not any more, so the caller strikes the bell.
    [[gnu::noinline]] static bool notify(EventLine<Env>& line, std::uint64_t count) noexcept {
        return wake(line, count, kArmed);
    }
    /// A wake-up that was meant for a waiter who has no use for it goes to another one. The bell is not our business.
    static void pass_on(EventLine<Env>& line) noexcept { wake(line, 1, 0); }

    /// Wakes everybody, registered or about to be: for closing and cancelling, where a missed wake-up must not happen. It and the
    /// registrations are exchanges of one word: whoever registers later sees what was stored before, and whoever did so before is
    /// counted and woken. So release here and acquire there is enough. Leaves the armed bit.
    static void notify_all(EventLine<Env>& line) noexcept {
        std::uint64_t seen = line.word.load(relaxed);  // the exchange below decides
        while (!line.word.compare_exchange_weak(seen, ((seen & ~kWaitersMask) | kAllWoken) + kOneEpoch,
                                                release, relaxed)) {
            // [wake] release side
        }
        Env::futex_wake(futex_word(line), kEverybody);
    }

    /// Asks for a stroke of the bell. A full barrier, as far as the hardware goes: it is visible before the caller looks again, which
    /// it does once and at once, where waiters look for longer than a store stays hidden. True: newly asked.
    [[nodiscard]] static bool arm(EventLine<Env>& line) noexcept {
        return (line.word.fetch_or(kArmed, seq_cst) & kArmed) == 0;  // [wake] acquire side
    }
    /// True: the line was armed and is not any more. Like notify_all(): whoever arms later sees what was stored.
    static bool disarm(EventLine<Env>& line) noexcept {
        std::uint64_t seen = line.word.load(relaxed);  // the exchange below decides
        while (!line.word.compare_exchange_weak(seen, seen & ~kArmed, release, relaxed)) {
            // [wake] release side
        }
        return (seen & kArmed) != 0;
    }

    /// Whoever took the armed bit could not strike the bell: those who listen to nothing else shall find another way.
    static void tell_unheard(EventLine<Env>& line) noexcept {
        line.word.fetch_or(kUnheard, relaxed);  // a mark: nothing is published by it
    }
    [[nodiscard]] static bool was_unheard(const EventLine<Env>& line) noexcept {
        return (line.word.load(relaxed) & kUnheard) != 0;
    }

    /// Registers, re-checks, sleeps. `attempt()` returns true when waiting is over; it runs after each registration and each
    /// sleep. `on_period()` runs after each full sleep of `period_ns`, and when so long has passed in shorter ones, so that the
    /// caller can ask who is alive. `linger()` runs when we were woken and found nothing yet, and returns true when waiting is over:
    /// a wake-up may come ahead of its message.
    /// `left()` says whether another may have a use for what we were woken for and do not take: because we cannot, or for we leave.
    /// `also`: another word that ends sleeps while it is not 0, which `attempt()` finds out; or null. `interrupted` when a signal
    /// ended a sleep.
    template <class Attempt, class OnPeriod, class Linger = NoLinger, class Left = NothingLeft>
    static SleepResult sleep(EventLine<Env>& line, std::uint64_t deadline_ns, std::uint64_t period_ns,
                             Attempt&& attempt, OnPeriod&& on_period, Linger&& linger = {}, Left&& left = {},
                             const std::uint32_t* also = nullptr) noexcept {
        const auto leave = [&line, &left](std::uint64_t epoch, SleepResult result) noexcept {
            unregister_waiter(line, epoch);
            hand_on(line, epoch, left);
            return result;
        };
        std::uint64_t epoch = register_waiter(line);
        bool first = true;  // of this registration: the sleep that a missed wake-up may be lost in
        std::uint64_t asked_ns = platform::kNever;
        std::optional<std::uint64_t> woken_at{};  // epoch of our former registration, if woken
        for (;;) {
            if (first && recheck(attempt)) return leave(epoch, SleepResult::ready);
            const std::uint64_t now = Env::now();
            if (now >= deadline_ns) return leave(epoch, SleepResult::timed_out);
            if (asked_ns > now) asked_ns = now;  // the first time
            if (now - asked_ns > period_ns) {    // wake-ups for what others got must not keep us from asking
                on_period();
                asked_ns = now;
                if (attempt()) return leave(epoch, SleepResult::ready);
            }
            const std::uint64_t span = first && kFirstSleep_ns < period_ns ? kFirstSleep_ns : period_ns;
            const std::uint64_t until = deadline_ns - now < span ? deadline_ns : now + span;
            const platform::FutexResult result =
                sleep_on(futex_word(line), static_cast<std::uint32_t>(epoch >> 32), also, until);
            const bool slept_whole = result == platform::FutexResult::timed_out && until != deadline_ns;
            if (slept_whole && !first) {
                on_period();
                asked_ns = until;
            }
            if (attempt()) {
                if (slept_whole && first)
                    line.missed_wakes.fetch_add(1, relaxed);  // a statistic: never too few
                return leave(epoch, SleepResult::ready);
            }
            if (result == platform::FutexResult::interrupted) return leave(epoch, SleepResult::interrupted);
            if (credited(line, epoch)) {
                hand_on(line, epoch, left);
                const bool over = linger();
                hand_on(line, epoch, left);           // what the wake-up announced may have come meanwhile
                if (over) return SleepResult::ready;  // no registration to take back
                woken_at = epoch;
                epoch = register_waiter(line);  // our credit was taken for a message another got
                first = true;
            } else if (slept_whole) {
                first = false;
                // Or it came later still, and is of no use to us: by now whoever announced it has published it.
                if (const auto woken = std::exchange(woken_at, std::nullopt)) hand_on(line, *woken, left, 1);
            }
        }
    }

    // The steps of a sleep, for waits on several lines at once (detail/event_set.hpp).

    [[nodiscard]] static const std::uint32_t* futex_word(const EventLine<Env>& line) noexcept {
        constexpr int kEpochHalf = std::endian::native == std::endian::little ? 1 : 0;
        return reinterpret_cast<const std::uint32_t*>(&line.word) + kEpochHalf;
    }
    /// Returns the word's epoch half in place. The re-check lasts longer than the registration stays hidden, too. (Where a locked
    /// operation is a full barrier, as on x86, it never is.)
    [[nodiscard]] static std::uint64_t register_waiter(EventLine<Env>& line) noexcept {
        std::uint64_t seen = line.word.fetch_add(1, acquire);  // [wake] acquire side
        if ((seen & kWaitersMask) >=
            kMaxParticipants) {  // more than can live: the dead are counted; start afresh
            notify_all(line);
            seen = line.word.fetch_add(1, acquire);  // [wake] acquire side
        }
        return seen & ~(kOneEpoch - 1);
    }
    /// Whether a notifier took the credits of the registration that register_waiter() answered with `epoch`.
    [[nodiscard]] static bool credited(const EventLine<Env>& line, std::uint64_t epoch) noexcept {
        return (line.word.load(relaxed) >> 32) !=
               (epoch >> 32);  // who goes on registers again, which acquires
    }
    template <class Attempt>
    [[nodiscard]] static bool recheck(Attempt& attempt) noexcept {
        for (int poll = 0; poll != kRecheckPolls; ++poll) {
            if (attempt()) return true;
        }
        return false;
    }
    /// Takes the registration back, unless a notifier did (the epoch moved): then it was ours, or somebody's who will not miss it.
    static void unregister_waiter(EventLine<Env>& line, std::uint64_t epoch) noexcept {
        std::uint64_t seen = line.word.load(relaxed);  // the exchange below decides
        while ((seen & ~(kOneEpoch - 1)) == epoch && (seen & kWaitersMask) != 0) {
            if (line.word.compare_exchange_weak(seen, seen - 1, relaxed, relaxed)) break;  // carries nothing
        }
    }

 private:
    static constexpr int kEverybody = 0x7fffffff;

    static platform::FutexResult sleep_on(const std::uint32_t* word, std::uint32_t expected,
                                          const std::uint32_t* also, std::uint64_t until_ns) noexcept {
        if (also == nullptr) return Env::futex_wait(word, expected, until_ns);
        const std::array<platform::FutexTarget, 2> targets{{{word, expected}, {also, 0}}};
        return Env::futex_wait_any(targets.data(), targets.size(), until_ns);
    }

    /// Takes up to `count` credits and the bits of `flags`, in one exchange. Whether any of the flags was set.
    static bool wake(EventLine<Env>& line, std::uint64_t count, std::uint64_t flags) noexcept {
        std::uint64_t seen = line.word.load(relaxed);  // the exchange below decides
        std::uint64_t credits = 0;
        std::uint64_t next = 0;
        do {
            const std::uint64_t waiters = seen & kWaitersMask;
            if (waiters == 0 && (seen & flags) == 0) return false;
            credits = waiters < count ? waiters : count;
            next = (seen & ~flags) - credits;
            if (credits != 0) next = (next & ~kAllWoken) + kOneEpoch;
        } while (!line.word.compare_exchange_weak(seen, next, release, relaxed));  // [wake] release side
        if (credits != 0) Env::futex_wake(futex_word(line), static_cast<int>(credits));
        return (seen & flags) != 0;
    }

    /// Of a registration that is over: its wake-up may have been ours, and we may have no use for it. Looked at after acquiring: what
    /// we were woken for is there to be seen. Who registers later than that looks for itself.
    template <class Left>
    static void hand_on(EventLine<Env>& line, std::uint64_t epoch, Left& left,
                        std::uint64_t registered = 0) noexcept {
        const std::uint64_t seen = line.word.load(acquire);  // [wake] acquire side
        const bool woken_alone = (seen >> 32) != (epoch >> 32) && (seen & kAllWoken) == 0;
        if (woken_alone && (seen & kWaitersMask) > registered && left()) notify_all(line);
    }
};

/// Everybody on both sides looks again: at the end of a stream, after a repair. True: somebody waits for the bell, and the caller
/// strikes it.
template <class Env>
[[nodiscard]] bool wake_both_sides(EventLine<Env>& one, EventLine<Env>& other) noexcept {
    bool stroke_owed = false;
    for (EventLine<Env>* line : {&one, &other}) {
        EventCount<Env>::notify_all(*line);
        stroke_owed = EventCount<Env>::disarm(*line) || stroke_owed;
    }
    return stroke_owed;
}

}  // namespace shmring::detail
