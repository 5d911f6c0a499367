"""What the participants share, and what each has for itself, in the models of the rings of many."""
# SPDX-License-Identifier: MIT
from operator import attrgetter

WRITE, READ = "write", "read"


class Fields:
    """A few named values that can be changed, and compared when they are frozen."""
    names = ()

    def __init__(self, values):
        for name, value in zip(self.names, values):
            setattr(self, name, value)


def fields(names):
    names = tuple(names.split())
    return type("Fields", (Fields,), {"__slots__": names, "names": names, "freeze": property(attrgetter(*names))})


# `hint`: the counters `orphans` and `searched` differ; `current` has a bit per record that searches and read `orphans` since it was last
# bumped. That is all that the two counters tell anybody, and unlike them it does not grow.
# Second line: not in the real memory. `holders` is (role, holding, alive) per record: what the locks tell. The masks have a bit per
# position: `sent` published, `delivered` a call returned with it, `gone` what the calls of killed consumers may take with them.
Shared = fields("tail head words headers data intents hint current forgotten remembered skipped lost "
                "holders crashes takes sent delivered gone unsent")

# `left` to send; then a claim: where, how many places, which of them, what was read.
# Then a repair: which record, what it named, which position, which record is asked whether it names that too.
Own = fields("role step left first count k word wanted padding deliveries again "
             "fresh index intent holding phase side base i named done repaired living counted places stand")
AT_REST = Own([None] * len(Own.names))
AT_REST.left = 0


def put(row, index, value):
    return row[:index] + (value,) + row[index + 1:]


DEAD = ("dead",)
