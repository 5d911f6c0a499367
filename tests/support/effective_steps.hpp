// Which instructions of a process that is stepped through an operation anybody else can tell from the one before: those that changed the
// segment, and system calls. Killed after any other, it leaves the survivors the world it would have left one instruction earlier.
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "shmring/segment.hpp"
#include "support/segment_changes.hpp"

namespace shmring::test {

inline constexpr long kNoSystemCall = -1;

/// The number of the system call that a stopped child stands in front of. It was forked from us, so its code is ours, at the same
/// address.
[[nodiscard]] inline long system_call_before(pid_t child) {
    user_regs_struct registers{};
    iovec where{&registers, sizeof registers};
    if (::ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &where) != 0) return kNoSystemCall;
#if defined(__x86_64__)
    std::uint16_t instruction = 0;
    std::memcpy(&instruction, reinterpret_cast<const void*>(registers.rip), sizeof instruction);
    constexpr std::uint16_t kSyscall = 0x050f;
    return instruction == kSyscall ? static_cast<long>(registers.rax) : kNoSystemCall;
#elif defined(__aarch64__)
    std::uint32_t instruction = 0;
    std::memcpy(&instruction, reinterpret_cast<const void*>(registers.pc), sizeof instruction);
    constexpr std::uint32_t kSvc = 0xd4000001;
    return instruction == kSvc ? static_cast<long>(registers.regs[8]) : kNoSystemCall;
#else
#error "which instruction is a system call here?"
#endif
}

/// What peers in the segment change meanwhile counts, too: a kill too many then, and none too few while they sleep.
class EffectiveSteps {
 public:
    /// `before`: so many effective steps the child was let run through.
    EffectiveSteps(const Segment& segment, std::uint64_t before) : changes_(segment), effective_(before) {}

    /// To be called before the first instruction and after each.
    void look(pid_t child) {
        const std::uint64_t changes = changes_.count();
        if (!first_) {
            ++instructions_;
            if (changes != seen_ || system_call_ != kNoSystemCall) ++effective_;
            if (system_call_ != kNoSystemCall) after_calls_.push_back(effective_);
        }
        first_ = false;
        seen_ = changes;
        system_call_ = system_call_before(child);
    }
    /// Or to wake somebody, which is the same call.
    [[nodiscard]] bool is_about_to_sleep() const {
        return system_call_ == SYS_futex || system_call_ == SYS_futex_waitv;
    }
    [[nodiscard]] std::uint64_t instructions() const { return instructions_; }
    [[nodiscard]] std::uint64_t effective() const { return effective_; }
    /// How many there had been right after each system call.
    [[nodiscard]] const std::vector<std::uint64_t>& after_calls() const { return after_calls_; }

 private:
    SegmentChanges changes_;
    bool first_ = true;
    long system_call_ = kNoSystemCall;  // the next instruction
    std::uint64_t seen_ = 0;
    std::uint64_t instructions_ = 0;
    std::uint64_t effective_ = 0;
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
