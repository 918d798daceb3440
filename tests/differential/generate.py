"""Random programs of stream operations, each made from its seed alone.

A program is JSON: ``{"seed": 7, "pipes": false, "turns": [[action, ...], ...]}``. README.md has the vocabulary.

    python tests/differential/generate.py [--pipes] [--count N] [--first SEED]
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Any
Action: TypeAlias = dict[str, Any]
Weighted: TypeAlias = tuple[float, Callable[[], Action]]

SMALLEST, LARGEST = 5, 40
HIGH_WATER_MARKS = (0, 0, 1, 1, 1, 2, 2, 3, 0.5, 1.5, {"n": "Infinity"})
ODD_HIGH_WATER_MARKS = ({"n": "NaN"}, -1, {"n": "-Infinity"})
ODD_SIZES = ({"n": "NaN"}, -1, {"n": "Infinity"}, None)
SIZES = (0, 1, 1, 1, 2, 3, 0.5, 0.1)
BYTE_HIGH_WATER_MARKS = (0, 0, 0, 1, 2, 5, 16)


@dataclass
class Stream:
    """What the generator believes about one end of a stream."""

    id: str
    rank: int
    bytes: bool = False
    controlled: bool = True
    made: bool = False
    lock: str | None = None
    mode: str = "default"
    released: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """The objects that a program will have."""

    readables: list[Stream] = field(default_factory=list)
    writables: list[Stream] = field(default_factory=list)
    transforms: list[Stream] = field(default_factory=list)
    iterators: list[str] = field(default_factory=list)
    deferreds: list[str] = field(default_factory=list)
    aborters: list[str] = field(default_factory=list)
    builders: list[Callable[[], Action]] = field(default_factory=list)


class Generator:
    """Makes one program."""

    def __init__(self, seed: int, pipes: bool, without: Collection[str] = ()) -> None:
        self.seed = seed
        self.without = without
        self.pipes = pipes
        self.random = random.Random(f"{'pipes' if pipes else 'plain'} {seed}")
        self.plan = Plan()
        self.actions = 0
        self.chunks = 0
        self.depth = 0
        self.all_bytes = self.chance(0.12)
        self.tame = self.chance(0.6)
        # With pipes, what is done in one turn at both ends of a pipe would race: nothing says which end is first.
        self.orderly = pipes and "races" in without
        self.piping = False
        self.cross = (0.0 if self.orderly else 0.06) if pipes else self.random.choice((0.05, 0.2, 0.4))

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

    # Dice.

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability

    def has(self, feature: str) -> bool:
        """Whether programs may have this feature."""
        return feature not in self.without

    def pick(self, options: Sequence[Weighted]) -> Action:
        """Run one of the weighted makers."""
        weights = [weight for weight, _ in options]
        return self.random.choices(options, weights)[0][1]()

    def action(self, op: str, **fields: Json) -> Action:
        """An action under the next number."""
        self.actions += 1
        return {"op": op, "i": self.actions, **fields}

    # Values.

    def chunk(self, *, byte: bool = False, argument: bool = False) -> Json:
        """A chunk: mostly a name of its own."""
        if argument and self.chance(0.5):
            return {"arg": 1}
        if byte or self.all_bytes:
            return self.bytes()
        if self.chance(0.06):
            return self.random.choice((None, 0, 7, -1.5, True))
        if self.chance(0.05):
            return self.bytes()
        self.chunks += 1
        return f"c{self.chunks}"

    def bytes(self) -> Json:
        """A small buffer."""
        values = [self.random.randrange(100) for _ in range(self.random.choice((1, 1, 2, 3, 3, 4, 5, 8)))]
        if self.chance(0.03):
            return []
        return {"sub": values} if self.chance(0.15) else values

    def error(self) -> Json:
        """An error of the program's own."""
        self.chunks += 1
        return {"e": f"E{self.chunks}"}

    def reason(self) -> Json:
        """A reason: mostly an error."""
        if self.chance(0.7):
            return self.error()
        self.chunks += 1
        return self.random.choice((None, f"why{self.chunks}", 42))

    # The plan: which objects there will be.

    def make_plan(self) -> None:
        """Choose the objects and their order."""
        kinds = self.pipe_kinds() if self.pipes else self.plain_kinds()
        for rank, kind in enumerate(kinds):
            getattr(self, f"plan_{kind}")(rank)
        self.plan.deferreds = [f"d{number}" for number in range(self.random.randint(1, 3))]
        if self.pipes and self.chance(0.5):
            self.plan.aborters.append("ac0")
            self.plan.builders.insert(0, lambda: self.action("ac_new", id="ac0"))

    def plain_kinds(self) -> list[str]:
        """Some streams of any kind."""
        kinds = ("readable", "bytes", "writable", "transform", "from")
        weights = (4, 3 * self.has("bytes"), 3.5, 3, 0.8 * self.has("from"))
        return self.random.choices(kinds, weights, k=self.random.choice((1, 1, 2, 2, 3, 4)))

    def pipe_kinds(self) -> list[str]:
        """Sources first, then what they can be piped to."""
        weights = (5, 1.5 * self.has("bytes"), 0.7 * self.has("from"))
        sources = self.random.choices(("readable", "bytes", "from"), weights, k=self.random.choice((1, 1, 2)))
        transforms = ["transform"] * self.random.choice((0, 0, 1, 1, 2))
        return sources + transforms + ["writable"] * self.random.choice((1, 1, 2))

    def plan_readable(self, rank: int) -> None:
        """A default stream."""
        stream = Stream(f"s{rank}", rank)
        self.plan.readables.append(stream)
        self.plan.builders.append(lambda: self.new_readable(stream))

    def plan_bytes(self, rank: int) -> None:
        """A byte stream."""
        stream = Stream(f"b{rank}", rank, bytes=True)
        self.plan.readables.append(stream)
        self.plan.builders.append(lambda: self.new_bytes(stream))

    def plan_from(self, rank: int) -> None:
        """A stream from an iterable."""
        stream = Stream(f"f{rank}", rank, controlled=False)
        self.plan.readables.append(stream)
        self.plan.builders.append(lambda: self.new_from(stream))

    def plan_writable(self, rank: int) -> None:
        """A writable stream."""
        stream = Stream(f"w{rank}", rank)
        self.plan.writables.append(stream)
        self.plan.builders.append(lambda: self.new_writable(stream))

    def plan_transform(self, rank: int) -> None:
        """A transform stream with its two sides."""
        transform = Stream(f"t{rank}", rank)
        readable, writable = Stream(f"t{rank}r", rank, controlled=False), Stream(f"t{rank}w", rank, controlled=False)
        self.plan.transforms.append(transform)
        self.plan.readables.append(readable)
        self.plan.writables.append(writable)
        self.plan.builders.append(lambda: self.new_transform(transform, readable, writable))

    # Constructing.

    def new_readable(self, stream: Stream) -> Action:
        """Construct a default stream."""
        stream.made = True
        source: Action = {}
        self.maybe(source, "start", 0.85, lambda: self.callback(stream, "start", 1))
        self.maybe(source, "pull", 0.85, lambda: self.callback(stream, "pull", self.random.randint(1, 5)))
        self.maybe(source, "cancel", 0.75, lambda: self.callback(stream, "cancel", 1))
        return self.action("new_readable", id=stream.id, source=source, strategy=self.strategy(stream))

    def new_bytes(self, stream: Stream) -> Action:
        """Construct a byte stream."""
        stream.made = True
        source: Action = {"type": "bytes"}
        self.maybe(source, "start", 0.85, lambda: self.callback(stream, "start", 1))
        self.maybe(source, "pull", 0.9, lambda: self.callback(stream, "pull", self.random.randint(1, 6)))
        self.maybe(source, "cancel", 0.75, lambda: self.callback(stream, "cancel", 1))
        self.maybe(source, "auto", 0.35, lambda: self.random.choice((1, 2, 3, 4, 8)))
        if self.chance(0.01):
            source["auto"] = 0
        action = self.action("new_readable", id=stream.id, source=source)
        if self.chance(0.6):
            action["strategy"] = {"kind": "custom", "hwm": self.random.choice(BYTE_HIGH_WATER_MARKS)}
        elif self.chance(0.02):
            action["strategy"] = {"kind": "custom", "size": []}
        return action

    def new_writable(self, stream: Stream) -> Action:
        """Construct a writable stream."""
        stream.made = True
        sink: Action = {}
        self.maybe(sink, "start", 0.85, lambda: self.callback(stream, "start", 1))
        self.maybe(sink, "write", 0.9, lambda: self.callback(stream, "write", self.random.randint(1, 4)))
        self.maybe(sink, "close", 0.75, lambda: self.callback(stream, "close", 1))
        self.maybe(sink, "abort", 0.75, lambda: self.callback(stream, "abort", 1))
        return self.action("new_writable", id=stream.id, sink=sink, strategy=self.strategy(stream))

    def new_transform(self, transform: Stream, readable: Stream, writable: Stream) -> Action:
        """Construct a transform stream."""
        transform.made = readable.made = writable.made = True
        members: Action = {}
        self.maybe(members, "start", 0.85, lambda: self.callback(transform, "start", 1))
        self.maybe(members, "transform", 0.85, lambda: self.callback(transform, "transform", self.random.randint(1, 5)))
        self.maybe(members, "flush", 0.7, lambda: self.callback(transform, "flush", 1))
        self.maybe(members, "cancel", 0.6, lambda: self.callback(transform, "cancel", 1))
        action = self.action("new_transform", id=transform.id, transformer=members)
        self.maybe(action, "writable", 0.5, lambda: self.strategy(transform))
        self.maybe(action, "readable", 0.6, lambda: self.strategy(transform))
        return action

    def new_from(self, stream: Stream) -> Action:
        """Make a stream from a list or an async iterator."""
        stream.made = True
        if self.chance(0.4):
            return self.action("from", id=stream.id, items=[self.chunk() for _ in range(self.random.randint(0, 4))])
        runs = [self.next_script() for _ in range(self.random.randint(0, 4))]
        runs.append({"async": self.waits(0), "end": {"k": "done"}})
        action = self.action("from", id=stream.id, next={"runs": runs})
        self.maybe(action, "return", 0.7, lambda: self.callback(stream, "return", 1))
        return action

    def next_script(self) -> Action:
        """One step of an async iterator."""
        if self.chance(0.08):
            return self.random.choice(({"end": {"k": "throw", "v": self.error()}}, self.rejecting()))
        if self.chance(0.4):
            return {"end": {"k": "resitem", "v": self.chunk()}}
        return {"async": self.waits(self.random.choice((0, 0, 1, 2))), "end": {"k": "item", "v": self.chunk()}}

    def rejecting(self) -> Action:
        """A script that ends with a rejected promise."""
        return {"end": {"k": "rej", "v": self.reason()}}

    def waits(self, times: int) -> list[Action]:
        """Wait so many microtasks."""
        return [{"op": "await", "n": times}] if times else []

    def maybe(self, target: Action, key: str, probability: float, make: Callable[[], Json]) -> None:
        """Give `target` a member, or not."""
        if self.chance(probability):
            target[key] = make()

    def strategy(self, stream: Stream) -> Action:
        """A queuing strategy."""
        kind = self.random.choices(("none", "count", "bytes", "custom"), (3, 3, 3 * self.all_bytes, 3))[0]
        if kind == "none":
            return {"kind": "none"}
        odd = self.chance(0.01)
        mark = self.random.choice(ODD_HIGH_WATER_MARKS if odd else HIGH_WATER_MARKS)
        if kind != "custom":
            return {"kind": kind, "hwm": mark}
        result: Action = {"kind": "custom"}
        self.maybe(result, "hwm", 0.8, lambda: mark)
        self.maybe(result, "size", 0.75, lambda: [self.size_run(stream) for _ in range(self.random.randint(1, 5))])
        return result

    def size_run(self, stream: Stream) -> Action:
        """What a size function does at one call."""
        run: Action = {"ret": self.random.choice(SIZES)}
        if self.tame:
            return run
        if self.chance(0.08):
            run["ret"] = self.random.choice(ODD_SIZES)
        elif self.chance(0.06):
            run["throw"] = self.error()
        if self.chance(0.2):
            run["acts"] = self.script(stream, "size", 1)
        return run

    # Callbacks.

    def callback(self, stream: Stream, name: str, runs: int) -> Action:
        """A callback: a script for each of its first calls."""
        scripts = [self.body(stream, name) for _ in range(runs)]
        if self.has("promises") and self.chance(0.12):
            scripts = [self.async_body(stream, name) for _ in range(runs)]
        return {"runs": scripts}

    def body(self, stream: Stream, name: str) -> Action:
        """One script: actions and an ending."""
        if self.has("promises") and self.chance(0.13):
            return self.async_body(stream, name)
        most = 2 if name in ("start", "pull", "transform") else 1
        body: Action = {}
        acts = self.script(stream, name, self.random.randint(0 if self.chance(0.3) else 1, most))
        if acts:
            body["acts"] = acts
        end = self.end(stream, name)
        if end:
            body["end"] = end
        return body

    def async_body(self, stream: Stream, name: str) -> Action:
        """A script that waits between its actions."""
        items: list[Action] = []
        for _ in range(self.random.randint(1, 3)):
            items += self.script(stream, name, self.random.choice((0, 1, 1)))
            items.append(self.wait())
        items += self.script(stream, name, self.random.choice((0, 1)))
        body: Action = {"async": items}
        if not self.tame and self.chance(0.08):
            body["end"] = {"k": "throw", "v": self.error()}
        return body

    def wait(self) -> Action:
        """One suspension of an async script."""
        if self.chance(0.12):
            return {"op": "await_d", "d": self.random.choice(self.plan_deferreds())}
        if self.chance(0.12 if not self.pipes else self.cross / 2):
            return {"op": "await_act", "a": self.anywhere(), "caught": self.chance(0.6)}
        return {"op": "await", "n": self.random.choice((1, 1, 1, 2, 3))}

    def plan_deferreds(self) -> list[str]:
        """The names of the deferred promises."""
        return self.plan.deferreds or ["d0"]

    def end(self, stream: Stream, name: str) -> Action | None:
        """How a synchronous script ends."""
        trouble = 0.25 if self.tame else 1.0
        kinds = ("undef", "val", "throw", "res", "rej", "def", "act")
        waits = 0.5 if name == "start" else 1.4
        adopted = self.has("promises")
        other = 0.8 * (adopted and not self.orderly)
        weights = (9, 0.7, 0.8 * trouble, 2 * adopted, 0.6 * trouble * adopted, waits * adopted, other)
        kind = self.random.choices(kinds, weights)[0]
        if kind == "val":
            return {"k": "val", "v": self.random.choice((1, "v", True))}
        if kind == "throw":
            return {"k": kind, "v": self.error()}
        if kind in ("res", "rej"):
            return {"k": kind, "v": self.reason() if kind == "rej" else None}
        if kind == "def":
            return {"k": kind, "d": self.random.choice(self.plan_deferreds())}
        if kind == "act" and name != "return":
            return {"k": kind, "a": self.promising(stream)}
        return None

    def promising(self, stream: Stream) -> Action:
        """An action that gives a promise, for a callback to return."""
        if self.pipes:
            return self.action("ready", on=f"{self.random.choice(self.plan.writables).id}.a")
        return self.anywhere()

    def script(self, stream: Stream, name: str, count: int) -> list[Action]:
        """Some actions of a callback."""
        self.depth += 1
        actions = [self.callback_action(stream, name) for _ in range(count)] if self.depth < 4 else []
        self.depth -= 1
        return actions

    def callback_action(self, stream: Stream, name: str) -> Action:
        """An action on the callback's own stream, or on another."""
        if self.chance(self.cross):
            return self.anywhere()
        if self.chance(0.03):
            return self.job(lambda: self.script(stream, name, 1))
        prefix = stream.id[0]
        if prefix == "w":
            return self.own_writable(stream, name)
        if prefix == "t":
            return self.own_transform(stream, name)
        if prefix == "f":
            return self.action("locked", on=stream.id)
        return self.own_readable(stream, name)

    def own_readable(self, stream: Stream, name: str) -> Action:
        """What the callbacks of a readable stream do to it."""
        trouble = 0.2 if self.tame else 1.0
        options: list[Weighted] = [
            (9 if name != "cancel" else 1, lambda: self.enqueue(stream, name)),
            (1.2 if name else 0.8, lambda: self.action("c_close", on=stream.id)),
            (0.35 * trouble, lambda: self.action("c_error", on=stream.id, v=self.reason())),
            (1, lambda: self.action("c_size", on=stream.id)),
            (0.25 * trouble, lambda: self.on_readable(stream)),
        ]
        if stream.bytes:
            options.append((7, lambda: self.respond(stream)))
        return self.pick(options)

    def enqueue(self, stream: Stream, name: str = "") -> Action:
        """Enqueue a chunk; in a size function or a transform sometimes the one it got."""
        argument = name in ("transform", "size") or (name == "write" and not stream.bytes)
        if stream.bytes and self.chance(0.99):
            return self.action("c_enqueue", on=stream.id, v=self.bytes())
        return self.action("c_enqueue", on=stream.id, v=self.chunk(argument=argument))

    def respond(self, stream: Stream) -> Action:
        """Answer the BYOB request of a byte stream."""
        count = self.random.choice((1, 1, 2, 2, 3, 4, 4, 0))
        fill = self.random.randrange(100)
        if self.chance(0.12):
            return self.action("c_byob", on=stream.id)
        if self.chance(0.05):
            return self.action("c_stale", on=stream.id, n=count)
        op = "c_respond_view" if self.chance(0.3) else "c_respond"
        return self.action(op, on=stream.id, n=count, fill=fill)

    def own_writable(self, stream: Stream, name: str) -> Action:
        """What the callbacks of a writable stream do to it."""
        trouble = 0.1 if self.tame else 1.0
        return self.pick(
            [
                (0.8 * trouble, lambda: self.action("c_error", on=stream.id, v=self.reason())),
                (0.6 * (name != "signal"), lambda: self.signal(stream)),
                (0.5, lambda: self.action("locked", on=stream.id)),
                (0.3 if self.pipes else 1.5, lambda: self.action("wsize", on=f"{stream.id}.a")),
                (0.3 if self.pipes else 2.5, lambda: self.on_writer(stream, f"{stream.id}.a")),
                (0.2 * trouble, lambda: self.action("release", on=f"{stream.id}.a")),
            ]
        )

    def signal(self, stream: Stream) -> Action:
        """Watch the signal of a writable controller."""
        acts = [] if self.chance(0.7) else self.script(stream, "signal", 1)
        return self.action("c_signal", on=stream.id, acts=acts)

    def own_transform(self, stream: Stream, name: str) -> Action:
        """What the callbacks of a transform stream do to it."""
        trouble = 0.15 if self.tame else 1.0
        return self.pick(
            [
                (9, lambda: self.enqueue(stream, name)),
                (0.5 * trouble, lambda: self.action("c_terminate", on=stream.id)),
                (0.5 * trouble, lambda: self.action("c_error", on=stream.id, v=self.reason())),
                (1, lambda: self.action("c_size", on=stream.id)),
                (0.4 * trouble, lambda: self.action("cancel", on=f"{stream.id}r", v=self.reason())),
                (0.4 * trouble, lambda: self.action("abort", on=f"{stream.id}w", v=self.reason())),
                (0.4 * trouble, lambda: self.action("read", on=f"{stream.id}r.a")),
                (0.4 * trouble, lambda: self.action("write", on=f"{stream.id}w.a", v=self.chunk())),
            ]
        )

    def anywhere(self) -> Action:
        """An action on any object of the plan, whether it is there or not."""
        options: list[Weighted] = []
        for stream in self.plan.readables:
            options += [
                (3, lambda s=stream: self.on_reader(s, self.some_reader(s))),  # type: ignore[misc]
                (0.6, lambda s=stream: self.on_readable(s)),  # type: ignore[misc]
            ]
            if stream.controlled:
                options.append((3, lambda s=stream: self.own_readable(s, "")))  # type: ignore[misc]
        for stream in self.plan.writables:
            options += [
                (3, lambda s=stream: self.on_writer(s, f"{s.id}.a")),  # type: ignore[misc]
                (0.5, lambda s=stream: self.on_writable(s)),  # type: ignore[misc]
            ]
        options += [(0.7, lambda t=transform: self.on_transform(t)) for transform in self.plan.transforms]  # type: ignore[misc]
        return self.pick(options)

    def some_reader(self, stream: Stream) -> str:
        """A reader of a stream: the one that it has, as far as is known."""
        return stream.lock or f"{stream.id}.a"

    # Actions on objects.

    def on_readable(self, stream: Stream) -> Action:
        """An action on a readable stream itself."""
        return self.pick(
            [
                (3, lambda: self.action("cancel", on=stream.id, v=self.reason())),
                (1, lambda: self.action("locked", on=stream.id)),
                (1, lambda: self.action("get_reader", on=stream.id, id=f"{stream.id}.b")),
            ]
        )

    def on_reader(self, stream: Stream, reader: str) -> Action:
        """An action on a reader."""
        byob = stream.mode == "byob" if stream.lock else False
        return self.pick(
            [
                (8, lambda: self.read_into(reader) if byob else self.action("read", on=reader)),
                (0.9, lambda: self.action("closed", on=reader)),
                (0.15 if self.tame else 0.4, lambda: self.action("cancel", on=reader, v=self.reason())),
                (0.2, lambda: self.action("release", on=reader)),
            ]
        )

    def read_into(self, reader: str) -> Action:
        """A BYOB read."""
        form = self.random.choices("BHId", (6, 2, 1, 0.3))[0]
        length = self.random.choice((1, 2, 3, 4, 6))
        action = self.action("readb", on=reader, fmt=form, len=length, off=self.random.choice((0, 0, 1, 2)))
        if self.chance(0.35):
            action["min"] = self.random.randint(1, length)
        if self.chance(0.03):
            action["min"] = self.random.choice((0, length + 1))
        if self.chance(0.02):
            action["len"] = 0
        return action

    def on_writable(self, stream: Stream) -> Action:
        """An action on a writable stream itself."""
        return self.pick(
            [
                (3, lambda: self.action("abort", on=stream.id, v=self.reason())),
                (1, lambda: self.action("close", on=stream.id)),
                (1, lambda: self.action("locked", on=stream.id)),
            ]
        )

    def on_writer(self, stream: Stream, writer: str) -> Action:
        """An action on a writer."""
        return self.pick(
            [
                (9, lambda: self.action("write", on=writer, v=self.chunk())),
                (0.6, lambda: self.action("close", on=writer)),
                (0.15 if self.tame else 0.5, lambda: self.action("abort", on=writer, v=self.reason())),
                (1.3, lambda: self.action("ready", on=writer)),
                (0.8, lambda: self.action("closed", on=writer)),
                (1, lambda: self.action("wsize", on=writer)),
                (0.15, lambda: self.action("release", on=writer)),
            ]
        )

    def on_transform(self, stream: Stream) -> Action:
        """An action on a transform controller."""
        return self.pick(
            [
                (5, lambda: self.enqueue(stream)),
                (0.1 if self.tame else 0.5, lambda: self.action("c_terminate", on=stream.id)),
                (0.1 if self.tame else 0.5, lambda: self.action("c_error", on=stream.id, v=self.reason())),
                (1, lambda: self.action("c_size", on=stream.id)),
            ]
        )

    def job(self, acts: Callable[[], list[Action]]) -> Action:
        """A microtask of the program's own."""
        return self.action("micro", acts=acts())

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
