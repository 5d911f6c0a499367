// What pipe and socket pair share: two descriptors, one write and one read a message.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include "harness/arena.hpp"
#include "harness/transport.hpp"
#include "harness/whole_message.hpp"

namespace bench {

/// Who derives opens them: ends[1] is written, ends[0] is read.
template <std::size_t Size>
struct DescriptorChannel {
    DescriptorChannel() = default;
    ~DescriptorChannel() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    DescriptorChannel(const DescriptorChannel&) = delete;
    DescriptorChannel& operator=(const DescriptorChannel&) = delete;
    int ends[2]{-1, -1};

    struct Sender {
        explicit Sender(DescriptorChannel& channel) : end(channel.ends[1]) {}
        bool send(const Message<Size>& message) { return write_whole(end, message); }
        int end;
    };

    struct Receiver {
        explicit Receiver(DescriptorChannel& channel) : end(channel.ends[0]) {}
        template <class Use>
        bool receive(Use&& use) {
            Message<Size> message;
            if (!read_whole(end, message)) return false;
            use(message);
            return true;
        }
        int end;
    };
};

}  // namespace bench
