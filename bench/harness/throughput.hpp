// The measuring loop of every throughput mode, and of those at a fixed rate: one producer process, one consumer process, each message written and
// verified in full. First an untimed phase that goes twice round the ring, then the timed one.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/crew.hpp"
#include "harness/odd_messages.hpp"
#include "harness/pace.hpp"
#include "harness/transport.hpp"

namespace bench {

inline constexpr double kPaceNs = 100;  // of the slow side of near-empty and near-full
inline constexpr double kBurstPauseNs = 10'000;
inline constexpr std::size_t kLongestBurst = 256;  // messages; half the ring where that is less
inline constexpr std::uint64_t kWarmUpLaps = 2;
inline constexpr double kWarmUpSeconds = 0.02;  // for those too slow to go round twice
inline constexpr std::uint64_t kTimedLaps = 100;
inline constexpr double kPatience = 4;  // how much longer than asked a run may take to make its laps

/// When a phase has lasted long enough. For the slow, who would never make their laps, time decides.
inline bool timed_phase_done(double elapsed_s, std::uint64_t messages, const Job& job) {
    if (elapsed_s < job.seconds || messages < kFewestMessages) return false;
    const double part_of_laps =
        static_cast<double>(messages) / static_cast<double>(kTimedLaps * ring_slots(job.size));
    return part_of_laps >= 1 || part_of_laps * kPatience * job.seconds < elapsed_s;
}

/// At a fixed rate there is no hurry, and nothing to wait for.
inline bool paced_phase_done(double elapsed_s, std::uint64_t messages, const Job& job) {
    return elapsed_s >= job.seconds && messages >= kFewestMessages;
}

inline bool warm_up_done(double elapsed_s, std::uint64_t messages, const Job& job) {
    return elapsed_s >= kWarmUpSeconds || messages >= kWarmUpLaps * ring_slots(job.size);
}

constexpr std::size_t burst_length(std::size_t size) {
    return ring_slots(size) / 2 < kLongestBurst ? ring_slots(size) / 2 : kLongestBurst;
}

/// Both sides keep everything they count with in local variables of one function, the transport's end included: the
/// barrier on the payload would make the compiler store and load whatever can be reached from elsewhere, once a message.

template <Mode kMode, Wait kWait, std::size_t kSize, class Channel>
void produce(Channel& channel, Control& control, const Job& job, std::int64_t& paused_ns) {
    typename Channel::Sender sender(channel);
    SideReport& report = control.sides[0];
    Delay delay = Delay::of(kMode == Mode::burst ? kBurstPauseNs : kPaceNs);
    if (kMode == Mode::near_empty) report.pace_ns = delay.length_ns();
    const Pace pace(job);
    if (kMode == Mode::blocking) Pace::sleep_exactly();
    Message<kSize> message;
    Sequence next = 0;
    std::uint64_t bursts = 0;

    for (const auto done : {&warm_up_done, is_paced(kMode) ? &paced_phase_done : &timed_phase_done}) {
        control.meet(++report.phase);
        control.take_distance(0, job);
        control.sent.store(kNotYet, std::memory_order_relaxed);  // the first message carries it over
        const Sequence first = next;
        Meter meter;
        meter.start();
        paused_ns = 0;
        std::int64_t now = meter.begin_ns();
        std::uint64_t chunk = kMode == Mode::burst ? burst_length(kSize) : 1;
        std::uint64_t pace_sleeps = 0;
        control.stamp_ns.store(meter.begin_ns(),
                               std::memory_order_relaxed);  // the first message carries it over
        while (!done(static_cast<double>(now - meter.begin_ns()) * 1e-9, next - first, job)) {
            for (const Sequence end = next + chunk; next != end; ++next) {
                if constexpr (kMode == Mode::open_loop) now = pace.watch(meter.begin_ns(), next - first);
                if constexpr (kMode == Mode::blocking)
                    now = pace.sleep(meter.begin_ns(), next - first, pace_sleeps);
                put<kWait>(sender, message, next);
                if constexpr (kMode == Mode::near_empty) delay();
            }
            if constexpr (kMode == Mode::burst) {
                flush(sender);
                control.await_burst(++bursts,
                                    job.on_one_cpu());  // it counts until all of it has arrived
                const std::int64_t pause_begin_ns = now_ns();
                delay();
                paused_ns += now_ns() - pause_begin_ns;
            }
            if constexpr (is_paced(kMode)) continue;  // the clock has been read
            const std::int64_t before = now;
            now = now_ns();
            // The clock is read some thousand times a second, however quick the transport is.
            if (kMode != Mode::burst && now - before < 100'000 && chunk < 65'536) chunk *= 2;
        }
        control.sent.store(next, std::memory_order_release);
        put<kWait>(sender, message, end_of_phase(report.phase));
        flush(sender);
        meter.stop(report);
        report.pace_sleeps = pace_sleeps;
        report.messages = next - first;
    }
    control.take_distance(0, job);
    control.meet(++report.phase);
}

/// Verifies every message; throws the name of the first fault.
template <Mode kMode, Wait kWait, std::size_t kSize, class Channel>
void consume(Channel& channel, Control& control, const Job& job) {
    constexpr int kPhases = 2;
    typename Channel::Receiver receiver(channel);
    SideReport& report = control.sides[1];
    Delay delay = Delay::of(kPaceNs);
    if (kMode == Mode::near_full) report.pace_ns = delay.length_ns();
    // Looking further after a fault would be waiting for ever where the sender waits for us.
    OddMessages<kSize> odd(kMode != Mode::burst);
    const Pace pace(job);
    Sequence next = 0;
    std::uint64_t bursts = 0;

    for (int phase = 0; phase != kPhases; ++phase) {
        control.latency = Histogram{};
        control.meet(++report.phase);
        control.take_distance(1, job);
        const Sequence first = next;
        Meter meter;
        meter.start();
        std::size_t in_burst = 0;
        for (;;) {
            bool right = true;
            take<kWait>(receiver, [&](const Message<kSize>& message) {
                right = is_due(message, next, control.sent);
                if (!right) [[unlikely]]
                    odd.keep(message);
            });
            if (!right) [[unlikely]] {
                if (odd.ends_phase(report.phase, next, control.sent.load(std::memory_order_acquire))) break;
                continue;
            }
            if constexpr (kMode == Mode::open_loop)
                control.latency.add(
                    now_ns() - pace.due_ns(control.stamp_ns.load(std::memory_order_relaxed), next - first));
            ++next;
            if constexpr (kMode == Mode::near_full) delay();
            if constexpr (kMode == Mode::burst) {
                if (++in_burst == burst_length(kSize)) {
                    in_burst = 0;
                    control.received.store(++bursts, std::memory_order_release);
                }
            }
        }
        meter.stop(report);
        report.messages = next - first;
    }
    control.take_distance(1, job);
    control.meet(++report.phase);
    if constexpr (kSize == 0 && SpinReceiver<typename Channel::Receiver>)
        if (receiver.try_receive(IgnoreMessage{}))
            throw std::runtime_error("repeated message: more came than were sent");
}

template <class Channel, Mode kMode, Wait kWait, std::size_t kSize>
Sample run_throughput(Arena& arena, Control& control, const Job& job) {
    Channel channel(arena);
    auto& paused_ns = arena.make<std::int64_t>(0);

    Crew crew(control);
    crew.start(0, job.cpu_of(0), [&] {
        arena.prefault();
        produce<kMode, kWait, kSize>(channel, control, job, paused_ns);
    });
    crew.start(1, job.cpu_of(1), [&] {
        arena.prefault();
        consume<kMode, kWait, kSize>(channel, control, job);
    });

    Sample sample;
    sample.fault = crew.finish(time_limit_s(job));
    if (!sample.fault.empty()) return sample;
    const SideReport& producer = control.sides[0];
    const SideReport& consumer = control.sides[1];
    sample.messages = consumer.messages;
    sample.seconds = static_cast<double>(consumer.end_ns - producer.begin_ns - paused_ns) * 1e-9;
    sample.msgs_per_s = static_cast<double>(consumer.messages) / sample.seconds;
    sample.pace_ns = producer.pace_ns + consumer.pace_ns;
    if (kMode == Mode::open_loop) sample.latency = control.latency.summary();
    add_usage(sample, control);
    return sample;
}

}  // namespace bench
