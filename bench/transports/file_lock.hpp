// The user's second alternative: fixed-size records in an ordinary file behind two positions, each operation under a lock.
// Nobody tells a waiting side anything, so both sides try again: lock, look, unlock. The lock is flock, or the one of fcntl;
// fsync before the unlocking is what a file that must survive a power cut takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

enum class LockedBy { flock, fcntl };
enum class Sync { never, always };

template <LockedBy kLock, Sync kSync>
struct LockedFile {
    static constexpr bool kFlock = kLock == LockedBy::flock;
    static constexpr Traits kTraits{
        .name = kSync == Sync::always ? "file-lock-fsync" : (kFlock ? "file-lock" : "file-fcntl-lock"),
        .about = kSync == Sync::always
                     ? "the same as file-lock, and fsync before each unlocking that follows a change"
                     : (kFlock ? "records and two positions in a temporary file, under flock, no fsync; polls"
                               : "the same, locked by fcntl(F_SETLKW), no fsync"),
        .spins = true,
        .own_way = true,
        .paces = false,
        .slow = true};

    struct Positions {
        std::uint64_t write = 0;
        std::uint64_t read = 0;
    };

    static void check(bool good, const char* what) {
        if (!good) throw std::system_error(errno, std::generic_category(), what);
    }

    /// flock belongs to an open file description: each process opens its own, of a file that has no name any more.
    struct File {
        explicit File(int made)
            : fd(::open(("/proc/self/fd/" + std::to_string(made)).c_str(), O_RDWR | O_CLOEXEC)) {
            check(fd >= 0, "open the shared file again");
        }
        ~File() { ::close(fd); }
        File(const File&) = delete;
        File& operator=(const File&) = delete;

        void lock() const { check(locking(kFlock ? LOCK_EX : F_WRLCK) == 0, "lock the shared file"); }
        void unlock() const { check(locking(kFlock ? LOCK_UN : F_UNLCK) == 0, "unlock the shared file"); }
        int locking(int what) const {
            if constexpr (kFlock) return ::flock(fd, what);
            struct flock whole {};
            whole.l_type = static_cast<short>(what);
            return ::fcntl(fd, F_SETLKW, &whole);
        }
        void sync() const {
            if constexpr (kSync == Sync::always) check(::fsync(fd) == 0, "bring the shared file to the disk");
        }
        void read(void* to, std::size_t size, std::size_t offset) const {
            check(::pread(fd, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size),
                  "read the file");
        }
        void write(const void* from, std::size_t size, std::size_t offset) const {
            check(::pwrite(fd, from, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size),
                  "write the file");
        }
        int fd;
    };

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena&) {
            std::string name = (std::filesystem::temp_directory_path() / "shmring-bench-XXXXXX").string();
            made = ::mkostemp(name.data(), O_CLOEXEC);
            check(made >= 0, "make a temporary file");
            ::unlink(name.c_str());
            check(::ftruncate(made, sizeof(Positions) + kRingBytes) == 0, "size the temporary file");
        }
        ~Channel() { ::close(made); }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;
        int made = -1;

        static std::size_t offset_of(std::uint64_t position) {
            return sizeof(Positions) + position % ring_slots(Size) * Size;
        }

        struct Sender {
            explicit Sender(Channel& channel) : file(channel.made) {}
            bool try_send(const Message<Size>& message) {
                Positions at;
                file.lock();
                file.read(&at, sizeof at, 0);
                const bool room = at.write - at.read < ring_slots(Size);
                if (room) {
                    file.write(&message, Size, offset_of(at.write));
                    ++at.write;
                    file.write(&at, sizeof at, 0);
                    file.sync();
                }
                file.unlock();
                return room;
            }
            File file;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : file(channel.made) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Positions at;
                Message<Size> message;
                file.lock();
                file.read(&at, sizeof at, 0);
                const bool some = at.write != at.read;
                if (some) {
                    file.read(&message, Size, offset_of(at.read));
                    ++at.read;
                    file.write(&at, sizeof at, 0);
                    file.sync();
                }
                file.unlock();
                if (some) use(message);
                return some;
            }
            File file;
        };
    };
};

using FileLock = LockedFile<LockedBy::flock, Sync::never>;
using FileFcntlLock = LockedFile<LockedBy::fcntl, Sync::never>;
using FileLockFsync = LockedFile<LockedBy::flock, Sync::always>;

}  // namespace bench
