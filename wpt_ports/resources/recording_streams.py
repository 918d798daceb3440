"""Upstream ``streams/resources/recording-streams.js``: streams that record which callbacks ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from webstreams import (
    ReadableStream,
    ReadableStreamDefaultController,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
)
from webstreams.types import QueuingStrategy

Extras = Mapping[str, Any]
Strategy: TypeAlias = "QueuingStrategy[Any] | None"


class RecordingReadableStream(ReadableStream[Any]):
    """A readable stream whose `events` list "pull" and "cancel", reason."""

    controller: Any
    events: list[Any]
    events_without_pulls: list[Any]

    def __init__(self, extras: Extras | None = None, strategy: Any = None) -> None:
        members = extras or {}
        self.events = []
        self.events_without_pulls = []

        def start(controller: ReadableStreamDefaultController[Any]) -> Any:
            self.controller = controller
            return members["start"](controller) if "start" in members else None

        def pull(controller: ReadableStreamDefaultController[Any]) -> Any:
            self.events.append("pull")
            return members["pull"](controller) if "pull" in members else None

        def cancel(reason: object) -> Any:
            self.events += ["cancel", reason]
            self.events_without_pulls += ["cancel", reason]
            return members["cancel"](reason) if "cancel" in members else None

        source: Any = {"type": members.get("type"), "start": start, "pull": pull, "cancel": cancel}
        super().__init__(source, strategy)


class RecordingWritableStream(WritableStream[Any]):
    """A writable stream whose `events` list "write", chunk; "close"; "abort", reason."""

    controller: Any
    events: list[Any]

    def __init__(self, extras: Extras | None = None, strategy: Any = None) -> None:
        members = extras or {}
        self.events = []

        def start(controller: WritableStreamDefaultController) -> Any:
            self.controller = controller
            return members["start"](controller) if "start" in members else None

        def write(chunk: Any, controller: WritableStreamDefaultController) -> Any:
            self.events += ["write", chunk]
            return members["write"](chunk, controller) if "write" in members else None

        def close() -> Any:
            self.events.append("close")
            return members["close"]() if "close" in members else None

        def abort(reason: object) -> Any:
            self.events += ["abort", reason]
            return members["abort"](reason) if "abort" in members else None

        super().__init__({"start": start, "write": write, "close": close, "abort": abort}, strategy)


class RecordingTransformStream(TransformStream[Any, Any]):
    """A transform stream whose `events` list "transform", chunk and "flush"."""

    controller: Any
    events: list[Any]

    def __init__(
        self, extras: Extras | None = None, writable_strategy: Strategy = None, readable_strategy: Strategy = None
    ) -> None:
        members = extras or {}
        self.events = []

        def start(controller: TransformStreamDefaultController[Any]) -> Any:
            self.controller = controller
            return members["start"](controller) if "start" in members else None

        def transform(chunk: Any, controller: TransformStreamDefaultController[Any]) -> Any:
            self.events += ["transform", chunk]
            if "transform" in members:
                return members["transform"](chunk, controller)
            controller.enqueue(chunk)
            return None

        def flush(controller: TransformStreamDefaultController[Any]) -> Any:
            self.events.append("flush")
            return members["flush"](controller) if "flush" in members else None

        super().__init__({"start": start, "transform": transform, "flush": flush}, writable_strategy, readable_strategy)


def recording_readable_stream(extras: Extras | None = None, strategy: Any = None) -> RecordingReadableStream:
    """``recordingReadableStream``."""
    return RecordingReadableStream(extras, strategy)


def recording_writable_stream(extras: Extras | None = None, strategy: Any = None) -> RecordingWritableStream:
    """``recordingWritableStream``."""
    return RecordingWritableStream(extras, strategy)


def recording_transform_stream(
    extras: Extras | None = None, writable_strategy: Strategy = None, readable_strategy: Strategy = None
) -> RecordingTransformStream:
    """``recordingTransformStream``."""
    return RecordingTransformStream(extras, writable_strategy, readable_strategy)
