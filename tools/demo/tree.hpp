// The input: directory trees and files, read into memory once, as one stream of bytes cut into blocks.
//
// For each regular file, in the order of the names: a header of 16 bytes (size of what follows of the file, 8
// bytes; length of the path, 8 bytes), the path, the contents. Then a header of zeros, and zeros up to the
// end of the last block.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "demo/message.hpp"
#include "demo/source_file.hpp"

namespace demo {

struct LoadedFile {
    std::string path{};
    std::uint64_t size =
        0;  // bytes of it in the stream: all, unless it was the one at which the loading stopped
    std::size_t position = 0;  // of its contents in the stream
    Stamp stamp{};
};

using FileHeader = std::array<std::byte, 16>;
[[nodiscard]] FileHeader header_of(const LoadedFile& file);

struct LoadLimits {
    std::uint64_t bytes = 0;
    double seconds = 0;
};
/// As much as leaves both processes, and everybody else, enough memory and time.
[[nodiscard]] LoadLimits sensible_limits();

class Tree {
 public:
    /// Reads everything under `paths`. A path that is neither a directory nor a readable regular file throws
    /// std::invalid_argument. `tick` is called now and then.
    Tree(const std::vector<std::string>& paths, const LoadLimits& limits,
         const std::function<void(const Tree&)>& tick);

    [[nodiscard]] std::span<const Block> blocks() const { return blocks_; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return std::as_bytes(blocks()); }
    [[nodiscard]] const std::vector<LoadedFile>& files() const { return files_; }
    [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }

    // What is not in the stream: how many, of which kind.
    struct Skipped {
        std::uint64_t not_regular = 0;  // symbolic links, devices, sockets, FIFOs
        std::uint64_t unreadable = 0;   // files and directories
        std::uint64_t changed = 0;      // files that changed while they were being read
        std::string why_stopped{};      // not empty: there is more than was read
    };
    [[nodiscard]] const Skipped& skipped() const { return skipped_; }

 private:
    friend class Loader;
    std::vector<Block> blocks_{};
    std::vector<LoadedFile> files_{};
    std::uint64_t content_bytes_ = 0;
    Skipped skipped_{};
};

/// For messages: in quotation marks, with control characters made visible.
[[nodiscard]] std::string quoted(const std::string& path);

}  // namespace demo
