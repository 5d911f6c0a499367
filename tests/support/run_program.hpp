// Other programs as children of a test: started, waited for under the watchdog, and what they said.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/child_process.hpp"

namespace shmring::test {

/// How a program ended, and its words.
struct Ran {
    Ended ended{};
    std::string out{};
    std::string err{};

    friend std::ostream& operator<<(std::ostream& stream, const Ran& ran) {
        return stream << ran.ended << "\n--- standard output:\n"
                      << ran.out << "--- standard error:\n"
                      << ran.err;
    }
};

/// Runs from construction on; its output goes to files without a name, so that it never waits for a reader.
class RunningProgram {
 public:
    /// The path of the program and its arguments. `prepare` is called in the child before the program takes
    /// its place; a result other than 0 ends the child with it.
    explicit RunningProgram(const std::vector<std::string>& command, const std::function<int()>& prepare = {},
                            std::chrono::seconds watchdog = ChildProcess::kWatchdog)
        : out_(std::tmpfile()),
          err_(std::tmpfile()),
          child_([&] { return become(command, prepare); }, watchdog) {}

    [[nodiscard]] pid_t pid() const { return child_.pid(); }
    Ran finish() {
        const Ended ended = child_.join();
        return {ended, text_of(out_.get()), text_of(err_.get())};
    }

 private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    using File = std::unique_ptr<std::FILE, Close>;

    int become(const std::vector<std::string>& command, const std::function<int()>& prepare) const {
        if (!out_ || !err_ || ::dup2(::fileno(out_.get()), STDOUT_FILENO) < 0) std::abort();
        if (::dup2(::fileno(err_.get()), STDERR_FILENO) < 0) std::abort();
        if (const int refused = prepare ? prepare() : 0; refused != 0) return refused;
        std::vector<char*> words;
        words.reserve(command.size() + 1);
        for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        ::execv(words.front(), words.data());
        std::perror(words.front());
        return kExceptionEscaped;
    }
    static std::string text_of(std::FILE* file) {
        std::rewind(file);
        std::string text;
        for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file))
            text += static_cast<char>(byte);
        return text;
    }

    File out_;
    File err_;
    ChildProcess child_;
};

inline Ran run_program(const std::vector<std::string>& command, const std::function<int()>& prepare = {}) {
    return RunningProgram(command, prepare).finish();
}

}  // namespace shmring::test
