"""Actions of random programs: what callbacks and steps do to streams, readers, writers and controllers."""

from __future__ import annotations

from collections.abc import Callable

from .dice import Action, Dice, Stream, Weighted


class Actions(Dice):
    """Chooses actions."""

    # Those of callbacks.

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
