// Queues of numbers and of texts, for tests of what holds on both lanes: the fixture, and values that tell their number.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "shmring/queue.hpp"

namespace shmring::test {

[[nodiscard]] inline std::uint64_t value_of(std::uint64_t number, std::uint64_t /*like*/) { return number; }
[[nodiscard]] inline std::string value_of(std::uint64_t number, const std::string& /*like*/) {
    return std::string(number % 50, 'x') + std::to_string(number);
}
[[nodiscard]] inline std::uint64_t number_of(std::uint64_t value) { return value; }
[[nodiscard]] inline std::uint64_t number_of(const std::string& value) {
    return std::stoull(value.substr(value.find_first_not_of('x')));
}

/// What the options do not say is what tests like: few records, deaths noticed soon.
template <class T>
[[nodiscard]] QueueOptions queue_options(std::uint64_t capacity) {
    return {.capacity = capacity,
            .capacity_bytes = Message<T> ? 0 : capacity * 1024,
            .participants = 64,
            .liveness_period = std::chrono::milliseconds(5)};
}
/// Of one that ends with its last explicit producer.
template <class T>
[[nodiscard]] QueueOptions ending(std::uint64_t capacity,
                                  std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(2)) {
    QueueOptions options = queue_options<T>(capacity);
    options.ends_with_last_producer = true;
    options.liveness_period = liveness_period;
    return options;
}
template <class T>
[[nodiscard]] Queue<T> queue_of(std::uint64_t capacity) {
    return Queue<T>::anonymous(queue_options<T>(capacity));
}

template <class T>
class QueueOf : public ::testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }
    [[nodiscard]] static T value(std::uint64_t number) { return value_of(number, T{}); }
};
using QueueTypes = ::testing::Types<std::uint64_t, std::string>;

}  // namespace shmring::test
