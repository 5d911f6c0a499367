"""What MpmcRing and MpmcByteRing share, step by step: claims with a name, and repair after the dead.

The steps are those of include/shmring/detail/mpmc_writer.hpp, mpmc_reader.hpp, mpmc_recovery.hpp and of MemberEnd::enter; one step is
one operation on shared memory. What a message looks like is added by mpmc.py and mpmc_bytes.py.

A message has no bytes here but the position that it was claimed at, so participants of a side are all alike, and what a reader finds
tells at once whether it is torn, invented, or out of order. A participant is its record; the dead one's may be taken again.
"""
from operator import attrgetter

from explorer import Broken

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


class Many:
    """`records`: a role per record, and for producers what they send. `takers`: those who may take the records of the dead, in turn.
    `crashes`: how many participants may be killed. `early`: repairs also begin while nobody has died yet."""
    variants = {
        "intent-after-claim": "the intent is stored after the claim",
        "intent-cleared-early": "the intent is cleared before the slot's word is stored",
        "living-not-asked": "recovery does not ask whether a living one names the position",
        "word-without-lap": "slot words have no lap, so they come back",
        "orphan-announced-once": "who finds an orphan that another made does not announce it",
        "orphan-same-word": "an orphan that is claimed again gets the word that it had before",
        "unclaimed-cleared": "recovery clears a dead one's intent that was not claimed",
        "taker-notes-nothing": "who takes a dead one's record notes nothing when it clears an intent that is not settled",
        "orphan-named-plainly": "the name of an orphan's claim does not say which delivery it is",
        "taker-clears-first": "who takes a dead one's record clears its intent before it repairs",
    }

    def __init__(self, capacity, records, takers=(), crashes=1, redelivers=False, early=False, writers_repair=False,
                 variant=None):
        self.capacity, self.records, self.takers, self.crashes = capacity, records, takers, crashes
        self.redelivers, self.early, self.writers_repair, self.variant = redelivers, early, writers_repair, variant
        self.clears_early = variant == "intent-cleared-early"
        self.names_late = variant == "intent-after-claim"

    # ---- what the explorer asks ---------------------------------------------------------------------------------------

    def start(self):
        count = len(self.records)
        shared = Shared((0, 0, (self.word(0, "free"),) * self.capacity, (None,) * self.capacity,
                         (self.nothing,) * self.capacity, (None,) * count, False, 0, 0, 0, 0, 0,
                         tuple((role, 0, True) for role, _ in self.records), 0, 0, 0, 0, 0, 0))
        return shared.freeze, [self.fresh(role, left).freeze for role, left in self.records]

    def moves(self, shared, own, me):
        if own is DEAD:
            return self.take(shared, me)
        out = []
        step = own[1]
        for choice in self.choices(shared, own, me):
            s, p = Shared(shared), Own(own)
            label = getattr(self, step)(s, p, me, choice) if choice is not None else getattr(self, step)(s, p, me)
            out.append((f"{me} {p.role}r: {label}", s.freeze, p.freeze))
        if self.may_be_killed(shared, own, me):
            s, p = Shared(shared), Own(own)
            self.kill(s, p, me)
            out.append((f"{me} {p.role}r: killed before: {step}", s.freeze, DEAD))
        return out

    def is_at_rest(self, own):
        return own is DEAD or own[1] == "begin" and (own[0] == READ or not own[2])

    def is_finished(self, shared):
        s = Shared(shared)
        if s.head != s.tail or any(s.words[self.slot(at)] != self.free(at) for at in range(s.tail, s.tail + self.capacity)):
            return False
        return not any(intent and holder[2] is False and self.is_won(s, intent)
                       for intent, holder in zip(s.intents, s.holders))

    def verdict(self, shared):
        s = Shared(shared)
        for at in range(s.tail):
            sent, delivered, gone = (mask >> at & 1 for mask in (s.sent, s.delivered, s.gone))
            if sent and not delivered and not gone:
                raise Broken(f"at the end message {at} was lost: sent, never delivered, and nobody died with it")
        gone = s.gone.bit_count()
        if not self.redelivers and s.lost < gone:
            raise Broken(f"at the end the counter says {s.lost} lost, but {gone} were: too few")
        if s.skipped < s.unsent:
            raise Broken(f"at the end the counter says {s.skipped} skipped, but {s.unsent} claims died: too few")

    def show(self, shared):
        s = Shared(shared)
        words = " ".join(f"{lap}{state[0:2]}{d or ''}" for lap, state, d in s.words)
        names = " ".join("-" if not i else f"{i[0][0]}{i[1]}" + (f"+{i[2]}" if i[2] > 1 else "") for i in s.intents)
        return f"| tail {s.tail} head {s.head} | {words} | {names} | {s.skipped} {s.lost}" + " hint" * s.hint

    # ---- words and names ----------------------------------------------------------------------------------------------

    def slot(self, position):
        return position % self.capacity

    def word(self, position, state, deliveries=0):
        return (0 if self.variant == "word-without-lap" else position // self.capacity, state, deliveries)

    def free(self, position):
        return self.word(position, "free")

    def free_again(self, position):
        return self.word(position + self.capacity, "free")

    def read(self, s, position):
        return s.words[self.slot(position)]

    def store(self, s, position, word):
        s.words = put(s.words, self.slot(position), word)
        if word[1] == "free":
            self.forget(s, position)    # nobody may read this again

    def forget(self, s, position):
        s.data = put(s.data, self.slot(position), self.nothing)

    def swap(self, s, position, expected, word):
        if self.read(s, position) != expected:
            return False
        self.store(s, position, word)
        return True

    @staticmethod
    def is_claimed(s, side, position):
        return (s.tail if side == WRITE else s.head) > position

    # ---- life and death -----------------------------------------------------------------------------------------------

    def fresh(self, role, left):
        p = Own(AT_REST.freeze)
        p.role, p.left, p.step = role, left, "begin"
        return p

    def choices(self, shared, own, me):
        step = own[1]
        if step == "begin":
            return self.begin_choices(Shared(shared), Own(own))
        if step in ("ask_owner", "ask_living"):
            # Asked is the holding that was there when the name was read, or one that came since.
            p = Own(own)
            which = p.index if step == "ask_owner" else p.living
            _, holding, alive = Shared(shared).holders[which]
            alive = alive is not False
            return (alive,) if holding == p.holding else (alive, False) if alive else (False,)
        return (None,)

    def begin_choices(self, s, p):
        calls = p.role == READ or bool(p.left)
        repairs = (p.role == READ or (self.writers_repair and calls)) and (self.early or self.is_anything_left(s))
        return (("call",) if calls else ()) + (("repair",) if repairs else ())

    def is_anything_left(self, s):
        """For a repair to do. One that begins earlier only reads until there is: `early` lets it."""
        if s.crashes == 0:
            return False
        if s.forgotten != s.remembered or any(intent and not holder[2] for intent, holder in zip(s.intents, s.holders)):
            return True
        named = [intent for intent, holder in zip(s.intents, s.holders) if intent and holder[2]]
        for at in range(max(s.tail - self.capacity, 0), s.tail):
            word = self.read(s, at)
            side = WRITE if word == self.free(at) else READ if at < s.head and word != self.free_again(at) else None
            if side and not any(i[0] == side and i[1] <= at < i[1] + i[2] for i in named):
                return True
        return False

    def is_silent(self, s, which):
        """Nobody will ever name anything in this record again: what a scan would find there is known."""
        _, _, alive = s.holders[which]
        return s.intents[which] is None and (alive is None or (not alive and s.takes == len(self.takers)))

    def may_be_killed(self, shared, own, me):
        s = Shared(shared)
        if s.crashes == self.crashes or (own[1] == "begin" and s.intents[me] is None):
            return False
        return own[0] == WRITE or sum(bool(alive) and role == READ for role, _, alive in s.holders) > 1

    def kill(self, s, p, me):
        s.crashes += 1
        self.stop_searching(s, me)
        s.holders = put(s.holders, me, (p.role, s.holders[me][1], False))
        if p.step in self.written_steps:
            s.unsent += self.unsent_by(s, p)
        if p.step in self.held_steps:
            for position in self.messages_in_hand(p):
                if not self.redelivers or self.read(s, position) != self.word(position, "published", p.deliveries):
                    s.gone |= 1 << position

    def take(self, shared, me):
        s = Shared(shared)
        if s.takes == len(self.takers):
            return []
        role, left = self.takers[s.takes]
        s.holders = put(s.holders, me, (role, s.holders[me][1] + 1, True))
        s.takes += 1
        p = self.fresh(role, left)
        if s.intents[me] is not None:
            self.start_repair(s, p, me, True)
            if self.variant == "taker-clears-first":
                p.step, p.phase = "drop_old_intent", "before"
        return [(f"{me} {role}r: takes the dead one's record", s.freeze, p.freeze)]

    def rest(self, p):
        kept = p.role, p.left
        Own.__init__(p, AT_REST.freeze)
        p.role, p.left = kept
        p.step = "begin"

    def enter(self, s, p, me):
        """After the repair: what a living one disputes is nobody's when the name is gone, and noted before."""
        p.intent = s.intents[me]
        p.step = "drop_old_intent"
        if p.intent is not None and p.intent[0] == READ and self.variant != "taker-notes-nothing":
            p.step = "look_at_old_claim"
        return "its record names " + ("nothing" if p.intent is None else f"{p.intent[0]} {p.intent[1]} still")

    def look_at_old_claim(self, s, p, me):
        claimed = self.is_claimed(s, READ, p.intent[1])
        p.step = "drop_old_intent" if not claimed else "note_forgotten" if self.redelivers else "count_forgotten"
        return "which is " + ("claimed" if claimed else "not claimed")

    def count_forgotten(self, s, p, me):
        s.lost += p.intent[2]
        p.step = "note_forgotten"
        return "counts it as lost"

    def note_forgotten(self, s, p, me):
        s.forgotten = max(s.forgotten + 1, p.intent[1] + p.intent[2])
        p.step = "drop_old_intent"
        return "notes that it is nobody's"

    def drop_old_intent(self, s, p, me):
        s.intents = put(s.intents, me, None)
        if p.phase == "before":
            self.start_repair(s, p, me, True)
        else:
            self.rest(p)
        return "clears the old intent"

    def is_won(self, s, intent):
        side, at, _, delivery = intent
        return self.is_claimed(s, side, at) and not (
            delivery and self.read(s, at) == self.word(at, "orphaned", delivery - 1))

    def begin(self, s, p, me, choice):
        if choice == "repair":
            self.start_repair(s, p, me, False)
            return f"repair: begins; {getattr(self, p.step)(s, p, me)}"
        if p.role == WRITE:
            p.step = "look_for_room"
            p.first, p.k = s.tail, 0
            return f"reads the tail: {p.first}"
        return self.look_for_orphans(s, p, me) if self.redelivers else self.read_head(s, p, me)

    def name(self, s, me, side, first, count, delivery=0):
        s.intents = put(s.intents, me, (side, first, count, delivery))
        return f"names {side} {first}" + (f" and {count - 1} more" if count > 1 else "")

    def give_up(self, s, p, me, why):
        if s.intents[me] is None:
            self.rest(p)
        else:
            p.step = "clear_vain_intent"
        return why

    def clear_vain_intent(self, s, p, me):
        s.intents = put(s.intents, me, None)
        self.rest(p)
        return "clears its intent, nothing in hand"

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

    # ---- repair: MpmcRecovery::run ------------------------------------------------------------------------------------

    def start_repair(self, s, p, me, fresh):
        p.fresh, p.index = fresh, -1
        self.next_record(s, p, me)

    def read_intent(self, s, p, me):
        intent = s.intents[p.index]
        which = p.index
        if intent is None:
            self.next_record(s, p, me)
        else:
            p.intent, p.holding, p.step = intent, s.holders[which][1], "read_claim"
        return f"repair: record {which} names " + ("nothing" if intent is None else f"{intent[0]} {intent[1]}")

    def next_record(self, s, p, me):
        p.index += 1
        while p.index != len(self.records) and (self.is_silent(s, p.index) or (p.index == me and not p.fresh)):
            p.index += 1
        p.intent = p.holding = p.side = p.base = p.i = p.word = p.repaired = p.named = p.done = p.living = p.places = None
        p.counted = p.phase = None
        p.step = "read_intent"
        if p.index == len(self.records):
            p.step = "read_forgotten" if self.takers else "read_stand_head"    # only takers write it

    def read_claim(self, s, p, me):
        side, first, count, delivery = p.intent
        claimed = self.is_claimed(s, side, first)
        if claimed and delivery:
            p.step = "read_orphan_claim"
        elif not claimed and self.variant != "unclaimed-cleared":
            self.next_record(s, p, me)
        else:
            self.ask_whether_dead(s, p, me)
        return f"repair: {side} {first} is " + ("claimed" if claimed else "not claimed")

    def ask_whether_dead(self, s, p, me):
        if p.index != me:
            p.step = "ask_owner"
        else:
            self.start_resolving(p, "record", *p.intent[:3])    # our own word: our record's former holder is dead

    def read_orphan_claim(self, s, p, me):
        """An orphan is claimed by its word, not by the head."""
        _, at, _, delivery = p.intent
        claimed = self.read(s, at) != self.word(at, "orphaned", delivery - 1)
        if claimed:
            self.ask_whether_dead(s, p, me)
        else:
            self.next_record(s, p, me)
        return f"repair: the orphan {at} is " + ("claimed" if claimed else "not claimed")

    def ask_owner(self, s, p, me, alive):
        which = p.index
        if alive:
            self.next_record(s, p, me)
        else:
            self.start_resolving(p, "record", *p.intent[:3])
        return f"repair: record {which} is " + ("alive" if alive else "dead")

    def read_forgotten(self, s, p, me):
        p.intent, p.step = s.forgotten, "read_remembered"
        return f"repair: reads what is forgotten: {s.forgotten}"

    def read_remembered(self, s, p, me):
        p.step = "read_stand_head" if s.remembered == p.intent else "read_head_to_remember"
        if p.step == "read_stand_head":
            p.intent = None
        return f"repair: reads what is remembered: {s.remembered}"

    def read_head_to_remember(self, s, p, me):
        p.stand, p.step = min(s.head, p.intent), "read_tail_to_remember"
        return f"repair: reads the head: {s.head}"

    def read_tail_to_remember(self, s, p, me):
        first = max(s.tail - self.capacity, p.stand - self.capacity, 0)
        p.done = True
        self.remember_next(p, first)
        return f"repair: reads the tail: {s.tail}"

    def remember_next(self, p, at):
        if at < p.stand:
            done = p.done
            self.start_resolving(p, "forgotten", READ, at, 1)
            p.done = done
        else:
            p.step = "store_remembered" if p.done else "read_stand_head"
            p.stand = None
            self.forget_position(p)

    def store_remembered(self, s, p, me):
        s.remembered, p.intent, p.step = p.intent, None, "read_stand_head"
        return "repair: all that was forgotten is settled"

    @staticmethod
    def forget_position(p):
        p.phase = p.side = p.base = p.i = p.named = p.done = None

    def read_stand_head(self, s, p, me):
        p.stand, p.step = s.head, "read_stand_tail"
        return f"repair: reads the head: {s.head}"

    def read_stand_tail(self, s, p, me):
        head, p.stand = p.stand, max(s.tail - self.capacity, 0)
        self.start_resolving(p, "oldest write", WRITE, head, 1)
        return f"repair: reads the tail: {s.tail}"

    def start_resolving(self, p, phase, side, base, named):
        p.phase, p.side, p.base, p.i, p.named, p.done = phase, side, base, 0, named, True
        p.step = "resolve"
        if phase == "record" and self.variant != "unclaimed-cleared":
            p.step = "read_word_to_repair"    # it was claimed a moment ago, and that does not change any more

    def resolve(self, s, p, me):
        at = p.base + p.i
        claimed = self.is_claimed(s, p.side, at)
        if claimed:
            p.step = "read_word_to_repair"
        else:
            self.resolved(s, p, me, "not claimed")
        return f"repair: {p.side} {at} is " + ("claimed" if claimed else "not claimed")

    def read_word_to_repair(self, s, p, me):
        at = p.base + p.i
        word = self.read(s, at)
        after = self.after_dead_writer(at, word) if p.side == WRITE else self.after_dead_reader(at, word)
        if after == word:
            self.resolved_or_announce(s, p, me, "already done", word)
        else:
            p.word, p.repaired, p.living = word, after, -1
            if self.variant == "living-not-asked":
                self.nobody_lives(p)
            else:
                self.next_living(s, p, me)
        return f"repair: reads the word of {at}: {word[1]}, lap {word[0]}"

    def after_dead_writer(self, at, word):
        return self.word(at, "skipped") if word == self.free(at) else word

    def after_dead_reader(self, at, word):
        if word[0] != self.word(at, "free")[0]:
            return word
        if word[1] in ("skipped", "filler"):
            return self.free_again(at)
        if word[1] != "published":
            return word
        return self.word(at, "orphaned", word[2]) if self.redelivers else self.free_again(at)

    def read_living(self, s, p, me):
        which, at = p.living, p.base + p.i
        intent = s.intents[which]
        names = intent is not None and intent[0] == p.side and intent[1] <= at < intent[1] + intent[2]
        if names:
            p.holding, p.step = s.holders[which][1], "ask_living"
        else:
            self.next_living(s, p, me)
        return f"repair: record {which} " + ("names it, too" if names else "does not name it")

    def ask_living(self, s, p, me, alive):
        which = p.living
        if alive:
            self.resolved(s, p, me, "disputed")
        else:
            self.next_living(s, p, me)
        return f"repair: record {which} is " + ("alive: let be" if alive else "dead")

    def next_living(self, s, p, me):
        p.step = "read_living"
        p.holding = None
        p.living += 1
        while p.living != len(self.records) and (p.living == me or self.is_silent(s, p.living)):
            p.living += 1    # a former holder's name in our own record is a dead one's
        if p.living == len(self.records):
            self.nobody_lives(p)

    def nobody_lives(self, p):
        at = p.base + p.i
        p.living = None
        p.holding = None
        if p.repaired == self.free_again(at):
            self.free_further(p)
        else:
            self.count_or_swap(p)

    def free_further(self, p):
        """A message is one place here."""
        p.places, p.step = 1, "read_word_again"

    def read_word_again(self, s, p, me):
        if self.read(s, p.base + p.i) != p.word:
            self.resolved(s, p, me, "already done")
            return "repair: the word has changed"
        self.free_next_further(p)
        return "repair: the word is the same"

    def free_next_further(self, p):
        p.places -= 1
        p.step = "free_one_further"
        if p.places == 0:
            self.count_or_swap(p)

    def count_or_swap(self, p):
        p.places = None
        is_counted = p.side == WRITE and (p.i < p.named or self.each_place_is_a_message)
        p.counted = "skipped" if is_counted else None
        p.step = "count_repair" if p.counted else "swap_word"

    def count_repair(self, s, p, me):
        setattr(s, p.counted, getattr(s, p.counted) + 1)
        p.step = "swap_word"
        return f"repair: counts one more {p.counted}"

    def swap_word(self, s, p, me):
        at = p.base + p.i
        if self.swap(s, at, p.word, p.repaired):
            said = f"repair: {at} is now {p.repaired[1]}, lap {p.repaired[0]}"
            self.resolved_or_announce(s, p, me, "repaired", p.repaired)
            return said
        p.repaired = self.read(s, at)
        if p.counted:
            p.step = "take_count_back"
        else:
            self.resolved_or_announce(s, p, me, "already done", p.repaired)
        return "repair: another was quicker"

    def take_count_back(self, s, p, me):
        setattr(s, p.counted, getattr(s, p.counted) - 1)
        self.resolved_or_announce(s, p, me, "already done", p.repaired)
        return "repair: takes its count back"

    def resolved_or_announce(self, s, p, me, how, word):
        """Also where another made it an orphan: that one may have died before it said so."""
        is_orphan = p.side == READ and word[1] == "orphaned" and word[0] == self.word(p.base + p.i, "free")[0]
        if not is_orphan or (self.variant == "orphan-announced-once" and how != "repaired"):
            self.resolved(s, p, me, how)
        else:
            p.word = p.living = p.counted = p.places = None
            p.repaired, p.step = how, "announce"

    def announce(self, s, p, me):
        s.hint, s.current = True, 0
        self.resolved(s, p, me, p.repaired)
        return "repair: announces an orphan"

    def resolved(self, s, p, me, how):
        p.word = p.repaired = p.living = p.counted = p.places = None
        if p.i < p.named and how == ("disputed" if p.phase == "forgotten" else how) and how not in ("repaired", "already done"):
            p.done = self.variant == "unclaimed-cleared" and how == "not claimed" and p.done
        p.i += 1
        p.step = "resolve"
        if p.phase == "forgotten":
            self.remember_next(p, p.base + 1)
            return
        if p.i < p.named or how == "repaired":
            return
        if p.phase == "record":
            self.leave_record(s, p, me)
        elif p.phase == "oldest write":
            stand, p.stand = p.stand, None
            self.start_resolving(p, "oldest read", READ, stand, 1)
        else:
            fresh = p.fresh
            self.rest(p)
            if fresh:
                p.step = "enter"

    def leave_record(self, s, p, me):
        if not p.done:
            self.next_record(s, p, me)
            return
        self.forget_position(p)
        p.step = "count_lost" if p.intent[0] == READ and not self.redelivers else "clear_dead_intent"

    def count_lost(self, s, p, me):
        s.lost += p.intent[2]
        p.step = "clear_dead_intent"
        return "repair: counts what the dead one had in hand as lost"

    def clear_dead_intent(self, s, p, me):
        which = p.index
        if s.intents[which] == p.intent:
            s.intents = put(s.intents, which, None)
            said = f"repair: clears record {which}'s intent"
        else:
            said = f"repair: record {which} names something else by now"
            if p.intent[0] == READ and not self.redelivers:
                p.step = "take_lost_back"
                return said
        self.next_record(s, p, me)
        return said

    def take_lost_back(self, s, p, me):
        s.lost -= p.intent[2]
        self.next_record(s, p, me)
        return "repair: takes its count back"


DEAD = ("dead",)
