// Taking a pipe away that nobody can use any more. Many may come to that at once, and by then one of them may have made the new pipe:
// so who takes the name away holds a lock of the old file, and looks whether the name still leads there.
//
// What a death leaves behind, by the moment it comes: before the name is gone, a pipe that the next one takes away; after that, no pipe.
// The lock goes with its holder.
#include "shmring/detail/pipe_renewal.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <thread>

#include "shmring/detail/participants.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

constexpr auto kPause = std::chrono::milliseconds(1);
constexpr int kAttempts =
    1000;  // each lost one means that another takes the name away, has done so, or is stopped at it

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
    std::error_code code;
    const auto at_it = platform::LivenessLock::take(pipe.descriptor(), pipe.file_identity(),
                                                    pipe.geometry().liveness_base + kRenewalByte, code);
    if (!at_it.held()) {
        if (code != std::errc::resource_unavailable_try_again) return Removal::refused;
        std::this_thread::sleep_for(kPause);
        return Removal::done;  // by another, in a moment
    }
    code = remove_named_file(pipe.name(), &pipe.file_identity());
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
