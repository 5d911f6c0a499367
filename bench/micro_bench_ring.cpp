// The ring's own operations on one thread: a message in and out again, so both ends' lines are always at hand. What is
// left is the count of instructions; between processes the cache decides, see ipc_bench.
#include <benchmark/benchmark.h>

#include <array>
#include <shmring/spsc_ring.hpp>
#include <span>

#include "harness/message.hpp"

namespace {

using bench::Message;

constexpr std::size_t kCapacity = 64;

template <std::size_t Size>
void try_push_and_try_pop(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<Size>>::anonymous({.capacity = kCapacity});
    auto out = ring.producer();
    auto in = ring.consumer();
    Message<Size> message{};
    for (auto _ : state) {
        bench::keep_alive(&message);
        if (!out.try_push(message)) state.SkipWithError("the ring is full");
        const auto popped = in.try_pop();
        if (!popped) state.SkipWithError("the ring is empty");
        bench::keep_alive(&popped);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(Size));
}
BENCHMARK(try_push_and_try_pop<8>);
BENCHMARK(try_push_and_try_pop<64>);
BENCHMARK(try_push_and_try_pop<256>);
BENCHMARK(try_push_and_try_pop<4096>);

template <std::size_t Size>
void push_and_pop(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<Size>>::anonymous({.capacity = kCapacity});
    auto out = ring.producer();
    auto in = ring.consumer();
    Message<Size> message{};
    for (auto _ : state) {
        bench::keep_alive(&message);
        if (!out.push(message)) state.SkipWithError("the push failed");
        const auto popped = in.pop();
        if (!popped) state.SkipWithError("the pop failed");
        bench::keep_alive(&popped);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(Size));
}
BENCHMARK(push_and_pop<8>);
BENCHMARK(push_and_pop<64>);

/// Time per batch of eight.
void try_push_n_and_try_pop_n(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<8>>::anonymous({.capacity = kCapacity});
    auto out = ring.producer();
    auto in = ring.consumer();
    std::array<Message<8>, 8> batch{};
    for (auto _ : state) {
        bench::keep_alive(&batch);
        const auto pushed = out.try_push_n(batch);
        const auto popped = in.try_pop_n(batch);
        if (!pushed || *pushed != batch.size() || !popped || *popped != batch.size())
            state.SkipWithError("a batch was not taken whole");
        bench::keep_alive(&batch);
    }
}
BENCHMARK(try_push_n_and_try_pop_n);

void try_pop_of_an_empty_ring(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<64>>::anonymous({.capacity = kCapacity});
    const auto out = ring.producer();
    auto in = ring.consumer();
    for (auto _ : state)
        if (in.try_pop()) state.SkipWithError("the ring is not empty");
}
BENCHMARK(try_pop_of_an_empty_ring);

void try_push_to_a_full_ring(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<64>>::anonymous({.capacity = kCapacity});
    auto out = ring.producer();
    const auto in = ring.consumer();
    const Message<64> message{};
    while (out.try_push(message)) {
    }
    for (auto _ : state)
        if (out.try_push(message)) state.SkipWithError("the ring is not full");
}
BENCHMARK(try_push_to_a_full_ring);

}  // namespace
