// The rings' own operations. On one thread, a message in and out again: both ends' lines are always at hand, and what is left is
// the count of instructions. On two threads, the lines travel as they do between processes (see ipc_bench for those). Every ring,
// the façades over them and two plain rings go through one function, so what differs between two rows is what they do.
// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <sched.h>

#include <array>
#include <memory>
#include <shmring/spsc_ring.hpp>
#include <span>

#include "harness/arena.hpp"
#include "harness/transport.hpp"
#include "transports/cached_index.hpp"
#include "transports/shmring_bytes.hpp"
#include "transports/shmring_bytes_in_place.hpp"
#include "transports/shmring_mpmc.hpp"
#include "transports/shmring_mpmc_bytes.hpp"
#include "transports/shmring_pipe.hpp"
#include "transports/shmring_queue.hpp"
#include "transports/shmring_spsc.hpp"
#include "transports/vyukov.hpp"

namespace {

using namespace bench;  // the transports, which are what is measured here

template <class T, std::size_t Size>
struct Line {
    Arena arena{4 * kRingBytes};
    typename T::template Channel<Size> channel{arena};
};

/// Lets a side that is refused let the other run, where both are on one CPU.
constexpr int kPatience = 10'000;

/// Sending as the loops of ipc_bench do, without filling the message: `put` would time that, too.
template <class Sender, class M>
bool send_now(Sender& out, M& message) {
    keep_alive(&message);
    if constexpr (InPlaceSender<Sender, M>)
        return out.try_send_in_place([](M& place) { keep_alive(&place); });
    else
        return out.try_send(message);
}

template <class Receiver>
bool receive_now(Receiver& in) {
    return in.try_receive([](const auto& message) { keep_alive(&message); });
}

/// Time for one message in and out, on one thread.
template <class T, std::size_t Size>
void in_and_out(benchmark::State& state) {
    Line<T, Size> line;
    typename T::template Channel<Size>::Sender out(line.channel);
    typename T::template Channel<Size>::Receiver in(line.channel);
    Message<Size> message{};
    for (auto _ : state)
        if (!send_now(out, message) || !receive_now(in)) state.SkipWithError("full, or empty");
}

template <class T, std::size_t Size>
void in_and_out_blocking(benchmark::State& state) {
    Line<T, Size> line;
    typename T::template Channel<Size>::Sender out(line.channel);
    typename T::template Channel<Size>::Receiver in(line.channel);
    Message<Size> message{};
    for (auto _ : state) {
        keep_alive(&message);
        if (!out.send(message) || !in.receive([](const auto& got) { keep_alive(&got); }))
            state.SkipWithError("it ended");
    }
}

/// A channel that the threads of one row share, made by the first before any of them begins.
template <class T, std::size_t Size>
std::unique_ptr<Line<T, Size>> shared_line;

template <class Attempt>
void insist(Attempt&& attempt) {
    for (int tries = 0; !attempt(); ++tries)
        if (tries > kPatience) ::sched_yield();
}

enum class Roles { one_each, both_each };

/// Two threads on one channel. One each: the time for a message from the one to the other. Both each: each sends one and receives
/// one, its own or the other's. The ends are made inside the loop, where the threads have met: before, there is no channel yet.
template <class T, std::size_t Size, Roles kRoles>
void on_two_threads(benchmark::State& state) {
    using Channel = typename T::template Channel<Size>;
    auto& line = shared_line<T, Size>;
    const bool first = state.thread_index() == 0;
    const bool sends = first || kRoles == Roles::both_each;
    const bool receives = !first || kRoles == Roles::both_each;
    if (first) line = std::make_unique<Line<T, Size>>();
    std::unique_ptr<typename Channel::Sender> out;
    std::unique_ptr<typename Channel::Receiver> in;
    Message<Size> message{};
    for (auto _ : state) {
        if (!out && !in) [[unlikely]] {
            if (sends) out = std::make_unique<typename Channel::Sender>(line->channel);
            if (receives) in = std::make_unique<typename Channel::Receiver>(line->channel);
        }
        if (sends) insist([&] { return send_now(*out, message); });
        if (receives) insist([&] { return receive_now(*in); });
    }
}
template <class T>
void one_to_one(benchmark::State& state) {
    on_two_threads<T, 64, Roles::one_each>(state);
}
template <class T>
void both_by_both(benchmark::State& state) {
    on_two_threads<T, 64, Roles::both_each>(state);
}

// NOLINTBEGIN(bugprone-macro-parentheses): no parentheses around names of templates and types
#define EACH_SIZE(function, ring)  \
    BENCHMARK(function<ring, 8>);  \
    BENCHMARK(function<ring, 64>); \
    BENCHMARK(function<ring, 1024>)
#define ON_TWO_THREADS(function, ring) BENCHMARK(function<ring>)->Threads(2)->UseRealTime()
// NOLINTEND(bugprone-macro-parentheses)

EACH_SIZE(in_and_out, CachedIndex);
EACH_SIZE(in_and_out, ShmringSpsc);
EACH_SIZE(in_and_out, ShmringBytes);
EACH_SIZE(in_and_out, ShmringBytesInPlace);
EACH_SIZE(in_and_out, Vyukov);
EACH_SIZE(in_and_out, ShmringMpmc);
EACH_SIZE(in_and_out, ShmringMpmcBytes);
BENCHMARK(in_and_out_blocking<ShmringSpsc, 64>);
BENCHMARK(in_and_out_blocking<ShmringBytes, 64>);
BENCHMARK(in_and_out_blocking<ShmringMpmc, 64>);
BENCHMARK(in_and_out_blocking<ShmringMpmcBytes, 64>);

// What a façade costs: these rows over those of MpmcRing and SpscRing.
BENCHMARK(in_and_out<ShmringQueue, 64>);
BENCHMARK(in_and_out_blocking<ShmringQueue, 64>);
BENCHMARK(in_and_out<ShmringPipe, 64>);
BENCHMARK(in_and_out_blocking<ShmringPipe, 64>);

ON_TWO_THREADS(one_to_one, CachedIndex);
ON_TWO_THREADS(one_to_one, ShmringSpsc);
ON_TWO_THREADS(one_to_one, ShmringBytes);
ON_TWO_THREADS(one_to_one, Vyukov);
ON_TWO_THREADS(one_to_one, ShmringMpmc);
ON_TWO_THREADS(one_to_one, ShmringMpmcBytes);
ON_TWO_THREADS(one_to_one, ShmringQueue);
ON_TWO_THREADS(both_by_both, Vyukov);
ON_TWO_THREADS(both_by_both, ShmringMpmc);
ON_TWO_THREADS(both_by_both, ShmringMpmcBytes);
ON_TWO_THREADS(both_by_both, ShmringQueue);

constexpr std::size_t kCapacity = 64;

/// Time per batch of eight.
void try_push_n_and_try_pop_n(benchmark::State& state) {
    const auto ring = shmring::SpscRing<Message<8>>::anonymous({.capacity = kCapacity});
    auto out = ring.producer();
    auto in = ring.consumer();
    std::array<Message<8>, 8> batch{};
    for (auto _ : state) {
        keep_alive(&batch);
        const auto pushed = out.try_push_n(batch);
        const auto popped = in.try_pop_n(batch);
        if (!pushed || *pushed != batch.size() || !popped || *popped != batch.size())
            state.SkipWithError("a batch was not taken whole");
        keep_alive(&batch);
    }
}
BENCHMARK(try_push_n_and_try_pop_n);

template <class T>
void try_of_an_empty_one(benchmark::State& state) {
    Line<T, 64> line;
    const typename T::template Channel<64>::Sender out(line.channel);
    typename T::template Channel<64>::Receiver in(line.channel);
    for (auto _ : state)
        if (receive_now(in)) state.SkipWithError("it is not empty");
}
BENCHMARK(try_of_an_empty_one<ShmringSpsc>);
BENCHMARK(try_of_an_empty_one<ShmringBytes>);
BENCHMARK(try_of_an_empty_one<ShmringMpmc>);
BENCHMARK(try_of_an_empty_one<ShmringMpmcBytes>);

template <class T>
void try_of_a_full_one(benchmark::State& state) {
    Line<T, 64> line;
    typename T::template Channel<64>::Sender out(line.channel);
    const typename T::template Channel<64>::Receiver in(line.channel);
    Message<64> message{};
    while (send_now(out, message)) {
    }
    for (auto _ : state)
        if (send_now(out, message)) state.SkipWithError("it is not full");
}
BENCHMARK(try_of_a_full_one<ShmringSpsc>);
BENCHMARK(try_of_a_full_one<ShmringBytes>);
BENCHMARK(try_of_a_full_one<ShmringMpmc>);
BENCHMARK(try_of_a_full_one<ShmringMpmcBytes>);

}  // namespace
