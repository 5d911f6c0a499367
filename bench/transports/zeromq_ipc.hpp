// ZeroMQ (libzmq3-dev) over ipc: PUSH to PULL, one message a call, each side with a context of its own made after the fork, as
// its guide asks. Its thread for input and output inherits the CPU of its side. It queues messages on both sides, so each may hold
// half as many as a ring.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct ZeromqIpc {
    static constexpr Traits kTraits{
        .name = "zeromq-ipc",
        .about = "PUSH and PULL over ipc, one zmq_send and one zmq_recv a message",
        .spins = true,
        .blocks = true,
        .largest_size = kLargestSize,
        .any_size = true,
        .carries_empty = true,
        .needs_receiver = true,
        .helpers = true};

    static void check(bool good, const char* what) {
        if (!good) throw std::system_error(zmq_errno(), std::generic_category(), what);
    }

    struct Socket {
        Socket(int type, int limit, int messages)
            : context(zmq_ctx_new()), socket(zmq_socket(context, type)) {
            check(socket != nullptr && zmq_setsockopt(socket, limit, &messages, sizeof messages) == 0,
                  "make a ZeroMQ socket");
        }
        ~Socket() {
            zmq_close(socket);
            zmq_ctx_term(context);
        }
        Socket(const Socket&) = delete;
        Socket& operator=(const Socket&) = delete;
        void* context;
        void* socket;
    };

    template <std::size_t Size>
    struct Channel {
        /// An abstract name: no file, and nothing stays behind. Two channels of a run differ by their place in the arena.
        explicit Channel(Arena& arena)
            : address("ipc://@shmring-bench-" + std::to_string(::getpid()) + "-" +
                      std::to_string(reinterpret_cast<std::uintptr_t>(arena.allocate(1, 1)))) {}
        std::string address;
        static constexpr int kHalf = static_cast<int>(std::max<std::size_t>(ring_slots(Size) / 2, 1));
        static constexpr std::size_t kBytes = Size;

        struct Sender : Socket {
            explicit Sender(Channel& channel) : Socket(ZMQ_PUSH, ZMQ_SNDHWM, kHalf) {
                check(zmq_bind(this->socket, channel.address.c_str()) == 0, "bind the ZeroMQ socket");
            }
            bool try_send(const Message<Size>& message) { return sent(message, ZMQ_DONTWAIT); }
            bool send(const Message<Size>& message) { return sent(message, 0); }
            bool sent(const Message<Size>& message, int flags) {
                if (zmq_send(this->socket, &message, kBytes, flags) >= 0) return true;
                check(zmq_errno() == EAGAIN, "send by ZeroMQ");
                return false;
            }
        };

        struct Receiver : Socket {
            explicit Receiver(Channel& channel) : Socket(ZMQ_PULL, ZMQ_RCVHWM, kHalf) {
                check(zmq_connect(this->socket, channel.address.c_str()) == 0, "connect the ZeroMQ socket");
            }
            template <class Use>
            bool try_receive(Use&& use) {
                return received(use, ZMQ_DONTWAIT);
            }
            template <class Use>
            bool receive(Use&& use) {
                return received(use, 0);
            }
            template <class Use>
            bool received(Use& use, int flags) {
                Message<Size> message;
                const int got = zmq_recv(this->socket, &message, sizeof message, flags);
                if (got == static_cast<int>(kBytes)) return use(message), true;
                check(got < 0 && zmq_errno() == EAGAIN, "receive by ZeroMQ");
                return false;
            }
        };
    };
};

}  // namespace bench
