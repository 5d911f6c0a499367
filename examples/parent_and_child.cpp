// Parent and child: two rings without a name, made before fork(), carry questions one way and answers the
// other.
// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

namespace {

using Numbers = shmring::SpscRing<std::uint64_t>;

/// The child: answers each number with its square until there are no more questions.
int answer(const Numbers& questions, const Numbers& answers) {
    auto in = questions.consumer();  // seats are taken after the fork: they belong to one process
    auto out = answers.producer();
    while (auto number = in.pop())
        if (!out.push(*number * *number)) return 1;
    out.close();
    return 0;
}

/// The parent: asks for the squares of 1 to 10 and adds them up.
int ask(const Numbers& questions, const Numbers& answers) {
    auto out = questions.producer();
    auto in = answers.consumer();
    std::uint64_t sum = 0;
    for (std::uint64_t number = 1; number <= 10; ++number) {
        if (!out.push(number)) return 1;
        auto square = in.pop();
        if (!square) {  // peer_lost, had the child been killed
            std::fprintf(stderr, "parent_and_child: no answer: %s\n", to_string(square.error()));
            return 1;
        }
        sum += *square;
    }
    out.close();
    std::printf("1 + 4 + 9 + ... + 100 = %ju\n", std::uintmax_t{sum});
    return sum == 385 ? 0 : 1;
}

}  // namespace

int main() try {
    auto questions = Numbers::anonymous({.capacity = 4});
    auto answers = Numbers::anonymous({.capacity = 4});
    const pid_t child = ::fork();
    if (child < 0) return std::perror("fork"), 1;
    if (child == 0) ::_exit(answer(questions, answers));
    const int asked = ask(questions, answers);
    int status = 0;
    return ::waitpid(child, &status, 0) == child && status == 0 ? asked : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "parent_and_child: %s\n", error.what());
    return 1;
}
