// One file on disk, read such that a change while it is being read does not go unnoticed.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "demo/descriptor.hpp"

namespace demo {

/// Which file it is and when it changed last: as long as this is the same, so are its contents.
struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Stamp&) const = default;
};

class SourceFile {
 public:
    /// Nothing when it cannot be opened or is no regular file.
    [[nodiscard]] static std::optional<SourceFile> open(const std::string& path);

    [[nodiscard]] const Stamp& stamp() const { return stamp_; }

    enum class Outcome { read, failed, changed };
    /// Reads the first `to.size()` bytes. `changed` when the file is another than at open(), or too short.
    [[nodiscard]] Outcome read(std::span<std::byte> to) const;

 private:
    SourceFile(Descriptor file, const Stamp& stamp) : file_(std::move(file)), stamp_(stamp) {}

    Descriptor file_;
    Stamp stamp_;
};

}  // namespace demo
