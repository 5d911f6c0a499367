// Which instructions of a process that is stepped through an operation anybody else can tell from the one before: those that changed the
// segment, and system calls. Killed after any other, it leaves the survivors the world it would have left one instruction earlier.
// SPDX-License-Identifier: MIT
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "shmring/segment.hpp"
#include "support/segment_changes.hpp"

namespace shmring::test {

inline constexpr long kNoSystemCall = -1;
inline constexpr std::uintptr_t kNoAddress = 0;

struct Instruction {
#if defined(__x86_64__)
    using Code = std::uint16_t;
    static constexpr Code kSystemCall = 0x050f;
#elif defined(__aarch64__)
    using Code = std::uint32_t;
    static constexpr Code kSystemCall = 0xd4000001;
#else
#error "which instruction is a system call here?"
#endif
    static constexpr std::size_t kLengthOfSystemCall = sizeof(Code);

    std::uintptr_t address = kNoAddress;
    long system_call = kNoSystemCall;  ///< its number, if it is one

    [[nodiscard]] bool is_system_call() const { return system_call != kNoSystemCall; }
    /// A system call may be; not the one that makes the process's own heap larger, now and then.
    [[nodiscard]] bool is_seen_by_others() const { return is_system_call() && system_call != SYS_brk; }
    /// The next one of a stopped child. It was forked from us, so its code is ours, at the same address.
    [[nodiscard]] static Instruction next_of(pid_t child) {
        user_regs_struct registers{};
        iovec where{&registers, sizeof registers};
        if (::ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &where) != 0) return {};
#if defined(__x86_64__)
        const std::uintptr_t address = registers.rip;
        const auto number = static_cast<long>(registers.rax);
#elif defined(__aarch64__)
        const std::uintptr_t address = registers.pc;
        const auto number = static_cast<long>(registers.regs[8]);
#endif
        Code code = 0;
        std::memcpy(&code, reinterpret_cast<const void*>(address), sizeof code);
        return {address, code == kSystemCall ? number : kNoSystemCall};
    }
};

/// How often an instruction was executed, and how often that made a difference.
struct Executed {
    std::uint64_t times = 0;
    std::uint64_t effective = 0;
};

/// What peers in the segment change meanwhile counts, too: a kill too many then, and none too few while they sleep.
class EffectiveSteps {
 public:
    /// `before`: so many effective steps the child was let run through.
    EffectiveSteps(const Segment& segment, std::uint64_t before) : changes_(segment), effective_(before) {}

    /// To be called before the first instruction and after each.
    void look(pid_t child) {
        const std::uint64_t changes = changes_.count();
        const Instruction done = next_;
        next_ = Instruction::next_of(child);
        just_done_ = kNoAddress;
        if (done.address == kNoAddress) {  // the first look, perhaps right behind the last call of a run-up
            changes_seen_ = changes;
            if (effective_ != 0) just_done_ = next_.address - Instruction::kLengthOfSystemCall;
            return;
        }
        ++instructions_;
        Executed& here = executed_[done.address];
        ++here.times;
        if (changes != changes_seen_ || done.is_seen_by_others()) {
            ++effective_;
            ++here.effective;
            just_done_ = done.address;
        }
        changes_seen_ = changes;
        is_behind_a_call_ = done.is_system_call();
        if (is_behind_a_call_) after_calls_.push_back(effective_);
    }
    /// Or to wake somebody, which is the same call.
    [[nodiscard]] bool is_about_to_sleep() const {
        return next_.system_call == SYS_futex || next_.system_call == SYS_futex_waitv;
    }
    [[nodiscard]] std::uint64_t instructions() const { return instructions_; }
    [[nodiscard]] std::uint64_t effective() const { return effective_; }
    /// Where the last one is in the code, if it was effective.
    [[nodiscard]] std::uintptr_t just_done() const { return just_done_; }
    /// Whether the last one was a system call.
    [[nodiscard]] bool is_behind_a_call() const { return is_behind_a_call_; }
    /// All instructions by address.
    [[nodiscard]] const std::map<std::uintptr_t, Executed>& executed() const { return executed_; }
    /// How many there had been right after each system call.
    [[nodiscard]] const std::vector<std::uint64_t>& after_calls() const { return after_calls_; }

 private:
    SegmentChanges changes_;
    Instruction next_{};
    std::uintptr_t just_done_ = kNoAddress;
    std::uint64_t changes_seen_ = 0;
    bool is_behind_a_call_ = false;
    std::uint64_t instructions_ = 0;
    std::uint64_t effective_ = 0;
    std::map<std::uintptr_t, Executed> executed_{};
    std::vector<std::uint64_t> after_calls_{};
};

/// How many system calls a child may be let run through that is to be killed after so many effective steps, if it does the same each
/// time: a way of ten thousands of instructions is then stepped in pieces. What `after_calls` has is that of a run to the end.
struct RunUp {
    std::uint64_t calls = 0;
    std::uint64_t effective = 0;  ///< by then

    [[nodiscard]] static RunUp to(std::uint64_t effective, const std::vector<std::uint64_t>& after_calls) {
        RunUp up;
        for (const std::uint64_t after : after_calls) {
            if (after > effective) break;
            up = {up.calls + 1, after};
        }
        return up;
    }
};

}  // namespace shmring::test
