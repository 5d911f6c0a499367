// Clock, futex, random numbers, process token and process identity: what detail/platform.hpp promises of
// each. The liveness lock has its own file.
// SPDX-License-Identifier: MIT

#include "shmring/detail/platform.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/child_process.hpp"
#include "support/shared.hpp"
#include "support/syscall_filter.hpp"

namespace shmring::test {
namespace {

using namespace detail::platform;

constexpr std::uint64_t kMillisecond_ns = 1'000'000;

/// A futex word. `asleep` says how many were about to call futex_wait; the kernel knows the rest, see
/// wake_when_asleep().
struct Word {
    std::atomic<std::uint32_t> value{0};
    std::atomic<std::uint32_t> asleep{0};
    std::atomic<std::uint32_t> woken{0};

    [[nodiscard]] const std::uint32_t* address() const {
        return reinterpret_cast<const std::uint32_t*>(&value);
    }
    [[nodiscard]] FutexResult sleep(std::uint64_t deadline_ns) {
        asleep.fetch_add(1, std::memory_order_relaxed);
        const FutexResult result = futex_wait(address(), 0, deadline_ns);
        if (result == FutexResult::woken) woken.fetch_add(1, std::memory_order_relaxed);
        return result;
    }
};

/// Nobody can see from outside that a sleeper has arrived in the kernel, so this wakes until somebody was
/// there.
int wake_when_asleep(const Word& word, int count) {
    const std::uint64_t start = monotonic_ns();
    while (monotonic_ns() - start < 60'000 * kMillisecond_ns) {
        if (const int woken = futex_wake(word.address(), count); woken != 0) return woken;
        ::sched_yield();
    }
    return 0;
}

// ---- clock ------------------------------------------------------------------------------------------------

TEST(Clock, NeverGoesBack) {
    std::uint64_t last = monotonic_ns();
    ASSERT_NE(last, 0U);
    for (int look = 0; look != 10'000; ++look) {
        const std::uint64_t now = monotonic_ns();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(Clock, IsTheSameInEveryProcess) {
    Shared<std::atomic<std::uint64_t>> theirs;
    const std::uint64_t before = monotonic_ns();
    ChildProcess child([&] {
        theirs->store(monotonic_ns(), std::memory_order_release);
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_GE(theirs->load(std::memory_order_acquire), before);
    EXPECT_LE(theirs->load(std::memory_order_acquire), monotonic_ns());
}

// ---- futex ------------------------------------------------------------------------------------------------

TEST(Futex, ReturnsAtOnceWhenTheValueHasChanged) {
    const std::uint32_t word = 7;
    EXPECT_EQ(futex_wait(&word, 6, kNever), FutexResult::value_changed);
}

TEST(Futex, ADeadlineThatHasPassedTimesOut) {
    const std::uint32_t word = 7;
    EXPECT_EQ(futex_wait(&word, 7, 0), FutexResult::timed_out);
    EXPECT_EQ(futex_wait(&word, 7, monotonic_ns()), FutexResult::timed_out);
}

TEST(Futex, NeverTimesOutBeforeTheDeadline) {
    const std::uint32_t word = 7;
    for (std::uint64_t span = 1; span < 20 * kMillisecond_ns; span = span * 3 + 1) {
        const std::uint64_t deadline = monotonic_ns() + span;
        ASSERT_EQ(futex_wait(&word, 7, deadline), FutexResult::timed_out);
        ASSERT_GE(monotonic_ns(), deadline);
    }
}

TEST(Futex, ADeadlineOnAWholeSecondIsMetExactly) {
    const std::uint32_t word = 7;
    const std::uint64_t deadline = (monotonic_ns() / 1'000'000'000 + 1) * 1'000'000'000;
    EXPECT_EQ(futex_wait(&word, 7, deadline), FutexResult::timed_out);
    EXPECT_GE(monotonic_ns(), deadline);
}

TEST(Futex, WakesASleeperOfAnotherProcess) {
    Shared<Word> word;
    ChildProcess sleeper([&] { return word->sleep(kNever) == FutexResult::woken ? 0 : 1; });
    EXPECT_EQ(wake_when_asleep(*word, 1), 1);
    EXPECT_TRUE(sleeper.join().exited_with(0));
}

TEST(Futex, IsTheSameWordThroughTwoMappings) {
    const int file = ::memfd_create("futex", MFD_CLOEXEC);
    ASSERT_EQ(::ftruncate(file, 4096), 0);
    std::array<Word*, 2> seen{};
    for (Word*& word : seen) {
        void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ASSERT_NE(memory, MAP_FAILED);
        word = static_cast<Word*>(memory);  // zeroes are a Word
    }
    std::thread sleeper([&] { (void)seen[0]->sleep(kNever); });
    EXPECT_EQ(wake_when_asleep(*seen[1], 1), 1);
    sleeper.join();
    EXPECT_EQ(seen[1]->woken.load(std::memory_order_relaxed), 1U);
    for (Word* word : seen) ::munmap(word, 4096);
    ::close(file);
}

TEST(Futex, WakesAsManyAsAskedFor) {
    Word word;
    EXPECT_EQ(futex_wake(word.address(), 1), 0) << "nobody sleeps";
    std::vector<std::thread> sleepers;
    for (int i = 0; i != 3; ++i) sleepers.emplace_back([&] { (void)word.sleep(kNever); });
    int woken = 0;
    for (int i = 0; i != 3; ++i) {
        const int now = wake_when_asleep(word, 1);
        EXPECT_EQ(now, 1);
        woken += now;
    }
    EXPECT_EQ(woken, 3);
    for (std::thread& sleeper : sleepers) sleeper.join();
    EXPECT_EQ(word.woken.load(std::memory_order_relaxed), 3U);
    EXPECT_EQ(futex_wake(word.address(), 1), 0);
}

/// The farthest deadlines must neither overflow into the past nor be refused.
class FutexFarDeadline : public testing::TestWithParam<std::uint64_t> {};

TEST_P(FutexFarDeadline, SleepsUntilWoken) {
    Word word;
    std::atomic<FutexResult> result{FutexResult::interrupted};
    std::thread sleeper([&] { result.store(word.sleep(GetParam()), std::memory_order_relaxed); });
    EXPECT_EQ(wake_when_asleep(word, 1), 1);
    sleeper.join();
    EXPECT_EQ(result.load(std::memory_order_relaxed), FutexResult::woken);
}

INSTANTIATE_TEST_SUITE_P(All, FutexFarDeadline,
                         testing::Values(kNever, kNever - 1, std::uint64_t{1} << 63,
                                         (std::uint64_t{1} << 63) - 1,
                                         std::uint64_t{0xffff'ffff} * 1'000'000'000,
                                         std::uint64_t{0x7fff'ffff} * 1'000'000'000 + 999'999'999));

/// A signal ends a sleep whatever flags its handler was installed with, with a deadline near or none.
struct Interruption {
    const char* name;
    int flags;
    std::uint64_t deadline_ns;
};

class FutexInterruption : public testing::TestWithParam<Interruption> {};

TEST_P(FutexInterruption, ASignalHandlerThatRanEndsTheSleep) {
    struct sigaction action {};
    struct sigaction former {};
    action.sa_handler = [](int) {};
    action.sa_flags = GetParam().flags;
    ASSERT_EQ(::sigaction(SIGUSR1, &action, &former), 0);

    Word word;
    std::atomic<FutexResult> result{FutexResult::woken};
    std::atomic<bool> over{false};
    std::thread sleeper([&] {
        result.store(word.sleep(GetParam().deadline_ns), std::memory_order_relaxed);
        over.store(true, std::memory_order_release);
    });
    const std::uint64_t start = monotonic_ns();
    while (!over.load(std::memory_order_acquire) && monotonic_ns() - start < 60'000 * kMillisecond_ns) {
        if (word.asleep.load(std::memory_order_relaxed) != 0)
            ::pthread_kill(sleeper.native_handle(), SIGUSR1);
        ::sched_yield();
    }
    EXPECT_TRUE(over.load(std::memory_order_acquire)) << "the signals did not end the sleep";
    futex_wake(word.address(), 1);  // lets the thread end if they did not
    sleeper.join();
    EXPECT_EQ(result.load(std::memory_order_relaxed), FutexResult::interrupted);
    ASSERT_EQ(::sigaction(SIGUSR1, &former, nullptr), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, FutexInterruption,
    testing::Values(Interruption{"Deadline", 0, std::uint64_t{1} << 62},
                    Interruption{"DeadlineAndRestart", SA_RESTART, std::uint64_t{1} << 62},
                    Interruption{"Never", 0, kNever}, Interruption{"NeverAndRestart", SA_RESTART, kNever}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Futex, MemoryThatIsNotThereMeansLookAgain) {
    void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    EXPECT_EQ(futex_wait(static_cast<const std::uint32_t*>(page), 0, kNever), FutexResult::value_changed);
    EXPECT_EQ(futex_wake(static_cast<const std::uint32_t*>(page), 1), 0);
    ::munmap(page, 4096);
}

// ---- in a sandbox -------------------------------------------------------------------------------------------

/// What a filter of system calls makes of one of them.
struct Refusal {
    const char* name;
    long call;
    int error;
};
class RefusedFutex : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedFutex, IsWaitedForWithoutBurningTheProcessor) {
    struct Words {
        std::atomic<std::uint32_t> first{0};
        std::atomic<std::uint32_t> second{0};
        std::atomic<bool> goes_on{false};
    };
    const Shared<Words> words;
    const auto body = [&]() -> int {
        const std::array<FutexTarget, 2> targets{
            {{reinterpret_cast<const std::uint32_t*>(&words->first), 0},
             {reinterpret_cast<const std::uint32_t*>(&words->second), 0}}};
        if (!refuse_system_call(GetParam().call, GetParam().error)) return kCannotBeTriedHere;
        const auto wait = [&](std::uint64_t deadline_ns) {
            FutexResult result{};
            do result = futex_wait_any(targets.data(), targets.size(), deadline_ns);
            while (result == FutexResult::woken);
            return result;
        };
        const auto wait_for_one = [&](std::uint64_t deadline_ns) {
            FutexResult result{};
            do result = futex_wait(targets[0].word, 0, deadline_ns);
            while (result == FutexResult::woken);
            return result;
        };
        for (int i = 0; i != 2; ++i) {
            const std::uint64_t deadline_ns = monotonic_ns() + 300'000'000;
            if ((i == 0 ? wait(deadline_ns) : wait_for_one(deadline_ns)) != FutexResult::timed_out) return 3;
            if (monotonic_ns() < deadline_ns) return 4;
        }
        if (std::clock() > CLOCKS_PER_SEC / 5) return 5;  // of 0.6 s
        words->goes_on.store(true);
        return wait(kNever) == FutexResult::value_changed ? 0 : 6;
    };
    ChildProcess child([&] {
        const int code = body();
        words->goes_on.store(true);  // if it has not come so far
        return code;
    });
    while (!words->goes_on.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    words->second.store(1);
    (void)futex_wake(reinterpret_cast<const std::uint32_t*>(&words->second), 1);
    const auto ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "this machine permits no filters";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}
INSTANTIATE_TEST_SUITE_P(By, RefusedFutex,
                         testing::Values(Refusal{"WaitvENOSYS", SYS_futex_waitv, ENOSYS},
                                         Refusal{"WaitvEPERM", SYS_futex_waitv, EPERM},
                                         Refusal{"WaitvEACCES", SYS_futex_waitv, EACCES},
                                         Refusal{"WaitvEINVAL", SYS_futex_waitv, EINVAL},
                                         Refusal{"FutexEPERM", SYS_futex, EPERM},
                                         Refusal{"FutexEACCES", SYS_futex, EACCES},
                                         Refusal{"FutexEINVAL", SYS_futex, EINVAL}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- random numbers ---------------------------------------------------------------------------------------

TEST(Random, NumbersDiffer) {
    std::set<std::uint64_t> seen;
    for (int i = 0; i != 1000; ++i) seen.insert(random_u64());
    EXPECT_EQ(seen.size(), 1000U);
}

// ---- process token ----------------------------------------------------------------------------------------

/// Initialised before main(), like a global ring of an application.
struct BeforeMain {
    std::uint64_t token = process_token();
    const std::atomic<std::uint64_t>* word = process_token_word();
    std::uint64_t random = random_u64();
    ProcessIdentity identity = process_identity();
    FutexResult futex = futex_wait(&kWord, 0, 0);
    static inline const std::uint32_t kWord = 0;
};
const BeforeMain before_main;

TEST(Token, ServesStaticInitialisers) {
    EXPECT_NE(before_main.token, 0U);
    EXPECT_EQ(before_main.token, process_token());
    EXPECT_EQ(before_main.word, process_token_word());
    EXPECT_NE(before_main.random, 0U);
    EXPECT_EQ(before_main.identity.process_id, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(before_main.futex, FutexResult::timed_out);
}

TEST(Token, StaysTheSameAndIsWhatTheWordHolds) {
    const std::uint64_t token = process_token();
    EXPECT_NE(token, 0U);
    EXPECT_EQ(process_token(), token);
    EXPECT_EQ(process_token_word()->load(std::memory_order_relaxed), token);
    EXPECT_EQ(process_token_word(), process_token_word());
}

struct Tokens {
    std::array<std::atomic<std::uint64_t>, 2> at_first{1, 1};
    std::array<std::atomic<std::uint64_t>, 2> token{};
    std::atomic<int> other_addresses{0};
};

TEST(Token, ReadsZeroInAForkedChildUntilItDrawsItsOwn) {
    Shared<Tokens> seen;
    const auto* word = process_token_word();
    const std::uint64_t ours = process_token();
    const auto look = [&](std::size_t generation) {
        if (process_token_word() != word) seen->other_addresses.fetch_add(1, std::memory_order_relaxed);
        seen->at_first[generation].store(word->load(std::memory_order_relaxed), std::memory_order_relaxed);
        seen->token[generation].store(process_token(), std::memory_order_relaxed);
    };
    ChildProcess child([&] {
        look(0);
        ChildProcess grandchild([&] {
            look(1);
            return 0;
        });
        return grandchild.join().exited_with(0) ? 0 : 1;
    });
    ASSERT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(seen->other_addresses.load(std::memory_order_relaxed), 0);
    std::set<std::uint64_t> tokens{ours};
    for (std::size_t generation = 0; generation != 2; ++generation) {
        EXPECT_EQ(seen->at_first[generation].load(std::memory_order_relaxed), 0U);
        tokens.insert(seen->token[generation].load(std::memory_order_relaxed));
    }
    EXPECT_EQ(tokens.size(), 3U) << "three processes, three tokens";
    EXPECT_FALSE(tokens.contains(0));
    EXPECT_EQ(process_token(), ours) << "children change nothing here";
}

TEST(Token, ThreadsThatAskFirstTogetherAgree) {
    constexpr std::size_t kThreads = 8;
    for (int round = 0; round != 20; ++round) {
        Shared<std::array<std::atomic<std::uint64_t>, kThreads>> seen;
        ChildProcess child([&] {  // where the word is 0 again
            std::atomic<bool> go{false};
            std::vector<std::thread> threads;
            for (std::size_t i = 0; i != kThreads; ++i)
                threads.emplace_back([&, i] {
                    while (!go.load(std::memory_order_acquire)) ::sched_yield();
                    (*seen)[i].store(process_token(), std::memory_order_relaxed);
                });
            go.store(true, std::memory_order_release);
            for (std::thread& thread : threads) thread.join();
            return 0;
        });
        ASSERT_TRUE(child.join().exited_with(0));
        std::set<std::uint64_t> tokens;
        for (const auto& token : *seen) tokens.insert(token.load(std::memory_order_relaxed));
        ASSERT_EQ(tokens.size(), 1U);
        ASSERT_FALSE(tokens.contains(0));
    }
}

// ---- process identity -------------------------------------------------------------------------------------

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

TEST(Identity, SaysWhoThisProcessIs) {
    const ProcessIdentity identity = process_identity();
    EXPECT_EQ(identity.process_id, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(identity.thread_id, static_cast<std::uint32_t>(::getpid())) << "the main thread's";
    EXPECT_EQ(std::string(identity.command.data()), first_line("/proc/self/comm"));
    struct stat status {};
    ASSERT_EQ(::stat("/proc/self/ns/pid", &status), 0);
    EXPECT_EQ(identity.pid_namespace, status.st_ino);

    std::string boot_id;
    for (const std::uint8_t byte : identity.boot_id) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", byte);
        boot_id += digits.data();
    }
    std::string expected = first_line("/proc/sys/kernel/random/boot_id");
    std::erase(expected, '-');
    EXPECT_EQ(boot_id, expected);
}

TEST(Identity, StartTimeLiesBetweenParentsAndChilds) {
    const std::uint64_t ours = process_identity().start_time;
    const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    timespec uptime{};
    ASSERT_EQ(::clock_gettime(CLOCK_BOOTTIME, &uptime), 0);
    EXPECT_NE(ours, 0U);
    EXPECT_LE(ours, (static_cast<std::uint64_t>(uptime.tv_sec) + 1) * ticks_per_second);

    Shared<std::atomic<std::uint64_t>> theirs;
    ChildProcess child([&] {
        theirs->store(process_identity().start_time, std::memory_order_relaxed);
        return 0;
    });
    ASSERT_TRUE(child.join().exited_with(0));
    EXPECT_GE(theirs->load(std::memory_order_relaxed), ours);
}

TEST(Identity, IsTheThreadsOwn) {
    std::uint32_t thread_id = 0;
    std::uint32_t process_id = 0;
    long expected = 0;
    std::thread([&] {
        const ProcessIdentity identity = process_identity();
        thread_id = identity.thread_id;
        process_id = identity.process_id;
        expected = ::syscall(SYS_gettid);
    }).join();
    EXPECT_EQ(thread_id, static_cast<std::uint32_t>(expected));
    EXPECT_EQ(process_id, static_cast<std::uint32_t>(::getpid()));
}

/// The command stands in parentheses in /proc/self/stat, and a process may put anything into it.
TEST(Identity, SurvivesEveryCommandName) {
    const std::uint64_t start_time = process_identity().start_time;
    std::array<char, 16> former{};
    ASSERT_EQ(::prctl(PR_GET_NAME, former.data()), 0);
    for (const char* name :
         {") S 1 2 3 4 5 6", "((((", "))))", "a b c d e f g h", "", " ", "\n", "123456789012345", ") ("}) {
        ASSERT_EQ(::prctl(PR_SET_NAME, name), 0);
        const ProcessIdentity identity = process_identity();
        EXPECT_STREQ(identity.command.data(), name);
        EXPECT_EQ(identity.start_time, start_time) << '"' << name << '"';
    }
    ASSERT_EQ(::prctl(PR_SET_NAME, former.data()), 0);
}

TEST(Identity, NeedsNoProc) {
    // Without descriptors to open files with, what can be had without them is still there, and the rest is
    // zero.
    ChildProcess child([] {
        rlimit none{0, 0};
        if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 2;
        const ProcessIdentity identity = process_identity();
        const bool right = identity.process_id == static_cast<std::uint32_t>(::getpid()) &&
                           identity.start_time == 0 && identity.command[0] == '\0' &&
                           identity.boot_id == std::array<std::uint8_t, 16>{};
        return right ? 0 : 1;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
