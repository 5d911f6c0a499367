// The liveness lock: how one process proves to all others that it lives, without doing anything for it.
//
// An open file description keeps an OFD lock until its last reference goes. The only reference here is a
// mapping that no child inherits. So the lock goes exactly with the address space: at death by whatever means
// (and before the process can be waited for), and at exec; and not with descriptors, which an application may
// close, or pass to a child. Needs /proc: it is the way to a fresh description of a file that may have no
// name.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <limits>
#include <mutex>
#include <string_view>
#include <utility>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail::platform {

namespace {

/// For the time that the gate is held no signal from elsewhere reaches this thread: its handler might fork, or take a lock like this one,
/// and would wait for the thread that it interrupted. Those that an instruction of our own raises do: blocked, they would kill the process,
/// and there are sandboxes whose SIGSYS handler opens files for us.
[[nodiscard]] sigset_t hold_signals() noexcept {
    sigset_t from_elsewhere;
    sigset_t before;
    ::sigfillset(&from_elsewhere);
    for (const int our_own : {SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP})
        ::sigdelset(&from_elsewhere, our_own);
    ::pthread_sigmask(SIG_BLOCK, &from_elsewhere, &before);
    return before;
}

/// Keeps fork() and LivenessLock::take() apart. Between the open and the MADV_DONTFORK of take() a forked
/// child would get a copy of the descriptor or of the mapping, and keep the lock as long as *it* lives: its
/// parent could die unnoticed. So fork() waits for a take() under way in another thread. (vfork, posix_spawn
/// and raw clone do not run these handlers; what they start lets go at its exec, so a death is at most
/// noticed late.)
constinit std::mutex fork_gate;

sigset_t signals_at_the_gate;  // of whoever holds it

void close_the_gate() noexcept {
    const sigset_t before = hold_signals();
    fork_gate.lock();
    signals_at_the_gate = before;
}
void open_the_gate() noexcept {
    const sigset_t before = signals_at_the_gate;
    fork_gate.unlock();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
class ClosedGate {
 public:
    ClosedGate() noexcept { close_the_gate(); }
    ClosedGate(const ClosedGate&) = delete;
    ClosedGate& operator=(const ClosedGate&) = delete;
    ~ClosedGate() { open_the_gate(); }
};

[[nodiscard]] int register_fork_gate() noexcept {
    static const int error = ::pthread_atfork(close_the_gate, open_the_gate, open_the_gate);
    return error;
}

/// Registered when the library is loaded, because fork handlers that are registered while a fork() runs may
/// miss it; and early, because fork() takes the locks of later handlers first, which code that holds those
/// locks and attaches relies on.
[[maybe_unused]] const int registered_at_load = register_fork_gate();

[[nodiscard]] std::error_code system_error_code(int number) noexcept {
    return {number, std::generic_category()};
}

class Descriptor {
 public:
    explicit Descriptor(int value) noexcept : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(other.give_away()) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    [[nodiscard]] int get() const noexcept { return value_; }
    [[nodiscard]] int give_away() noexcept { return std::exchange(value_, -1); }

 private:
    int value_;
};

/// A new description of the same file. Through /proc, because a name may lead to another file by now, or to
/// none.
[[nodiscard]] Descriptor open_again(int descriptor) noexcept {
    constexpr std::string_view kFolder =
        "/proc/thread-self/fd/";  // "self" is gone once the main thread has ended
    std::array<char, kFolder.size() + std::numeric_limits<int>::digits10 + 3>
        path{};  // sign, last digit, zero
    char* const number = std::copy(kFolder.begin(), kFolder.end(), path.begin());
    std::to_chars(number, path.end() - 1, descriptor);
    return Descriptor{::open(path.data(), O_RDWR | O_CLOEXEC)};
}

[[nodiscard]] struct flock lock_on(std::uint64_t byte, short type) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(byte);  // the kernel refuses what comes out negative
    lock.l_len = 1;
    return lock;
}

/// A fresh description of `file` that holds `byte`; empty and `error` otherwise. `page_size` is that of its file system.
[[nodiscard]] Descriptor open_and_lock(int descriptor, const FileIdentity& file, std::uint64_t byte,
                                       short type, std::size_t& page_size, std::error_code& error) noexcept {
    Descriptor fresh = open_again(descriptor);
    struct stat status {};
    if (fresh.get() < 0 || ::fstat(fresh.get(), &status) != 0) {
        error = system_error_code(errno);
        return Descriptor{-1};
    }
    // The application may have closed our descriptor, and opened something else since: locking that would
    // prove nothing.
    if (FileIdentity{status.st_dev, status.st_ino} != file) {
        error = system_error_code(EBADF);
        return Descriptor{-1};
    }
    struct flock request = lock_on(byte, type);
    if (::fcntl(fresh.get(), F_OFD_SETLK, &request) != 0) {
        error = system_error_code(errno == EACCES ? EAGAIN : errno);
        return Descriptor{-1};
    }
    // As large as the file system's own pages, because hugetlbfs unmaps nothing less.
    page_size = std::max(kPageSize, static_cast<std::size_t>(status.st_blksize));
    return fresh;
}

/// Keeps the description as long as it stands. Never touched, so it takes address space and nothing else. Null and `error`.
[[nodiscard]] void* map_page(const Descriptor& locked, std::size_t size, std::error_code& error) noexcept {
    void* const page = ::mmap(nullptr, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, locked.get(), 0);
    if (page != MAP_FAILED) return page;
    error = system_error_code(errno == EAGAIN ? ENOMEM : errno);  // EAGAIN is mmap's word for the mlock limit
    return nullptr;
}

/// False and `error`: a lock must not be taken, for a child forked meanwhile would keep it.
[[nodiscard]] bool gate_is_there(std::error_code& error) noexcept {
    const int gate_error = register_fork_gate();
    if (gate_error != 0) error = system_error_code(gate_error);
    return gate_error == 0;
}

}  // namespace

FileIdentity file_identity(int descriptor, std::error_code& error) noexcept {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        error = system_error_code(errno);
        return {};
    }
    return {status.st_dev, status.st_ino};
}

LivenessLock LivenessLock::take(int descriptor, const FileIdentity& file, std::uint64_t byte,
                                std::error_code& error) noexcept {
    LivenessLock lock;
    const std::uint64_t token = process_token();
    if (!gate_is_there(error)) return lock;
    if (token == 0) {
        error = system_error_code(ENOMEM);
        return lock;
    }

    const ClosedGate no_fork_now;
    std::size_t size = 0;
    const Descriptor fresh = open_and_lock(descriptor, file, byte, F_WRLCK, size, error);
    if (fresh.get() < 0) return lock;
    void* const page = map_page(fresh, size, error);
    if (page == nullptr) return lock;
    if (::madvise(page, size, MADV_DONTFORK) != 0) {
        error = system_error_code(errno);
        ::munmap(page, size);
        return lock;
    }
    lock.page_ = page;
    lock.page_size_ = size;
    lock.owner_word_ = process_token_word();
    lock.owner_token_ = token;
    return lock;  // here `fresh` is closed, and the mapping is the only reference
}

LivenessLock::LivenessLock(LivenessLock&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)),
      page_size_(std::exchange(other.page_size_, 0)),
      owner_word_(other.owner_word_),
      owner_token_(std::exchange(other.owner_token_, 0)) {}

LivenessLock& LivenessLock::operator=(LivenessLock&& other) noexcept {
    if (this == &other) return *this;
    release();
    page_ = std::exchange(other.page_, nullptr);
    page_size_ = std::exchange(other.page_size_, 0);
    owner_word_ = other.owner_word_;
    owner_token_ = std::exchange(other.owner_token_, 0);
    return *this;
}

void LivenessLock::release() noexcept {
    void* const page = std::exchange(page_, nullptr);
    if (page == nullptr) return;
    // A forked child has no such mapping: something else of its own may have come to stand at that address.
    // By the word of the copy of this library that took it: a plug-in's own copy has another.
    if (owner_word_->load(relaxed) == owner_token_) ::munmap(page, page_size_);
}

Tether::Tether(Tether&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)), page_size_(std::exchange(other.page_size_, 0)) {}

Tether& Tether::operator=(Tether&& other) noexcept {
    if (this == &other) return *this;
    let_go();
    page_ = std::exchange(other.page_, nullptr);
    page_size_ = std::exchange(other.page_size_, 0);
    return *this;
}

Tether Tether::take(int descriptor, const FileIdentity& file, std::uint64_t byte,
                    std::error_code& error) noexcept {
    Tether tether;
    if (!gate_is_there(error)) return tether;
    const ClosedGate no_fork_now;  // a child is to inherit the mapping, not the descriptor
    std::size_t size = 0;
    const Descriptor fresh = open_and_lock(descriptor, file, byte, F_RDLCK, size, error);
    if (fresh.get() < 0) return tether;
    tether.page_ = map_page(fresh, size, error);
    tether.page_size_ = size;
    return tether;
}

int Tether::tied_descriptor(int descriptor, const FileIdentity& file, std::uint64_t byte,
                            std::error_code& error) noexcept {
    std::size_t unused = 0;
    Descriptor fresh = open_and_lock(descriptor, file, byte, F_RDLCK, unused, error);
    return fresh.give_away();
}

void Tether::let_go() noexcept {
    void* const page = std::exchange(page_, nullptr);
    if (page != nullptr) ::munmap(page, page_size_);  // a forked child has this mapping as we have
}

namespace {

/// Whether anybody holds `question`, which the answer replaces. A sandbox may refuse the younger of the two calls, which is to be asked
/// first: the older one sees the same locks, because ours are never of the kind it calls its own.
[[nodiscard]] bool ask_after(int descriptor, struct flock& question) noexcept {
    for (const int how : {F_OFD_GETLK, F_GETLK}) {
        struct flock asked = question;
        if (::fcntl(descriptor, how, &asked) != 0) continue;
        question = asked;
        return true;
    }
    return false;
}

}  // namespace

LockState probe_lock(int descriptor, const FileIdentity& file, std::uint64_t byte) noexcept {
    const auto is_still_the_file = [&] {
        struct stat status {};
        return ::fstat(descriptor, &status) == 0 && FileIdentity{status.st_dev, status.st_ino} == file;
    };
    struct flock question = lock_on(byte, F_WRLCK);
    if (!is_still_the_file() || !ask_after(descriptor, question)) return LockState::unknown;
    if (question.l_type != F_UNLCK) return LockState::held;
    // "Free" lets survivors take over, so it must not be the answer about a file that another thread put here
    // meanwhile.
    return is_still_the_file() ? LockState::free : LockState::unknown;
}

}  // namespace shmring::detail::platform
