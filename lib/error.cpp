// The words for Status, PeerState and errc.
// SPDX-License-Identifier: MIT

#include <string>

#include "shmring/peer.hpp"
#include "shmring/result.hpp"

namespace shmring {

namespace {

[[nodiscard]] const char* sentence(errc code) noexcept {
    switch (code) {
        case errc::bad_name:
            return "not a segment name: one path component of 1 to 250 bytes, with an optional leading '/'";
        case errc::bad_option:
            return "an option is outside its range";
        case errc::not_a_segment:
            return "what has this name is no shmring segment";
        case errc::wrong_layout_version:
            return "the segment was made by an incompatible version of this library";
        case errc::corrupt_header:
            return "the segment's header contradicts itself";
        case errc::wrong_kind:
            return "the segment holds a ring of another kind";
        case errc::wrong_type:
            return "the segment holds messages of another type";
        case errc::wrong_capacity:
            return "the existing ring has another capacity";
        case errc::wrong_size:
            return "the file is not as long as its header says";
        case errc::untrusted_owner:
            return "the segment belongs to a user that was not named as trusted";
        case errc::untrusted_mode:
            return "the segment is accessible to users that were not allowed to";
        case errc::not_a_regular_file:
            return "what has this name is not a regular file with one name";
        case errc::unsealed:
            return "the descriptor's memory is not sealed and could vanish";
        case errc::memory_too_small:
            return "the provided memory cannot hold the segment";
        case errc::memory_misaligned:
            return "the provided memory does not start on a page";
        case errc::seat_taken:
            return "a live participant has this seat";
        case errc::participants_exhausted:
            return "every participant record is held by a live handle";
        case errc::unsupported_feature:
            return "the segment requires a feature that this version does not know";
        case errc::retired:
            return "the ring's name was removed";
        case errc::no_bell:
            return "the ring has no bell that a descriptor could wait for";
        case errc::untrusted_bell:
            return "what has the name of the ring's bell is no FIFO of the ring's owner and mode";
        case errc::not_owner:
            return "the handle belongs to another process";
        case errc::pipe_ended:
            return "this end of the pipe was closed, or its process died";
        case errc::corrupt_positions:
            return "the ring's positions contradict each other";
    }
    return "an error number this version of shmring does not know";
}

class Category : public std::error_category {
 public:
    [[nodiscard]] const char* name() const noexcept override { return "shmring"; }
    [[nodiscard]] std::string message(int code) const override { return sentence(static_cast<errc>(code)); }
};

/// Never destroyed: error codes may be looked at by what runs after main().
union Immortal {
    constexpr Immortal() : category() {}
    ~Immortal() {}  // NOLINT(modernize-use-equals-default): a defaulted one would be deleted
    Category category;
};
constinit const Immortal immortal;

}  // namespace

const char* to_string(Status status) noexcept {
    switch (status) {
        case Status::ok:
            return "ok";
        case Status::empty:
            return "empty";
        case Status::full:
            return "full";
        case Status::busy:
            return "busy";
        case Status::timed_out:
            return "timed_out";
        case Status::closed:
            return "closed";
        case Status::peer_lost:
            return "peer_lost";
        case Status::too_large:
            return "too_large";
        case Status::corrupt:
            return "corrupt";
        case Status::not_owner:
            return "not_owner";
        case Status::interrupted:
            return "interrupted";
        case Status::overflow:
            return "overflow";
        case Status::invalid:
            return "invalid";
        case Status::unavailable:
            return "unavailable";
    }
    return "unknown";
}

const char* to_string(PeerState state) noexcept {
    switch (state) {
        case PeerState::never_came:
            return "never_came";
        case PeerState::here:
            return "here";
        case PeerState::left:
            return "left";
        case PeerState::dead:
            return "dead";
    }
    return "unknown";
}

const std::error_category& error_category() noexcept { return immortal.category; }

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }

}  // namespace shmring
