"""Random programs of stream operations, each made from its seed alone.

A program is JSON: ``{"seed": 7, "pipes": false, "turns": [[action, ...], ...]}``. README.md has the vocabulary.

    python tests/differential/generate.py [--pipes] [--count N] [--first SEED]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    __package__ = "tests.differential"

from .dice import Action, Json, Stream, Weighted
from .objects import Objects

SMALLEST, LARGEST = 5, 40


class Generator(Objects):
    """Makes one program."""

    def program(self) -> dict[str, Json]:
        """The program of this seed."""
        self.make_plan()
        size = self.random.randint(SMALLEST, LARGEST)
        turns: list[list[Action]] = [[]]
        for number in range(size):
            turns[-1].append(self.step(number))
            if self.chance(0.3) or (self.orderly and self.piping):
                turns.append([])
        turns += [[settle] for settle in self.settle_all()] if self.orderly else [self.settle_all()]
        turns.append(self.final_probes())
        return {"seed": self.seed, "pipes": self.pipes, "turns": [turn for turn in turns if turn]}

    # Top-level steps.

    def step(self, number: int) -> Action:
        """The next step: construct what is still to be made, or do something with what is there."""
        builders = self.plan.builders
        if builders and (number == 0 or self.chance(0.6)):
            return builders.pop(0)()
        options: list[Weighted] = [(0.6, self.probe)]
        for stream in self.plan.readables:
            if stream.made:
                options += self.reading_steps(stream)
        for stream in self.plan.writables:
            if stream.made:
                options += self.writing_steps(stream)
        options += [(1.2, lambda t=t: self.on_transform(t)) for t in self.plan.transforms if t.made]  # type: ignore[misc]
        options += [(0.8, lambda d=d: self.settle(d)) for d in self.plan.deferreds]  # type: ignore[misc]
        options += [(0.4, lambda a=a: self.abort_signal(a)) for a in self.plan.aborters]  # type: ignore[misc]
        options += [(2, lambda i=i: self.iterator_step(i)) for i in self.plan.iterators]  # type: ignore[misc]
        options.append((0.5, self.anywhere))
        return self.pick(options)

    def probe(self) -> Action:
        """A probe of the order of microtasks."""
        if self.chance(0.3):
            return self.action("ticks", n=self.random.randint(2, 9))
        return self.job(lambda: [self.anywhere()])

    def reading_steps(self, stream: Stream) -> list[Weighted]:
        """What can be done with a readable stream now."""
        steps: list[Weighted] = []
        if stream.lock:
            steps += self.reader_steps(stream)
        else:
            steps += self.unlocked_steps(stream)
        if stream.controlled:
            steps.append((2.2, lambda: self.own_readable(stream, "")))
        return steps

    def reader_steps(self, stream: Stream) -> list[Weighted]:
        """What can be done with a locked readable stream."""
        lock = stream.lock or ""
        if lock == "?":
            return [(0.3, lambda: self.action("locked", on=stream.id))]
        steps: list[Weighted] = [
            (6, lambda: self.on_reader(stream, lock)),
            (0.5, lambda: self.release(stream)),
        ]
        if stream.mode == "default":
            steps.append((1, lambda: self.action("drain", on=lock, max=self.random.randint(1, 8))))
        return steps

    def unlocked_steps(self, stream: Stream) -> list[Weighted]:
        """What can be done with an unlocked readable stream."""
        plain = 0.35 if self.pipes else 1.0
        steps: list[Weighted] = [
            (6 * plain, lambda: self.get_reader(stream)),
            (1.2 * plain * self.has("tee"), lambda: self.tee(stream)),
            (0.1 if self.tame else 0.3, lambda: self.on_readable(stream)),
            (1.3 * plain * self.has("iteration"), lambda: self.iterate(stream)),
        ]
        if self.pipes:
            steps += self.piping_steps(stream)
        return steps

    def get_reader(self, stream: Stream) -> Action:
        """Lock a readable stream."""
        stream.lock = f"{stream.id}.a" if not stream.released else f"{stream.id}.{len(stream.released)}"
        stream.mode = "byob" if stream.bytes and self.has("byob") and self.chance(0.6) else "default"
        action = self.action("get_reader", on=stream.id, id=stream.lock)
        if stream.mode == "byob":
            action["mode"] = "byob"
        return action

    def release(self, stream: Stream) -> Action:
        """Release a lock."""
        lock = stream.lock or ""
        stream.released.append(lock)
        stream.lock = None
        return self.action("release", on=lock)

    def tee(self, stream: Stream) -> Action:
        """Tee a stream into two branches."""
        stream.lock = "?"
        ids = [f"{stream.id}x", f"{stream.id}y"]
        branches = [Stream(name, stream.rank, bytes=stream.bytes, controlled=False, made=True) for name in ids]
        self.plan.readables += branches
        return self.action("tee", on=stream.id, ids=ids)

    def iterate(self, stream: Stream) -> Action:
        """Iterate over a stream."""
        stream.lock = "?"
        keep = {"pk": True} if self.chance(0.3) else {}
        if self.chance(0.35):
            return self.action("for_await", on=stream.id, **keep)
        if self.chance(0.35):
            return self.action("iterate", on=stream.id, max=self.random.randint(0, 4), **keep)
        iterator = f"{stream.id}.it"
        self.plan.iterators.append(iterator)
        return self.action("values", on=stream.id, id=iterator, **keep)

    def iterator_step(self, iterator: str) -> Action:
        """A step of an async iterator."""
        return self.action("next" if self.chance(0.85) else "return", on=iterator)

    def writing_steps(self, stream: Stream) -> list[Weighted]:
        """What can be done with a writable stream now."""
        steps: list[Weighted] = []
        if stream.lock is None:
            steps += [
                (6 if not self.pipes else 0.7, lambda: self.get_writer(stream)),
                (0.15 if self.tame else 0.4, lambda: self.on_writable(stream)),
            ]
        elif stream.lock != "?":
            lock = stream.lock
            steps += [(7, lambda: self.on_writer(stream, lock)), (0.3, lambda: self.release(stream))]
        if stream.controlled:
            steps.append((0.5, lambda: self.own_writable(stream, "")))
        return steps

    def get_writer(self, stream: Stream) -> Action:
        """Lock a writable stream."""
        stream.lock = f"{stream.id}.a" if not stream.released else f"{stream.id}.{len(stream.released)}"
        return self.action("get_writer", on=stream.id, id=stream.lock)

    def piping_steps(self, stream: Stream) -> list[Weighted]:
        """The pipes that can begin at a readable stream: always towards a later one, so that none goes round."""
        steps: list[Weighted] = []
        for writable in self.plan.writables:
            if writable.made and writable.lock is None and writable.rank > stream.rank:
                steps.append((6, lambda w=writable: self.pipe(stream, w)))  # type: ignore[misc]
        return steps

    def pipe(self, stream: Stream, writable: Stream) -> Action:
        """Pipe to a writable stream, or through the transform stream that it belongs to."""
        stream.lock = writable.lock = "?"
        self.piping = True
        options = {key: True for key in ("pc", "pa", "pk") if self.chance(0.2)}
        fields: Action = {"on": stream.id, "dest": writable.id, **options}
        if self.plan.aborters and self.chance(0.6):
            fields["sig"] = self.plan.aborters[0]
        if writable.id.startswith("t") and self.chance(0.6):
            return self.action("pipe_through", **{**fields, "dest": writable.id[:-1]})
        return self.action("pipe_to", **fields)

    def settle(self, deferred: str) -> Action:
        """Settle a deferred promise."""
        ok = self.chance(0.95 if self.tame else 0.8)
        return self.action("settle", d=deferred, ok=ok, v=None if ok else self.reason())

    def abort_signal(self, controller: str) -> Action:
        """Abort a signal."""
        self.plan.aborters.remove(controller)
        return self.action("ac_abort", on=controller, v=self.reason())

    def settle_all(self) -> list[Action]:
        """Let what waits go on."""
        return [self.settle(deferred) for deferred in self.plan.deferreds]

    def final_probes(self) -> list[Action]:
        """Look at what became of everything."""
        streams = [*self.plan.readables, *self.plan.writables]
        probes = [self.action("locked", on=stream.id) for stream in streams if stream.made]
        controlled = [s for s in (*self.plan.readables, *self.plan.transforms) if s.controlled and s.made]
        return probes + [self.action("c_size", on=stream.id) for stream in controlled]


def generate(seed: int, *, pipes: bool = False, without: Collection[str] = ()) -> dict[str, Json]:
    """The program of a seed, without some of: "bytes", "byob", "from", "iteration", "promises" (as results), "tee".

    Without "races" (which is for pipes), a turn of a program with pipes does not act on both ends of a pipe.
    """
    return Generator(seed, pipes, without).program()


def main() -> None:
    """Print programs, one per line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipes", action="store_true", help="programs with pipes")
    parser.add_argument("--without", default="", help="features to leave out, such as byob,iteration")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    without = arguments.without.split(",")
    for seed in range(arguments.first, arguments.first + arguments.count):
        print(json.dumps(generate(seed, pipes=arguments.pipes, without=without), separators=(",", ":")))


if __name__ == "__main__":
    main()
