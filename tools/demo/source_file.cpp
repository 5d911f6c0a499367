// open, fstat, read and fstat again.
// SPDX-License-Identifier: MIT
#include "demo/source_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace demo {

namespace {

std::optional<Stamp> stamp_of(const Descriptor& file) {
    struct stat facts {};
    if (::fstat(file.number(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
    constexpr std::int64_t kNsPerSecond = 1'000'000'000;
    return Stamp{.device = facts.st_dev,
                 .inode = facts.st_ino,
                 .size = static_cast<std::uint64_t>(facts.st_size),
                 .modified_ns = facts.st_mtim.tv_sec * kNsPerSecond + facts.st_mtim.tv_nsec};
}

}  // namespace

std::optional<SourceFile> SourceFile::open(const std::string& path) {
    // Without O_NONBLOCK, a FIFO that took the place of the file meanwhile would keep us for ever.
    const int number = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (number < 0) return {};
    Descriptor file(number, "open a file");
    const std::optional<Stamp> stamp = stamp_of(file);
    if (!stamp) return {};
    return SourceFile(std::move(file), *stamp);
}

SourceFile::Outcome SourceFile::read(std::span<std::byte> to) const {
    while (!to.empty()) {
        const ssize_t got = ::read(file_.number(), to.data(), to.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Outcome::failed;
        if (got == 0) return Outcome::changed;
        to = to.subspan(static_cast<std::size_t>(got));
    }
    return stamp_of(file_) == stamp_ ? Outcome::read : Outcome::changed;
}

}  // namespace demo
