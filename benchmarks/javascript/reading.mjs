// Reading: with a reader's loop, and by iteration.

import { CoroutineSource, FilledSource, iterate, numbers, readAll, Source } from "./parts.mjs";
import { ReadableStream } from "./streams.mjs";

function readSync(chunks) {
  const reader = new ReadableStream(new Source(chunks)).getReader();
  return () => readAll(reader);
}

function readCoroutine(chunks) {
  const reader = new ReadableStream(new CoroutineSource(chunks)).getReader();
  return () => readAll(reader);
}

function readFilled(chunks) {
  const reader = new ReadableStream(new FilledSource(chunks)).getReader();
  return () => readAll(reader);
}

function asyncFor(chunks) {
  const stream = new ReadableStream(new Source(chunks));
  return () => iterate(stream);
}

function fromIterable(chunks) {
  const reader = ReadableStream.from(numbers(chunks)).getReader();
  return () => readAll(reader);
}

export const scenarios = {
  "read-sync": readSync,
  "read-coroutine": readCoroutine,
  "read-filled": readFilled,
  "async-for": asyncFor,
  from: fromIterable,
};
