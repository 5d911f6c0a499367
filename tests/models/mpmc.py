"""MpmcRing: a message is a slot, written and read in two halves."""
# SPDX-License-Identifier: MIT
from explorer import Broken
from many import Many
from memory import put


class MpmcRing(Many):
    nothing = (None, None)
    each_place_is_a_message, has_headers = True, False
    written_steps = ("write_first_half", "write_second_half", "publish")
    held_steps = ("read_first_half", "read_second_half", "hand_back", "clear_read")
    publishing_step, freeing_step = "publish", "hand_back"

    def __init__(self, capacity, records, batch=1, **more):
        super().__init__(capacity, records, **more)
        self.batch = batch

    # ---- writing ------------------------------------------------------------------------------------------------------

    def plan(self, p):
        p.wanted = min(self.batch, p.left, self.capacity)

    def start_writing(self, p):
        p.k, p.step = 0, "write_first_half"
        p.word = p.wanted = None

    def write_half(self, s, p, half):
        at = p.first + p.k
        self.must_be_mine_to_write(s, at)
        s.data = put(s.data, self.slot(at), put(s.data[self.slot(at)], half, at))
        return at

    def write_first_half(self, s, p, me):
        p.step = "write_second_half"
        return f"writes the first half of {self.write_half(s, p, 0)}"

    def write_second_half(self, s, p, me):
        p.step = "clear_written" if self.clears_early else "publish"
        return f"writes the second half of {self.write_half(s, p, 1)}"

    def publish(self, s, p, me):
        at = p.first + p.k
        self.must_be_mine_to_write(s, at)
        self.store(s, at, self.word(at, "published"))
        s.sent |= 1 << at
        p.k += 1
        p.step = "clear_written" if p.k == p.count else "write_first_half"
        if self.clears_early:
            self.finish_sending(s, p, me)
        return f"publishes {at}"

    def sent_one(self, p):
        p.left -= p.count

    @staticmethod
    def unsent_by(s, p):
        return p.count - p.k

    # ---- reading ------------------------------------------------------------------------------------------------------

    def found_published(self, p):
        p.k += 1
        if p.k == min(self.batch, self.capacity):
            p.count, p.step = p.k, "name_oldest"

    def start_reading(self, p):
        p.k, p.step = 0, "read_first_half"
        p.word = p.again = p.places = p.fresh = None

    def messages_in_hand(self, p):
        return range(p.first, p.first + p.count)

    def read_half(self, s, p, half):
        at = p.first + p.k
        self.must_be_mine_to_read(s, p, at)
        found = s.data[self.slot(at)][half]
        if found != at:
            raise Broken(f"message {at} is torn or invented: half of it is of {found}")
        return at

    def read_first_half(self, s, p, me):
        p.step = "read_second_half"
        return f"reads the first half of {self.read_half(s, p, 0)}"

    def read_second_half(self, s, p, me):
        p.step = "clear_read" if self.clears_early else "hand_back"
        return f"reads the second half of {self.read_half(s, p, 1)}"

    def hand_back(self, s, p, me):
        at = p.first + p.k
        self.must_be_mine_to_read(s, p, at)
        self.store(s, at, self.free_again(at))
        p.k += 1
        p.step = "clear_read" if p.k == p.count else "read_first_half"
        return f"hands {at} back" + (self.return_with(s, p) if self.clears_early else "")
