// An Env in which nothing happens by itself: it writes down every operation in order, its clock stands until a test moves it,
// and its futex answers from a script. For one thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <utility>
#include <vector>

#include "shmring/detail/env.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::test {

/// One thing an algorithm did to the world.
struct Operation {
    enum class Kind { load, store, exchange, copy_in, copy_out, pause, barrier, futex_wait, futex_wake };

    Kind kind = Kind::pause;
    const void* address = nullptr;                        // of the word, or of the ring's side of a copy
    std::memory_order order = std::memory_order_relaxed;  // of the success, where there are two
    std::size_t size = 0;                                 // bytes of a copy

    friend bool operator==(const Operation&, const Operation&) = default;
};
using Operations = std::vector<Operation>;

/// For the messages of failing tests.
inline void PrintTo(const Operation& operation, std::ostream* out) {
    static constexpr const char* kKinds[] = {"load",  "store",   "exchange",   "copy_in",   "copy_out",
                                             "pause", "barrier", "futex_wait", "futex_wake"};
    *out << kKinds[static_cast<int>(operation.kind)] << " of " << operation.address << " order "
         << static_cast<int>(operation.order) << " size " << operation.size;
}

/// All that a CountingEnv does goes here.
struct World {
    using Sleep =
        std::function<detail::platform::FutexResult(std::uint32_t expected, std::uint64_t deadline_ns)>;

    Operations operations{};
    std::uint64_t now_ns = 1'000'000'000'000;
    std::uint64_t step_ns = 0;  // how far each look moves the clock
    /// Runs before each operation, but not for those that it does itself: what another process does in between.
    std::function<void(const Operation&)> meanwhile{};
    /// What a sleep comes to. Without one, it lasts to its deadline.
    Sleep sleep{};
    std::vector<int> wakes{};  // how many each futex_wake asked for
    std::vector<std::uint64_t> sleep_deadlines_ns{};

    void happens(const Operation& operation) {
        operations.push_back(operation);
        if (!meanwhile) return;
        const auto others = std::exchange(meanwhile, nullptr);
        const std::size_t mine = operations.size();
        others(operation);
        operations.resize(mine);
        if (!meanwhile) meanwhile = others;
    }
    [[nodiscard]] std::size_t count(Operation::Kind kind) const {
        std::size_t count = 0;
        for (const Operation& operation : operations) count += operation.kind == kind ? 1 : 0;
        return count;
    }
    /// Operations of one kind on one word.
    [[nodiscard]] std::size_t count(Operation::Kind kind, const void* address) const {
        std::size_t count = 0;
        for (const Operation& operation : operations)
            count += operation.kind == kind && operation.address == address ? 1 : 0;
        return count;
    }
};
inline World world;

/// A world where nothing happened yet, for the span of a test.
struct FreshWorld {
    FreshWorld() { world = World{}; }
    FreshWorld(const FreshWorld&) = delete;
    FreshWorld& operator=(const FreshWorld&) = delete;
    ~FreshWorld() { world = World{}; }
};

struct CountingEnv {
    /// The size and representation of std::atomic<T>.
    template <class T>
    class Atom {
     public:
        Atom() noexcept = default;
        explicit Atom(T value) noexcept : value_(value) {}

        [[nodiscard]] T load(std::memory_order order) const noexcept {
            happens(Operation::Kind::load, order);
            return value_.load(order);
        }
        void store(T value, std::memory_order order) noexcept {
            happens(Operation::Kind::store, order);
            value_.store(value, order);
        }
        T fetch_add(T value, std::memory_order order) noexcept {
            happens(Operation::Kind::exchange, order);
            return value_.fetch_add(value, order);
        }
        T fetch_or(T value, std::memory_order order) noexcept {
            happens(Operation::Kind::exchange, order);
            return value_.fetch_or(value, order);
        }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                                   std::memory_order failure) noexcept {
            happens(Operation::Kind::exchange, success);
            return value_.compare_exchange_strong(expected, desired, success, failure);
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                     std::memory_order failure) noexcept {
            happens(Operation::Kind::exchange, success);
            return value_.compare_exchange_strong(expected, desired, success, failure);
        }

     private:
        void happens(Operation::Kind kind, std::memory_order order) const noexcept {
            world.happens({.kind = kind, .address = this, .order = order});
        }
        std::atomic<T> value_{};
    };

    static void copy_in(void* ring, const void* from, std::size_t size) noexcept {
        world.happens({.kind = Operation::Kind::copy_in, .address = ring, .size = size});
        std::memcpy(ring, from, size);
    }
    static void copy_out(void* to, const void* ring, std::size_t size) noexcept {
        world.happens({.kind = Operation::Kind::copy_out, .address = ring, .size = size});
        std::memcpy(to, ring, size);
    }
    static void pause() noexcept { world.happens({.kind = Operation::Kind::pause}); }
    static void compiler_barrier() noexcept { world.happens({.kind = Operation::Kind::barrier}); }

    static detail::platform::FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                                    std::uint64_t deadline_ns) noexcept {
        world.happens({.kind = Operation::Kind::futex_wait, .address = word});
        world.sleep_deadlines_ns.push_back(deadline_ns);
        if (*word != expected) return detail::platform::FutexResult::value_changed;
        if (world.sleep) return world.sleep(expected, deadline_ns);
        world.now_ns = deadline_ns;
        return detail::platform::FutexResult::timed_out;
    }
    /// One sleep, noted for the first word.
    static detail::platform::FutexResult futex_wait_any(const detail::platform::FutexTarget* targets,
                                                        std::size_t count,
                                                        std::uint64_t deadline_ns) noexcept {
        for (std::size_t i = 1; i < count; ++i)
            if (*targets[i].word != targets[i].expected) return detail::platform::FutexResult::value_changed;
        return futex_wait(targets[0].word, targets[0].expected, deadline_ns);
    }
    static int futex_wake(const std::uint32_t* word, int count) noexcept {
        world.happens({.kind = Operation::Kind::futex_wake, .address = word});
        world.wakes.push_back(count);
        return 0;
    }
    static std::uint64_t now() noexcept { return world.now_ns += world.step_ns; }
    static std::uint64_t coarse_now() noexcept { return world.now_ns; }
};

static_assert(sizeof(CountingEnv::Atom<std::uint64_t>) == 8 && sizeof(CountingEnv::Atom<std::uint32_t>) == 4);

}  // namespace shmring::test
