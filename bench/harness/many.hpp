// The measuring loop of many senders and many receivers: processes pinned in turn to the CPUs there are, each message verified
// and accounted for. As for a pair, first an untimed phase that goes twice round the ring, then the timed one.
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <time.h>

#include <algorithm>

#include "harness/crew.hpp"
#include "harness/ledger.hpp"
#include "harness/throughput.hpp"

namespace bench {

/// Spinning where there are more processes than CPUs: a full or empty ring most likely waits for one that is not running, so
/// each refusal lets others run. Where each has a CPU, it tries again at once, as a pair does.
class Courtesy {
 public:
    explicit Courtesy(const Job& job) : oversubscribed_(job.oversubscribed()) {}
    void operator()() const {
        if (oversubscribed_) ::sched_yield();
    }

 private:
    bool oversubscribed_;
};

inline void nap() {
    const timespec length{0, 50'000};
    ::nanosleep(&length, nullptr);
}

/// As Control::meet, for any number of sides, asleep: who has finished must not take a CPU from who has not.
inline void meet_all(Control& control, const Job& job, std::uint32_t phase) {
    control.arrived.fetch_add(1, std::memory_order_acq_rel);
    while (control.arrived.load(std::memory_order_acquire) < job.crowd.sides() * phase) nap();
}

/// Until all that was sent has arrived. Throws where nothing has for so long that it must be lost.
inline void await_arrivals(const Accounts& accounts, const Job& job) {
    constexpr std::int64_t kGivenUpNs = 3'000'000'000;
    constexpr std::int64_t kLookEveryNs = 1'000;  // looking takes the receivers' lines from them
    const std::uint64_t sent = Accounts::total(accounts.sent);
    std::uint64_t before = 0;
    std::int64_t moved_ns = now_ns();
    for (;;) {
        const std::uint64_t received = Accounts::total(accounts.received);
        const std::int64_t now = now_ns();
        if (received >= sent) return;
        if (received != before) moved_ns = now;
        if (now - moved_ns > kGivenUpNs)
            throw std::runtime_error("lost message: " + std::to_string(received) + " arrived of " +
                                     std::to_string(sent));
        before = received;
        if (job.oversubscribed()) ::sched_yield();
        while (now_ns() - now < kLookEveryNs) {
        }
    }
}

template <Wait kWait, std::size_t kSize, class Channel>
void produce_among(Channel& channel, Control& control, Accounts& accounts, const Job& job, std::size_t self) {
    typename Channel::Sender sender(channel);
    SideReport& report = control.sides[self];
    const std::size_t producers = job.crowd.producers;
    const Courtesy courtesy(job);
    Message<kSize> message;
    std::uint64_t next = 0;

    for (const auto done : {&warm_up_done, &timed_phase_done}) {
        meet_all(control, job, ++report.phase);
        control.take_distance(0, job);
        const std::uint64_t first = next;
        Meter meter;
        meter.start();
        std::int64_t now = meter.begin_ns();
        // All of them send about as much as we: whoever is behind sends for as long.
        for (std::uint64_t chunk = 1;
             !done(static_cast<double>(now - meter.begin_ns()) * 1e-9, (next - first) * producers, job);) {
            for (const std::uint64_t end = next + chunk; next != end; ++next)
                put<kWait>(sender, message, sequence_from(self, next), courtesy);
            const std::int64_t before = now;
            now = now_ns();
            if (now - before < 100'000 && chunk < 65'536) chunk *= 2;
        }
        flush(sender);
        accounts.sent[self].count.store(next, std::memory_order_release);
        if (accounts.finished.fetch_add(1, std::memory_order_acq_rel) + 1 == producers * report.phase) {
            await_arrivals(accounts, job);
            accounts.end_ns = now_ns();
            // One for each receiver, and nothing else is under way: each takes one and leaves.
            for (std::size_t receiver = 0; receiver != job.crowd.consumers; ++receiver)
                put<kWait>(sender, message, end_of_phase(report.phase), courtesy);
            flush(sender);
        }
        meter.stop(report);
        report.messages = next - first;
    }
    control.take_distance(0, job);
    meet_all(control, job, ++report.phase);
}

/// Verifies every message; throws the name of the first fault.
template <Wait kWait, bool kKeepsOrder, std::size_t kSize, class Channel>
void consume_among(Channel& channel, Control& control, Accounts& accounts, const Job& job, std::size_t self) {
    constexpr int kPhases = 2;
    typename Channel::Receiver receiver(channel);
    SideReport& report = control.sides[job.crowd.producers + self];
    std::atomic<std::uint64_t>& received = accounts.received[self].count;
    Bookkeeper<kKeepsOrder> books(job.crowd.producers);
    const Courtesy courtesy(job);
    std::uint64_t count = 0;

    for (int phase = 0; phase != kPhases; ++phase) {
        meet_all(control, job, ++report.phase);
        control.take_distance(1, job);
        const std::uint64_t first = count;
        Meter meter;
        meter.start();
        bool at_end = false;
        while (!at_end) {
            take<kWait>(
                receiver,
                [&](const Message<kSize>& message) {
                    if (books.enter(message)) [[likely]]
                        return;
                    at_end = matches(message, end_of_phase(report.phase));
                    if (!at_end) books.blame(message);
                },
                courtesy);
            if (!at_end) received.store(++count, std::memory_order_release);
        }
        meter.stop(report);
        report.messages = count - first;
    }
    accounts.ledgers[self] = books.ledger();
    accounts.reordered[self] = books.reordered();
    control.take_distance(1, job);
    meet_all(control, job, ++report.phase);
}

template <class Channel, Wait kWait, bool kKeepsOrder, std::size_t kSize>
Sample run_many(Arena& arena, Control& control, const Job& job) {
    Channel channel(arena);
    auto& accounts = arena.make<Accounts>();

    Crew crew(control, job.crowd);
    for (std::size_t side = 0; side != job.crowd.sides(); ++side) {
        crew.start(side, job.cpu_of(side), [&] {
            arena.prefault();
            if (side < job.crowd.producers)
                produce_among<kWait, kSize>(channel, control, accounts, job, side);
            else
                consume_among<kWait, kKeepsOrder, kSize>(channel, control, accounts, job,
                                                         side - job.crowd.producers);
        });
    }

    Sample sample;
    sample.fault = crew.finish(time_limit_s(job));
    if (sample.fault.empty()) sample.fault = accounts.audit();
    if (!sample.fault.empty()) return sample;
    for (const std::uint64_t reordered : accounts.reordered) sample.reordered += reordered;
    std::int64_t begin_ns = accounts.end_ns;
    for (std::size_t side = 0; side != job.crowd.producers; ++side) {
        begin_ns = std::min(begin_ns, control.sides[side].begin_ns);
        sample.messages += control.sides[side].messages;
    }
    sample.seconds = static_cast<double>(accounts.end_ns - begin_ns) * 1e-9;
    sample.msgs_per_s = static_cast<double>(sample.messages) / sample.seconds;
    add_usage(sample, control);
    return sample;
}

}  // namespace bench
