// The third way: a pipe, one write and one read for each message.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>

#include "demo/descriptor.hpp"
#include "demo/message.hpp"

namespace demo {

/// Both ends of a pipe that holds as much as the rings do, or as much as this user may have.
struct PipeEnds {
    PipeEnds() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("make a pipe");
        reading = Descriptor(ends[0], "make a pipe");
        writing = Descriptor(ends[1], "make a pipe");
        (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kCapacity * sizeof(Block)));  // size() tells
    }
    [[nodiscard]] std::size_t size() const {
        const int size = ::fcntl(writing.number(), F_GETPIPE_SZ);
        if (size < 0) fail("ask for the size of a pipe");
        return static_cast<std::size_t>(size);
    }
    Descriptor reading;
    Descriptor writing;
};

template <class M>
class PipeChannel {
 public:
    explicit PipeChannel(std::size_t) {}

    class Sender {
     public:
        explicit Sender(PipeChannel& channel) : end_(std::move(channel.ends_.writing)) {
            channel.ends_.reading.close();
        }
        void send(const M& message) {
            ssize_t written = 0;
            do written = ::write(end_.number(), &message, sizeof message);
            while (written < 0 && errno == EINTR);
            if (written < 0) fail("write to the pipe");
            if (written != sizeof message) throw std::runtime_error("the pipe took a part of a message");
        }
        void finish() { end_.close(); }

     private:
        Descriptor end_;
    };

    class Receiver {
     public:
        /// The stream ends when nobody holds the other end any more, so this side must not hold it either.
        explicit Receiver(PipeChannel& channel) : end_(std::move(channel.ends_.reading)) {
            channel.ends_.writing.close();
        }
        [[nodiscard]] bool receive(M& to) {
            std::size_t have = 0;
            while (have != sizeof to) {
                const ssize_t got = ::read(end_.number(), to.bytes.data() + have, sizeof to - have);
                if (got < 0 && errno != EINTR) fail("read from the pipe");
                if (got == 0 && have != 0) throw std::runtime_error("the pipe ended within a message");
                if (got == 0) return false;
                if (got > 0) have += static_cast<std::size_t>(got);
            }
            return true;
        }

     private:
        Descriptor end_;
    };

 private:
    PipeEnds ends_;
};

}  // namespace demo
