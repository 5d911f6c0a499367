// Where a ring of many stands, in words: for the reader of a failed test.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "shmring/detail/env.hpp"
#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {

[[nodiscard]] inline detail::MpmcControl<detail::ShippedEnv>& crowd_control(const Segment& segment) {
    return *reinterpret_cast<detail::MpmcControl<detail::ShippedEnv>*>(
        segment.at(segment.geometry().control_offset));
}

/// Positions, sleepers, and everybody who names a position.
[[nodiscard]] inline std::string stand_of(const Segment& segment, std::uint64_t shown_slots,
                                          std::uint64_t stride) {
    const auto& control = crowd_control(segment);
    const auto read = [](const auto& word) { return word.load(std::memory_order_acquire); };
    std::ostringstream out;
    out << " tail " << (read(control.tail) & ~detail::kTailClosed) << " head " << read(control.head)
        << " orphans " << read(control.orphans) << " asleep: " << (read(control.readable.word) & 0xffff)
        << " readers, " << (read(control.writable.word) & 0xffff) << " writers;";
    const detail::ParticipantTable table(segment);
    for (std::uint32_t index = 0; index != table.count(); ++index) {
        const detail::Record& record = table.record(index);
        const std::uint64_t incarnation = read(record.incarnation);
        const detail::Intent intent{read(record.intent)};
        if (incarnation % 2 == 0 && intent.count() == 0) continue;
        const auto life = table.life_of(detail::ParticipantId::of(index, incarnation));
        out << " record " << index << " pid " << read(record.process_id)
            << (life == detail::Life::dead ? " dead" : " alive");
        if (intent.count() != 0)
            out << (intent.side() == detail::ClaimSide::write ? " writes " : " reads ") << intent.position()
                << "+" << intent.count();
        out << ";";
    }
    out << " first slots:";
    for (std::uint64_t slot = 0; slot != std::min<std::uint64_t>(shown_slots, 8); ++slot) {
        const auto* at = reinterpret_cast<const std::uint64_t*>(segment.at(segment.geometry().data_offset) +
                                                                slot * stride);
        const detail::SlotWord word{*at};
        out << " lap " << word.lap() << " state " << static_cast<unsigned>(word.state());
    }
    return out.str();
}

}  // namespace shmring::test
