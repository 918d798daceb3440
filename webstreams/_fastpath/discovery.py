"""Finding the pipeline that begins at a pipe: one function for each kind of part.

Upwards, a read goes from a pipe to the controller of its stream, and on through tees, whose branches pull from the
stream that was teed, and through operators, which ask the stream behind them. Downwards, a chunk goes from a reader to
its consumer (a pipe, a tee, operators), and from a pipe to the sink that it writes to, which is the other side of a
transform stream or the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .._engine.jobs import JobQueue
from .._engine.run import Trigger
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.iterable import IterableSource
from .._streams.readable.operators.chain import Chain
from .._streams.readable.operators.ending import Drain
from .._streams.readable.operators.inputs import Input
from .._streams.readable.operators.source import ChainSource
from .._streams.readable.pipe import Pipe
from .._streams.readable.source import Source, UnderlyingSource
from .._streams.readable.state import GenericReaderState, ReadableStreamState, ReadRequest
from .._streams.readable.tee import DefaultTee, TeeBranch
from .._streams.strategy import counts_bytes
from .._streams.transform.generator import GeneratorSource
from .._streams.transform.sides import TransformSink
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.sink import UnderlyingSink
from .._streams.writable.state import WritableStreamState
from .ends import ReadEnd
from .feeding import Feeding, is_pulled_by_reads
from .pipeline import ChainStage, FeedStage, ItemStage, Pipeline, PullStage, ResumeStage, TransformStage, WriteStage
from .writer_end import WriterEnd

ReadableSource = Source | UnderlyingSource


class Read(NamedTuple):
    """A controller that a read reaches, and who reads from it."""

    controller: Feeding
    request: ReadRequest


def read_path(stream: ReadableStreamState[Any], request: ReadRequest) -> list[Read]:
    """Return what a read of a stream reaches, one after the other: up through tees and operators, as long as all is
    understood."""
    path: list[Read] = []
    controller = stream._controller
    while isinstance(controller, ReadableStreamDefaultController):
        path.append(Read(controller, request))
        source = controller._source
        chain = chain_of(source)
        if chain is not None:
            request = chain.input()
            controller = chain.root._controller
        elif isinstance(source, TeeBranch) and isinstance(source.tee, DefaultTee):
            request = source.tee
            controller = source.tee.stream._controller
        else:
            return path
    if isinstance(controller, ReadableByteStreamController):
        path.append(Read(controller, request))
    return path


def chain_of(source: ReadableSource | None) -> Chain | None:
    """Return the operators that are a source, if they take their chunks from another stream, and give one for each.

    What makes many of one is a source like any other: most of its chunks are in its queue before they are read.
    """
    chain = source.chain if isinstance(source, ChainSource) else None
    return chain if chain is not None and chain.asks_stream() and chain.gives_one_by_one() else None


def begins_pipeline(trigger: Trigger) -> Pipe | None:
    """Return the pipe if it is the first one after a source of a user's: its reads begin what happens to a chunk.

    Behind a tee, that is the pipe which reads from the first branch.
    """
    if not isinstance(trigger, Pipe):
        return None
    path = read_path(trigger.source, trigger)
    if not path or not gives_chunks(path[-1].controller._source):
        return None
    sources = [read.controller._source for read in path[:-1]]
    return trigger if all(not isinstance(each, TeeBranch) or each.index == 0 for each in sources) else None


def gives_chunks(source: ReadableSource | None) -> bool:
    """Whether chunks come from a callback that may be called from a run, or are in the queue already."""
    if isinstance(source, UnderlyingSource):
        return not source.never_runs
    return isinstance(source, IterableSource) and (not source.is_async or source.pump is not None)


def find_pipeline(jobs: JobQueue, trigger: Trigger) -> Pipeline:
    """Return the pipeline that begins at a pipe; it is not eligible if something in it is not understood."""
    pipe = begins_pipeline(trigger)
    pipeline = Pipeline(jobs, pipe, None)
    if pipe is None:
        pipeline.refuse()
        return pipeline
    read = read_path(pipe.source, pipe)[-1]
    _add_source(pipeline, read.controller)
    _add_consumer(pipeline, read.request)
    return pipeline


def find_pipeline_to(jobs: JobQueue, end: ReadEnd) -> Pipeline:
    """Return the pipeline that ends at a reader of a user's: stages behind a source, one behind the other or behind a
    tee."""
    first: Pipe | None = None
    request: ReadRequest = end
    stream = end.reader._stream
    path = [] if stream is None else read_path(stream, end)
    while path:
        request, stream = path[-1].request, path[-1].controller._stream
        if not isinstance(stream._fed_by, Pipe):
            break
        request = first = stream._fed_by
        path = read_path(first.source, first)
    pipeline = Pipeline(jobs, first, end)
    if not path or not gives_chunks(path[-1].controller._source):
        pipeline.refuse()
        return pipeline
    _add_source(pipeline, path[-1].controller)
    _add_consumer(pipeline, request)
    if not pipeline.owns(end):
        pipeline.refuse()
    return pipeline


def find_pipeline_from(jobs: JobQueue, origin: WriterEnd) -> Pipeline:
    """Return the pipeline that begins at a writer of a user's: a sink, or a chain of transform streams before one."""
    pipeline = Pipeline(jobs, None, None, origin)
    stream = origin.writer._stream
    if stream is None:
        pipeline.refuse()
    else:
        pipeline.add_parts(origin, origin.writer)
        _add_writable(pipeline, stream, None)
    return pipeline


def _add_source(pipeline: Pipeline, controller: Feeding) -> None:
    source = controller._source
    if not _add_readable(pipeline, controller) or controller._unread_watch is not None:
        pipeline.refuse()
    elif isinstance(source, UnderlyingSource):
        if source.pull is not None:
            pipeline.add_stage(PullStage(source, controller))
    elif isinstance(source, IterableSource) and isinstance(controller, ReadableStreamDefaultController):
        pipeline.add_parts(source)
        pipeline.add_stage(ItemStage(source, controller))


def _add_end(pipeline: Pipeline, end: ReadEnd) -> None:
    """Add a reader of a user's, and what stands for its reads."""
    stream = end.reader._stream
    if stream is None or not _add_readable(pipeline, stream._controller):
        pipeline.refuse()
    else:
        pipeline.add_parts(end, end.reader, stream)


def _add_consumer_of(pipeline: Pipeline, reader: GenericReaderState | None) -> None:
    """Add who reads from the other side of something."""
    if pipeline.end is not None and reader is pipeline.end.reader:
        _add_end(pipeline, pipeline.end)
    else:
        _add_consumer(pipeline, None if reader is None else reader._consumer)


def _add_consumer(pipeline: Pipeline, consumer: object) -> None:
    if isinstance(consumer, Pipe):
        _add_pipe(pipeline, consumer)
    elif type(consumer) is DefaultTee:  # not the tee that clones chunks
        _add_tee(pipeline, consumer)
    elif isinstance(consumer, GeneratorSource):
        _add_generator(pipeline, consumer)
    elif isinstance(consumer, Input):
        _add_consumer(pipeline, consumer.owner)
    elif isinstance(consumer, Chain):
        _add_chain(pipeline, consumer)
    elif isinstance(consumer, ReadEnd) and consumer is pipeline.end:
        _add_end(pipeline, consumer)
    else:
        pipeline.refuse()


def _add_pipe(pipeline: Pipeline, pipe: Pipe) -> None:
    if not _add_readable(pipeline, pipe.source._controller):
        pipeline.refuse()
        return
    pipeline.add_parts(pipe, pipe.reader, pipe.writer, pipe.source)
    _add_writable(pipeline, pipe.dest, pipe.source._controller)


def _add_writable(pipeline: Pipeline, stream: WritableStreamState[Any], feeding: object) -> None:
    """Add a stream that is written to, and what its chunks go to; they come from a controller, or from a user."""
    controller = stream._controller
    if not isinstance(controller, WritableStreamDefaultController):
        pipeline.refuse()
        return
    pipeline.add_parts(stream, controller, controller._queue)
    if controller._queue.sizes is not None:
        _add_measured(pipeline, feeding, controller)
    if controller._write_watch is not None:
        pipeline.refuse()
    else:
        _add_sink(pipeline, controller)


def _add_measured(pipeline: Pipeline, feeding: object, controller: WritableStreamDefaultController) -> None:
    is_known = counts_bytes(controller._strategy_size_algorithm) and isinstance(controller._sink, UnderlyingSink)
    if is_known and isinstance(feeding, (ReadableStreamDefaultController, ReadableByteStreamController)):
        pipeline.add_measured(controller, feeding)
    else:
        pipeline.refuse()


def _add_tee(pipeline: Pipeline, tee: DefaultTee) -> None:
    pipeline.add_parts(tee, tee.reader, tee.stream)
    if not _add_readable(pipeline, tee.stream._controller):
        pipeline.refuse()
    for branch in tee.branches():
        if branch is None or _is_observed(branch._controller):
            pipeline.refuse()
        else:
            _add_consumer_of(pipeline, branch._reader)


def _add_generator(pipeline: Pipeline, source: GeneratorSource) -> None:
    """Add the generator that reads from the other side of a transform stream, and the stream of what it gives."""
    controller, stream = source.controller, source.reader._stream
    if stream is None or not _add_readable(pipeline, stream._controller) or not _add_readable(pipeline, controller):
        pipeline.refuse()
        return
    pipeline.add_parts(source, source.reader, stream)
    pipeline.add_stage(ResumeStage(source, controller))
    pipeline.add_stage(FeedStage(source, controller))
    _add_consumer_of(pipeline, controller._stream._reader)


def _add_chain(pipeline: Pipeline, chain: Chain) -> None:
    """Add the operators that read from a stream, and the stream of what they give, if there is one."""
    controller, reader = chain.root._controller, chain.root._reader
    if not chain.is_fed() or reader is None or not _add_readable(pipeline, controller):
        pipeline.refuse()
        return
    pipeline.add_parts(chain, chain.input(), reader)
    pipeline.add_stage(ChainStage(chain))
    output = chain.output
    if output is None:
        if not isinstance(chain.receiver(), Drain):
            pipeline.refuse()
    elif _is_observed(output) or not _add_readable(pipeline, output):
        pipeline.refuse()
    else:
        _add_consumer_of(pipeline, output._stream._reader)


def _is_observed(controller: object) -> bool:
    """Whether somebody counts the chunks of a stream that they pass without a callback."""
    return isinstance(controller, ReadableStreamDefaultController) and controller._meter is not None


def _add_readable(pipeline: Pipeline, controller: object) -> bool:
    """Add a controller that is read from; whether it is understood."""
    if isinstance(controller, ReadableByteStreamController):
        pipeline.add_parts(controller, controller._stream)
        return is_pulled_by_reads(controller)
    if not isinstance(controller, ReadableStreamDefaultController) or controller._queue.sizes is not None:
        return False
    pipeline.add_readable(controller)
    return True


def _add_sink(pipeline: Pipeline, controller: WritableStreamDefaultController) -> None:
    sink = controller._sink
    if isinstance(sink, UnderlyingSink) and not sink.never_runs:
        pipeline.add_stage(WriteStage(sink, controller))
    elif isinstance(sink, TransformSink):
        _add_transform(pipeline, sink)
    else:
        pipeline.refuse()


def _add_transform(pipeline: Pipeline, sink: TransformSink) -> None:
    stream = sink._stream
    controller = stream._controller
    transformer = controller._transformer
    if transformer is None:
        pipeline.refuse()
        return
    pipeline.add_parts(stream, controller, sink)
    pipeline.add_stage(TransformStage(transformer, controller, sink))
    _add_consumer_of(pipeline, stream._readable._reader)
