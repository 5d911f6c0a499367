// A reference to something that can be called. What is slow anyway takes one, so that it is compiled once, in lib/, and not again for
// each type of message and each call.
// SPDX-License-Identifier: MIT
#pragma once

namespace shmring::detail {

/// Called without arguments. What it refers to must outlive it, and must not throw.
template <class Answer>
class CallRef {
 public:
    template <class Call>
    CallRef(const Call& call) noexcept  // implicit: a parameter that takes any callable
        : object_(&call), call_([](const void* object) noexcept -> Answer {
              return static_cast<Answer>((*static_cast<const Call*>(object))());
          }) {}

    Answer operator()() const noexcept { return call_(object_); }

 private:
    const void* object_;
    Answer (*call_)(const void* object) noexcept;
};

/// The same, not inlined where it is called: for what a wait calls in more than one place.
template <class Call>
class OutOfLine {
 public:
    explicit OutOfLine(const Call& call) noexcept : call_(call) {}
    [[gnu::noinline]] auto operator()() const noexcept { return call_(); }

 private:
    const Call& call_;
};

}  // namespace shmring::detail
