"""Which lines are drawn: the charts of docs/benchmarks.md, from the results of a report."""
# SPDX-License-Identifier: MIT

from chart import line_chart
from reading import is_ours, rate_in_words, size_in_words

PERCENTILES = [("p50", "50 %"), ("p90", "90 %"), ("p99", "99 %"), ("p999", "99.9 %"), ("p9999", "99.99 %")]


def good(results, **wanted):
    """The results that have these values, and no fault; `wait` also finds those that know one way to wait, whichever that is."""
    wait = wanted.pop("wait", None)
    found = [r for r in results if r["fault"] is None and r["transport"] != "floor"
             and all(r[key] == value for key, value in wanted.items())]
    if wait is None:
        return found
    waits = {name: {r["wait"] for r in found if r["transport"] == name} for name in {r["transport"] for r in found}}
    own_way = {"pipe", "socketpair", "file-lock", "file-fcntl-lock", "file-lock-fsync", "cpython-queue", "cpython-pipe"}
    return [r for r in found if r["wait"] == wait or (r["transport"] in own_way and waits[r["transport"]] == {r["wait"]})]


def lines_of(results, names, x, y):
    lines = []
    for name in names:
        points = sorted((x(r), y(r)) for r in results if r["transport"] == name)
        if len(points) > 1:
            lines.append((name, is_ours(name), points))
    return lines


def by_size(results, wait, names, title):
    found = [r for r in good(results, mode="stream", loop="pair", wait=wait) if r["size"] > 0]
    lines = lines_of(found, names, lambda r: r["size"], lambda r: r["msgs_per_s"])
    sizes = sorted({x for _, _, line in lines for x, _ in line})
    ticks = [(size, size_in_words(size)) for size in sizes if size not in (16, 48, 128)]
    return lines and line_chart(title, "one sender, one receiver, each message written and verified whole",
                                "message size", "messages per second", lines, x_ticks=ticks)


def percentiles(results, title, names):
    lines = []
    for name in names:
        for result in results:
            if result["transport"] == name:
                latency = result["latency_ns"]
                values = [(place + 1, latency[key] / 1e3) for place, (key, _) in enumerate(PERCENTILES)]
                lines.append((name, is_ours(name), values + [(len(PERCENTILES) + 1, latency["max"] / 1e3)]))
    ticks = [(place + 1, words) for place, (_, words) in enumerate(PERCENTILES)] + [(len(PERCENTILES) + 1, "max")]
    return lines and line_chart(title, "medians over the rounds; max over all of them", "part of the messages that took no longer",
                                "microseconds", lines, x_log=False, x_ticks=ticks)


def blocking(results, names):
    found = good(results, mode="blocking", size=64)
    lines = lines_of(found, names, lambda r: r["rate"], lambda r: r["cpu_s"] / r["seconds"])
    rates = sorted({x for _, _, line in lines for x, _ in line})
    return lines and line_chart("CPU use of two blocking processes, 64 B",
                                "what sleeping until the next message is due costs the sender is in all of them",
                                "messages per second that were due", "CPUs used", lines, y_log=False,
                                x_ticks=[(rate, rate_in_words(rate)) for rate in rates])


def crowds(results, wait, names, title):
    found = [r for r in good(results, mode="stream", loop="many", size=64, wait=wait) if r["producers"] == r["consumers"]]
    lines = lines_of(found, names, lambda r: r["producers"], lambda r: r["msgs_per_s"])
    each = sorted({x for _, _, line in lines for x, _ in line})
    return lines and line_chart(title, "each message goes to one receiver; more processes than CPUs from 2 x 2 on",
                                "senders x receivers", "messages per second, all together", lines,
                                x_ticks=[(count, f"{count} x {count}") for count in each])


def all_charts(results):
    """File name to (what a reader who cannot see it is told, SVG)."""
    peers_of_one = ["cached-index", "boost-lockfree-spsc", "atomic-queue-spsc", "moodycamel-spsc", "ck-spsc"]
    kernel = ["pipe", "socketpair", "posix-mq", "boost-mq", "zeromq-ipc", "cpython-pipe", "file-lock"]
    of_many = ["shmring-mpmc", "shmring-queue", "vyukov", "atomic-queue-mpmc", "moodycamel-mpmc", "ck-mpmc", "rte-ring-mpmc"]
    ours = ["shmring-spsc", "shmring-bytes"]
    rtt = good(results, mode="rtt", size=64)
    open_loop = good(results, mode="open-loop", size=64)
    rates = sorted({r["rate"] for r in open_loop})
    middle = rates[len(rates) // 2] if rates else None
    open_loop = [r for r in open_loop if r["rate"] == middle]
    charts = {
        "throughput-spin": ("Throughput by message size, spinning",
                            by_size(results, "spin", ours + ["shmring-spsc-batch8", *peers_of_one],
                                    "Throughput by message size, spinning")),
        "throughput-block": ("Throughput by message size, blocking",
                             by_size(results, "block", [*ours, "shmring-bytes-in-place", *kernel],
                                     "Throughput by message size, blocking")),
        "latency-rtt": ("Round trip percentiles at 64 B, spinning",
                        percentiles([r for r in rtt if r["wait"] == "spin"], "Round trip at 64 B, spinning",
                                    ours + peers_of_one)),
        "latency-rtt-block": ("Round trip percentiles at 64 B, blocking",
                              percentiles([r for r in rtt if r["wait"] == "block"], "Round trip at 64 B, blocking",
                                          ours + kernel)),
        "latency-open-loop": ("Latency percentiles at a fixed rate, blocking",
                              middle and percentiles([r for r in open_loop if r["wait"] == "block"],
                                                     f"Latency at {rate_in_words(middle)}, 64 B, blocking, from when due",
                                                     ours + kernel)),
        "blocking": ("CPU use by rate, blocking", blocking(results, [*ours, *kernel])),
        "oversubscription-spin": ("Throughput of many, spinning",
                                  crowds(results, "spin", of_many, "Many senders, many receivers, 64 B, spinning")),
        "oversubscription-block": ("Throughput of many, blocking",
                                   crowds(results, "block", ["shmring-mpmc", "shmring-mpmc-bytes", "shmring-queue", "pipe",
                                                             "posix-mq", "boost-mq"],
                                          "Many senders, many receivers, 64 B, blocking")),
    }
    return {name: (words, svg) for name, (words, svg) in charts.items() if svg}
