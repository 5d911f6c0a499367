// The message that hello_send and hello_receive exchange: plain bytes, no pointers.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <shmring/message.hpp>

struct Greeting {
    std::uint32_t number;
    std::int32_t sender;
    char text[56];
};

/// Written into the ring, so that a program with another idea of a Greeting is refused. Count up when the
/// struct changes.
template <>
inline constexpr std::string_view shmring::schema<Greeting> = "Greeting/1";
