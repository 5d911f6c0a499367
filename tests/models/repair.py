"""What anybody does about the dead: the steps of include/shmring/detail/mpmc_recovery.hpp."""
# SPDX-License-Identifier: MIT
from memory import READ, WRITE, put


class Repair:
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
        may_stay = p.phase == "forgotten" or self.variant == "unclaimed-cleared"
        if p.i < p.named and (how == "disputed" or (how == "not claimed" and not may_stay)):
            p.done = False
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
