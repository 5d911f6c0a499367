// System calls that fail when a test says so. The program is linked with -Wl,--wrap=<function> for each of them
// (tests/CMakeLists.txt), so that the library's own calls, and none of libc's, come here first. For one source file of a program.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace shmring::test {

/// At most one is armed. One thread.
class SystemFault {
 public:
    /// From the `nth` call of this function on, counted from 0, it fails so: that call, or that and all after it.
    SystemFault(std::string_view function, int error, std::uint64_t nth, bool for_ever) noexcept
        : function_(function), error_(error), calls_left_(nth), for_ever_(for_ever) {
        armed = this;
    }
    SystemFault(const SystemFault&) = delete;
    SystemFault& operator=(const SystemFault&) = delete;
    ~SystemFault() { armed = nullptr; }

    [[nodiscard]] bool came() const noexcept { return came_; }
    /// 0, or the error that this call has to fail with.
    [[nodiscard]] static int of(std::string_view function) noexcept {
        return armed == nullptr || armed->function_ != function ? 0 : armed->next();
    }

 private:
    [[nodiscard]] int next() noexcept {
        if (calls_left_ != 0) return --calls_left_, 0;
        if (came_ && !for_ever_) return 0;
        came_ = true;
        return error_;
    }

    static inline SystemFault* armed = nullptr;

    std::string_view function_;
    int error_;
    std::uint64_t calls_left_;
    bool for_ever_;
    bool came_ = false;
};

/// -1 and errno, if this call of `function` has to fail; else what `really()` answers.
template <class Really>
[[nodiscard]] auto unless_faulty(std::string_view function, Really&& really) noexcept -> decltype(really()) {
    const int error = SystemFault::of(function);
    if (error == 0) return really();
    errno = error;
    if constexpr (std::is_pointer_v<decltype(really())>)
        return MAP_FAILED;
    else
        return -1;
}

}  // namespace shmring::test

// The linker's names for a wrapped function, and for what it wraps.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern "C" {

int __real_open(const char* path, int flags, ...);
int __wrap_open(const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return shmring::test::unless_faulty("open", [&] { return __real_open(path, flags, mode); });
}
int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);  // an int travels in the same place
    va_end(more);
    return shmring::test::unless_faulty("fcntl", [&] { return __real_fcntl(file, command, argument); });
}
int __real_posix_fallocate(int file, off_t offset, off_t size);
int __wrap_posix_fallocate(int file, off_t offset, off_t size) {
    const int error = shmring::test::SystemFault::of("posix_fallocate");
    return error != 0 ? error : __real_posix_fallocate(file, offset, size);
}

#define SHMRING_WRAP(result, function, parameters, arguments)                                        \
    result __real_##function parameters;                                                             \
    result __wrap_##function parameters {                                                            \
        return shmring::test::unless_faulty(#function, [&] { return __real_##function arguments; }); \
    }
SHMRING_WRAP(int, fstat, (int file, struct stat* status), (file, status))
SHMRING_WRAP(int, lstat, (const char* path, struct stat* status), (path, status))
SHMRING_WRAP(int, fstatvfs, (int file, struct statvfs* folder), (file, folder))
SHMRING_WRAP(int, fchmod, (int file, mode_t mode), (file, mode))
SHMRING_WRAP(int, lchown, (const char* path, uid_t user, gid_t group), (path, user, group))
SHMRING_WRAP(int, linkat, (int from, const char* old, int to, const char* name, int flags),
             (from, old, to, name, flags))
SHMRING_WRAP(int, unlink, (const char* path), (path))
SHMRING_WRAP(int, mkfifo, (const char* path, mode_t mode), (path, mode))
SHMRING_WRAP(ssize_t, readlink, (const char* path, char* text, size_t size), (path, text, size))
SHMRING_WRAP(ssize_t, read, (int file, void* bytes, size_t size), (file, bytes, size))
SHMRING_WRAP(ssize_t, write, (int file, const void* bytes, size_t size), (file, bytes, size))
SHMRING_WRAP(ssize_t, pread, (int file, void* bytes, size_t size, off_t at), (file, bytes, size, at))
SHMRING_WRAP(void*, mmap, (void* place, size_t size, int access, int flags, int file, off_t at),
             (place, size, access, flags, file, at))
SHMRING_WRAP(int, madvise, (void* place, size_t size, int advice), (place, size, advice))
SHMRING_WRAP(int, mlock, (const void* place, size_t size), (place, size))
SHMRING_WRAP(int, memfd_create, (const char* name, unsigned flags), (name, flags))
SHMRING_WRAP(int, eventfd, (unsigned first, int flags), (first, flags))
SHMRING_WRAP(int, epoll_create1, (int flags), (flags))
SHMRING_WRAP(int, epoll_ctl, (int poll, int what, int file, struct epoll_event* event),
             (poll, what, file, event))
SHMRING_WRAP(int, timerfd_create, (int clock, int flags), (clock, flags))
SHMRING_WRAP(ssize_t, getrandom, (void* bytes, size_t size, unsigned flags), (bytes, size, flags))
#undef SHMRING_WRAP

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
