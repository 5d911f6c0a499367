// The loops of measure.hpp, once per transport.
// SPDX-License-Identifier: MIT
#include "demo/transports.hpp"

#include <cmath>

#include "demo/mailbox.hpp"
#include "demo/pipe.hpp"
#include "demo/ring.hpp"

namespace demo {

namespace {

template <template <class> class Channel>
constexpr Transport make(const char* name) {
    return {.name = name, .stream = stream<Channel>, .round_trips = round_trips<Channel>};
}

}  // namespace

const std::array<Transport, kTransports> transports{
    make<BlockingRing>("SpscRing, blocking"),
    make<SpinningRing>("SpscRing, spinning"),
    make<PipeChannel>("pipe"),
    make<MailboxChannel>("file plus lock"),
};

TripRun summarize(std::span<std::int64_t> trips_ns) {
    std::ranges::sort(trips_ns);
    const auto count = static_cast<double>(trips_ns.size());
    const auto at = [&](double share) {
        const auto rank = static_cast<std::size_t>(std::ceil(share * count));  // nearest rank, from 1
        return static_cast<double>(trips_ns[rank - 1]);
    };
    return {.count = trips_ns.size(), .p50_ns = at(0.5), .p99_ns = at(0.99), .max_ns = at(1)};
}

}  // namespace demo
