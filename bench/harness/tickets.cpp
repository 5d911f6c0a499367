// The four ways to sell, and the loop that lets a hundred processes buy. The clock runs from the moment when all buyers are let
// in until the last has been told that nothing is left.
// SPDX-License-Identifier: MIT
#include "harness/tickets.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <shmring/queue.hpp>
#include <stdexcept>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/clock.hpp"
#include "harness/control.hpp"
#include "harness/table.hpp"
#include "harness/whole_message.hpp"

namespace bench {

namespace {

constexpr std::size_t kMostBuyers = 128;

void check(bool good, const char* what) {
    if (!good) throw std::system_error(errno, std::generic_category(), what);
}

/// One way to sell. Made before the buyers are forked.
class Office {
 public:
    virtual ~Office() = default;
    /// In a buyer's process: what it buys with. Each call buys one ticket; false: there are none left.
    virtual std::function<bool()> buyer(std::size_t number) = 0;
    /// In a process of its own, where the stock has an owner.
    virtual void own(std::uint64_t /*stock*/, std::size_t /*buyers*/) {}
    [[nodiscard]] virtual bool has_owner() const { return false; }
};

class FileOffice : public Office {
 public:
    FileOffice(std::uint64_t stock, bool locks) : locks_(locks) {
        std::string name = (std::filesystem::temp_directory_path() / "shmring-tickets-XXXXXX").string();
        made_ = ::mkostemp(name.data(), O_CLOEXEC);
        check(made_ >= 0, "make a temporary file");
        ::unlink(name.c_str());
        check(::pwrite(made_, &stock, sizeof stock, 0) == sizeof stock, "write the stock");
    }
    ~FileOffice() override { ::close(made_); }

    std::function<bool()> buyer(std::size_t) override {
        const int file = ::open(("/proc/self/fd/" + std::to_string(made_)).c_str(), O_RDWR | O_CLOEXEC);
        check(file >= 0, "open the stock again");
        return [this, file] {
            std::uint64_t left = 0;
            if (locks_) check(::flock(file, LOCK_EX) == 0, "lock the stock");
            check(::pread(file, &left, sizeof left, 0) == sizeof left, "read the stock");
            const bool bought = left != 0;
            if (bought) {
                --left;
                check(::pwrite(file, &left, sizeof left, 0) == sizeof left, "write the stock");
            }
            if (locks_) check(::flock(file, LOCK_UN) == 0, "unlock the stock");
            return bought;
        };
    }

 private:
    bool locks_;
    int made_ = -1;
};

/// The owner of the stock takes requests, each the number of a buyer, and answers to that one: 1 is a ticket, 0 is none left.
template <class Take, class Answer>
void serve(std::uint64_t stock, std::size_t buyers, Take&& take, Answer&& answer) {
    while (buyers != 0) {
        const std::uint64_t buyer = take();
        const std::uint64_t granted = stock != 0 ? 1 : 0;
        stock -= granted;
        if (granted == 0) --buyers;  // who hears that does not come again
        answer(buyer, granted);
    }
}

class PipeOffice : public Office {
 public:
    explicit PipeOffice(std::size_t buyers) : answers_(buyers) {
        check(::pipe2(requests_.data(), O_CLOEXEC) == 0, "make a pipe");
        for (Ends& ends : answers_) check(::pipe2(ends.data(), O_CLOEXEC) == 0, "make a pipe");
    }
    ~PipeOffice() override {
        for (const int end : requests_) ::close(end);
        for (const Ends& ends : answers_)
            for (const int end : ends) ::close(end);
    }
    std::function<bool()> buyer(std::size_t number) override {
        return [this, number] {
            std::uint64_t granted = 0;
            check(write_whole(requests_[1], std::uint64_t{number}), "ask");
            check(read_whole(answers_[number][0], granted), "be answered");
            return granted == 1;
        };
    }
    [[nodiscard]] bool has_owner() const override { return true; }
    void own(std::uint64_t stock, std::size_t buyers) override {
        serve(
            stock, buyers,
            [&] {
                std::uint64_t buyer = 0;
                check(read_whole(requests_[0], buyer), "be asked");
                return buyer;
            },
            [&](std::uint64_t buyer, std::uint64_t granted) {
                check(write_whole(answers_.at(buyer)[1], granted), "answer");
            });
    }

 private:
    using Ends = std::array<int, 2>;
    Ends requests_{-1, -1};
    std::vector<Ends> answers_;
};

class QueueOffice : public Office {
    using Queue = shmring::Queue<std::uint64_t>;

 public:
    QueueOffice(std::size_t buyers, const shmring::WaitPolicy& policy)
        : requests_(Queue::anonymous({.capacity = 2 * kMostBuyers, .participants = 2 * kMostBuyers})) {
        for (std::size_t buyer = 0; buyer != buyers; ++buyer)
            answers_.push_back(Queue::anonymous({.capacity = 1, .participants = 2}));
        requests_.set_wait_policy(policy);
        for (Queue& answers : answers_) answers.set_wait_policy(policy);
    }
    std::function<bool()> buyer(std::size_t number) override {
        return [this, number] {
            if (!requests_.push(number)) throw std::runtime_error("the queue of requests ended");
            const auto granted = answers_[number].pop();
            if (!granted) throw std::runtime_error("the queue of answers ended");
            return *granted == 1;
        };
    }
    [[nodiscard]] bool has_owner() const override { return true; }
    void own(std::uint64_t stock, std::size_t buyers) override {
        serve(
            stock, buyers,
            [&] {
                const auto buyer = requests_.pop();
                if (!buyer) throw std::runtime_error("the queue of requests ended");
                return *buyer;
            },
            [&](std::uint64_t buyer, std::uint64_t granted) {
                if (!answers_.at(buyer).push(granted)) throw std::runtime_error("the queue of answers ended");
            });
    }

 private:
    Queue requests_;
    std::vector<Queue> answers_;
};

/// What the processes of one sale share.
struct Counts {
    alignas(kLineGap) std::atomic<std::uint64_t> ready{0};
    alignas(kLineGap) std::atomic<bool> open{false};
    std::array<std::uint64_t, kMostBuyers> bought{};
    std::array<std::int64_t, kMostBuyers> end_ns{};
};

/// Forks `role`; its exceptions are its end.
pid_t start(const std::function<void()>& role) {
    std::cout.flush();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    check(pid >= 0, "fork a process of the ticket office");
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    try {
        role();
    } catch (const std::exception& error) {
        std::cerr << "ipc_bench: tickets: " << error.what() << "\n";
        ::_exit(1);
    }
    ::_exit(0);
}

double cpu_seconds_of_children() {
    rusage use{};
    ::getrusage(RUSAGE_CHILDREN, &use);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void buy_all(Office& office, Counts& counts, std::size_t self) {
    const std::function<bool()> buy = office.buyer(self);
    counts.ready.fetch_add(1, std::memory_order_acq_rel);
    while (!counts.open.load(std::memory_order_acquire)) ::usleep(1000);
    std::uint64_t bought = 0;
    while (buy()) ++bought;
    counts.bought[self] = bought;
    counts.end_ns[self] = now_ns();
}

void sell_once(Office& office, const TicketOffice& plan, bool exactly, TicketSale& sale) {
    Arena arena(sizeof(Counts) + 2 * kLineGap);
    auto& counts = arena.make<Counts>();
    const double cpu_before = cpu_seconds_of_children();
    std::vector<pid_t> processes;
    if (office.has_owner()) processes.push_back(start([&] { office.own(plan.stock, plan.buyers); }));
    for (std::size_t buyer = 0; buyer != plan.buyers; ++buyer)
        processes.push_back(start([&] { buy_all(office, counts, buyer); }));
    while (counts.ready.load(std::memory_order_acquire) != plan.buyers) ::usleep(1000);
    const std::int64_t begin_ns = now_ns();
    counts.open.store(true, std::memory_order_release);
    bool well = true;
    for (const pid_t process : processes) {
        int status = 0;
        well = ::waitpid(process, &status, 0) == process && status == 0 && well;
    }
    if (!well) {
        sale.fault = "a process of it failed";
        return;
    }
    std::uint64_t sold = 0;
    for (const std::uint64_t bought : counts.bought) sold += bought;
    const double seconds =
        static_cast<double>(*std::max_element(counts.end_ns.begin(), counts.end_ns.end()) - begin_ns) * 1e-9;
    const auto stock = static_cast<double>(plan.stock);
    sale.tickets_per_s.push_back(stock / seconds);
    sale.cpu_us.push_back((cpu_seconds_of_children() - cpu_before) * 1e6 / stock);
    sale.oversold.push_back(static_cast<double>(sold) - stock);
    if (exactly && sold != plan.stock)
        sale.fault = "sold " + std::to_string(sold) + " of " + std::to_string(plan.stock) + " tickets";
}

}  // namespace

std::vector<TicketSale> sell_tickets(const TicketOffice& plan) {
    struct Way {
        TicketSale sale;
        bool exactly;
        std::function<std::unique_ptr<Office>()> make;
    };
    std::vector<Way> ways;
    ways.push_back({{"file-unlocked", "read the stock, write one less"}, false, [&] {
                        return std::make_unique<FileOffice>(plan.stock, false);
                    }});
    ways.push_back({{"file-lock", "the same under flock"}, true, [&] {
                        return std::make_unique<FileOffice>(plan.stock, true);
                    }});
    ways.push_back({{"pipe", "ask the owner of the stock, an answer pipe per buyer"}, true, [&] {
                        return std::make_unique<PipeOffice>(plan.buyers);
                    }});
    const auto queues = [&](const shmring::WaitPolicy& policy) {
        return [&plan, policy] { return std::make_unique<QueueOffice>(plan.buyers, policy); };
    };
    ways.push_back(
        {{"shmring-queue", "ask the owner of the stock, an answer queue per buyer"}, true, queues({})});
    ways.push_back(
        {{"shmring-queue-no-spin", "the same, each wait asleep at once: there are more buyers than CPUs"},
         true,
         queues({.spin = std::chrono::nanoseconds(0)})});
    for (unsigned round = 0; round != plan.rounds; ++round) {
        for (std::size_t turn = 0; turn != ways.size(); ++turn) {
            Way& way = ways[(turn + round) % ways.size()];
            if (way.sale.fault.empty()) sell_once(*way.make(), plan, way.exactly, way.sale);
        }
    }
    std::vector<TicketSale> sales;
    sales.reserve(ways.size());
    for (Way& way : ways) sales.push_back(std::move(way.sale));
    return sales;
}

void print_tickets(std::ostream& out, const TicketOffice& plan, const std::vector<TicketSale>& sales) {
    out << "\ntickets: " << plan.buyers << " buyers, a stock of " << plan.stock << ", " << plan.rounds
        << (plan.rounds == 1 ? " round\n" : " rounds\n");
    std::vector<std::vector<std::string>> lines{{"over", "", "tickets/s", "CPU us/ticket", "sold too many"}};
    for (const TicketSale& sale : sales)
        lines.push_back({std::string(sale.transport), std::string(sale.about),
                         in_words(median(sale.tickets_per_s)), in_words(median(sale.cpu_us)),
                         sale.fault.empty() ? in_words(median(sale.oversold)) : "FAILED: " + sale.fault});
    print_columns(out, lines, 2);
}

}  // namespace bench
