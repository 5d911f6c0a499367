"""MpmcByteRing: records of several places, with padding where they would not fit before the end of the storage, and fillers.

A record's length is in its header, beside the word of its first place; that word speaks for all of them. Here a place is written and
read in one step, and a record of two is torn when its places are of different records.
"""
# SPDX-License-Identifier: MIT
from explorer import Broken
from many import Many
from memory import put


class MpmcByteRing(Many):
    """What a producer sends is a pair per record: places claimed, places used (0: the claim is dropped)."""
    nothing = None
    each_place_is_a_message, has_headers = False, True
    written_steps = ("write_place", "write_header_behind", "write_word_behind", "write_header", "publish")
    held_steps = ("read_place", "restamp", "hand_back", "clear_read")
    variants = {
        "first-word-first": "the first word of a record is freed before the further ones",
        "padding-first": "the padding's word is stored before the record's",
        "further-freed-blindly": "recovery frees further places without a second look at the word, and without a swap",
        "header-restamped": "a release writes over the header before it frees the words",
    }

    def forget(self, s, position):
        """Further places are freed one by one: a record that is orphaned meanwhile is read again."""

    def units(self, s, position, kind):
        found, length = s.headers[self.slot(position)] or (None, 0)
        return length if found == kind and length <= self.capacity - self.slot(position) else 0

    # ---- writing ------------------------------------------------------------------------------------------------------

    def plan(self, p):
        size, left = p.left[0][0], self.capacity - self.slot(p.first)
        p.padding = 0 if size <= left else left
        p.wanted = p.padding + size

    def start_writing(self, p):
        p.word = p.wanted = None
        p.k, p.step = 0, "write_place"
        self.after_place(p)

    def after_place(self, p):
        size, used = p.left[0]
        if p.k == used:
            p.step = "write_header_behind" if used != size else self.after_behind(p)

    def after_behind(self, p):
        if self.variant == "padding-first" and p.padding and p.k is not None:
            return "write_padding_header"
        return "write_header" if p.left[0][1] else self.after_record(p)

    def after_record(self, p):
        return "write_padding_header" if p.padding and self.variant != "padding-first" else "clear_written"

    def write_place(self, s, p, me):
        record = p.first + p.padding
        at = record + p.k
        self.must_be_mine_to_write(s, at)
        s.data = put(s.data, self.slot(at), record)
        p.k += 1
        self.after_place(p)
        return f"writes place {at}"

    def stamp(self, s, at, kind, length):
        self.must_be_mine_to_write(s, at)
        s.headers = put(s.headers, self.slot(at), (kind, length))
        return f"stamps {at}: {kind} of {length}"

    def write_header_behind(self, s, p, me):
        size, used = p.left[0]
        p.step = "write_word_behind"
        return self.stamp(s, p.first + p.padding + used, "padding", size - used)

    def write_word_behind(self, s, p, me):
        at = p.first + p.padding + p.left[0][1]
        self.must_be_mine_to_write(s, at)
        self.store(s, at, self.word(at, "filler"))
        p.step = self.after_behind(p)
        return f"{at} is a filler"

    def write_header(self, s, p, me):
        p.step = "publish"
        return self.stamp(s, p.first + p.padding, "message", p.left[0][1])

    def publish(self, s, p, me):
        at = p.first + p.padding
        self.must_be_mine_to_write(s, at)
        self.store(s, at, self.word(at, "published"))
        s.sent |= 1 << at
        p.step = self.after_record(p)
        return f"publishes {at}"

    def write_padding_header(self, s, p, me):
        p.step = "write_padding_word"
        return self.stamp(s, p.first, "padding", p.padding)

    def write_padding_word(self, s, p, me):
        self.must_be_mine_to_write(s, p.first)
        self.store(s, p.first, self.word(p.first, "filler"))
        p.step = "clear_written"
        if self.variant == "padding-first":
            p.k = None
            p.step = self.after_behind(p)
        return f"{p.first} is padding"

    @staticmethod
    def sent_one(p):
        p.left = p.left[1:]

    @staticmethod
    def unsent_by(s, p):
        return 1 if p.left[0][1] else 0

    # ---- reading ------------------------------------------------------------------------------------------------------

    @staticmethod
    def found_published(p):
        p.step = "read_header"

    def read_header(self, s, p, me):
        p.count = self.units(s, p.first, "message")
        p.step = "name_oldest" if p.count else "read_tail_to_judge"
        return f"reads the header: {p.count} places"

    def read_filler_header(self, s, p, me):
        p.count = self.units(s, p.first, "padding")
        p.step = "name_skipped" if p.count else "read_tail_to_judge"
        return f"reads the header: {p.count} places of padding"

    def read_orphan_header(self, s, p, me):
        p.places = self.units(s, p.first, "message")
        p.step = "name_orphan"
        return f"reads the header: {p.places} places"

    def start_reading(self, p):
        p.k, p.step = 0, "read_place"
        p.word = p.again = p.places = p.fresh = None

    def messages_in_hand(self, p):
        return (p.first,)

    def read_place(self, s, p, me):
        at = p.first + p.k
        self.must_be_mine_to_read(s, p, p.first)
        found = s.data[self.slot(at)]
        if found != p.first:
            raise Broken(f"message {p.first} is torn or invented: a place of it is of {found}")
        p.k += 1
        if p.k == p.count:
            p.k -= 1
            p.step = "restamp" if self.variant == "header-restamped" else "hand_back"
            if self.variant == "first-word-first":
                p.k = 0
        return f"reads place {at}"

    def restamp(self, s, p, me):
        s.headers = put(s.headers, self.slot(p.first), ("released", 0))
        p.step = "hand_back"
        return "stamps the header: released"

    def hand_back(self, s, p, me):
        at = p.first + p.k
        if self.variant != "first-word-first":
            self.must_be_mine_to_read(s, p, p.first)
        self.store(s, at, self.free_again(at))
        p.k += 1 if self.variant == "first-word-first" else -1
        if p.k in (-1, p.count):
            p.step, p.k = "clear_read", 0
        return f"hands {at} back"

    # ---- repair -------------------------------------------------------------------------------------------------------

    def free_further(self, p):
        p.places, p.step = 1, "read_word_again"
        if p.word[1] != "skipped":
            p.step = "read_header_to_repair"

    def read_header_to_repair(self, s, p, me):
        at = p.base + p.i
        kind = (s.headers[self.slot(at)] or ("nothing", 0))[0]
        p.places = self.units(s, at, kind) if kind in ("message", "padding") else 0
        said = f"repair: reads the header of {at}: {kind} of {p.places}"
        if p.places == 0:
            self.resolved(s, p, me, "already done")
        elif self.variant == "further-freed-blindly":
            self.free_next_further(p)
        else:
            p.step = "read_word_again"
        return said

    def free_one_further(self, s, p, me):
        at = p.base + p.i + p.places
        if self.read(s, at) == self.free(at) or self.variant == "further-freed-blindly":
            self.store(s, at, self.free_again(at))
        self.free_next_further(p)
        return f"repair: frees {at}, a further place"
