// A ticket office, the classical example of why processes need more than a file: a stock of tickets, a hundred buyers at once,
// and each sale is reading what is left and writing one less. Over a file without a lock, over one with, and by asking an
// owner, over a pipe and over a queue of ours.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "harness/results.hpp"

namespace bench {

struct TicketSale {
    std::string_view transport;
    std::string_view about;
    std::string fault{};                  // sold another number than there were, where that must not happen
    std::vector<double> tickets_per_s{};  // a figure per round: tickets of the stock, not of those sold twice
    std::vector<double> cpu_us{};         // CPU microseconds of all processes per ticket of the stock
    std::vector<double> oversold{};       // tickets sold beyond the stock
};

struct TicketOffice {
    std::uint64_t stock = 20'000;
    std::size_t buyers = 100;
    unsigned rounds = 7;
};

/// Each round sells the stock once over each, and begins with another one.
std::vector<TicketSale> sell_tickets(const TicketOffice& plan);

void print_tickets(std::ostream& out, const TicketOffice& plan, const std::vector<TicketSale>& sales);

}  // namespace bench
