// A hundred processes want one of ten tickets. How many are left stands in a file, or one owner knows it and is asked through a queue.
// The times are those of a hundred processes that start, buy once and go, which takes longer than buying.
// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

#include "children.hpp"
#include "ticket_file.hpp"

namespace {
using Numbers = shmring::Queue<int>;
constexpr int kBuyers = 100;
constexpr int kTickets = 10;

/// Each buyer runs `buy()`, we run `meanwhile()`. Answers how many got a ticket.
template <class Buy, class Meanwhile>
int sell(const char* how, Buy&& buy, Meanwhile&& meanwhile) {
    auto sold = Numbers::anonymous({.capacity = kBuyers});
    const auto start = std::chrono::steady_clock::now();
    Children buyers;
    for (int i = 0; i != kBuyers; ++i) buyers.start([&] { return !buy() || sold.push(1) ? 0 : 1; });
    meanwhile();
    if (!buyers.join()) return -1;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const auto count = static_cast<int>(sold.count_approx());  // nobody is left who could change it
    std::printf("%-19s %3d of %d tickets sold in %.1f ms\n", how, count, kTickets, took.count());
    return count;
}

}  // namespace

int main() try {
    const TicketFile file(kTickets);
    auto seen = Numbers::anonymous({.capacity = kBuyers});
    auto all_have = Numbers::anonymous({.capacity = 1});
    const auto buy_late = [&] {  // all read before one writes: so it is now and then, here always
        const int left = file.left();
        return seen.push(left) && !all_have.pop() && left > 0 && file.set(left - 1);
    };
    const int careless = sell("file, no lock:", buy_late, [&] {
        for (int i = 0; i != kBuyers; ++i) (void)seen.pop();
        all_have.close();
    });
    const TicketFile other(kTickets);
    const auto buy = [&] { return other.buy_locked(); };
    const int locked = sell("file and lock:", buy, [] {});
    auto orders = Numbers::anonymous({.capacity = 8});
    auto answers = Numbers::anonymous({.capacity = 8});
    const auto ask = [&] { return orders.push(1) && answers.pop().value_or(0) != 0; };
    const int owned = sell("queue to one owner:", ask, [&] {
        for (int left = kTickets, i = 0; i != kBuyers && orders.pop(); ++i)
            (void)answers.push(left > 0 ? left-- : 0);
    });
    return careless == kBuyers && locked == kTickets && owned == kTickets ? 0 : 1;
} catch (const std::exception& error) {
    return std::fprintf(stderr, "ticket_sale: %s\n", error.what()), 1;
}
