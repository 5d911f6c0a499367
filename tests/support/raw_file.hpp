// Files as somebody else may have put them into /dev/shm, byte by byte.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "shmring/detail/layout.hpp"
#include "shmring/detail/segment_header.hpp"

namespace shmring::test {

using Bytes = std::vector<std::byte>;

[[nodiscard]] inline Bytes read_bytes(const std::string& path) {
    Bytes bytes;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(file, 0) << path;
    struct stat status {};
    EXPECT_EQ(::fstat(file, &status), 0);
    bytes.resize(static_cast<std::size_t>(status.st_size));
    EXPECT_EQ(::read(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(file);
    return bytes;
}

inline void write_bytes(const std::string& path, const Bytes& bytes, unsigned mode = 0600) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    EXPECT_GE(file, 0) << path;
    EXPECT_EQ(::fchmod(file, mode), 0);
    EXPECT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(file);
}

/// Changes one field of a header in a copy of a segment's bytes.
template <class Field>
void set_field(Bytes& bytes, std::size_t offset, Field value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

/// Makes the checksum right again: what a forger would do, and what shows that each field is checked for itself.
inline void fix_checksum(Bytes& bytes) {
    set_field(bytes, offsetof(detail::SegmentHeader, checksum), detail::header_checksum(bytes.data()));
}

}  // namespace shmring::test
