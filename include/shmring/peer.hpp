// PeerState: what is known of the one on the other side of a stream or pipe.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

namespace shmring {

/// How the other side stands: the producer as its consumer sees it, the other end of a pipe, and so on.
enum class PeerState {
    never_came,  ///< nobody has taken that side yet
    here,        ///< somebody has it who was alive when we asked
    left,        ///< given back by who had it: closed, detached or destroyed
    dead,        ///< who had it died; of a pipe also: nobody is left who could have taken it
};

/// The English name, as in this file. Never null, static storage.
[[nodiscard]] const char* to_string(PeerState state) noexcept;

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
