// The fields of an aggregate, found without a line of its author's: how many there are, and references to all of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace shmring::detail {

inline constexpr std::size_t kMostFields = 16;

/// Becomes a base class of T, and nothing else.
template <class T>
struct ToBaseOf {
    template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const noexcept;
};

/// An aggregate accepts a pair of braces for each field, and no more; 17 stands for more than we count.
// clang-format off
template <class T>
consteval std::size_t count_fields() noexcept {
    if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 17;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 16;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 15;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 14;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 13;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 12;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 11;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 10;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 9;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}}; }) return 8;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}}; }) return 7;
    else if constexpr (requires { T{{}, {}, {}, {}, {}, {}}; }) return 6;
    else if constexpr (requires { T{{}, {}, {}, {}, {}}; }) return 5;
    else if constexpr (requires { T{{}, {}, {}, {}}; }) return 4;
    else if constexpr (requires { T{{}, {}, {}}; }) return 3;
    else if constexpr (requires { T{{}, {}}; }) return 2;
    else if constexpr (requires { T{{}}; }) return 1;
    else return 0;
}
// clang-format on
template <class T>
inline constexpr std::size_t kFieldCount = count_fields<T>();

/// A class of fields alone: no base class, which would count as one, and no std::array, which takes itself apart otherwise.
template <class T>
concept FieldsAlone = std::is_class_v<T> && std::is_aggregate_v<T> && !requires {
    std::tuple_size<T>::value;
}
&&!requires { T{ToBaseOf<T>{}}; }
&&kFieldCount<T> >= 1 && kFieldCount<T> <= kMostFields;

/// References to the fields, as a tuple.
template <class T>
[[nodiscard]] constexpr auto fields_of(T& value) noexcept {
    using Plain = std::remove_const_t<T>;
    if constexpr (kFieldCount<Plain> == 1) {
        auto& [a] = value;
        return std::tie(a);
    } else if constexpr (kFieldCount<Plain> == 2) {
        auto& [a, b] = value;
        return std::tie(a, b);
    } else if constexpr (kFieldCount<Plain> == 3) {
        auto& [a, b, c] = value;
        return std::tie(a, b, c);
    } else if constexpr (kFieldCount<Plain> == 4) {
        auto& [a, b, c, d] = value;
        return std::tie(a, b, c, d);
    } else if constexpr (kFieldCount<Plain> == 5) {
        auto& [a, b, c, d, e] = value;
        return std::tie(a, b, c, d, e);
    } else if constexpr (kFieldCount<Plain> == 6) {
        auto& [a, b, c, d, e, f] = value;
        return std::tie(a, b, c, d, e, f);
    } else if constexpr (kFieldCount<Plain> == 7) {
        auto& [a, b, c, d, e, f, g] = value;
        return std::tie(a, b, c, d, e, f, g);
    } else if constexpr (kFieldCount<Plain> == 8) {
        auto& [a, b, c, d, e, f, g, h] = value;
        return std::tie(a, b, c, d, e, f, g, h);
    } else if constexpr (kFieldCount<Plain> == 9) {
        auto& [a, b, c, d, e, f, g, h, i] = value;
        return std::tie(a, b, c, d, e, f, g, h, i);
    } else if constexpr (kFieldCount<Plain> == 10) {
        auto& [a, b, c, d, e, f, g, h, i, j] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j);
    } else if constexpr (kFieldCount<Plain> == 11) {
        auto& [a, b, c, d, e, f, g, h, i, j, k] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k);
    } else if constexpr (kFieldCount<Plain> == 12) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
    } else if constexpr (kFieldCount<Plain> == 13) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
    } else if constexpr (kFieldCount<Plain> == 14) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
    } else if constexpr (kFieldCount<Plain> == 15) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
    } else if constexpr (kFieldCount<Plain> == 16) {
        auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = value;
        return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    }
}

/// An object that is never made: its fields have addresses, but no values.
template <class T>
union Unmade {
    constexpr Unmade() noexcept : nothing{} {}
    constexpr ~Unmade() {}  // NOLINT(modernize-use-equals-default): deleted, where T has one
    char nothing;
    T value;
};
template <class T>
inline constinit Unmade<T> unmade{};

template <class T>
[[nodiscard]] constexpr bool refer_to_fields(const T& value) noexcept {
    (void)fields_of(value);
    return true;
}

/// None of its fields is a bit-field. To one of those there is no reference; a const one means a copy, and a copy of what has no value is no
/// constant expression.
template <class T>
concept HasReferences = requires {
    typename std::bool_constant<refer_to_fields<T>(unmade<T>.value)>;
};

template <class T>
concept PlainAggregate = FieldsAlone<T> && HasReferences<T>;

}  // namespace shmring::detail
