"""Visits every state that a model of the algorithms can reach, breadth first, so that what it finds wrong comes with a shortest trace.

A model has `start()`, `moves(shared, own, who)`, `is_at_rest(own)`, `is_finished(shared)`, `verdict(shared)`. A state is what lies in
shared memory and, per participant, what only that one has. A move depends on the first and on the mover's own part of the second, so
each move is worked out once and then looked up: the same few thousand steps make up millions of transitions.

Memory is sequentially consistent here: every step is one operation on shared memory, and all see them in one order.
"""
# SPDX-License-Identifier: MIT
import gc
import time
from array import array


class Broken(Exception):
    """A step that must never be taken, or an end that must never be reached."""


class Outcome:
    def __init__(self):
        self.states = self.transitions = self.ends = 0
        self.seconds = 0.0
        self.fault = None    # one sentence
        self.trace = []      # lines


class Numbering:
    """Small numbers for what is compared often."""

    def __init__(self):
        self.number_of = {}
        self.values = []

    def __call__(self, value):
        number = self.number_of.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Explorer:
    def __init__(self, model, limit=20_000_000):
        self.model = model
        self.limit = limit
        self.shared = Numbering()
        self.own = Numbering()
        self.known_moves = {}
        self.ends = {}       # shared -> it is finished there
        self.at_rest = {}

    def run(self):
        outcome = Outcome()
        began = time.monotonic()
        gc.disable()    # nothing here is a cycle, and there are millions of small things
        shared, owns = self.model.start()
        first = (self.shared(shared), *map(self.own, owns))
        number = {first: 0}
        states = [first]
        parents = array("q", [-1])
        sources, targets, ends = array("I"), array("I"), []
        try:
            for at in range(self.limit):
                if at == len(states):
                    break
                state = states[at]
                self.at = at
                if self.is_end(state):
                    ends.append(at)
                shared = state[0]
                for who in range(1, len(state)):
                    for after_shared, after_own in self.moves(shared, state[who], who):
                        after = (after_shared, *state[1:who], after_own, *state[who + 1:])
                        there = number.setdefault(after, len(states))
                        if there == len(states):
                            states.append(after)
                            parents.append(at)
                        if there != at:
                            sources.append(at)
                            targets.append(there)
            else:
                raise RuntimeError(f"more than {self.limit} states: choose a smaller ring")
            stuck = self.find_stuck(len(states), sources, targets, ends)
            if stuck is not None:
                self.at = stuck
                raise Broken("from here no continuation lets every survivor finish")
        except Broken as broken:
            outcome.fault = str(broken)
            outcome.trace = self.tell(states, parents, self.at)
        outcome.states, outcome.transitions, outcome.ends = len(states), len(sources), len(ends)
        outcome.seconds = time.monotonic() - began
        return outcome

    def moves(self, shared, own, who):
        key = (shared, own, who)
        known = self.known_moves.get(key)
        if known is None:
            made = self.model.moves(self.shared.values[shared], self.own.values[own], who - 1)
            known = self.known_moves[key] = [(self.shared(s), self.own(o)) for _, s, o in made]
        return known

    def is_end(self, state):
        for own in state[1:]:
            rest = self.at_rest.get(own)
            if rest is None:
                rest = self.at_rest[own] = self.model.is_at_rest(self.own.values[own])
            if not rest:
                return False
        shared = state[0]
        end = self.ends.get(shared)
        if end is None:
            values = self.shared.values[shared]
            end = self.ends[shared] = self.model.is_finished(values)
            if end:
                self.model.verdict(values)
        return end

    @staticmethod
    def find_stuck(count, sources, targets, ends):
        """The first state from which no end can be reached; None where all can."""
        begin = array("I", bytes(4 * (count + 2)))
        for target in targets:
            begin[target + 2] += 1
        for at in range(2, count + 2):
            begin[at] += begin[at - 1]
        backward = array("I", bytes(4 * len(targets)))
        for edge, target in enumerate(targets):
            backward[begin[target + 1]] = sources[edge]
            begin[target + 1] += 1
        reached = bytearray(count)
        for end in ends:
            reached[end] = 1
        front = list(ends)
        while front:
            at = front.pop()
            for before in backward[begin[at]:begin[at + 1]]:
                if not reached[before]:
                    reached[before] = 1
                    front.append(before)
        stuck = reached.find(0)
        return None if stuck < 0 else stuck

    def tell(self, states, parents, at):
        """The way to a state, a line per step: who did what, and what lies in shared memory after it."""
        way = []
        while at >= 0:
            way.append(states[at])
            at = parents[at]
        way.reverse()
        lines = []
        for before, after in zip(way, way[1:]):
            lines.append(self.describe(before, after))
        lines.extend(self.last_words(way[-1]))
        return lines

    def describe(self, before, after):
        for who in range(1, len(before)):
            for label, s, o in self.model.moves(self.shared.values[before[0]], self.own.values[before[who]], who - 1):
                if after == (self.shared(s), *before[1:who], self.own(o), *before[who + 1:]):
                    return f"{label:52s} {self.model.show(s)}"
        raise RuntimeError("a step of the trace cannot be repeated")

    def last_words(self, state):
        """The step that is wrong, where it is a step."""
        for who in range(1, len(state)):
            try:
                self.model.moves(self.shared.values[state[0]], self.own.values[state[who]], who - 1)
            except Broken as broken:
                return [f"record {who - 1}: {broken}"]
        return []
