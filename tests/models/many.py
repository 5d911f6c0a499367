"""What MpmcRing and MpmcByteRing share, step by step: claims with a name, and repair after the dead.

The steps are those of include/shmring/detail/mpmc_writer.hpp, mpmc_reader.hpp, mpmc_recovery.hpp and of MemberEnd::enter; one step is
one operation on shared memory. What a message looks like is added by mpmc.py and mpmc_bytes.py.

A message has no bytes here but the position that it was claimed at, so participants of a side are all alike, and what a reader finds
tells at once whether it is torn, invented, or out of order. A participant is its record; the dead one's may be taken again.
"""
# SPDX-License-Identifier: MIT
from claims import Claims
from explorer import Broken
from memory import AT_REST, DEAD, READ, WRITE, Own, Shared, put
from repair import Repair

COMING = "coming"    # has a dead one's record, and to all others it is dead still


class Many(Claims, Repair):
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
        # A dead one's batch of which only a part was ever claimed, by others, keeps its name: nothing is to be done for it.
        return not any(intent and holder[2] is False and self.is_won(s, intent)
                       and self.is_claimed(s, intent[0], intent[1] + intent[2] - 1)
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
            alive = alive is not False and alive != COMING
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
        if s.forgotten != s.remembered or any(intent and holder[2] in (False, COMING) for intent, holder in zip(s.intents, s.holders)):
            return True
        named = [intent for intent, holder in zip(s.intents, s.holders) if intent and holder[2] not in (False, COMING)]
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
        s.takes += 1
        p = self.fresh(role, left)
        s.holders = put(s.holders, me, (role, s.holders[me][1] + 1, True))
        if s.intents[me] is not None:
            s.holders = put(s.holders, me, (role, s.holders[me][1] - 1, COMING))
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
            p.step = "say_that_it_lives"
        return "clears the old intent"

    def say_that_it_lives(self, s, p, me):
        s.holders = put(s.holders, me, (p.role, s.holders[me][1] + 1, True))
        self.rest(p)
        return "stores its incarnation"

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
