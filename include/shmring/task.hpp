// Task<T>: a value out of a JoinableQueue, and the duty to say when it is done.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "shmring/detail/lease.hpp"
#include "shmring/detail/workbench.hpp"
#include "shmring/result.hpp"

namespace shmring {

template <class T>
class JoinableQueue;

/// Done at the end of its scope, or by done(), in any thread. Move-only. It must not outlive the queue handle it came from; after detach()
/// of that handle it does nothing any more, and that detach() must not run beside a done() in another thread. If its process dies first,
/// its queue's policy decides: another worker gets it, or it is counted as lost. In a forked child the task stays the parent's.
template <class T>
class Task {
    class Key {  // of JoinableQueue
        friend class JoinableQueue<T>;
        Key() = default;
    };

 public:
    /// `fill` makes the value in place, as a Result's does; without one there is no task.
    template <class Fill>
    Task(Key, detail::Workbench& bench, detail::Desk& desk, Fill&& fill)
        : value_(std::in_place, std::forward<Fill>(fill)),
          name_(desk.lease()),
          bench_(&bench),
          desk_(value_ ? &desk : nullptr) {}
    Task(Task&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
        : value_(std::move(other.value_)),
          name_(other.name_),
          bench_(other.bench_),
          desk_(std::exchange(other.desk_, nullptr)) {}
    Task& operator=(Task&& other) noexcept(std::is_nothrow_move_assignable_v<T>) {
        if (this == &other) return *this;
        done();
        value_ = std::move(other.value_);
        name_ = other.name_;
        bench_ = other.bench_;
        desk_ = std::exchange(other.desk_, nullptr);
        return *this;
    }
    ~Task() { done(); }

    [[nodiscard]] T& operator*() noexcept { return *value_; }
    [[nodiscard]] const T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() noexcept { return &*value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &*value_; }
    /// How often a worker died with it before: it may have done something with it.
    [[nodiscard]] std::uint64_t redeliveries() const noexcept { return name_.deliveries(); }
    [[nodiscard]] bool redelivered() const noexcept { return name_.deliveries() != 0; }

    /// The task is done; what was done before is visible to those whose join() this ends. Only the first call counts.
    void done() noexcept {
        if (desk_ != nullptr) bench_->finish(*std::exchange(desk_, nullptr), name_);
    }
    /// The task cannot be done here: what a death would do happens to it. In the thread of the queue handle.
    void abandon() noexcept {
        if (desk_ != nullptr) bench_->abandon(*std::exchange(desk_, nullptr), name_);
    }

 private:
    friend class JoinableQueue<T>;

    Result<T> value_;
    detail::LeaseWord name_;  // no other task was or will be called so
    detail::Workbench* bench_;
    detail::Desk* desk_;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
