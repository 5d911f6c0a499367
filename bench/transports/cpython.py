#!/usr/bin/env python3
"""Streams or ping-pongs messages over multiprocessing.Queue or multiprocessing.Pipe, each message checked.

usage: cpython.py queue|pipe stream|rtt SIZE SLOTS SECONDS CPU_OF_SENDER CPU_OF_RECEIVER

Prints a name and a number a line, for ipc_bench (transports/cpython.hpp); on a fault, the fault, and exits with 1.
"""
# SPDX-License-Identifier: MIT

import multiprocessing
import os
import resource
import sys
import time

WARM_UP_SECONDS = 0.02
END = b"end"


class Fault(Exception):
    pass


class QueueChannel:
    def __init__(self, slots):
        queue = multiprocessing.Queue(min(slots, 32767))
        self.send, self.receive = queue.put, queue.get


class PipeChannel:
    def __init__(self, _slots):
        self.out, self.into = multiprocessing.Pipe()
        self.send, self.receive = self.out.send_bytes, self.into.recv_bytes


def message(number, size):
    """Every word says which message it belongs to."""
    return number.to_bytes(8, "little") * (size // 8)


def check(received, number, size):
    if received == message(number, size):
        return
    if len(received) != size or received[:8] * (size // 8) != received:
        raise Fault(f"torn message: {number}")
    found = int.from_bytes(received[:8], "little")
    raise Fault(f"{'repeated' if found < number else 'lost'} message: {found} where {number} was due")


class Meter:
    def __init__(self):
        self.before = resource.getrusage(resource.RUSAGE_SELF)
        self.begin = time.monotonic_ns()

    def stop(self, count):
        end = time.monotonic_ns()
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = sum(getattr(after, part) - getattr(self.before, part) for part in ("ru_utime", "ru_stime"))
        return {"begin": self.begin, "end": end, "cpu_s": cpu, "sleeps": after.ru_nvcsw - self.before.ru_nvcsw,
                "messages": count}


def produce(there, _back, size, seconds, together):
    number = 0
    for length in (WARM_UP_SECONDS, seconds):
        together.wait()
        first, meter = number, Meter()
        until = meter.begin + int(length * 1e9)
        while time.monotonic_ns() < until or number == first:
            for number in range(number, number + 16):
                there.send(message(number, size))
            number += 1
        there.send(END + number.to_bytes(8, "little"))
    return meter.stop(number - first)


def consume(there, _back, size, _seconds, together):
    number = 0
    for _ in range(2):
        together.wait()
        first, meter = number, Meter()
        while not (received := there.receive()).startswith(END) or len(received) == size:
            check(received, number, size)
            number += 1
        if int.from_bytes(received[len(END):], "little") != number:
            raise Fault(f"lost message: only {number} came")
    return meter.stop(number - first)


def ask(there, back, size, seconds, together):
    number = 0
    for length in (WARM_UP_SECONDS, seconds):
        together.wait()
        meter, laps = Meter(), []
        until = meter.begin + int(length * 1e9)
        end = meter.begin
        while end < until or not laps:
            begin = time.monotonic_ns()
            there.send(message(number, size))
            check(back.receive(), number, size)
            end = time.monotonic_ns()
            laps.append(end - begin)
            number += 1
        there.send(END)
    result = meter.stop(len(laps))
    laps.sort()
    for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999), ("max", 1)):
        result[name] = laps[min(int(part * len(laps)), len(laps) - 1)]
    return result


def answer(there, back, size, _seconds, together):
    number = 0
    for _ in range(2):
        together.wait()
        first, meter = number, Meter()
        while (received := there.receive()) != END:
            check(received, number, size)
            back.send(message(number, size))
            number += 1
    return meter.stop(number - first)


def side(role, cpu, results, *arguments):
    os.sched_setaffinity(0, {cpu})
    try:
        results.send(role(*arguments))
    except Fault as fault:
        results.send(str(fault))
    except BaseException as error:  # told to the parent, who waits for it
        results.send(f"failed: {error!r}")
        raise


def main(kind, mode, size, slots, seconds, sender_cpu, receiver_cpu):
    size, slots, seconds = int(size), int(slots), float(seconds)
    channel = QueueChannel if kind == "queue" else PipeChannel
    there, back = channel(slots), channel(slots)
    together = multiprocessing.Barrier(2)
    first, second = (ask, answer) if mode == "rtt" else (produce, consume)
    waiting, processes = {}, []
    for role, cpu in ((first, sender_cpu), (second, receiver_cpu)):
        mine, theirs = multiprocessing.Pipe()
        waiting[mine] = role
        processes.append(multiprocessing.Process(
            target=side, daemon=True, args=(role, int(cpu), theirs, there, back, size, seconds, together)))
        processes[-1].start()
    reports = {}
    deadline = time.monotonic() + 30 + 20 * seconds
    while waiting:
        for one in multiprocessing.connection.wait(list(waiting), max(deadline - time.monotonic(), 0)):
            role = waiting.pop(one)
            reports[role] = one.recv()
            if isinstance(reports[role], str):
                sys.exit(print(reports[role]) or 1)
        if time.monotonic() >= deadline:
            sys.exit(print("hung: a lost message looks so, too") or 1)
    sent, received = reports[first], reports[second]
    found = {"messages": received["messages"], "seconds": (received["end"] - sent["begin"]) * 1e-9,
             "cpu_s": sent["cpu_s"] + received["cpu_s"], "sleeps": sent["sleeps"] + received["sleeps"]}
    found.update({name: value for name, value in sent.items() if name.startswith("p") or name == "max"})
    for name, value in found.items():
        print(name, value)


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    import multiprocessing.connection
    multiprocessing.set_start_method("fork")
    main(*sys.argv[1:])
