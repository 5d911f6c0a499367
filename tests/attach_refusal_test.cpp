// What is said when a handle cannot be had: the limit, permission or option that was in the way, in errno's own words; and what a call
// answers that would have been the handle's first use.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <initializer_list>
#include <ostream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/shmring.hpp"
#include "support/child_process.hpp"
#include "support/pid_namespace.hpp"
#include "support/private_shm.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

struct Said {
    std::error_code code{};
    std::string text{};
    friend std::ostream& operator<<(std::ostream& out, const Said& said) { return out << said.text; }
};
template <class Call>
[[nodiscard]] Said said_by(Call&& call) {
    try {
        (void)call();
    } catch (const std::system_error& error) {
        return {error.code(), error.what()};
    }
    return {};
}
void expect_says(const Said& said, std::errc code, std::initializer_list<const char*> words) {
    EXPECT_EQ(said.code, code) << said;
    for (const char* word : words)
        EXPECT_NE(said.text.find(word), std::string::npos) << said << "\nlacks: " << word;
    EXPECT_NE(said.text.find(said.code.message()), std::string::npos) << said;
    EXPECT_EQ(said.text.find("participant"), std::string::npos) << said;
}

/// A handle of each kind, unbound.
struct Handles {
    SpscRing<int> ring = SpscRing<int>::anonymous({.capacity = 8});
    MpmcByteRing bytes = MpmcByteRing::anonymous({.capacity_bytes = 1024});
    Queue<int> queue = Queue<int>::anonymous({.capacity = 8});
    JoinableQueue<int> tasks = JoinableQueue<int>::anonymous({.capacity = 8});
    std::pair<PipeEnd<int>, PipeEnd<int>> pipe = Pipe<int>::pair({.capacity = 8});

    void expect_each_says(std::errc code, std::initializer_list<const char*> words) {
        expect_says(said_by([&] { return ring.producer(); }), code, words);
        expect_says(said_by([&] { return bytes.consumer(); }), code, words);
        expect_says(said_by([&] { return queue.bind_producer(), 0; }), code, words);
        expect_says(said_by([&] { return queue.bind_consumer(), 0; }), code, words);
        expect_says(said_by([&] { return pipe.first.bind(), 0; }), code, words);
        for (const Status first_use :
             {queue.try_push(1).error(), queue.pop().error(), tasks.try_push(1).error(), tasks.pop().error(),
              pipe.first.send(1).error(), pipe.second.recv().error()})
            EXPECT_EQ(first_use, Status::unavailable);
    }
};

TEST(AttachRefusal, WithoutADescriptorLeftItSaysSo) {
    const Ended ended = ChildProcess([] {
                            Handles handles;
                            const rlimit few{20, 20};
                            ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
                            while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
                            }
                            handles.expect_each_says(std::errc::too_many_files_open, {"ulimit -n is 20"});
                        }).join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

TEST(AttachRefusal, WithoutProcItNamesProc) {
    const Ended ended =
        ChildProcess([] {
            Handles handles;
            if (!enter_private_mounts() || ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
                return kCannotBeTriedHere;
            handles.expect_each_says(std::errc::no_such_file_or_directory, {"is /proc mounted?"});
            return 0;
        }).join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "needs user and mount namespaces, refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

TEST(AttachRefusal, AfterAChangeOfUserPermissionIsDenied) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const UniqueName name;
    const Ended ended =
        ChildProcess([&] {
            auto ring = SpscRing<int>::create(name, {.capacity = 8});
            auto early = ring.consumer();
            if (!drop_root()) return kCannotBeTriedHere;
            const auto words = {"before changing the user"};
            expect_says(said_by([&] { return ring.producer(); }), std::errc::permission_denied, words);
            EXPECT_EQ(early.try_pop().error(), Status::empty) << "what was taken before is ours";
            return 0;
        }).join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "the user cannot be changed here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

TEST(AttachRefusal, WithoutAddressSpaceItSaysWhatMayBeInTheWay) {
    const Ended ended =
        ChildProcess([] {
            Handles handles;
            const rlimit none{0, 0};
            ASSERT_EQ(::setrlimit(RLIMIT_AS, &none), 0);
            const Said said = said_by([&] { return handles.ring.producer(); });
            expect_says(said, std::errc::not_enough_memory, {"vm.max_map_count", "ulimit -v", "ulimit -l"});
        }).join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

/// Of a joinable queue the desk of a task in hand is taken later than its handle.
TEST(AttachRefusal, ATaskThatCannotBeTakenInHandSaysWhichOfTheTwo) {
    const Ended ended = ChildProcess([] {
                            auto tasks = JoinableQueue<int>::anonymous({.capacity = 8, .participants = 4});
                            for (int i = 0; i != 4; ++i) ASSERT_TRUE(tasks.push(i));
                            const auto first = tasks.pop();
                            const auto second = tasks.pop();
                            EXPECT_EQ(tasks.pop().error(), Status::overflow) << "every record is held";
                        }).join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
    const Ended without = ChildProcess([] {
                              auto tasks = JoinableQueue<int>::anonymous({.capacity = 8});
                              for (int i = 0; i != 4; ++i) ASSERT_TRUE(tasks.push(i));
                              const auto first = tasks.pop();
                              const rlimit few{20, 20};
                              ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
                              while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
                              }
                              EXPECT_EQ(tasks.pop().error(), Status::unavailable);
                          }).join();
    EXPECT_TRUE(without.exited_with(0)) << without;
}

TEST(AttachRefusal, AFullTableNamesTheOptionAndANumberThatWouldDo) {
    auto queue = Queue<int>::anonymous({.capacity = 8, .participants = 2});
    queue.bind_producer();
    queue.bind_consumer();
    auto third = queue.attach();
    const Said said = said_by([&] { return third.bind_producer(), 0; });
    EXPECT_EQ(said.code, errc::participants_exhausted);
    EXPECT_NE(said.text.find("all 2 participant records"), std::string::npos) << said;
    EXPECT_NE(said.text.find(".participants = 4"), std::string::npos) << said;
    EXPECT_EQ(third.try_push(1).error(), Status::overflow);
    queue.detach();
    EXPECT_TRUE(third.try_push(1));
}

TEST(AttachRefusal, AProcessOfAContainerIsNotNamedByANumberThatMeansAnotherHere) {
    auto ring = SpscRing<int>::anonymous({.capacity = 8});
    ChildProcess container([&] {
        return in_new_pid_namespace([](pid_t) {},
                                    [&] {
                                        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                                        auto out = ring.producer();
                                        ::pause();
                                        return 0;
                                    });
    });
    const auto has_ended = [&] {
        siginfo_t news{};
        return ::waitid(P_PID, static_cast<id_t>(container.pid()), &news, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               news.si_pid != 0;
    };
    std::error_code code;
    while (code != errc::seat_taken && !has_ended()) {
        (void)ring.producer({}, code);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (code != errc::seat_taken) {
        EXPECT_TRUE(container.join().exited_with(kCannotBeTriedHere));
        GTEST_SKIP() << "needs PID namespaces, which are refused here";
    }
    const Said said = said_by([&] { return ring.producer(); });
    EXPECT_NE(said.text.find("a process of another PID namespace (number 1 there) is the producer"),
              std::string::npos)
        << said;
}

TEST(AttachRefusal, AMappingThatIsRefusedSaysWhichLimit) {
    const Ended ended =
        ChildProcess([] {
            const rlimit little{1 << 20, 1 << 20};
            if (::setrlimit(RLIMIT_MEMLOCK, &little) != 0) return kCannotBeTriedHere;
            if (!drop_root()) return kCannotBeTriedHere;  // root may lock all there is
            if (::mlockall(MCL_FUTURE | MCL_ONFAULT) != 0) return kCannotBeTriedHere;
            expect_says(said_by([] { return ByteRing::anonymous({.capacity_bytes = 8 << 20}); }),
                        std::errc::not_enough_memory, {"ulimit -l", "may lock 1048576 bytes"});
            return 0;
        }).join();
    if (ended.exited_with(kCannotBeTriedHere)) GTEST_SKIP() << "mlockall() is refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

/// The option is called by its name: where bytes are asked for, capacity_bytes.
TEST(CapacityRefusal, NamesTheOptionAtFaultAndWhatWouldDo) {
    using Texts = Queue<std::string>;
    for (const auto& [said, words] : std::vector<std::pair<Said, std::string>>{
             {said_by([] { return SpscRing<int>::anonymous({}); }), "capacity is 0, it must be 1 to "},
             {said_by([] { return ByteRing::anonymous({}); }), "capacity_bytes is 0, it must be 16 to "},
             {said_by([] { return MpmcByteRing::anonymous({}); }), "capacity_bytes is 0, it must be "},
             {said_by([] { return Texts::anonymous({.capacity = 8}); }),
              "capacity_bytes is 0, it must be 512 to "},
             {said_by(
                  [] { return JoinableQueue<std::string>::anonymous({.capacity = 8, .max_task_bytes = 8}); }),
              "capacity_bytes is 0, it must be "},
             {said_by([] { return BytePipe::pair({.capacity = 8}); }), "capacity_bytes is 0, it must be "},
             {said_by([] { return Texts::anonymous({.capacity = 1000, .capacity_bytes = 1000}); }),
              "capacity_bytes is 1000, what was asked for needs 64000"},
             {said_by([] { return ByteRing::anonymous({.capacity_bytes = 1}); }), "capacity_bytes is 1, "}}) {
        EXPECT_EQ(said.code, errc::bad_option);
        EXPECT_NE(said.text.find(": " + words), std::string::npos) << said << "\nlacks: " << words;
    }
}

}  // namespace
}  // namespace shmring::test
