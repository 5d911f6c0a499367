// Whether what calls on a queue answered can be explained: by one order of all calls that keeps every "this one was over before that
// one began", in which a plain bounded queue would have answered the same. For small histories; values must not repeat.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace shmring::test {

/// One call and its answer.
struct QueueCall {
    enum class Kind : std::uint8_t { push, pop };
    enum class Answer : std::uint8_t {
        done,     ///< pushed, or popped
        refused,  ///< full, or empty
        none,     ///< it never returned: it may have been done or not
    };
    Kind kind = Kind::push;
    Answer answer = Answer::done;
    std::uint64_t value = 0;   ///< of a push, and of a pop that is done
    std::uint32_t before = 0;  ///< which calls were over before this one began, a bit each
};

/// A queue with room for `capacity` messages.
struct QueueRules {
    std::size_t capacity = 1;
    /// Each refusal is explained for itself, beside all that was done, and not all of them in one order: "full" and "empty" tell of a
    /// moment that the caller may still see when others do not any more. (A sequentially consistent queue would not need this.)
    bool refusals_alone = false;
};

class QueueHistory {
 public:
    static constexpr std::size_t kMostCalls = 32;

    explicit QueueHistory(const QueueRules& rules) : rules_(rules) {}

    /// `inside`: what is in the queue at the beginning, oldest first.
    void begin(std::vector<std::uint64_t> inside) {
        queue_ = std::move(inside);
        inside_ = queue_.size();
        calls_.clear();
    }
    /// Answers the number of the call, for others' `before`.
    std::size_t add(const QueueCall& call) {
        calls_.push_back(call);
        return calls_.size() - 1;
    }
    /// Whether there is such an order. `rest`: what must be in the queue at the end, oldest first.
    [[nodiscard]] bool is_explained(const std::vector<std::uint64_t>& rest) {
        rest_ = &rest;
        std::uint32_t refusals = 0;
        for (std::size_t i = 0; i != calls_.size(); ++i)
            if (calls_[i].answer == QueueCall::Answer::refused) refusals |= std::uint32_t{1} << i;
        if (!rules_.refusals_alone || refusals == 0) return is_explained_without(0);
        for (std::uint32_t left = refusals; left != 0; left &= left - 1)
            if (!is_explained_without(refusals & ~(left & ~(left - 1)))) return false;
        return true;
    }

 private:
    [[nodiscard]] bool is_explained_without(std::uint32_t ignored) {
        seen_.clear();
        queue_.resize(inside_);
        first_ = 0;
        return explain(ignored);
    }
    [[nodiscard]] bool explain(std::uint32_t done) {
        if (is_over(done)) return true;
        if (calls_.size() > kSmall && !seen_.insert({done, state()}).second) return false;
        for (std::size_t i = 0; i != calls_.size(); ++i) {
            const QueueCall& call = calls_[i];
            if ((done >> i & 1) != 0 || (call.before & ~done) != 0) continue;
            if (explain_with(call, done | std::uint32_t{1} << i)) return true;
        }
        return false;
    }
    [[nodiscard]] bool explain_with(const QueueCall& call, std::uint32_t done) {
        const bool is_push = call.kind == QueueCall::Kind::push;
        if (call.answer == QueueCall::Answer::refused) {
            const bool right = is_push ? queue_.size() - first_ >= rules_.capacity : queue_.size() == first_;
            return right && explain(done);
        }
        if (is_push) {
            if (queue_.size() - first_ >= rules_.capacity) return false;
            queue_.push_back(call.value);
            if (explain(done)) return true;
            queue_.pop_back();
            return false;
        }
        if (queue_.size() == first_) return false;
        if (call.answer == QueueCall::Answer::done && queue_[first_] != call.value) return false;
        ++first_;
        if (explain(done)) return true;
        --first_;
        return false;
    }
    /// All that returned is explained, and what is left is what must be.
    [[nodiscard]] bool is_over(std::uint32_t done) const {
        for (std::size_t i = 0; i != calls_.size(); ++i)
            if ((done >> i & 1) == 0 && calls_[i].answer != QueueCall::Answer::none) return false;
        return state() == *rest_;
    }
    [[nodiscard]] std::vector<std::uint64_t> state() const {
        return {queue_.begin() + static_cast<std::ptrdiff_t>(first_), queue_.end()};
    }

    static constexpr std::size_t kSmall = 7;  // calls: fewer are tried without remembering what was tried

    QueueRules rules_;
    std::vector<std::uint64_t> queue_{};
    std::size_t inside_ = 0;  // at the beginning
    std::size_t first_ = 0;   // of queue_: those before it are taken
    std::vector<QueueCall> calls_{};
    const std::vector<std::uint64_t>* rest_ = nullptr;
    std::set<std::pair<std::uint32_t, std::vector<std::uint64_t>>> seen_{};
};

}  // namespace shmring::test
