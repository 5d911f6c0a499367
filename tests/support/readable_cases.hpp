// The rings that waiting by descriptor is tried on: both kinds of ring, named and without a name, as carriers of numbers.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {

using Numbers = SpscRing<std::uint64_t>;

struct OfNumbers {
    using Ring = Numbers;
    static RingOptions options(std::chrono::nanoseconds period) {
        return {.capacity = 16, .liveness_period = period};
    }
    static bool push(Ring::Producer& out, std::uint64_t number) { return out.push(number).has_value(); }
    static Result<std::uint64_t> take(Ring::Consumer& in) { return in.try_pop(); }
};
struct OfBytes {
    using Ring = ByteRing;
    static ByteRingOptions options(std::chrono::nanoseconds period) {
        return {.capacity_bytes = 256, .liveness_period = period};
    }
    static bool push(Ring::Producer& out, std::uint64_t number) { return out.push_value(number).has_value(); }
    static Result<std::uint64_t> take(Ring::Consumer& in) {
        auto view = in.try_next();
        if (!view) return view.error();
        std::uint64_t number = 0;
        std::memcpy(&number, view->bytes().data(), sizeof number);
        return number;
    }
};

template <class Kind>
struct Named : Kind {
    explicit Named(std::chrono::nanoseconds period) : ring(Kind::Ring::create(name, Kind::options(period))) {}
    UniqueName name{};
    typename Kind::Ring ring;
};
template <class Kind>
struct Anonymous : Kind {
    explicit Anonymous(std::chrono::nanoseconds period) : ring(make(Kind::options(period))) {}
    template <class Options>
    static typename Kind::Ring make(Options options) {
        options.segment.bell = true;
        return Kind::Ring::anonymous(options);
    }
    typename Kind::Ring ring;
};

/// Takes numbers until there is none: what the last call answered.
template <class Case, class Consumer>
[[nodiscard]] Status drain(Consumer& in, std::vector<std::uint64_t>& taken) {
    for (;;) {
        const auto number = Case::take(in);
        if (!number) return number.error();
        taken.push_back(*number);
    }
}

}  // namespace shmring::test
