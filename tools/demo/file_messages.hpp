// The tree once more, over a shmring::ByteRing: one message per file, its path and its contents. The sender reads the file
// from the disk straight into a claimed piece of the ring; the receiver writes what it sees there straight into a new file.
// A file larger than the largest message travels in pieces.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "demo/measure.hpp"

namespace demo {

inline constexpr std::size_t kFileRingBytes = std::size_t{8} << 20;

struct FileRun {
    Effort sender{};
    Effort receiver{};
    std::uint64_t files_sent =
        0;  // the first ones of the tree: all, unless that took too long or too much room
    std::uint64_t files_rebuilt = 0;
    std::uint64_t messages = 0;
    std::uint64_t content_bytes = 0;
    std::uint64_t largest_message = 0;  // that the ring takes

    [[nodiscard]] double seconds() const {
        return static_cast<double>(receiver.end_ns - sender.begin_ns) / 1e9;
    }
};

/// What a file is called below the folder where the tree is rebuilt.
[[nodiscard]] std::filesystem::path name_below(const LoadedFile& file);

struct FileLimits {
    double seconds = 0;
    std::uint64_t bytes = 0;
};

/// Sends the tree's files, as far as the limits allow, to a process that rebuilds them below `folder`.
[[nodiscard]] FileRun send_files(const Stage& stage, const std::filesystem::path& folder,
                                 const FileLimits& limits);

}  // namespace demo
