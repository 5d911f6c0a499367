// What every end of a pipe is, whatever it carries: two handles of the rings below it (one in a one-way pipe), taken together at
// first use, given back together. The pipes add their verbs.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <system_error>
#include <utility>

#include "shmring/detail/await_verbs.hpp"
#include "shmring/detail/event_set.hpp"
#include "shmring/detail/glances.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/pipe_hold.hpp"
#include "shmring/detail/pipe_lane.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/setup_report.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

template <class Lane>
class PipeEndBase : public AwaitVerbs<PipeEndBase<Lane>> {
    using Producer = typename Lane::Producer;
    using Consumer = typename Lane::Consumer;

 public:
    PipeEndBase(PipeEndBase&&) noexcept = default;
    PipeEndBase& operator=(PipeEndBase&& other) noexcept {
        if (this == &other) return *this;
        close();
        hold_ = std::move(other.hold_);
        out_ = std::move(other.out_);
        in_ = std::move(other.in_);
        policy_ = other.policy_;
        return *this;
    }
    ~PipeEndBase() { close(); }

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(hold_); }
    /// Whether this end receives, and whether it sends: both, unless the pipe is one-way.
    [[nodiscard]] bool readable() const noexcept { return hold_ && hold_.reads(); }
    [[nodiscard]] bool writable() const noexcept { return hold_ && hold_.writes(); }

    /// Makes this end this process's own, as its first use does. Throws std::system_error: errc::seat_taken (another process has
    /// it, or another object of this one), errc::pipe_ended, errc::not_owner, errc::participants_exhausted, or what the system said.
    void bind() {
        SetupError error;
        if (begin(error) != Status::ok) throw_setup_error(error);
    }
    void bind(std::error_code& code) noexcept {
        SetupError error;
        (void)begin(error);
        code = error.code;
    }

    /// Ends the pipe from this side, as the destructor does: the other end receives what is left, then `closed`; its sends answer
    /// `closed`; what it sent and we did not receive is gone. Of an end that was not used it closes this process's copy only, and
    /// ends the pipe if that was the last one. A bound end's copy in a forked child: nothing happens.
    void close() noexcept {
        if (hold_.bound()) {
            if (!usable()) return;
            if (hold_.writes()) out_.close();
            if (hold_.reads()) in_.close();
            // Killed here: the seats are held by the dead, and the other end closes once more what is closed.
            out_.detach();
            in_.detach();
        }
        if (hold_) hold_.close();
    }

    /// ok: receiving would not wait, for there is a message, the end of the pipe, or an error to be told. empty: it would, and the
    /// descriptor is unreadable. Takes nothing. closed, invalid, not_owner: this end does not receive.
    [[nodiscard]] Result<void> poll() noexcept {
        const Status ready = ready_to_receive();
        if (ready != Status::ok) return ready;
        const Status found = PipeAccess::peek(in_);
        return found == Status::empty || found == Status::not_owner ? found : Status::ok;
    }
    /// The same, waiting at most `timeout`, never less before answering timed_out; zero or less is one look, and also answers
    /// timed_out. `stop` ends the wait with interrupted.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> poll_for(std::chrono::duration<Rep, Period> timeout,
                                        const std::stop_token& stop = {}) noexcept {
        return poll_until_ns(deadline_after(timeout), stop);
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> poll_until(std::chrono::time_point<Clock, Duration> deadline,
                                          const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return wait_until(deadline,
                          [&](std::uint64_t ns) noexcept { return poll_until_ns(ns, stop).error(); });
    }
    /// Whether everything was received and nothing more will come: the next call that receives answers `closed`.
    [[nodiscard]] bool eof() noexcept {
        const Status ready = ready_to_receive();
        return (ready == Status::ok ? PipeAccess::peek(in_) : ready) == Status::closed;
    }
    /// How the other end stands. Asks whether it lives, by a system call or two.
    [[nodiscard]] PeerState peer() const noexcept {
        if (!hold_) return PeerState::left;
        const PipeWatch other = watch(other_side(hold_.side()));
        other.examine(ParticipantTable(segment()));
        return other.state();
    }

    void set_wait_policy(const WaitPolicy& policy) noexcept {
        policy_ = policy;
        if (!hold_.bound()) return;
        out_.set_wait_policy(policy);
        in_.set_wait_policy(policy);
    }
    /// Not of an empty object.
    [[nodiscard]] Segment& segment() const noexcept { return *hold_.segment(); }

    /// A descriptor for epoll, poll or select, readable while poll() would answer ok: see the rings' consumers. Binds this end.
    /// A pipe without a name needs PipeOptions::segment.bell. Throws std::system_error.
    [[nodiscard]] int readable_fd() {
        SetupError error;
        if (!begin_to_receive(error)) throw_setup_error(error);
        return in_.readable_fd();
    }
    [[nodiscard]] int readable_fd(std::error_code& code) noexcept {
        SetupError error;
        if (begin_to_receive(error)) return in_.readable_fd(code);
        code = error.code;
        return -1;
    }
    /// What wait_any and WaitSet need of an end; binds it. An end that does not receive is always ready: the call on it says why.
    [[nodiscard]] WaitPoint<ShippedEnv> read_point() noexcept {
        if (ready_to_receive() == Status::ok) return in_.read_point();
        return {.object = this,  // no line: who finds it ready never sleeps
                .ready = [](void*, bool) noexcept { return true; },
                .examine = [](void*) noexcept {}};
    }

    /// A new descriptor that stands for this unbound end: pass it to another process by SCM_RIGHTS, close it here, and close()
    /// this object. Who gets it calls from_descriptor(descriptor).second() (or first(), the same side as this), then closes it. An
    /// end of a pair() stays alive meanwhile, also inside the socket. Throws std::system_error: errc::not_owner for an end in use.
    [[nodiscard]] int to_descriptor() const {
        SetupError error;
        const int descriptor = hold_.export_descriptor(error);
        if (descriptor < 0) throw_setup_error(error);
        return descriptor;
    }
    [[nodiscard]] int to_descriptor(std::error_code& code) const noexcept {
        SetupError error;
        const int descriptor = hold_.export_descriptor(error);
        code = error.code;
        return descriptor;
    }

 protected:
    PipeEndBase() noexcept = default;
    explicit PipeEndBase(PipeHold hold) noexcept : hold_(std::move(hold)) {}

    /// `call(producer)`, after the first use was made one and, now and then, the peer was asked after.
    template <class Call>
    [[nodiscard]] Result<void> sending(Call&& call) {
        if (!hold_.bound()) [[unlikely]] {
            SetupError error;
            if (const Status status = begin(error); status != Status::ok) return status;
        }
        if (!hold_.writes()) [[unlikely]]
            return Status::invalid;
        if (send_glances_.due(period_ns())) [[unlikely]]
            PipeAccess::examine(out_);
        return call(out_);
    }
    /// `call(consumer)`, which asks after the peer where it finds nothing.
    template <class Call>
    [[nodiscard]] auto receiving(Call&& call) -> decltype(call(std::declval<Consumer&>())) {
        const Status ready = ready_to_receive();
        if (ready != Status::ok) [[unlikely]]
            return ready;
        return call(in_);
    }
    [[nodiscard]] Consumer& consumer() noexcept { return in_; }
    [[nodiscard]] const Consumer& consumer() const noexcept { return in_; }

 private:
    friend class AwaitVerbs<PipeEndBase>;

    /// Binds this end, too.
    [[nodiscard]] Result<void> await_peer_by(std::uint64_t deadline_ns,
                                             const std::stop_token& stop) noexcept {
        SetupError error;
        if (const Status status = begin(error); status != Status::ok) return status;
        return hold_.writes() ? PipeAccess::await_peer(out_, deadline_ns, stop)
                              : PipeAccess::await_peer(in_, deadline_ns, stop);
    }
    [[nodiscard]] auto period_ns() const noexcept {
        return [this]() noexcept { return hold_.segment()->geometry().liveness_period_ns; };
    }
    [[nodiscard]] PipeWatch watch(PipeSide side) const noexcept { return {*hold_.segment(), side}; }
    [[nodiscard]] bool usable() const noexcept {
        return hold_.writes() ? PipeAccess::usable(out_) : PipeAccess::usable(in_);
    }

    [[nodiscard, gnu::noinline]] Status begin(SetupError& error) noexcept {
        return hold_.bind([this](SetupError& why) noexcept { return take_seats(why); }, error);
    }
    /// Both seats or none. Killed between the two: the one that was taken is held by the dead, which is enough to be found so.
    [[nodiscard]] bool take_seats(SetupError& error) noexcept {
        const std::shared_ptr<Segment>& pipe = hold_.segment();
        const PipeSide here = hold_.side();
        const PipeSide there = other_side(here);
        Producer out;
        Consumer in;
        if (hold_.writes())
            PipeAccess::enter(out, pipe, Lane::memory(*pipe, there), policy_, watch(there), error);
        if (error.code) return false;
        if (hold_.reads())
            PipeAccess::enter(in, pipe, Lane::memory(*pipe, here), policy_, watch(there), error);
        if (error.code) {
            PipeAccess::renounce(out);
            return false;
        }
        out_ = std::move(out);
        in_ = std::move(in);
        return true;
    }

    [[nodiscard]] Status ready_to_receive() noexcept {
        if (!hold_.bound()) [[unlikely]] {
            SetupError error;
            if (const Status status = begin(error); status != Status::ok) return status;
        }
        return hold_.reads() ? Status::ok : Status::invalid;
    }
    [[nodiscard]] bool begin_to_receive(SetupError& error) noexcept {
        if (begin(error) != Status::ok) return false;
        if (hold_.reads()) return true;
        SetupReport(error, "wait for an end of a pipe")
            .refuse(errc::bad_option, "this end of a one-way pipe does not receive");
        return false;
    }

    [[nodiscard]] Result<void> poll_until_ns(std::uint64_t deadline_ns,
                                             const std::stop_token& stop) noexcept {
        const Status ready = ready_to_receive();
        if (ready != Status::ok) return ready;
        const Status found = PipeAccess::await_readable(in_, deadline_ns, stop);
        const bool is_refusal =
            found == Status::timed_out || found == Status::interrupted || found == Status::not_owner;
        return is_refusal ? found : Status::ok;
    }

    PipeHold hold_{};
    Producer out_{};
    Consumer in_{};
    Glances send_glances_{};
    WaitPolicy policy_{};
};

}  // namespace shmring::detail
