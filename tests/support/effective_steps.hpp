// Which instructions of a process that is stepped through an operation anybody else can tell from the one before: those that changed the
// segment, and system calls. Killed after any other, it leaves the survivors the world it would have left one instruction earlier.
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <cstdint>
#include <cstring>

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
    explicit EffectiveSteps(const Segment& segment) : changes_(segment) {}

    /// To be called before the first instruction and after each.
    void look(pid_t child) {
        const std::uint64_t changes = changes_.count();
        if (!first_) {
            ++instructions_;
            if (changes != seen_ || system_call_ != kNoSystemCall) ++effective_;
        }
        first_ = false;
        seen_ = changes;
        system_call_ = system_call_before(child);
    }
    [[nodiscard]] long next_system_call() const { return system_call_; }
    [[nodiscard]] std::uint64_t instructions() const { return instructions_; }
    [[nodiscard]] std::uint64_t effective() const { return effective_; }

 private:
    SegmentChanges changes_;
    bool first_ = true;
    long system_call_ = kNoSystemCall;  // the next instruction
    std::uint64_t seen_ = 0;
    std::uint64_t instructions_ = 0;
    std::uint64_t effective_ = 0;
};

}  // namespace shmring::test
