// Bytes through a one-way pipe: parts of a buffer, an empty message, and a buffer that is too small at first.
// SPDX-License-Identifier: MIT
#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include <shmring/shmring.hpp>

#include "children.hpp"

int main() try {
    using shmring::Status;
    auto ends = shmring::BytePipe::pair({.capacity_bytes = 4096, .duplex = false});
    auto& reader = ends.first;  // as in Python: the first end reads, the second writes
    auto& writer = ends.second;
    Children children;
    children.start([&] {
        reader.close();
        constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz";
        const auto alphabet = std::as_bytes(std::span(kAlphabet));
        const bool sent = writer.send({alphabet, 0, 5}) && writer.send({alphabet, 23}) &&
                          writer.send({alphabet, 26}) && writer.send(alphabet);
        return sent ? 0 : 1;  // and the end is closed when this process is gone
    });
    writer.close();

    std::array<char, 8> buffer{};
    for (;;) {
        auto size = reader.recv(std::as_writable_bytes(std::span(buffer)));
        if (size) {
            std::printf("%zu bytes: \"%.*s\"\n", *size, static_cast<int>(*size), buffer.data());
        } else if (size.error() == Status::too_large) {  // it stays where it is
            std::string text;
            std::printf("needs %zu bytes\n", reader.needed_bytes());
            if (reader.recv(text)) std::printf("%zu bytes: \"%s\"\n", text.size(), text.c_str());
        } else {
            std::printf("%s\n", to_string(size.error()));
            break;
        }
    }
    return children.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "byte_pipe: %s\n", error.what());
    return 1;
}
