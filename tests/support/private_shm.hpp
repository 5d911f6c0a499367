// A /dev/shm of one child process's own, as small or as odd as a test wants it. Needs no root, but user namespaces.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace shmring::test {

/// In a child with one thread: from here on mounts are its own. False where the kernel or a sandbox refuses.
[[nodiscard]] inline bool enter_private_mounts() {
    const std::string user = std::to_string(::geteuid());
    const std::string group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    const auto write = [](const char* path, const std::string& text) {
        const int file = ::open(path, O_WRONLY | O_CLOEXEC);
        const bool written =
            file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        if (file >= 0) ::close(file);
        return written;
    };
    return write("/proc/self/setgroups", "deny") && write("/proc/self/uid_map", user + " " + user + " 1") &&
           write("/proc/self/gid_map", group + " " + group + " 1");
}

/// Replaces /dev/shm by a tmpfs with these mount options, until the end of the scope.
class PrivateShm {
 public:
    explicit PrivateShm(const std::string& options)
        : mounted_(::mount("shmring-test", "/dev/shm", "tmpfs", 0, options.c_str()) == 0) {
        if (!mounted_) std::perror("mount of a tmpfs");
    }
    PrivateShm(const PrivateShm&) = delete;
    PrivateShm& operator=(const PrivateShm&) = delete;
    ~PrivateShm() {
        if (mounted_) ::umount2("/dev/shm", MNT_DETACH);
    }
    explicit operator bool() const { return mounted_; }

 private:
    bool mounted_;
};

}  // namespace shmring::test
