// JoinableQueue: any words in its control block, slots, participant records and leases (tasks that the dead had in hand among them), between
// pushes, pops, joins and the end of tasks.
// SPDX-License-Identifier: MIT

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"
#include "fuzz_memory.hpp"
#include "fuzz_target.hpp"
#include "shmring/joinable_queue.hpp"

namespace {

using namespace shmring;
using namespace shmring::test;

template <class T>
void work(const JoinableQueueOptions& options, std::span<std::byte> room, const T& task, FuzzInput& input) {
    std::error_code code;
    JoinableQueue<T> queue = JoinableQueue<T>::create_in(room, options, code);
    insist(!code);
    const ForbiddenGaps gaps(queue.segment());
    JoinableQueue<T> other = queue.attach();
    std::vector<Task<T>> in_hand;
    for (int moves = 0; moves != 200 && !input.empty(); ++moves) {
        JoinableQueue<T>& mine = input.choose(2) == 0 ? queue : other;
        switch (input.choose(12)) {
            case 0:
            case 1:
                (void)mine.try_push(task);
                break;
            case 2:
            case 3:
                if (auto taken = mine.try_pop()) in_hand.push_back(*std::move(taken));
                break;
            case 4:
                if (!in_hand.empty()) in_hand.pop_back();
                break;
            case 5:
                if (!in_hand.empty()) in_hand.back().abandon();
                break;
            case 6:
                (void)mine.join_for(std::chrono::nanoseconds(0));
                break;
            case 7:
                (void)mine.unfinished();
                (void)mine.losses();
                break;
            default:
                change_a_word(queue.segment(), input);
        }
    }
}

}  // namespace

void shmring::test::fuzz(FuzzInput& input) {
    static const FuzzMemory memory;
    JoinableQueueOptions options{
        .capacity = 1 + input.choose(9),
        .delivery = input.choose(2) == 0 ? Delivery::at_most_once : Delivery::at_least_once,
        .participants = 6,
        .segment = memory.options()};
    if (input.choose(2) == 0) {
        work<std::uint64_t>(options, memory.last(JoinableQueue<std::uint64_t>::required_bytes(options)), 7,
                            input);
    } else {
        options.capacity_bytes = 128 * options.capacity;
        work<std::string>(options, memory.last(JoinableQueue<std::string>::required_bytes(options)),
                          std::string(input.choose(100), 't'), input);
    }
}
