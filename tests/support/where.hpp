// Where in the source a call stands: std::source_location, or the same by hand for Clang 14, which has no part in the library's.
// SPDX-License-Identifier: MIT
#pragma once

#include <source_location>

namespace shmring::test {

#ifdef __cpp_lib_source_location
using Where = std::source_location;
#else
class Where {
 public:
    [[nodiscard]] static constexpr Where current(const char* file = __builtin_FILE(),
                                                 unsigned line = __builtin_LINE(),
                                                 unsigned column = __builtin_COLUMN()) noexcept {
        Where where;
        where.file_ = file;
        where.line_ = line;
        where.column_ = column;
        return where;
    }
    [[nodiscard]] constexpr const char* file_name() const noexcept { return file_; }
    [[nodiscard]] constexpr unsigned line() const noexcept { return line_; }
    [[nodiscard]] constexpr unsigned column() const noexcept { return column_; }

 private:
    const char* file_ = "";
    unsigned line_ = 0;
    unsigned column_ = 0;
};
#endif

}  // namespace shmring::test
