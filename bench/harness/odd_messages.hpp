// What becomes of a message that is not the one due: the mark that ends a phase, or a fault with a name. Kept apart from
// the hot loops, and never told of the transport's end: a loop keeps that in registers only while nobody has its address.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "harness/message.hpp"

namespace bench {

template <std::size_t Size>
class OddMessages {
 public:
    /// Losing and reordering look alike until later messages are seen. `look_further` allows to go on receiving for a
    /// while before the fault is named, to see whether the missing one arrives.
    explicit OddMessages(bool look_further) : look_further_(look_further) {}

    void keep(const Message<Size>& message) { latest_ = message; }

    /// Judges the message kept last where `due` should have come. True when it is the end of this phase, and `sent` says
    /// that nothing is missing before it; false when more should be looked at. Throws what it finds.
    [[gnu::noinline]] bool ends_phase(std::uint32_t phase, Sequence due, Sequence sent) {
        const bool at_end = matches(latest_, end_of_phase(phase));
        if (examining_) {
            const bool arrived = due != missing_;
            if (arrived || at_end || ++looked_at_ == kLookAhead) blame_first(arrived);
            return false;
        }
        if (at_end && sent == due) return true;
        first_ = latest_;
        missing_ = due;
        examining_ = true;
        ends_this_phase_ = at_end;
        if (!look_further_ || is_end(found()) || is_torn() || found() < due) blame_first(false);
        return false;
    }

    /// Judges the message kept last where nothing but `due` could come.
    [[noreturn]] void blame(Sequence due) {
        first_ = latest_;
        missing_ = due;
        blame_first(false);
    }

 private:
    static constexpr int kLookAhead = 1000;  // messages
    static constexpr Sequence kPlausible = Sequence{1}
                                           << 48;  // more than any stream has; a torn word looks random

    [[nodiscard]] Sequence found() const { return sequence_of(first_.words[0], 0); }
    [[nodiscard]] bool is_torn() const {
        return !matches(first_, found()) || (found() > missing_ + kPlausible && !is_end(found()));
    }

    [[noreturn]] void blame_first(bool arrived_later) const {
        const std::string due = "message " + std::to_string(missing_);
        const std::string seen = is_end(found()) ? "the end of a phase" : std::to_string(found());
        const bool from_the_past = is_end(found()) ? !ends_this_phase_ : found() < missing_;
        std::string fault = "lost message: " + seen + " where " + due + " was due";
        if (arrived_later) fault = "reordered message: " + seen + " before " + due;
        if (from_the_past) fault = "repeated message: " + seen + " where " + due + " was due";
        if (is_torn()) fault = "torn message: the words of " + due + " do not belong together";
        throw std::runtime_error(fault);
    }

    Message<Size> latest_;
    Message<Size> first_;
    Sequence missing_ = 0;
    bool look_further_;
    bool examining_ = false;
    bool ends_this_phase_ = false;
    int looked_at_ = 0;
};

/// An empty message carries no number: only how many have come tells which one it is.
template <>
class OddMessages<0> {
 public:
    explicit OddMessages(bool) {}
    void keep(const Message<0>&) {}
    [[nodiscard]] static bool ends_phase(std::uint32_t, Sequence, Sequence) { return true; }
    [[noreturn]] static void blame(Sequence) { throw std::runtime_error("an answer to no question"); }
};

/// Whether `message` is the one due. The last of a phase is empty, too: it is the one after the `sent`-th, and `sent` is known
/// before that leaves.
template <std::size_t Size>
[[nodiscard]] inline bool is_due(const Message<Size>& message, Sequence due,
                                 const std::atomic<std::uint64_t>& sent) {
    if constexpr (Size == 0)
        return sent.load(std::memory_order_acquire) != due;
    else
        return matches(message, due);
}

}  // namespace bench
