"""How both sides claim places with a name: the steps of include/shmring/detail/mpmc_writer.hpp and mpmc_reader.hpp."""
# SPDX-License-Identifier: MIT
from explorer import Broken
from memory import READ, WRITE, put


class Claims:
    # ---- writing: claim_places ----------------------------------------------------------------------------------------

    def look_for_room(self, s, p, me):
        word = self.read(s, p.first + p.k)
        if p.k == 0:
            self.plan(p)
            p.word = word
        if word == self.free(p.first + p.k):
            p.k += 1
            if p.k == p.wanted:
                p.count = p.k
                p.step = "name_room"
        elif p.k != 0 and self.each_place_is_a_message:
            p.count = p.k
            p.step = "name_room"
        else:
            p.step = "read_tail_again"
        if p.step == "name_room" and self.names_late:
            p.step = "claim_room"
        return f"reads a word: {word[1]}, lap {word[0]}"

    def name_room(self, s, p, me):
        p.step = "claim_room"
        if self.names_late:
            self.start_writing(p)
        return self.name(s, me, WRITE, p.first, p.count if self.each_place_is_a_message else 1)

    def claim_room(self, s, p, me):
        if s.tail != p.first:
            p.first, p.k = s.tail, 0
            p.step = "look_for_room"
            return f"was too late, the tail is {p.first}"
        s.tail += p.count
        if s.tail - s.head > self.capacity:
            raise Broken("more is claimed than the ring has places")
        if self.names_late:
            p.step = "name_room"
        else:
            self.start_writing(p)
        return f"claims {p.count} at the tail"

    def read_tail_again(self, s, p, me):
        if s.tail != p.first:
            p.first, p.k = s.tail, 0
            p.step = "look_for_room"
            return f"reads the tail again: {p.first}"
        lap = p.word[0]
        if self.variant != "word-without-lap" and p.word != self.free(p.first) and \
                lap + 1 != self.word(p.first, "free")[0]:
            raise Broken("a producer would answer: corrupt")
        return self.give_up(s, p, me, "the tail stands still: full")

    def clear_written(self, s, p, me):
        s.intents = put(s.intents, me, None)
        if self.clears_early:
            p.step = self.publishing_step
            return "clears its intent before the word"
        self.finish_sending(s, p, me)
        return "clears its intent: sent"

    def finish_sending(self, s, p, me):
        self.sent_one(p)
        self.rest(p)
        if not p.left:
            s.holders = put(s.holders, me, (p.role, s.holders[me][1], None))

    def must_be_mine_to_write(self, s, position):
        if self.read(s, position) != self.free(position):
            raise Broken(f"the claim of a living producer, {position}, was taken from it")

    # ---- reading: claim, find_oldest, claim_orphan --------------------------------------------------------------------

    def look_for_orphans(self, s, p, me):
        p.step = "start_search" if s.hint else "read_head"
        return "reads the hint: " + ("there may be an orphan" if s.hint else "no orphan")

    def start_search(self, s, p, me):
        s.current |= 1 << me
        p.step = "read_head_for_orphans"
        return "reads the number of announcements"

    def read_head_for_orphans(self, s, p, me):
        p.first, p.count = max(s.head - self.capacity, 0), s.head
        p.step = "look_at_orphan"
        self.no_orphan_at_the_end(p)
        return f"reads the head: {s.head}"

    def look_at_orphan(self, s, p, me):
        word = self.read(s, p.first)
        if word[0] == self.word(p.first, "free")[0] and word[1] == "orphaned":
            self.stop_searching(s, me)
            p.word = word
            p.step = "read_orphan_header" if self.has_headers else "name_orphan"
            p.places = 1
        else:
            p.first += 1
            self.no_orphan_at_the_end(p)
        return f"looks for an orphan: {word[1]}, lap {word[0]}"

    @staticmethod
    def no_orphan_at_the_end(p):
        if p.first == p.count:
            p.step = "end_search"

    def end_search(self, s, p, me):
        s.hint = not s.current >> me & 1    # an older number than the present one makes the hint true
        self.stop_searching(s, me)
        p.step = "read_head"
        return "stores the number as searched"

    @staticmethod
    def stop_searching(s, me):
        s.current &= ~(1 << me)

    def name_orphan(self, s, p, me):
        p.step = "claim_orphan"
        return self.name(s, me, READ, p.first, 1, 0 if self.variant == "orphan-named-plainly" else p.word[2] + 1)

    def claim_orphan(self, s, p, me):
        again = p.word[2] + (self.variant != "orphan-same-word")
        if not self.swap(s, p.first, p.word, self.word(p.first, "published", again)):
            p.step = "start_search"
            return "another was quicker with the orphan"
        if p.places == 0:
            raise Broken("a consumer claims an orphan whose header is nonsense")
        p.deliveries, p.count = again, p.places
        self.start_reading(p)
        return f"claims the orphan {p.first}"

    def read_head(self, s, p, me):
        p.first, p.k, p.step = s.head, 0, "look_at_oldest"
        return f"reads the head: {s.head}"

    def look_at_oldest(self, s, p, me):
        word = self.read(s, p.first + p.k)
        state = word[1] if word == self.word(p.first + p.k, word[1], 0) else "of another lap"
        if state == "published":
            self.found_published(p)
        elif p.k != 0:
            p.count, p.step = p.k, "name_oldest"
        elif state == "skipped":
            p.count, p.step = 1, "name_skipped"
        elif state == "filler":
            p.step = "read_filler_header"
        else:
            p.step = "read_tail_to_judge"
        if p.k == 0:
            p.word = word
        if p.step == "name_oldest" and self.names_late:
            p.step = "claim_oldest"
        return f"reads a word: {word[1]}, lap {word[0]}"

    def read_tail_to_judge(self, s, p, me):
        p.again, p.step = s.tail, "read_head_to_judge"
        return f"reads the tail: {s.tail}"

    def read_head_to_judge(self, s, p, me):
        if s.head == p.first:
            p.step = "read_word_to_judge"
        else:
            p.first, p.k, p.step = s.head, 0, "look_at_oldest"
        return f"reads the head: {s.head}"

    def read_word_to_judge(self, s, p, me):
        word = self.read(s, p.first)
        if word != p.word:
            p.step, p.k = "look_at_oldest", 0
            return "the word has changed"
        lap = self.word(p.first, "free")[0]
        is_free, is_old = word == self.free(p.first), word[0] + 1 == lap
        if self.variant != "word-without-lap" and (
                p.again < p.first or not (is_free or (is_old and p.again == p.first))):
            raise Broken("a consumer would answer: corrupt")
        return self.give_up(s, p, me, "the word is the same: empty" if p.again == p.first else "the word is the same: busy")

    def name_oldest(self, s, p, me):
        if self.names_late:
            self.start_reading(p)
        else:
            p.step = "claim_oldest"
        return self.name(s, me, READ, p.first, p.count if self.each_place_is_a_message else 1)

    def claim_oldest(self, s, p, me):
        if not self.move_head(s, p):
            return f"was too late, the head is {s.head}"
        p.deliveries = 0
        if self.names_late:
            p.step = "name_oldest"
        else:
            self.start_reading(p)
        return f"claims {p.count} at the head"

    def move_head(self, s, p):
        if s.head != p.first:
            p.first, p.k, p.step = s.head, 0, "look_at_oldest"
            return False
        s.head += p.count
        if s.head > s.tail:
            raise Broken("the head has passed the tail")
        return True

    def name_skipped(self, s, p, me):
        p.step = "claim_skipped"
        return self.name(s, me, READ, p.first, 1)

    def claim_skipped(self, s, p, me):
        if not self.move_head(s, p):
            return f"was too late, the head is {s.head}"
        p.k, p.step = p.count - 1, "free_skipped"
        return f"claims {p.count} to step over"

    def free_skipped(self, s, p, me):
        self.store(s, p.first + p.k, self.free_again(p.first + p.k))
        done = p.first + p.k
        if p.k == 0:
            p.first, p.step = p.first + p.count, "look_at_oldest"
        else:
            p.k -= 1
        return f"frees {done}, stepped over"

    def must_be_mine_to_read(self, s, p, position):
        if self.read(s, position) != self.word(position, "published", p.deliveries):
            raise Broken(f"the claim of a living consumer, {position}, was taken from it")

    def clear_read(self, s, p, me):
        s.intents = put(s.intents, me, None)
        if self.clears_early:
            p.step = self.freeing_step
            return "clears its intent before the word"
        return "clears its intent" + self.return_with(s, p)

    def return_with(self, s, p):
        for position in self.messages_in_hand(p):
            if s.delivered >> position & 1:
                raise Broken(f"message {position} is delivered twice")
            if not s.sent >> position & 1:
                raise Broken(f"message {position} is delivered and was never sent")
            s.delivered |= 1 << position
        first = p.first
        self.rest(p)
        return f": its call returns with {first}"
