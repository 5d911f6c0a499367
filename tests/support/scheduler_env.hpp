// The Env in which the scheduler decides: every atomic operation, payload copy, sleep and wake-up of the shipped algorithms is a
// step of an actor, known by where it stands in the source. Outside a run, operations are plain.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "shmring/detail/platform.hpp"
#include "support/mutation.hpp"
#include "support/scheduler.hpp"
#include "support/where.hpp"

namespace shmring::test {

inline Scheduler scheduler;

/// What a mutant makes an actor do after its next write instead of at once.
struct Postponed {
    std::uint64_t* word = nullptr;
    void* to = nullptr;
    const void* from = nullptr;
    std::uint64_t value = 0;  // of a store; the bytes of a copy
    std::memory_order order = std::memory_order_relaxed;
    bool into_ring = false;
    std::uint64_t run = 0;  // in which this was
};

/// Where a mutant weakens a store that releases: stores before it are held back, so that it may overtake them. The next one to the same
/// word takes the place of the one that is held: nobody can have read that. Everything but a load of another word, and this store, waits
/// until what is held is done; a load does not, for no release holds back the loads behind it.
class HeldStores {
 public:
    HeldStores() { scheduler.settle_debts = &settle_all; }
    [[nodiscard]] bool is_in_use() const { return mine().run == scheduler.run() && mine().count != 0; }

    void hold(std::uint64_t& word, std::uint64_t value, std::memory_order order, const Where& where) {
        Queue& queue = mine();
        if (queue.run != scheduler.run()) queue = {.run = scheduler.run()};
        settle(&word);
        if (queue.count == queue.stores.size()) settle_all();
        queue.stores[queue.count++] = {&word, value, order, where};
    }
    void overtake(std::uint64_t& word, std::uint64_t value, std::memory_order order, const Where& where) {
        scheduler.store(word, value, order, where);
        if (is_in_use()) let_go(&word, true);
    }
    /// What is held, if this word is among it.
    void settle(const std::uint64_t* word) {
        const Queue& queue = mine();
        for (std::size_t i = 0; i != queue.count; ++i)
            if (queue.stores[i].word == word) return settle_all();
    }
    static void settle_all(bool is_owed = false);

 private:
    struct Held {
        std::uint64_t* word = nullptr;
        std::uint64_t value = 0;
        std::memory_order order = std::memory_order_relaxed;
        Where where{};
    };
    struct Queue {
        std::array<Held, 4> stores{};
        std::size_t count = 0;
        std::uint64_t run = 0;
    };
    [[nodiscard]] Queue& mine() { return queues_[static_cast<std::size_t>(scheduler.self())]; }
    [[nodiscard]] const Queue& mine() const { return queues_[static_cast<std::size_t>(scheduler.self())]; }
    void let_go(const std::uint64_t* but, bool is_owed) {
        const Queue done = std::exchange(mine(), Queue{.run = scheduler.run()});
        for (std::size_t i = 0; i != done.count; ++i) {
            const Held& each = done.stores[i];
            if (each.word != but) scheduler.store(*each.word, each.value, each.order, each.where, is_owed);
        }
    }

    std::array<Queue, kMostActors> queues_{};
};
inline HeldStores held;
inline void HeldStores::settle_all(bool is_owed) {
    if (held.is_in_use()) held.let_go(nullptr, is_owed);
}

// NOLINTBEGIN(bugprone-exception-escape): noexcept as the Env that ships; what throws here is the scheduler's own fault, and ends it
struct SchedulerEnv {
    template <class T>
    class Atom {
        static_assert(sizeof(T) == sizeof(std::uint64_t));

     public:
        Atom() noexcept = default;
        explicit Atom(T value) noexcept : value_(value) {}

        [[nodiscard]] T load(std::memory_order order, const Where& where = Where::current()) const noexcept {
            if (!scheduler.is_playing()) return value_;
            if (held.is_in_use()) held.settle(&value_);
            return scheduler.load(value_, laboratory.judge(where, Operation::load, order).order, where);
        }
        void store(T value, std::memory_order order, const Where& where = Where::current()) noexcept {
            if (!scheduler.is_playing()) return set(value);
            const Decree decree = laboratory.judge(where, Operation::store, order);
            if (decree.is_left_out) return;
            if (decree.is_late) return postpone({.word = &value_, .value = value, .order = decree.order});
            if (laboratory.is_reordering())
                return laboratory.is_bred(where) ? held.overtake(value_, value, decree.order, where)
                                                 : held.hold(value_, value, decree.order, where);
            scheduler.store(value_, value, decree.order, where);
            catch_up(where);
        }
        T fetch_add(T value, std::memory_order order, const Where& where = Where::current()) noexcept {
            return change([value](T before) { return before + value; }, order, where);
        }
        T fetch_sub(T value, std::memory_order order, const Where& where = Where::current()) noexcept {
            return change([value](T before) { return before - value; }, order, where);
        }
        T fetch_or(T value, std::memory_order order, const Where& where = Where::current()) noexcept {
            return change([value](T before) { return before | value; }, order, where);
        }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order order, std::memory_order failure,
                                   const Where& where = Where::current()) noexcept {
            return compare_exchange(expected, desired, true, order, failure, where);
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order order,
                                     std::memory_order failure,
                                     const Where& where = Where::current()) noexcept {
            return compare_exchange(expected, desired, false, order, failure, where);
        }
        /// What a test sees or sets: no operation of anybody's.
        [[nodiscard]] T now() const noexcept { return value_; }
        void set(T value) noexcept { value_ = value; }

     private:
        template <class Change>
        T change(Change&& change, std::memory_order order, const Where& where) noexcept {
            if (!scheduler.is_playing()) return std::exchange(value_, change(value_));
            HeldStores::settle_all();
            const Decree decree = laboratory.judge(where, Operation::change, order);
            if (decree.is_left_out) return value_;
            if (decree.is_late) {
                postpone({.word = &value_, .value = change(value_), .order = decree.order});
                return value_;
            }
            const T before = scheduler.change(value_, change, decree.order, where);
            catch_up(where);
            return before;
        }
        /// Left out: it says that it was done.
        bool compare_exchange(T& expected, T desired, bool is_weak, std::memory_order order,
                              std::memory_order failure, const Where& where) noexcept {
            if (!scheduler.is_playing()) {
                if (value_ != expected) {
                    expected = value_;
                    return false;
                }
                value_ = desired;
                return true;
            }
            HeldStores::settle_all();
            const Decree decree = laboratory.judge(where, Operation::exchange, order, failure);
            if (decree.is_left_out) return true;
            const bool done = scheduler.compare_exchange(value_, expected, desired, is_weak, decree.order,
                                                         decree.failure, where);
            if (done) catch_up(where);
            return done;
        }

        T value_{};
    };

    static void copy_in(void* ring, const void* from, std::size_t size,
                        const Where& where = Where::current()) noexcept {
        if (!scheduler.is_playing()) return copy(ring, from, size);
        HeldStores::settle_all();
        const Decree decree = laboratory.judge(where, Operation::copy, std::memory_order_relaxed);
        if (decree.is_left_out) return;
        if (decree.is_late) return postpone({.to = ring, .from = from, .value = size, .into_ring = true});
        scheduler.copy(ring, from, size, true);
    }
    static void copy_out(void* to, const void* ring, std::size_t size,
                         const Where& where = Where::current()) noexcept {
        if (!scheduler.is_playing()) return copy(to, ring, size);
        HeldStores::settle_all();
        const Decree decree = laboratory.judge(where, Operation::copy, std::memory_order_relaxed);
        if (decree.is_left_out) return;
        if (decree.is_late) return postpone({.to = to, .from = ring, .value = size});
        scheduler.copy(to, ring, size, false);
    }
    static void pause() noexcept {
        if (scheduler.is_playing()) scheduler.pause();
    }
    /// Orders nothing between actors: it binds the compiler, and here no load runs ahead of a store.
    static void compiler_barrier() noexcept {}
    static void full_fence(const Where& where = Where::current()) noexcept {
        if (!scheduler.is_playing()) return;
        HeldStores::settle_all();
        const Decree decree = laboratory.judge(where, Operation::fence, std::memory_order_seq_cst);
        if (!decree.is_left_out) scheduler.fence(decree.order);
    }

    static detail::platform::FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                                    std::uint64_t deadline_ns) noexcept {
        HeldStores::settle_all();
        return scheduler.futex_wait(word, expected, deadline_ns);
    }
    /// No scene sleeps on several words.
    static detail::platform::FutexResult futex_wait_any(const detail::platform::FutexTarget* targets,
                                                        std::size_t, std::uint64_t deadline_ns) noexcept {
        return futex_wait(targets->word, targets->expected, deadline_ns);
    }
    static int futex_wake(const std::uint32_t* word, int count,
                          const Where& where = Where::current()) noexcept {
        if (!scheduler.is_playing()) return 0;
        HeldStores::settle_all();
        if (laboratory.judge(where, Operation::wake, std::memory_order_relaxed).is_left_out) return 0;
        return scheduler.futex_wake(word, count);
    }
    static std::uint64_t now() noexcept { return scheduler.now_ns(); }
    static std::uint64_t coarse_now() noexcept { return scheduler.now_ns(); }

 private:
    static inline std::array<Postponed, kMostActors> postponed{};

    static void copy(void* to, const void* from, std::size_t size) noexcept {
        if (size != 0) std::memcpy(to, from, size);
    }
    static void postpone(Postponed what) noexcept {
        what.run = scheduler.run();
        postponed[static_cast<std::size_t>(scheduler.self())] = what;
    }
    static void catch_up(const Where& where) noexcept {
        Postponed& mine = postponed[static_cast<std::size_t>(scheduler.self())];
        if (mine.run != scheduler.run()) [[likely]]
            return;
        const Postponed what = std::exchange(mine, {});
        if (what.word != nullptr) return scheduler.store(*what.word, what.value, what.order, where);
        scheduler.copy(what.to, what.from, what.value, what.into_ring);
    }
};
// NOLINTEND(bugprone-exception-escape)
static_assert(sizeof(SchedulerEnv::Atom<std::uint64_t>) == 8);

}  // namespace shmring::test
