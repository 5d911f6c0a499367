// The measuring loops of the latency modes: a round trip over two channels, and the way one message takes to a
// receiver that has been asleep for milliseconds.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/crew.hpp"
#include "harness/odd_messages.hpp"
#include "harness/transport.hpp"

namespace bench {

inline constexpr double kShortestWarmUpSeconds = 0.01;
inline constexpr double kLongestWarmUpSeconds = 0.05;
inline constexpr std::uint64_t kFewestWakes = 25;  // in one run, even where that takes longer than was asked
inline constexpr std::uint64_t kUntimedWakes = 3;

/// Untimed, until every slot of both rings was touched, unless that takes too long.
inline bool round_trips_warm(double elapsed_s, std::uint64_t trips, const Job& job) {
    if (elapsed_s < kShortestWarmUpSeconds) return false;
    return trips > ring_slots(job.size) || elapsed_s >= kLongestWarmUpSeconds;
}

inline bool round_trips_done(double elapsed_s, std::uint64_t trips, const Job& job) {
    return elapsed_s >= job.seconds && trips >= kFewestMessages;
}

/// The asking side. A lap is: write the question, send it, receive the answer, verify it.
template <Wait kWait, std::size_t kSize, class Channel>
void ask(Channel& there, Channel& back, Control& control, const Job& job) {
    typename Channel::Sender out(there);
    typename Channel::Receiver in(back);
    SideReport& report = control.sides[0];
    OddMessages<kSize> odd(false);
    Message<kSize> message;
    Sequence next = 0;

    for (const auto done : {&round_trips_warm, &round_trips_done}) {
        control.meet(++report.phase);
        control.take_distance(0, job);
        control.sent.store(kNotYet, std::memory_order_relaxed);  // the first message carries it over
        control.latency = Histogram{};
        const Sequence first = next;
        Meter meter;
        meter.start();
        std::int64_t lap_end_ns = 0;
        do {
            const std::int64_t lap_begin_ns = now_ns();
            put<kWait>(out, message, next);
            bool right = true;
            take<kWait>(in, [&](const Message<kSize>& answer) {
                right = matches(answer, next);
                if (!right) [[unlikely]]
                    odd.keep(answer);
            });
            if (!right) [[unlikely]]
                odd.blame(next);
            lap_end_ns = now_ns();
            control.latency.add(lap_end_ns - lap_begin_ns);
            ++next;
        } while (!done(static_cast<double>(lap_end_ns - meter.begin_ns()) * 1e-9, next - first, job));
        control.sent.store(next, std::memory_order_release);
        put<kWait>(out, message, end_of_phase(report.phase));
        meter.stop(report);
        report.messages = next - first;
    }
    control.take_distance(0, job);
    control.meet(++report.phase);
}

/// The answering side: verifies each question and writes the answer anew.
template <Wait kWait, std::size_t kSize, class Channel>
void answer(Channel& there, Channel& back, Control& control, const Job& job) {
    constexpr int kPhases = 2;
    typename Channel::Sender out(back);
    typename Channel::Receiver in(there);
    SideReport& report = control.sides[1];
    OddMessages<kSize> odd(false);
    Message<kSize> message;
    Sequence next = 0;

    for (int phase = 0; phase != kPhases; ++phase) {
        control.meet(++report.phase);
        control.take_distance(1, job);
        const Sequence first = next;
        Meter meter;
        meter.start();
        for (;; ++next) {
            bool right = true;
            take<kWait>(in, [&](const Message<kSize>& question) {
                right = is_due(question, next, control.sent);
                if (!right) [[unlikely]]
                    odd.keep(question);
            });
            if (!right && odd.ends_phase(report.phase, next, control.sent.load(std::memory_order_acquire)))
                break;
            put<kWait>(out, message, next);
        }
        meter.stop(report);
        report.messages = next - first;
    }
    control.take_distance(1, job);
    control.meet(++report.phase);
}

inline Sample latency_sample(Crew& crew, const Control& control, const Job& job) {
    Sample sample;
    sample.fault = crew.finish(time_limit_s(job));
    if (!sample.fault.empty()) return sample;
    sample.messages = control.sides[1].messages;
    sample.seconds = static_cast<double>(control.sides[1].end_ns - control.sides[0].begin_ns) * 1e-9;
    sample.latency = control.latency.summary();
    add_usage(sample, control);
    return sample;
}

template <class Channel, Wait kWait, std::size_t kSize>
Sample run_rtt(Arena& arena, Control& control, const Job& job) {
    Channel there(arena);
    Channel back(arena);

    Crew crew(control);
    crew.start(0, job.cpu_of(0), [&] {
        arena.prefault();
        ask<kWait, kSize>(there, back, control, job);
    });
    crew.start(1, job.cpu_of(1), [&] {
        arena.prefault();
        answer<kWait, kSize>(there, back, control, job);
    });
    return latency_sample(crew, control, job);
}

/// The waking side: sends to a receiver that has been asleep for a while.
template <Wait kWait, std::size_t kSize, class Channel>
void wake(Channel& channel, Control& control, const Job& job) {
    typename Channel::Sender out(channel);
    SideReport& report = control.sides[0];
    Message<kSize> message;
    std::minstd_rand random(20'240'229);  // the same pauses for every transport
    std::uniform_int_distribution<long> pause_ns(1'000'000, 5'000'000);
    Sequence next = 0;

    control.meet(++report.phase);
    Meter meter;
    meter.start();
    do {
        do {  // on a loaded machine the receiver may not have come to the last one yet
            const timespec pause{0, pause_ns(random)};
            ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
        } while (control.received.load(std::memory_order_acquire) != next);
        control.stamp_ns.store(now_ns(), std::memory_order_relaxed);  // the message itself carries it over
        put<kWait>(out, message, next++);
    } while (next < kFewestWakes || static_cast<double>(now_ns() - meter.begin_ns()) < job.seconds * 1e9);
    while (control.received.load(std::memory_order_acquire) != next) ::sched_yield();
    control.sent.store(next, std::memory_order_release);
    put<kWait>(out, message, end_of_phase(report.phase));
    meter.stop(report);
    report.messages = next;
    control.meet(++report.phase);
}

/// The sleeping side: reads the clock when it is awake and has seen the whole message.
template <Wait kWait, std::size_t kSize, class Channel>
void be_woken(Channel& channel, Control& control) {
    typename Channel::Receiver in(channel);
    SideReport& report = control.sides[1];
    OddMessages<kSize> odd(false);
    Sequence next = 0;

    control.meet(++report.phase);
    Meter meter;
    meter.start();
    for (;; ++next) {
        bool right = true;
        take<kWait>(in, [&](const Message<kSize>& message) {
            right = matches(message, next);
            if (!right) [[unlikely]]
                odd.keep(message);
        });
        const std::int64_t latency_ns = now_ns() - control.stamp_ns.load(std::memory_order_relaxed);
        if (!right && odd.ends_phase(report.phase, next, control.sent.load(std::memory_order_acquire))) break;
        if (next >= kUntimedWakes) control.latency.add(latency_ns);
        control.received.store(next + 1, std::memory_order_release);
    }
    meter.stop(report);
    report.messages = next;
    control.meet(++report.phase);
}

template <class Channel, Wait kWait, std::size_t kSize>
Sample run_wake_up(Arena& arena, Control& control, const Job& job) {
    Channel channel(arena);

    Crew crew(control);
    crew.start(0, job.cpu_of(0), [&] {
        arena.prefault();
        wake<kWait, kSize>(channel, control, job);
    });
    crew.start(1, job.cpu_of(1), [&] {
        arena.prefault();
        be_woken<kWait, kSize>(channel, control);
    });
    return latency_sample(crew, control, job);
}

}  // namespace bench
