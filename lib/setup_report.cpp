// Building the text of a SetupError, and throwing it.
// SPDX-License-Identifier: MIT

#include "shmring/detail/setup_report.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace shmring::detail {

namespace {

/// Prints behind what `text` holds already; what does not fit is cut off.
void print_behind(SetupError& error, const char* format, std::va_list arguments) noexcept {
    const std::size_t used = std::strlen(error.text);
    (void)std::vsnprintf(error.text + used, sizeof error.text - used, format, arguments);
}

/// What strerror_r() answers: the words, as glibc has it, or whether they are in `room`, as POSIX has it.
[[nodiscard, maybe_unused]] const char* words_of(const char* words, const char* /*room*/) noexcept {
    return words;
}
[[nodiscard, maybe_unused]] const char* words_of(int error, const char* room) noexcept {
    return error == 0 ? room : "an error the C library has no words for";
}

/// std::system_error adds the category's sentence to what(); ours has said all there is to say.
class SetupFailure : public std::system_error {
 public:
    explicit SetupFailure(const SetupError& error) : std::system_error(error.code), error_(error) {}
    [[nodiscard]] const char* what() const noexcept override { return error_.text; }

 private:
    SetupError error_;
};

}  // namespace

Printable::Printable(std::string_view text) noexcept {
    const std::size_t room = text_.size() - 1;
    std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), room)),
                   text_.begin(),
                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c; });
}

SetupReport::SetupReport(SetupError& error, const char* action, std::string_view name) noexcept
    : error_(error), action_(action), name_(name) {
    clear();
}

void SetupReport::clear() noexcept {
    error_.code.clear();
    error_.text[0] = '\0';
}

void SetupReport::begin(std::error_code code) noexcept {
    error_.code = code;
    error_.text[0] = '\0';
    append("shmring: %s", action_);
    if (name_.data() != nullptr) append(" \"%s\"", Printable{name_}.text());
    append(": ");
}

void SetupReport::append(const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    print_behind(error_, format, arguments);
    va_end(arguments);
}

bool SetupReport::refuse(std::error_code code, const char* format, ...) noexcept {
    begin(code);
    std::va_list arguments;
    va_start(arguments, format);
    print_behind(error_, format, arguments);
    va_end(arguments);
    return false;
}

bool SetupReport::refuse_errno(int number, const char* format, ...) noexcept {
    begin({number, std::generic_category()});
    std::va_list arguments;
    va_start(arguments, format);
    print_behind(error_, format, arguments);
    va_end(arguments);
    std::array<char, 128> room{};  // none that all threads share
    append(": %s", words_of(::strerror_r(number, room.data(), room.size()), room.data()));
    return false;
}

void throw_setup_error(const SetupError& error) { throw SetupFailure{error}; }

}  // namespace shmring::detail
