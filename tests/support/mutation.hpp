// Mutants of the shipped code that need no compiler: one operation, known by where it stands in the source, is made weaker, left out,
// or done after the next one, when the scheduler's Env comes to it.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/where.hpp"

namespace shmring::test {

enum class Operation : std::uint8_t { load, store, change, exchange, copy, wake, fence };

/// One operation in the source. `exchange`: a compare-and-swap; `change`: another read-modify-write.
struct Site {
    std::string file{};
    unsigned line = 0;
    unsigned column = 0;
    Operation operation = Operation::load;
    std::memory_order order = std::memory_order_relaxed;
    std::memory_order failure = std::memory_order_relaxed;

    [[nodiscard]] auto place() const { return std::tuple(file, line, column); }
    [[nodiscard]] bool is(const Where& where) const {
        return where.line() == line && where.column() == column &&
               std::strcmp(where.file_name(), file.c_str()) == 0;
    }
};

/// By their places.
using SiteMap = std::map<std::tuple<std::string, unsigned, unsigned>, Site>;

/// What happens to a site.
struct Mutant {
    enum class Kind : std::uint8_t { weaker, weaker_failure, left_out, done_late };
    Site site{};
    Kind kind = Kind::weaker;
    std::memory_order order = std::memory_order_relaxed;  // of the weaker ones
};

[[nodiscard]] inline const char* name_of(std::memory_order order) {
    switch (order) {
        case std::memory_order_relaxed:
            return "relaxed";
        case std::memory_order_consume:
            return "consume";
        case std::memory_order_acquire:
            return "acquire";
        case std::memory_order_release:
            return "release";
        case std::memory_order_acq_rel:
            return "acq_rel";
        case std::memory_order_seq_cst:
            return "seq_cst";
    }
    return "?";
}
[[nodiscard]] inline std::string describe(const Mutant& mutant) {
    const Site& site = mutant.site;
    const std::size_t folder = site.file.rfind('/');
    const std::string file = folder == std::string::npos ? site.file : site.file.substr(folder + 1);
    const std::string what =
        mutant.kind == Mutant::Kind::weaker
            ? std::string(name_of(site.order)) + " -> " + name_of(mutant.order)
        : mutant.kind == Mutant::Kind::weaker_failure
            ? std::string("on failure ") + name_of(site.failure) + " -> " + name_of(mutant.order)
        : mutant.kind == Mutant::Kind::left_out ? "left out"
                                                : "done after the next write";
    return file + ":" + std::to_string(site.line) + ":" + std::to_string(site.column) + " " + what;
}

/// The orders one step weaker than `order`, for such an operation.
[[nodiscard]] inline std::vector<std::memory_order> weaker_orders(Operation operation,
                                                                  std::memory_order order) {
    switch (order) {
        case std::memory_order_seq_cst:
            if (operation == Operation::load) return {std::memory_order_acquire};
            if (operation == Operation::store) return {std::memory_order_release};
            return {std::memory_order_acq_rel};
        case std::memory_order_acq_rel:
            return {std::memory_order_acquire, std::memory_order_release};
        case std::memory_order_acquire:
        case std::memory_order_release:
            return {std::memory_order_relaxed};
        default:
            return {};
    }
}

/// Every mutant of a site: of an operation whose answer nobody can do without, only the weaker ones.
[[nodiscard]] inline std::vector<Mutant> mutants_of(const Site& site) {
    std::vector<Mutant> all;
    for (const std::memory_order order : weaker_orders(site.operation, site.order))
        all.push_back({site, Mutant::Kind::weaker, order});
    if (site.operation == Operation::exchange && site.failure != std::memory_order_relaxed)
        all.push_back({site, Mutant::Kind::weaker_failure, std::memory_order_relaxed});
    if (site.operation != Operation::load) all.push_back({site, Mutant::Kind::left_out, {}});
    if (site.operation == Operation::store || site.operation == Operation::change ||
        site.operation == Operation::copy)
        all.push_back({site, Mutant::Kind::done_late, {}});
    return all;
}

/// What is to be done at an operation.
struct Decree {
    std::memory_order order = std::memory_order_relaxed;
    std::memory_order failure = std::memory_order_relaxed;
    bool is_left_out = false;
    bool is_late = false;
};

/// Knows the one mutant that is under test, and notes the sites that operations come from where asked to.
class Laboratory {
 public:
    void breed(const Mutant& mutant) {
        mutant_ = mutant;
        is_breeding_ = true;
    }
    void stop() { is_breeding_ = false; }
    /// A store that released releases no more: stores of its actor that stand before it may come after it.
    [[nodiscard]] bool is_reordering() const {
        return is_breeding_ && mutant_.kind == Mutant::Kind::weaker &&
               mutant_.site.operation == Operation::store && mutant_.order == std::memory_order_relaxed;
    }
    [[nodiscard]] bool is_bred(const Where& where) const { return mutant_.site.is(where); }
    /// Notes from now on where operations come from.
    void begin_survey() {
        sites_.clear();
        is_surveying_ = true;
    }
    [[nodiscard]] SiteMap end_survey() {
        is_surveying_ = false;
        return std::move(sites_);
    }

    [[nodiscard]] Decree judge(const Where& where, Operation operation, std::memory_order order,
                               std::memory_order failure = std::memory_order_relaxed) {
        Decree decree{order, failure};
        if (is_surveying_) [[unlikely]]
            note({where.file_name(), where.line(), where.column(), operation, order, failure});
        if (!is_breeding_ || !mutant_.site.is(where)) [[likely]]
            return decree;
        if (mutant_.kind == Mutant::Kind::weaker) decree.order = mutant_.order;
        if (mutant_.kind == Mutant::Kind::weaker_failure) decree.failure = mutant_.order;
        decree.is_left_out = mutant_.kind == Mutant::Kind::left_out;
        decree.is_late = mutant_.kind == Mutant::Kind::done_late;
        return decree;
    }

 private:
    void note(const Site& site) {
        if (site.file.find("/include/shmring/") != std::string::npos) sites_.emplace(site.place(), site);
    }

    Mutant mutant_{};
    bool is_breeding_ = false;
    bool is_surveying_ = false;
    SiteMap sites_{};
};
inline Laboratory laboratory;

}  // namespace shmring::test
