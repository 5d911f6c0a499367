// The first and the second way: shmring::SpscRing, once with waiting that sleeps and once without sleeping at
// all. A message is copied once into the ring and once out of it, as with the other transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

#include <cstddef>
#include <stdexcept>
#include <string>

#include "shmring/spsc_ring.hpp"

namespace demo {

/// push and next: they poll for a while and then sleep until woken.
struct Blocking {
    static auto push(auto& producer, const auto& message) { return producer.push(message); }
    static auto next(auto& consumer) { return consumer.next(); }
};

/// try_push and try_next over and over, without any system call while things move.
struct Spinning {
    static auto push(auto& producer, const auto& message) {
        return repeat(shmring::Status::full, [&] { return producer.try_push(message); });
    }
    static auto next(auto& consumer) {
        return repeat(shmring::Status::empty, [&] { return consumer.try_next(); });
    }

 private:
    /// Where both sides share one CPU, the other one has to run before anything can change.
    static constexpr int kTriesPerYield = 1000;

    template <class Call>
    static auto repeat(shmring::Status not_yet, Call&& call) {
        for (int tries = 1;; ++tries) {
            auto answer = call();
            if (answer || answer.error() != not_yet) return answer;
            if (tries % kTriesPerYield == 0) ::sched_yield();
        }
    }
};

template <class M, class How>
class RingChannel {
    using Ring = shmring::SpscRing<M>;

 public:
    explicit RingChannel(std::size_t capacity) : ring_(Ring::anonymous({.capacity = capacity})) {}

    class Sender {
     public:
        explicit Sender(RingChannel& channel) : out_(channel.map_here().producer()) {}
        void send(const M& message) {
            if (const auto pushed = How::push(out_, message); !pushed) fail(pushed.error());
        }
        void finish() { out_.close(); }

     private:
        typename Ring::Producer out_;
    };

    class Receiver {
     public:
        explicit Receiver(RingChannel& channel) : in_(channel.map_here().consumer()) {}
        /// False: the stream has ended, and every message was received.
        [[nodiscard]] bool receive(M& to) {
            const auto view = How::next(in_);
            if (view) {
                to = **view;
                return true;
            }
            if (view.error() != shmring::Status::closed) fail(view.error());
            return false;
        }

     private:
        typename Ring::Consumer in_;
    };

 private:
    [[noreturn]] static void fail(shmring::Status status) {
        throw std::runtime_error(std::string("the ring answered ") + shmring::to_string(status));
    }
    /// A forked child inherits the mapping, but would meet each page for the first time while the clock runs.
    /// So each side maps the ring for itself, and the library touches the pages.
    [[nodiscard]] Ring map_here() const { return Ring::from_descriptor(ring_.segment().descriptor()); }

    Ring ring_;
};

template <class M>
using BlockingRing = RingChannel<M, Blocking>;
template <class M>
using SpinningRing = RingChannel<M, Spinning>;

}  // namespace demo
