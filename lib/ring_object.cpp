// What all ring objects and their factories do once, outside the templates.
// SPDX-License-Identifier: MIT
#include "shmring/detail/ring_object.hpp"

#include <cstdio>
#include <new>

#include "shmring/detail/bell.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/mpmc_claims.hpp"
#include "shmring/detail/spsc.hpp"

namespace shmring::detail {

std::shared_ptr<Segment> share_segment(Segment&& segment, SetupError& error) noexcept {
    try {
        return std::make_shared<Segment>(std::move(segment));
    } catch (const std::bad_alloc&) {
        error.code = std::make_error_code(std::errc::not_enough_memory);
        std::snprintf(error.text, sizeof error.text, "shmring: no memory for a ring object");
        return {};
    }
}

void refuse_empty_ring(SetupError& error) noexcept {
    error.code = std::make_error_code(std::errc::bad_file_descriptor);
    std::snprintf(error.text, sizeof error.text, "shmring: join: this ring object holds no ring");
}

void end_stream(const Segment& segment) noexcept {
    std::byte* const control = segment.at(segment.geometry().control_offset);
    const auto wake = [&segment](auto& words) noexcept {
        if (!wake_both_sides<ShippedEnv>(words.readable, words.writable)) return;
        Bell bell;
        strike_or_knock(bell, segment, 0, words.readable);
    };
    // Killed before the wake-up: the sleepers find the end of the stream when their bounded sleep ends.
    if (const RingKind kind = segment.geometry().kind;
        kind == RingKind::spsc || kind == RingKind::spsc_bytes) {
        auto& words = *reinterpret_cast<SpscControl<ShippedEnv>*>(control);
        close_stream(words, kProducerClosed | kConsumerClosed);
        wake(words);
    } else {
        auto& words = *reinterpret_cast<MpmcControl<ShippedEnv>*>(control);
        close_tail(words);
        wake(words);
    }
}

void throw_foreign_handle() {
    SetupError error;
    error.code = make_error_code(errc::not_owner);
    std::snprintf(error.text, sizeof error.text,
                  "shmring: bind: this handle belongs to the process we were forked from");
    throw_setup_error(error);
}

}  // namespace shmring::detail
