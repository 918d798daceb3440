"""Objects of random programs: streams, their callbacks and their strategies."""

from __future__ import annotations

from collections.abc import Callable

from .actions import Actions
from .dice import Action, Json, Stream

HIGH_WATER_MARKS = (0, 0, 1, 1, 1, 2, 2, 3, 0.5, 1.5, {"n": "Infinity"})
ODD_HIGH_WATER_MARKS = ({"n": "NaN"}, -1, {"n": "-Infinity"})
ODD_SIZES = ({"n": "NaN"}, -1, {"n": "Infinity"}, None)
SIZES = (0, 1, 1, 1, 2, 3, 0.5, 0.1)
BYTE_HIGH_WATER_MARKS = (0, 0, 0, 1, 2, 5, 16)


class Objects(Actions):
    """Plans the objects of a program, and makes them."""

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
