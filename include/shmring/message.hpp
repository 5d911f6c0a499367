// Which types may travel between processes as bytes, and how a type is told apart from another of the same size.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>  // declares std::ranges::enable_borrowed_range, too, which it specialises
#include <type_traits>

namespace shmring {

/// A name and version for the meaning of a message type, compared when a ring is opened: specialise it as
/// `template <> inline constexpr std::string_view shmring::schema<Tick> = "Tick/2";`. Two types of the same size and
/// alignment and without a schema are taken for the same. At most 47 bytes are kept in the segment for people to read.
template <class T>
inline constexpr std::string_view schema = "";

/// A type whose bytes mean the same in every process that maps them: trivially copyable, no pointer or reference type,
/// not const, no view. (A struct that *holds* a pointer cannot be seen from here; do not send one.)
template <class T>
concept Message = std::is_object_v<T> && std::is_trivially_copyable_v<T> &&
                  std::is_trivially_destructible_v<T> && !std::is_pointer_v<T> &&
                  !std::is_member_pointer_v<T> && !std::is_array_v<T> && !std::is_const_v<T> &&
                  !std::is_volatile_v<T> && !std::ranges::enable_borrowed_range<T> && alignof(T) <= 4096;

namespace detail {

/// One readable sentence per mistake, instead of an unsatisfied concept with five clauses.
template <class T>
constexpr bool explain_message() {
    static_assert(!std::is_const_v<T> && !std::is_volatile_v<T>,
                  "a message type must not be const or qualified");
    static_assert(!std::is_reference_v<T>, "a reference cannot be a message: send the value");
    static_assert(!std::is_pointer_v<T> && !std::is_member_pointer_v<T>,
                  "a pointer cannot be a message: its target does not exist in the other process");
    static_assert(!std::is_array_v<T>, "an array cannot be a message by itself: use std::array");
    static_assert(
        !std::ranges::enable_borrowed_range<T>,
        "a view or span cannot be a message: it points to memory that the other process does not have");
    static_assert(
        std::is_trivially_copyable_v<T>,
        "a fixed-size message must be trivially copyable: a std::string or std::vector owns memory that the "
        "other process does not have");
    static_assert(alignof(T) <= 4096, "a message type must not ask for more than page alignment");
    return Message<T>;
}

}  // namespace detail

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
