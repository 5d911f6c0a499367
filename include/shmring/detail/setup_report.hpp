// How set-up says what went wrong: `shmring: open "ticks": ` and then the facts, in a buffer, because an out-of-memory must
// be reportable, too.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string_view>
#include <system_error>

#include "shmring/segment.hpp"

namespace shmring::detail {

/// Text that came from outside, made fit for one line of a log: control characters become '?', the end may be cut off.
class Printable {
 public:
    explicit Printable(std::string_view text) noexcept;
    [[nodiscard]] const char* text() const noexcept { return text_.data(); }

 private:
    std::array<char, 252> text_{};
};

/// Fills one SetupError, which begins as a success. Whoever refuses stops: nothing comes after it.
class SetupReport {
 public:
    /// `action` is what is tried, for people; a name is set in quotes behind it. Both must live as long as the report.
    SetupReport(SetupError& error, const char* action) noexcept
        : SetupReport(error, action, std::string_view()) {}
    SetupReport(SetupError& error, const char* action, std::string_view name) noexcept;
    /// About a segment, by its name if it has one.
    SetupReport(SetupError& error, const char* action, const Segment& segment) noexcept
        : SetupReport(error, action, segment.name().empty() ? std::string_view() : segment.name()) {}

    /// Sets code and text; `format` is printf's. Always false, for `return report.refuse(...)`.
    [[gnu::format(printf, 3, 4)]] bool refuse(std::error_code code, const char* format, ...) noexcept;
    /// The same for an errno, whose description is added to the text.
    [[gnu::format(printf, 3, 4)]] bool refuse_errno(int number, const char* format, ...) noexcept;

    [[nodiscard]] std::error_code code() const noexcept { return error_.code; }
    /// Forgets a refusal that was not the last word.
    void clear() noexcept;

 private:
    void begin(std::error_code code) noexcept;
    [[gnu::format(printf, 2, 3)]] void append(const char* format, ...) noexcept;

    SetupError& error_;
    const char* action_;
    std::string_view name_;
};

}  // namespace shmring::detail
