// Taking tasks out of a ring: from the ring's place to the worker's desk, so that a slow task stands in nobody's way.
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
    using Value = Result<typename Lane::Value>;

 public:
    using Consumer::left_there;
    using Consumer::once;
    using Consumer::settle_past_of;
    using Consumer::usable;
    using Consumer::waiting;

    TaskReader() noexcept = default;
    explicit TaskReader(Consumer&& consumer) noexcept : Consumer(std::move(consumer)) {}

    [[nodiscard]] Status claim() noexcept { return Lane::claim(this->side_); }
    /// Moves what was claimed to a free desk. corrupt: its bytes are no such value, and it is gone.
    [[nodiscard]] Value move_to(Desk& desk, Workbench& bench) noexcept(Lane::kNothrow) {
        Abandoning failure{&desk, bench};
        desk.name(LeaseWord::of(this->side_.claimed().first, this->side_.deliveries()));
        Value value = read(desk, bench);  // and the place is handed back
        failure.desk = nullptr;
        if (!value) bench.finish(desk, desk.lease());
        return value;
    }
    /// What a dead worker left at a desk that is ours now.
    [[nodiscard]] static Value read_again(Desk& desk, Workbench& bench) noexcept(Lane::kNothrow) {
        Abandoning failure{&desk, bench};
        Value value = Lane::value(desk.kept());
        failure.desk = nullptr;
        if (!value) bench.finish(desk, desk.lease());
        return value;
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

    [[nodiscard]] Value read(Desk& desk, Workbench& bench) noexcept(Lane::kNothrow) {
        const HandingBack in_the_end{*this};
        const Bytes bytes = Lane::bytes(this->side_);
        if (bench.leases().redelivers()) {
            if (bytes.size() > bench.leases().room()) return Status::corrupt;  // no push lets it pass
            desk.keep(bytes);
        }
        return Lane::value(bytes);
    }
};

}  // namespace shmring::detail
