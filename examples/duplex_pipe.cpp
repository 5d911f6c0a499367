// Parent and child talk through one pipe, both ways. Each closes its copy of the other's end, so that each hears when the other one
// is gone.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

struct Message {
    int left, right;
    int product;  // 0 in a question
};
using End = shmring::PipeEnd<Message>;

/// The child: answers until the other end is closed.
int serve(End& end) {
    while (auto message = end.recv()) {
        std::printf("child: %d x %d?\n", message->left, message->right);
        std::fflush(stdout);
        message->product = message->left * message->right;
        if (!end.send(*message)) return 1;
    }
    std::printf("child: the other end is closed\n");
    return 0;
}

}  // namespace

int main() try {
    auto ends = shmring::Pipe<Message>::pair({.capacity = 4});
    End& here = ends.first;
    End& there = ends.second;
    Children children;
    children.start([&] {
        here.close();
        return serve(there);
    });
    there.close();

    for (const Message& question : {Message{6, 7, 0}, Message{12, 12, 0}}) {
        if (!here.send(question)) return 1;
        const auto reply = here.recv();
        if (!reply) return std::fprintf(stderr, "no answer: %s\n", to_string(reply.error())), 1;
        std::printf("parent: %d x %d = %d\n", reply->left, reply->right, reply->product);
        std::fflush(stdout);
    }
    here.close();
    return children.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "duplex_pipe: %s\n", error.what());
    return 1;
}
