// Reads `--name value` and `--name=value`; lists are separated by commas.
// SPDX-License-Identifier: MIT
#include "harness/options.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <sstream>

namespace bench {

namespace {

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    if (parts.empty()) throw UsageError("an empty list");
    return parts;
}

template <class Number>
Number number(const std::string& text, Number least, Number most) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < least || value > most) {
        std::ostringstream what;
        what << "\"" << text << "\" is not a number from " << least << " to " << most;
        throw UsageError(what.str());
    }
    return value;
}

Mode mode_named(const std::string& name) {
    for (const ModeName& mode : kModes)
        if (mode.name == name) return mode.mode;
    throw UsageError("no mode \"" + name + "\"; --list names them");
}

std::size_t size_given(const std::string& text) {
    const auto size = number<std::size_t>(text, 0, kLargestSize);
    if (std::find(MessageSizes::kAll.begin(), MessageSizes::kAll.end(), size) != MessageSizes::kAll.end())
        return size;
    throw UsageError("no message size " + text + "; --list names them");
}

std::vector<int> pins_given(const std::string& text) {
    std::vector<int> cpus;
    for (const std::string& cpu : split(text)) cpus.push_back(number(cpu, 0, 1023));
    if (cpus.size() < 2)
        throw UsageError("--pin wants two CPUs or more, the sender's and the receiver's first: --pin 0,1");
    return cpus;
}

std::vector<std::size_t> head_counts(const std::string& text) {
    std::vector<std::size_t> counts;
    for (const std::string& count : split(text))
        counts.push_back(number<std::size_t>(count, 1, kMostOnASide));
    return counts;
}

/// Side by side: --producers 1,2,4 --consumers 1,2,4 is 1x1, 2x2, 4x4. One number stands for as many as the other side has.
std::vector<Crowd> crowds_of(const std::vector<std::size_t>& producers,
                             const std::vector<std::size_t>& consumers) {
    const auto one_of = [](const std::vector<std::size_t>& counts, std::size_t place) {
        return counts.empty() ? 1 : counts.size() == 1 ? counts[0] : counts[place];
    };
    const std::size_t crowds = std::max(producers.size(), consumers.size());
    for (const auto* counts : {&producers, &consumers})
        if (counts->size() > 1 && counts->size() != crowds)
            throw UsageError("--producers and --consumers name different numbers of crowds");
    std::vector<Crowd> result;
    for (std::size_t place = 0; place != crowds; ++place)
        result.push_back({one_of(producers, place), one_of(consumers, place)});
    return result;
}

void set_wait(Options& options, const std::string& text) {
    if (text != "spin" && text != "block" && text != "both")
        throw UsageError("--wait is spin, block or both, not \"" + text + "\"");
    options.spin = text != "block";
    options.block = text != "spin";
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    std::optional<unsigned> rounds;
    std::optional<double> seconds;
    std::vector<std::size_t> producers;
    std::vector<std::size_t> consumers;

    using Setter = std::function<void(const std::string&)>;
    const std::map<std::string, Setter> with_value{
        {"--transports", [&](const std::string& text) { options.transports = split(text); }},
        {"--mode",
         [&](const std::string& text) {
             for (const std::string& name : split(text)) {
                 if (name == "tickets")
                     options.tickets = true;
                 else
                     options.modes.push_back(mode_named(name));
             }
         }},
        {"--size",
         [&](const std::string& text) {
             for (const std::string& size : split(text)) options.sizes.push_back(size_given(size));
         }},
        {"--rate",
         [&](const std::string& text) {
             for (const std::string& rate : split(text)) options.rates.push_back(number(rate, 1.0, 1e9));
         }},
        {"--rounds", [&](const std::string& text) { rounds = number(text, 1U, 1000U); }},
        {"--seconds", [&](const std::string& text) { seconds = number(text, 0.001, 60.0); }},
        {"--pin", [&](const std::string& text) { options.cpus = pins_given(text); }},
        {"--producers", [&](const std::string& text) { producers = head_counts(text); }},
        {"--consumers", [&](const std::string& text) { consumers = head_counts(text); }},
        {"--wait", [&](const std::string& text) { set_wait(options, text); }},
        {"--json", [&](const std::string& text) { options.json = text; }},
    };
    const std::map<std::string, std::function<void()>> alone{
        {"--help", [&] { options.help = true; }},
        {"--list", [&] { options.list = true; }},
        {"--list=all", [&] { options.list = options.list_hidden = true; }},
        {"--quick", [&] { options.quick = true; }},
    };

    for (int at = 0; at != argc; ++at) options.command.append(at == 0 ? "" : " ").append(argv[at]);
    for (int at = 1; at < argc; ++at) {
        std::string name = argv[at];
        if (const auto flag = alone.find(name); flag != alone.end()) {
            flag->second();
            continue;
        }
        const std::size_t equals = name.find('=');
        std::string value = equals == std::string::npos ? std::string() : name.substr(equals + 1);
        name.resize(std::min(equals, name.size()));
        const auto setter = with_value.find(name);
        if (setter == with_value.end()) throw UsageError("no option \"" + name + "\"; --help names them");
        if (equals == std::string::npos) {
            if (++at == argc) throw UsageError(name + " wants a value");
            value = argv[at];
        }
        setter->second(value);
    }
    options.crowds = crowds_of(producers, consumers);
    options.rounds = rounds.value_or(options.quick ? 3 : options.rounds);
    options.seconds = seconds.value_or(options.quick ? 0.05 : options.seconds);
    return options;
}

std::string usage() {
    return "usage: ipc_bench [option...]\n"
           "Sends messages between pinned processes over each transport, checks every one, and "
           "compares.\n"
           "\n"
           "  --list              name transports, modes and sizes (--list=all: those that fail on purpose, "
           "too)\n"
           "  --transports a,b    only these\n"
           "  --mode a,b          only these\n"
           "  --size n,n          message bytes, only these (but for stream and rtt: 8, 64 or 1024)\n"
           "  --rate n,n          messages per second of open-loop and blocking, only these\n"
           "  --wait WAIT         spin, block or both (default)\n"
           "  --rounds N          how often each transport runs per table (7)\n"
           "  --seconds S         how long one run lasts, at least (0.2)\n"
           "  --producers P,P     so many senders, 1 to 16, streaming to so many receivers, over those "
           "transports\n"
           "  --consumers C,C     that take many on each side; lists go side by side: 1,4 and 1,4 is 1x1 and "
           "4x4\n"
           "  --pin A,B,...       CPU of the sender, of the receiver; of many, in turn (all allowed)\n"
           "  --quick             3 rounds of 0.05 s and fewer sizes: under 3 minutes\n"
           "  --json FILE         write all results\n"
           "  --help              this\n"
           "\n"
           "Exit status: 0, 1 if a transport lost, repeated, reordered or tore a message or hung, 2 on a "
           "wrong option.\n";
}

}  // namespace bench
