// Codec: how a value becomes bytes and comes back. The compiler finds the codec by the type.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/detail/aggregate.hpp"
#include "shmring/message.hpp"

namespace shmring {

template <class T>
struct Codec;

/// A message as it lies in memory that somebody else owns.
using Bytes = std::span<const std::byte>;

/// What Codec<T>::size() answers for a value that cannot be sent: its push takes no room and answers too_large.
inline constexpr std::size_t kNotEncodable = std::numeric_limits<std::size_t>::max();

/// A type whose values can be sent.
template <class T>
concept Encodable = requires(const T& value, std::span<std::byte> to) {
    { Codec<T>::size(value) }
    noexcept->std::same_as<std::size_t>;
    { Codec<T>::encode(value, to) }
    noexcept;
};

/// A type whose values can be received.
template <class T>
concept Decodable = requires(Bytes from, T& value) {
    { Codec<T>::decode(from, value) } -> std::same_as<bool>;
};

namespace detail {

/// Not one that puts together what others write: those of fields and elements.
template <class T>
concept HasCodecOfItsOwn = !requires {
    Codec<T>::kOfParts;
};
template <class T>
concept HasCodec = HasCodecOfItsOwn<T> || Encodable<T> || Decodable<T>;

template <class T, class... Outer>
consteval bool holds_itself() noexcept;
template <class T, class... Outer>
struct AmongParts {
    static constexpr bool kHoldItself = false;
};
template <class... Field, class... Outer>
struct AmongParts<std::tuple<Field&...>, Outer...> {
    static constexpr bool kHoldItself = (holds_itself<Field, Outer...>() || ...);
};
template <class Element, class... Outer>
struct AmongParts<std::vector<Element>, Outer...> {
    static constexpr bool kHoldItself = holds_itself<Element, Outer...>();
};
/// By way of fields and elements without a codec of their own it, or a type in it, comes to values of its own type, as a tree does. How
/// deep those go would be the sender's choice, and the reader's stack is not endless.
template <class T, class... Outer>
consteval bool holds_itself() noexcept {
    if constexpr ((std::same_as<T, Outer> || ...))
        return true;
    else if constexpr (HasCodecOfItsOwn<T>)
        return false;
    else if constexpr (PlainAggregate<T>)
        return AmongParts<decltype(fields_of(std::declval<T&>())), T, Outer...>::kHoldItself;
    else
        return AmongParts<T, T, Outer...>::kHoldItself;
}

template <class Fields>
inline constexpr bool kHaveCodecs = false;
template <class... Field>
inline constexpr bool kHaveCodecs<std::tuple<Field&...>> = ((Encodable<Field> && Decodable<Field>)&&...);

template <class T>
concept AggregateOfCodecs = !Message<T> && PlainAggregate<T> && !holds_itself<T>() &&
                            kHaveCodecs<decltype(fields_of(std::declval<T&>()))>;

template <class T>
inline constexpr bool kIsVectorOfCodecs = false;
template <class Element>
requires(!Message<Element>) inline constexpr bool kIsVectorOfCodecs<std::vector<Element>> =
    Encodable<Element> && Decodable<Element>;
template <class T>
concept VectorOfCodecs = kIsVectorOfCodecs<T>;
template <class T>
concept PutTogether = VectorOfCodecs<T> || AggregateOfCodecs<T>;

template <class T>
struct Part;

/// The reason in words, where a concept would only name itself.
template <class T>
constexpr bool explain_codec() {
    static_assert(!std::is_pointer_v<T>,
                  "a pointer has no codec: its target does not exist in the other process");
    static_assert(
        HasCodec<T> || !FieldsAlone<T> || HasReferences<T>,
        "a struct with a bit-field and a field that is no Message has no codec by itself: specialise "
        "shmring::Codec<T> for it");
    static_assert(
        HasCodec<T> || !holds_itself<T>(),
        "a type that holds values of its own type has no codec by itself, because its sender would say "
        "how deep the reader's stack goes: specialise shmring::Codec<T> for it");
    static_assert(HasCodec<T>,
                  "this type is neither a Message, nor a string, vector or aggregate of such: specialise "
                  "shmring::Codec<T> for it");
    return HasCodec<T>;
}

}  // namespace detail

/// Specialise it for types of your own:
///
///     template <> struct shmring::Codec<Order> {
///         static std::size_t size(const Order&) noexcept;                      // bytes that encode() writes, or kNotEncodable
///         static void encode(const Order&, std::span<std::byte>) noexcept;     // exactly that many
///         static bool decode(Bytes, Order&);                                   // false: these bytes are no Order
///     };
///
/// There are codecs for every Message (its bytes), std::string and std::string_view (their characters; a view can only be sent),
/// and std::vector of a Message (their bytes) or of anything else that has a codec (each element behind its 32-bit size). A struct of up to
/// 16 fields that all have one, has one by itself: `struct Order { std::uint32_t number; std::string text; std::vector<double> prices; };`.
/// It must be an aggregate (no constructors, no private fields) without base classes, C arrays and bit-fields, and come to no values of
/// its own type (a tree's depth would be the sender's choice, and the reader's stack is not endless). Fields travel in their order:
/// Messages as their bytes, others behind their 32-bit size. Change the schema when you change the fields.
template <class T>
struct Codec {  // of parts; here, so that any specialisation of a user's goes before it
    static constexpr bool kOfParts = true;
    static std::size_t size(const T& value) noexcept requires detail::PutTogether<T> {
        std::size_t sum = 0;
        each(value, [&sum](const auto& field) noexcept { part(field).add_size(field, sum); });
        return sum;
    }
    static void encode(const T& value, std::span<std::byte> to) noexcept requires detail::PutTogether<T> {
        each(value, [&to](const auto& field) noexcept { part(field).encode(field, to); });
    }
    static bool decode(Bytes from, T& value) requires detail::PutTogether<T> {
        bool is_one = true;
        if constexpr (detail::VectorOfCodecs<T>) {
            value.clear();
            while (is_one && !from.empty()) is_one = part(value.emplace_back()).decode(from, value.back());
        } else {
            each(value, [&](auto& field) { is_one = is_one && part(field).decode(from, field); });
        }
        return is_one && from.empty();
    }

 private:
    template <class Field>
    static constexpr detail::Part<std::remove_const_t<Field>> part(Field&) noexcept {
        return {};
    }
    template <class Value, class Call>
    static void each(Value& value, Call&& call) {
        if constexpr (detail::VectorOfCodecs<T>)
            for (auto& element : value) call(element);
        else
            std::apply([&call](auto&... field) { (call(field), ...); }, detail::fields_of(value));
    }
};

template <Message T>
struct Codec<T> {
    static constexpr bool kHasOneSize = true;  // which a user's own codec of a Message may not have
    static std::size_t size(const T&) noexcept { return sizeof(T); }
    static void encode(const T& value, std::span<std::byte> to) noexcept {
        std::memcpy(to.data(), &value, sizeof(T));
    }
    static bool decode(Bytes from, T& value) noexcept {
        if (from.size() != sizeof(T)) return false;
        if constexpr (std::same_as<T, bool>) {
            std::uint8_t byte = 0;  // read once: its writer may still be at it
            std::memcpy(&byte, from.data(), 1);
            value = byte == 1;
            return byte <= 1;  // or no bool
        } else {
            std::memcpy(&value, from.data(), sizeof(T));
            return true;
        }
    }
};

template <>
struct Codec<std::string_view> {
    static std::size_t size(std::string_view text) noexcept { return text.size(); }
    static void encode(std::string_view text, std::span<std::byte> to) noexcept {
        if (!text.empty()) std::memcpy(to.data(), text.data(), text.size());
    }
};

template <>
struct Codec<std::string> {
    static std::size_t size(const std::string& text) noexcept { return text.size(); }
    static void encode(const std::string& text, std::span<std::byte> to) noexcept {
        Codec<std::string_view>::encode(text, to);
    }
    static bool decode(Bytes from, std::string& text) {
        text.assign(reinterpret_cast<const char*>(from.data()), from.size());
        return true;
    }
};

template <Message T>
requires(!std::same_as<T, bool>)  // std::vector<bool> has no bytes to copy
    struct Codec<std::vector<T>> {
    static std::size_t size(const std::vector<T>& values) noexcept { return values.size() * sizeof(T); }
    static void encode(const std::vector<T>& values, std::span<std::byte> to) noexcept {
        if (!values.empty()) std::memcpy(to.data(), values.data(), values.size() * sizeof(T));
    }
    static bool decode(Bytes from, std::vector<T>& values) {
        if (from.size() % sizeof(T) != 0) return false;
        values.resize(from.size() / sizeof(T));
        if (!values.empty()) std::memcpy(values.data(), from.data(), from.size());
        return true;
    }
};

namespace detail {

template <class T>
concept HasOneSize = requires {
    Codec<T>::kHasOneSize;
};

/// A value among others: the bytes of a Message, unless it has a codec of its user's; anything else behind its 32-bit size.
template <class T>
struct Part {
    static constexpr std::size_t kPrefix = HasOneSize<T> ? 0 : sizeof(std::uint32_t);

    /// Adds its size to that of the parts before it; kNotEncodable stays what it is.
    static void add_size(const T& value, std::size_t& sum) noexcept {
        const std::size_t size = Codec<T>::size(value);
        const bool fits =
            size <= std::numeric_limits<std::uint32_t>::max() && sum <= kNotEncodable - kPrefix - size;
        sum = fits ? sum + kPrefix + size : kNotEncodable;
    }
    /// Writes it and goes on behind it.
    static void encode(const T& value, std::span<std::byte>& to) noexcept {
        const std::size_t size = Codec<T>::size(value);
        if constexpr (kPrefix != 0)
            Codec<std::uint32_t>::encode(static_cast<std::uint32_t>(size), to.first(kPrefix));
        Codec<T>::encode(value, to.subspan(kPrefix, size));
        to = to.subspan(kPrefix + size);
    }
    /// Reads it and goes on behind it.
    static bool decode(Bytes& from, T& value) {
        std::uint32_t size = sizeof(T);
        if (from.size() < kPrefix) return false;
        if constexpr (kPrefix != 0) (void)Codec<std::uint32_t>::decode(from.first(kPrefix), size);
        from = from.subspan(kPrefix);
        if (size > from.size() || !Codec<T>::decode(from.first(size), value)) return false;
        from = from.subspan(size);
        return true;
    }
};

}  // namespace detail

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
