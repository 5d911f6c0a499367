// The machine-readable report, schema 1. Documented in bench/README.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include "harness/environment.hpp"
#include "harness/results.hpp"
#include "harness/targets.hpp"
#include "harness/tickets.hpp"

namespace bench {

void write_json(std::ostream& out, const Environment& environment, const Registry& registry,
                const Results& results, const std::vector<TicketSale>& sales,
                const std::vector<Target>& targets);

}  // namespace bench
