// Joining a ring with many on both sides.
#include "shmring/detail/member.hpp"

#include <utility>

namespace shmring::detail {

Member Member::join(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                    SetupError& error) noexcept {
    Member member;
    auto& control = *reinterpret_cast<Control*>(segment->at(segment->geometry().control_offset));
    if (!member.attend(std::move(segment), role, policy, error)) return member;
    member.control_ = &control;
    member.wait_at(control.readable, control.writable);
    return member;
}

void Member::refuse_corrupt(SetupError& error) noexcept {
    refuse_positions(error, "the ring's positions contradict each other");
    leave();
}

}  // namespace shmring::detail
