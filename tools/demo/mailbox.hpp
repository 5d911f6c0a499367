// The fourth way: a file as mailbox. Two positions and a circle of messages in an ordinary file; whoever
// wants to send or receive locks the file, reads the positions, moves one message, writes the positions and
// unlocks. Nobody tells the other side, so who finds no room or no message tries again. Nothing is forced to
// the disk.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "demo/descriptor.hpp"

namespace demo {

struct Positions {
    std::uint64_t write = 0;  // messages ever sent
    std::uint64_t read = 0;   // messages ever received
    std::uint64_t ended = 0;  // 1: the sender has finished
};

/// One side's view of the file: a lock belongs to an open description, so each process opens its own.
class SharedFile {
 public:
    explicit SharedFile(const Descriptor& made)
        : file_(::open(("/proc/self/fd/" + std::to_string(made.number())).c_str(), O_RDWR | O_CLOEXEC),
                "open the mailbox") {}

    /// Runs `change(positions)` under the lock and stores the positions when it says that it changed them.
    template <class Change>
    void locked(Change&& change) {
        lock();
        Positions positions;
        read(&positions, sizeof positions, 0);
        if (change(positions)) write(&positions, sizeof positions, 0);
        if (::flock(file_.number(), LOCK_UN) != 0) fail("unlock the mailbox");
    }
    void read(void* to, std::size_t size, std::size_t offset) const {
        expect(::pread(file_.number(), to, size, static_cast<off_t>(offset)), size, "read the mailbox");
    }
    void write(const void* from, std::size_t size, std::size_t offset) const {
        expect(::pwrite(file_.number(), from, size, static_cast<off_t>(offset)), size, "write the mailbox");
    }

 private:
    void lock() const {
        while (::flock(file_.number(), LOCK_EX) != 0)
            if (errno != EINTR) fail("lock the mailbox");
    }
    static void expect(ssize_t done, std::size_t size, const char* what) {
        if (done < 0) fail(what);
        if (static_cast<std::size_t>(done) != size)
            throw std::runtime_error(std::string(what) + ": only a part");
    }

    Descriptor file_;
};

template <class M>
class MailboxChannel {
 public:
    explicit MailboxChannel(std::size_t capacity) : capacity_(capacity) {
        std::string name = (std::filesystem::temp_directory_path() / "shmring-demo-XXXXXX").string();
        file_ = Descriptor(::mkostemp(name.data(), O_CLOEXEC), "make a mailbox among the temporary files");
        ::unlink(name.c_str());
        const SharedFile file(file_);
        const M zeros{};  // written once, so that the clock does not see the file grow
        const Positions start;
        file.write(&start, sizeof start, 0);
        for (std::size_t index = 0; index != capacity_; ++index)
            file.write(&zeros, sizeof zeros, offset_of(index));
    }

    class Sender {
     public:
        explicit Sender(MailboxChannel& channel) : file_(channel.file_), capacity_(channel.capacity_) {}
        void send(const M& message) {
            for (bool sent = false;;) {
                file_.locked([&](Positions& at) {
                    sent = at.write - at.read < capacity_;
                    if (sent) file_.write(&message, sizeof message, offset_of(at.write++ % capacity_));
                    return sent;
                });
                if (sent) return;
                ::sched_yield();
            }
        }
        void finish() {
            file_.locked([](Positions& at) { return at.ended = 1; });
        }

     private:
        SharedFile file_;
        std::size_t capacity_;
    };

    class Receiver {
     public:
        explicit Receiver(MailboxChannel& channel) : file_(channel.file_), capacity_(channel.capacity_) {}
        [[nodiscard]] bool receive(M& to) {
            for (bool received = false, ended = false;;) {
                file_.locked([&](Positions& at) {
                    received = at.read != at.write;
                    ended = at.ended != 0;
                    if (received) file_.read(&to, sizeof to, offset_of(at.read++ % capacity_));
                    return received;
                });
                if (received || ended) return received;
                ::sched_yield();
            }
        }

     private:
        SharedFile file_;
        std::size_t capacity_;
    };

 private:
    [[nodiscard]] static std::size_t offset_of(std::size_t index) {
        return sizeof(Positions) + index * sizeof(M);
    }

    std::size_t capacity_;
    Descriptor file_;
};

}  // namespace demo
