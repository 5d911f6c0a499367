// How a target finds its figure among the results: the row it is about, the ratio it asks for, the worst of several sizes.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/targets.hpp"

namespace bench {

inline constexpr const char* kTimesBestPeer = "x the best peer";

using Figure = std::function<std::optional<double>(const Group&, const Row&)>;

inline std::optional<double> at(const Results& results, Mode mode, std::size_t size, std::string_view name,
                                Wait wait, const Figure& of, Loop loop = Loop::pair, Crowd crowd = kPair) {
    const Group* group = find_group(results, mode, size, loop);
    const Row* row = group == nullptr ? nullptr : group->find(name, wait, crowd);
    if (row == nullptr || !row->fault().empty() || row->samples.empty()) return {};
    return of(*group, *row);
}

inline Figure times_row(std::string_view name, Wait wait) {
    return [=](const Group& group, const Row& row) {
        return ratio(group, row, group.find(name, wait, row.job.crowd));
    };
}

struct Extreme {
    std::optional<double> value;
    std::string remark;
};

/// The least favourable figure over some message sizes, and where it was.
template <class Sizes>
Extreme worst(bool at_least, const Sizes& sizes,
              const std::function<std::optional<double>(std::size_t)>& of) {
    Extreme worst;
    for (const std::size_t size : sizes) {
        const std::optional<double> value = of(size);
        if (!value || (worst.value && (at_least ? *value >= *worst.value : *value <= *worst.value))) continue;
        worst = {value, "worst at " + std::to_string(size) + " B"};
    }
    return worst;
}

/// The targets of one transport, as they are collected.
struct Judgement {
    explicit Judgement(std::string_view transport) : of(transport) {}

    void add(std::string row, const char* known, bool at_least, double bound, const char* unit,
             std::optional<double> measured, std::string remark = "") {
        targets.push_back(
            {std::string(of), std::move(row), known, at_least, bound, unit, measured, std::move(remark)});
    }
    void add_worst(std::string row, const char* known, bool at_least, double bound, const char* unit,
                   const Extreme& found) {
        add(std::move(row), known, at_least, bound, unit, found.value, found.remark);
    }

    std::string_view of;
    std::vector<Target> targets{};
};

}  // namespace bench
