// The codecs on any bytes: decoding says no, or gives a value that encodes to these bytes again.
// SPDX-License-Identifier: MIT

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fuzz_memory.hpp"
#include "fuzz_target.hpp"
#include "shmring/codec.hpp"

namespace {

using shmring::Bytes;
using shmring::Codec;

template <class T>
void decode(Bytes from) {
    T value{};
    if (!Codec<T>::decode(from, value)) return;
    shmring::test::insist(Codec<T>::size(value) == from.size());
    std::vector<std::byte> again(from.size());
    Codec<T>::encode(value, again);
    shmring::test::insist(from.empty() || std::memcmp(again.data(), from.data(), from.size()) == 0);
}

struct Inner {
    std::uint16_t number = 0;
    std::string text{};
};
struct Outer {
    bool flag = false;
    std::vector<Inner> inner{};
    std::string text{};
    std::array<std::uint8_t, 3> bytes{};
    std::vector<std::uint32_t> numbers{};
};

}  // namespace

void shmring::test::fuzz(FuzzInput& input) {
    const Bytes from = std::as_bytes(input.rest());
    decode<std::uint32_t>(from);
    decode<std::array<std::uint64_t, 3>>(from);
    decode<std::string>(from);
    decode<std::vector<std::uint16_t>>(from);
    decode<std::vector<std::string>>(from);
    decode<std::vector<std::vector<std::uint32_t>>>(from);
    decode<std::vector<std::vector<std::string>>>(from);
    decode<Inner>(from);
    decode<Outer>(from);
    decode<std::vector<Outer>>(from);
}
