// Taking a pipe away that nobody can use any more. Many may come to that at once, and by then one of them may have made the new pipe, which
// remove_named_file() leaves alone.
//
// What a death leaves behind, by the moment it comes: before the name is gone, a pipe that the next one takes away; after that, no pipe.
// SPDX-License-Identifier: MIT
#include "shmring/detail/pipe_renewal.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "shmring/detail/participants.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

constexpr int kAttempts =
    1000;  // each lost one means that another has made a pipe, whose ends are gone already

/// Both ends were taken, and are closed or dead. Not where one has yet to come: what the other sent is still to be received.
[[nodiscard]] bool is_over(const Segment& pipe) noexcept {
    const ParticipantTable table(pipe);
    constexpr std::array kSides = {PipeSide::first, PipeSide::second};
    return std::ranges::all_of(kSides, [&](PipeSide side) noexcept {
        const PipeWatch watch(pipe, side);
        watch.examine(table);
        const PeerState state = watch.state();
        return state == PeerState::left || state == PeerState::dead;
    });
}

enum class Removal { done, refused };

[[nodiscard]] Removal take_away(const Segment& pipe) noexcept {
    const std::error_code code = remove_named_file(pipe.name(), &pipe.file_identity());
    return !code || code == std::errc::no_such_file_or_directory ? Removal::done : Removal::refused;
}

}  // namespace

Segment open_or_renew_pipe(std::string_view name, const SegmentSpec& spec, const SegmentOptions& options,
                           SetupError& error) noexcept {
    for (int attempt = 0;; ++attempt) {
        Segment pipe = Segment::open_or_create(name, spec, options, error);
        if (error.code || attempt == kAttempts || !is_over(pipe)) return pipe;
        if (take_away(pipe) == Removal::refused) return pipe;  // its ends say that they are over
    }
}

}  // namespace shmring::detail
