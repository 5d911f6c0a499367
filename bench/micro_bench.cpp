// micro_bench: single operations, so that the costs which docs/algorithms argue with can be measured again. Uncontended
// on one thread; the rows with threads:2 share one cache line. Read them with both CPUs idle: --benchmark_repetitions=5 says how
// far they move.
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "harness/clock.hpp"

namespace {

void nothing(benchmark::State& state) {
    for (auto _ : state) benchmark::ClobberMemory();
}
BENCHMARK(nothing);

void read_the_clock(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(bench::now_ns());
}
BENCHMARK(read_the_clock);

void full_fence(benchmark::State& state) {
    for (auto _ : state) std::atomic_thread_fence(std::memory_order_seq_cst);
}
BENCHMARK(full_fence);

/// Each store must leave the store buffer before its fence is done: what a fence really costs behind a publication.
void store_and_full_fence(benchmark::State& state) {
    std::atomic<std::uint64_t> word{0};
    std::uint64_t next = 0;
    for (auto _ : state) {
        word.store(++next, std::memory_order_release);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
}
BENCHMARK(store_and_full_fence);

void store_release(benchmark::State& state) {
    std::atomic<std::uint64_t> word{0};
    std::uint64_t next = 0;
    for (auto _ : state) {
        word.store(++next, std::memory_order_release);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(store_release);

/// One line for all threads of a row: owned by the one, or torn between two.
alignas(128) std::atomic<std::uint64_t> shared_word{0};

void fetch_add(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(shared_word.fetch_add(1, std::memory_order_acq_rel));
}
BENCHMARK(fetch_add)->Threads(1)->Threads(2)->UseRealTime();

void compare_exchange(benchmark::State& state) {
    for (auto _ : state) {
        std::uint64_t seen = shared_word.load(std::memory_order_relaxed);
        benchmark::DoNotOptimize(shared_word.compare_exchange_strong(
            seen, seen + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    }
}
BENCHMARK(compare_exchange)->Threads(1)->Threads(2)->UseRealTime();

/// A line that the other thread wrote last, there and back: twice what fetching a foreign line costs, the store included.
void foreign_line_there_and_back(benchmark::State& state) {
    const auto own = static_cast<std::uint64_t>(state.thread_index());
    if (own == 0) shared_word.store(0, std::memory_order_relaxed);
    for (auto _ : state) {
        std::uint64_t seen = 0;
        for (std::uint64_t tries = 0; (seen = shared_word.load(std::memory_order_acquire)) % 2 != own;
             ++tries)
            if (tries > 10'000) ::sched_yield();  // the other has lost its CPU
        shared_word.store(seen + 1, std::memory_order_release);
    }
}
BENCHMARK(foreign_line_there_and_back)->Threads(2)->UseRealTime();

/// The shortest system call there is, to compare the next ones with.
void system_call(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(::syscall(SYS_getppid));
}
BENCHMARK(system_call);

void futex_wake_without_sleeper(benchmark::State& state) {
    std::atomic<std::uint32_t> word{0};
    for (auto _ : state)
        benchmark::DoNotOptimize(::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0));
}
BENCHMARK(futex_wake_without_sleeper);

void futex_wait_that_returns_at_once(benchmark::State& state) {
    std::atomic<std::uint32_t> word{0};
    for (auto _ : state)
        benchmark::DoNotOptimize(::syscall(SYS_futex, &word, FUTEX_WAIT, 1, nullptr, nullptr, 0));
}
BENCHMARK(futex_wait_that_returns_at_once);

/// Somebody sleeps: the call of who wakes it, and not what it takes until the sleeper runs (ipc_bench --mode wake-up).
void futex_wake_of_a_sleeper(benchmark::State& state) {
    std::atomic<std::uint32_t> word{0};
    std::atomic<bool> over{false};
    std::thread sleeper([&] {
        while (!over.load(std::memory_order_acquire))
            ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
    });
    for (auto _ : state) {
        std::int64_t begin_ns = 0;
        std::int64_t end_ns = 0;
        do {  // until the call found it asleep
            const timespec length{0, 50'000};
            ::nanosleep(&length, nullptr);
            begin_ns = bench::now_ns();
            const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
            end_ns = woken == 1 ? bench::now_ns() : 0;
        } while (end_ns == 0);
        state.SetIterationTime(static_cast<double>(end_ns - begin_ns) * 1e-9);
    }
    over.store(true, std::memory_order_release);
    word.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    sleeper.join();
}
BENCHMARK(futex_wake_of_a_sleeper)->UseManualTime()->Iterations(2000);

}  // namespace
