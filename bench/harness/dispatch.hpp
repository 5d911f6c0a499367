// From a transport type to the one function the schedule calls: the loops are compiled for each size, mode and wait, so
// that nothing stands between a loop and the transport it measures.
// SPDX-License-Identifier: MIT
#pragma once

#include <new>
#include <utility>

#include "harness/idle.hpp"
#include "harness/latency.hpp"
#include "harness/many.hpp"
#include "harness/throughput.hpp"

namespace bench {

/// Two rings with all their padding, the control block and some air.
inline constexpr std::size_t kArenaBytes = 6 * kRingBytes;

template <class T, Mode kMode, Wait kWait, std::size_t kSize>
Sample run_one(const Job& job) {
    want_system_calls_counted(job.counts_calls);
    using Channel = typename T::template Channel<kSize>;
    Arena arena(kArenaBytes);
    auto& control = arena.make<Control>();
    if constexpr (kMode == Mode::rtt) {
        return run_rtt<Channel, kWait, kSize>(arena, control, job);
    } else if constexpr (kMode == Mode::wake_up) {
        return run_wake_up<Channel, kWait, kSize>(arena, control, job);
    } else if constexpr (kMode == Mode::idle) {
        return run_idle<Channel, kSize>(arena, control, job);
    } else {
        return run_throughput<Channel, kMode, kWait, kSize>(arena, control, job);
    }
}

/// The run-time job finds its compile-time twin by comparing with all of them: some dozen comparisons per run.
template <class T, Mode kMode, Wait kWait, std::size_t... kSizes>
bool run_matching_size(const Job& job, Sample& sample, SizeList<kSizes...>) {
    const auto attempt = [&]<std::size_t kSize>() {
        if constexpr (can_run(T::kTraits, kMode, kWait, kSize)) {
            if (job.size != kSize) return false;
            sample = run_one<T, kMode, kWait, kSize>(job);
            return true;
        }
        return false;
    };
    return (attempt.template operator()<kSizes>() || ...);
}

/// The same for the loop of many, which only streams.
template <class T, Wait kWait, std::size_t... kSizes>
bool run_many_of_size(const Job& job, Sample& sample, SizeList<kSizes...>) {
    const auto attempt = [&]<std::size_t kSize>() {
        if constexpr (can_run_many(T::kTraits, kWait, kSize)) {
            if (job.size != kSize) return false;
            want_system_calls_counted(job.counts_calls);
            Arena arena(kArenaBytes);
            auto& control = arena.make<Control>();
            using Channel = typename T::template Channel<kSize>;
            sample = run_many<Channel, kWait, T::kTraits.keeps_order, kSize>(arena, control, job);
            return true;
        }
        return false;
    };
    return (attempt.template operator()<kSizes>() || ...);
}

template <class T, std::size_t... kModeIndices>
Sample run_matching(const Job& job, std::index_sequence<kModeIndices...>) {
    Sample sample;
    if (job.loop == Loop::many) {
        const bool ran = job.wait == Wait::spin
                             ? run_many_of_size<T, Wait::spin>(job, sample, MessageSizes{})
                             : run_many_of_size<T, Wait::block>(job, sample, MessageSizes{});
        if (!ran) sample.fault = "this transport does not take many";
        return sample;
    }
    const auto attempt = [&]<std::size_t kIndex>() {
        constexpr Mode kMode = kModes[kIndex].mode;
        if (job.mode != kMode) return false;
        return job.wait == Wait::spin ? run_matching_size<T, kMode, Wait::spin>(job, sample, MessageSizes{})
                                      : run_matching_size<T, kMode, Wait::block>(job, sample, MessageSizes{});
    };
    if (!(attempt.template operator()<kModeIndices>() || ...))
        sample.fault = "this transport has no such run";
    return sample;
}

/// A transport may measure by itself, with a program in another language: it has run(job) and no Channel.
template <class T>
Transport make_transport() {
    return {T::kTraits, [](const Job& job) {
                try {
                    if constexpr (requires { T::run(job); })
                        return T::run(job);
                    else
                        return run_matching<T>(job, std::make_index_sequence<kModes.size()>{});
                } catch (const std::exception& error) {
                    Sample sample;
                    sample.fault = std::string("could not be set up: ") + error.what();
                    return sample;
                }
            }};
}

}  // namespace bench
