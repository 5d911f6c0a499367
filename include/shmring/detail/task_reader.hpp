// Taking tasks out of a ring: from the ring's place to the worker's desk, so that a slow task stands in nobody's way.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stop_token>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/desk.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/workbench.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// The ring's consumer, and what it does with what it claimed.
template <class Lane>
class TaskReader : public Lane::Consumer {
    using Consumer = typename Lane::Consumer;

 public:
    using Consumer::left_there;
    using Consumer::once;
    using Consumer::recover;
    using Consumer::settle_past_of;
    using Consumer::usable;
    using Consumer::waiting;

    TaskReader() noexcept = default;
    explicit TaskReader(Consumer&& consumer) noexcept : Consumer(std::move(consumer)) {}

    /// As Consumer::poll(), for who may find a task elsewhere than in the ring: `elsewhere()`.
    template <class Elsewhere>
    [[nodiscard]] Status poll(Elsewhere&& elsewhere) noexcept {
        return Consumer::told_by_poll(once([&]() noexcept {
            const Status found = this->side_.peek();
            return found != Status::ok && elsewhere() ? Status::ok : found;
        }));
    }
    [[nodiscard]] bool finds_in_ring(bool asks) noexcept { return this->readable(asks); }
    [[nodiscard]] Status claim() noexcept { return Lane::claim(this->side_); }
    /// Moves what was claimed to a free desk, and makes its value at `place` (see Result). corrupt: its bytes are no such value, and it
    /// is gone.
    template <class Place>
    [[nodiscard]] Status move_to(Desk& desk, Workbench& bench, Place& place) noexcept(Lane::kNothrow) {
        Abandoning failure{&desk, bench};
        desk.name(LeaseWord::of(this->side_.claimed().first, this->side_.deliveries()));
        return settled(read(desk, bench, place), failure);  // and the place in the ring is handed back
    }
    /// What a dead worker left at a desk that is ours now.
    template <class Place>
    [[nodiscard]] static Status read_again(Desk& desk, Workbench& bench,
                                           Place& place) noexcept(Lane::kNothrow) {
        Abandoning failure{&desk, bench};
        return settled(Lane::read(desk.kept(), place), failure);
    }

 private:
    /// Decoding may throw: then the task is another's.
    struct Abandoning {
        Desk* desk;
        Workbench& bench;
        ~Abandoning() {
            if (desk != nullptr) bench.abandon(*desk, desk->lease());
        }
    };
    struct HandingBack {
        TaskReader& reader;
        ~HandingBack() {
            Lane::hand_back(reader.side_);
            reader.moved_on(1);
        }
    };

    /// Decoding did not throw.
    [[nodiscard]] static Status settled(Status status, Abandoning& failure) noexcept {
        Desk& desk = *std::exchange(failure.desk, nullptr);
        if (status != Status::ok) failure.bench.finish(desk, desk.lease());
        return status;
    }
    template <class Place>
    [[nodiscard]] Status read(Desk& desk, Workbench& bench, Place& place) noexcept(Lane::kNothrow) {
        const HandingBack in_the_end{*this};
        const Bytes bytes = Lane::bytes(this->side_);
        if (bench.leases().redelivers()) {
            if (bytes.size() > bench.leases().room()) return Status::corrupt;  // no push lets it pass
            desk.keep(bytes);
        }
        return Lane::read(bytes, place);
    }
};

}  // namespace shmring::detail
