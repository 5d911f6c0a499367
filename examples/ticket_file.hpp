// How many tickets are left, in a file, as programs do it that have no shared memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <system_error>

class TicketFile {
 public:
    explicit TicketFile(int tickets) : stream_(std::tmpfile()) {
        if (stream_ == nullptr || !set(tickets))
            throw std::system_error(errno, std::system_category(), "tmpfile");
    }
    TicketFile(const TicketFile&) = delete;
    TicketFile& operator=(const TicketFile&) = delete;
    ~TicketFile() { std::fclose(stream_); }

    [[nodiscard]] int left() const {
        std::array<char, 16> text{};
        if (::pread(file(), text.data(), text.size() - 1, 0) <= 0) return 0;
        return static_cast<int>(std::strtol(text.data(), nullptr, 10));
    }
    [[nodiscard]] bool set(int left) const {
        std::array<char, 16> text{};
        const int size = std::snprintf(text.data(), text.size(), "%8d\n", left);
        return ::pwrite(file(), text.data(), static_cast<std::size_t>(size), 0) == size;
    }
    /// True: we have one.
    [[nodiscard]] bool buy() const {
        const int before = left();
        return before > 0 && set(before - 1);
    }
    /// The same, one process at a time.
    [[nodiscard]] bool buy_locked() const {
        if (::lockf(file(), F_LOCK, 0) != 0) return false;
        const bool bought = buy();
        return ::lockf(file(), F_ULOCK, 0) == 0 && bought;
    }

 private:
    [[nodiscard]] int file() const { return ::fileno(stream_); }
    std::FILE* stream_;
};
