// What a pipe is, whatever it carries: shared memory with two ends to be taken, and ways to come by it.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "shmring/detail/pipe_hold.hpp"
#include "shmring/detail/pipe_renewal.hpp"
#include "shmring/detail/ring_factory.hpp"
#include "shmring/detail/ring_object.hpp"
#include "shmring/options.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// `Pipe` provides `static SegmentSpec spec(const PipeOptions&)` and a constructor from shared_ptr<Segment>; `End` one from PipeHold.
/// Of the factories: those of RingFactory give a pipe whose ends are taken by first() and second(); nobody is missed at an end that
/// nobody has used, so the other one waits. pair() gives both ends, with tethers.
template <class Pipe, class PipeEndType>
class PipeObject : public RingFactory<Pipe, PipeOptions> {
    using Factory = RingFactory<Pipe, PipeOptions>;

 public:
    using End = PipeEndType;

    /// Opens the named pipe or makes it; many processes may do so at once and all get the same pipe. One whose two ends were both taken
    /// and are closed or dead is nobody's any more: its name is removed and a new one made, so that two daemons meet again after
    /// both were killed. One of them alone finds its former end still there (bind(): errc::pipe_ended) until the other has let go, too,
    /// and tries again until then.
    [[nodiscard]] static Pipe open_or_create(std::string_view name, const PipeOptions& options) {
        return Factory::or_throw(options, renewing(name, options));
    }
    [[nodiscard]] static Pipe open_or_create(std::string_view name, const PipeOptions& options,
                                             std::error_code& code) noexcept {
        return Factory::or_code(options, code, renewing(name, options));
    }

    /// Both ends of a new pipe without a name, to be made before fork(): each process uses one, and closes its copy of the other,
    /// as with a pipe of the kernel's. When no process is left that could use an end, the other end hears of its end.
    /// Throws std::system_error.
    [[nodiscard]] static std::pair<End, End> pair(const PipeOptions& options) {
        SetupError error;
        std::pair<End, End> ends = make_pair(options, error);
        if (error.code) throw_setup_error(error);
        return ends;
    }
    /// The same; two empty ends and `code`.
    [[nodiscard]] static std::pair<End, End> pair(const PipeOptions& options,
                                                  std::error_code& code) noexcept {
        SetupError error;
        std::pair<End, End> ends = make_pair(options, error);
        code = error.code;
        return ends;
    }

    [[nodiscard]] explicit operator bool() const noexcept { return segment_ != nullptr; }
    /// One end, unbound: it becomes this process's own at its first use or bind(). Two unbound objects of one end compete; who comes
    /// second is told. Throws std::system_error.
    [[nodiscard]] End first() const { return end_or_throw(PipeSide::first); }
    [[nodiscard]] End second() const { return end_or_throw(PipeSide::second); }
    [[nodiscard]] End first(std::error_code& code) const noexcept {
        return end_or_code(PipeSide::first, code);
    }
    [[nodiscard]] End second(std::error_code& code) const noexcept {
        return end_or_code(PipeSide::second, code);
    }
    [[nodiscard]] bool duplex() const noexcept {
        return segment_ != nullptr && (segment_->geometry().pipe_shape & kPipeDuplex) != 0;
    }
    /// Not of an empty object.
    [[nodiscard]] Segment& segment() const noexcept { return *segment_; }

 protected:
    PipeObject() noexcept = default;
    explicit PipeObject(std::shared_ptr<Segment> segment) noexcept : segment_(std::move(segment)) {}

 private:
    [[nodiscard]] static auto renewing(std::string_view name, const PipeOptions& options) noexcept {
        return [name, &options](const SegmentSpec& spec, SetupError& error) noexcept {
            return open_or_renew_pipe(name, spec, options.segment, error);
        };
    }
    [[nodiscard]] static std::pair<End, End> make_pair(const PipeOptions& options,
                                                       SetupError& error) noexcept {
        SegmentSpec spec = Pipe::spec(options);
        spec.pipe_shape |= kPipeTethered;
        Segment memory = Segment::anonymous(spec, options.segment, error);
        if (error.code) return {};
        const std::shared_ptr<Segment> segment = share_segment(std::move(memory), error);
        if (error.code) return {};
        PipeHold first(segment, PipeSide::first, error);
        if (error.code) return {};
        PipeHold second(segment, PipeSide::second, error);
        if (error.code) return {};
        return {End(std::move(first)), End(std::move(second))};
    }
    [[nodiscard]] End take(PipeSide side, SetupError& error) const noexcept {
        if (segment_ == nullptr) {
            refuse_empty_ring(error);
            return End{};
        }
        PipeHold hold(segment_, side, error);
        return error.code ? End{} : End(std::move(hold));
    }
    [[nodiscard]] End end_or_throw(PipeSide side) const {
        SetupError error;
        End end = take(side, error);
        if (error.code) throw_setup_error(error);
        return end;
    }
    [[nodiscard]] End end_or_code(PipeSide side, std::error_code& code) const noexcept {
        SetupError error;
        End end = take(side, error);
        code = error.code;
        return end;
    }

    std::shared_ptr<Segment> segment_{};
};

}  // namespace shmring::detail
