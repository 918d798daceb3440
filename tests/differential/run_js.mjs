// Runs differential programs (JSON lines on stdin, see README.md) against a JavaScript implementation of the
// Streams Standard and prints one JSON line with the log of each:
//
//   node run_js.mjs --impl reference|polyfill|native [--path DIR] < programs > logs
//
// DIR is the built reference implementation (with `generated/`) or a folder with node_modules/web-streams-polyfill.
// run_python.py is the same machine in Python: change both together.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';

const BUDGET = 3000;
const VIEWS = { B: Uint8Array, H: Uint16Array, I: Uint32Array, d: Float64Array };

class Mark extends Error {}

function loadApi(impl, path) {
  if (impl === 'native') {
    return globalThis;
  }
  const require = createRequire(resolve(path) + '/');
  if (impl === 'polyfill') {
    return require('web-streams-polyfill');
  }
  // The reference rethrows its failed assertions from a timer; have the other failures of its own rethrown as well.
  require('./lib/helpers/miscellaneous.js').rethrowAssertionErrorRejection = error => {
    if (isInternal(error)) {
      setTimeout(() => {
        throw error;
      }, 0);
    }
  };
  const interfaces = [
    'ByteLengthQueuingStrategy', 'CountQueuingStrategy', 'ReadableStream', 'ReadableStreamDefaultReader',
    'ReadableStreamBYOBReader', 'ReadableStreamDefaultController', 'ReadableByteStreamController',
    'ReadableStreamBYOBRequest', 'WritableStream', 'WritableStreamDefaultWriter',
    'WritableStreamDefaultController', 'TransformStream', 'TransformStreamDefaultController'
  ];
  for (const name of interfaces) {
    require(`./generated/${name}.js`).install(globalThis, ['Window']);
  }
  return globalThis;
}

// Values: how programs write them and how logs show them.

function decode(value, argument) {
  if (value === null || value === undefined) {
    return undefined;
  }
  if (Array.isArray(value)) {
    return new Uint8Array(value);
  }
  if (typeof value !== 'object') {
    return value;
  }
  if ('e' in value) {
    return new Mark(value.e);
  }
  if ('sub' in value) {
    return new Uint8Array([99, ...value.sub, 99]).subarray(1, -1);
  }
  return 'arg' in value ? argument : Number(value.n);
}

// Whether an assertion failed, or an algorithm was called that had been cleared: no author's mistake may lead to that.
function isInternal(error) {
  return error instanceof Error &&
    (error.code === 'ERR_ASSERTION' || /^[\w.]+ is not a function|of undefined/.test(error.message));
}

function showError(error) {
  if (error instanceof Mark) {
    return `!${error.message}`;
  }
  return isInternal(error) ? 'InternalError' : error.name;
}

function show(value) {
  if (value === null) {
    return 'null';
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const format = Object.keys(VIEWS).find(key => value instanceof VIEWS[key]);
    return `${format}[${bytes.join(' ')}]`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(show).join(', ')}]`;
  }
  if (value instanceof Error || value instanceof DOMException) {
    return showError(value);
  }
  if (typeof value === 'object' && 'done' in value) {
    return `{${show(value.value)}, ${value.done}}`;
  }
  return typeof value === 'object' ? 'object' : String(value);
}

function showNext(result) {
  return result.done ? 'done' : show(result.value);
}

const tagOf = id => id.split('.')[0];

function pipeOptions(action, objects) {
  const { pc, pa, pk, sig } = action;
  const options = { preventClose: !!pc, preventAbort: !!pa, preventCancel: !!pk };
  if (sig !== undefined && objects.has(sig)) {
    options.signal = objects.get(sig).signal;
  }
  return options;
}

class Machine {
  constructor(api) {
    this.api = api;
    this.lines = [];
    this.objects = new Map();
    this.controllers = new Map();
    this.requests = new Map();
    this.deferreds = new Map();
    this.pendingNexts = new Map();
    this.counts = new Map();
    this.performed = 0;
  }

  log(tag, text) {
    this.lines.push(`${tag} ${text}`);
  }

  async run(program) {
    for (const [index, turn] of program.turns.entries()) {
      this.lines.push(`- turn ${index}`);
      for (const action of turn) {
        this.perform(action);
      }
      await new Promise(resume => setImmediate(resume));
      await new Promise(resume => setImmediate(resume));
    }
    await new Promise(resume => setTimeout(resume, 2)); // the reference throws its failed assertions from a timer
    return this.lines;
  }

  // Actions.

  label(action) {
    const count = this.counts.get(action.i) ?? 0;
    this.counts.set(action.i, count + 1);
    return `${action.op}@${action.i}${count > 0 ? `#${count}` : ''}`;
  }

  perform(action, argument) {
    if (this.performed++ >= BUDGET) {
      return undefined;
    }
    const tag = tagOf(action.on ?? action.id ?? 'm');
    const label = this.label(action);
    try {
      return this[`op_${action.op}`](action, tag, label, argument);
    } catch (error) {
      this.log(tag, `${label} throws ${show(error)}`);
      return undefined;
    }
  }

  performAll(actions, argument) {
    for (const action of actions) {
      this.perform(action, argument);
    }
  }

  track(tag, label, promise, format = show) {
    promise.then(
      value => this.log(tag, `${label} -> ${format(value)}`),
      reason => this.log(tag, `${label} -x ${show(reason)}`)
    );
    return promise;
  }

  // Find the target of an action, or log that there is none (yet).
  target(action, tag, label, table = this.objects) {
    const object = table.get(action.on);
    if (object === undefined) {
      this.log(tag, `${label} skipped`);
    }
    return object;
  }

  deferred(id) {
    if (!this.deferreds.has(id)) {
      const deferred = {};
      deferred.promise = new Promise((fulfil, reject) => Object.assign(deferred, { fulfil, reject }));
      this.deferreds.set(id, deferred);
    }
    return this.deferreds.get(id);
  }

  // Callbacks.

  callback(id, name, spec, controllerAt, quiet) {
    let calls = 0;
    // When every script waits, Python's callback is a coroutine function: it waits after the last script too.
    const rest = spec.runs.length > 0 && spec.runs.every(run => run.async !== undefined) ? { async: [] } : {};
    return (...args) => {
      const call = calls++;
      if (controllerAt !== undefined) {
        this.controllers.set(id, args[controllerAt]);
      }
      const argument = controllerAt === 0 || quiet ? undefined : args[0];
      this.log(tagOf(id), `${name}#${call}${controllerAt === 0 || quiet ? '' : ` ${show(argument)}`}`);
      return this.body(spec.runs[call] ?? rest, argument);
    };
  }

  body(body, argument) {
    if (body.async !== undefined) {
      return this.asyncBody(body, argument);
    }
    this.performAll(body.acts ?? [], argument);
    return this.end(body.end, argument);
  }

  end(end, argument) {
    switch (end?.k) {
      case 'val': return decode(end.v, argument);
      case 'throw': throw decode(end.v, argument);
      case 'res': return Promise.resolve(decode(end.v, argument));
      case 'rej': return Promise.reject(decode(end.v, argument));
      case 'def': return this.deferred(end.d).promise;
      case 'act': return this.perform(end.a, argument);
      case 'item': return { value: decode(end.v, argument), done: false };
      case 'done': return { value: undefined, done: true };
      case 'resitem': return Promise.resolve({ value: decode(end.v, argument), done: false });
      default: return undefined;
    }
  }

  async asyncBody(body, argument) {
    for (const item of body.async) {
      if (item.op === 'await') {
        for (let i = 0; i < item.n; i++) {
          await Promise.resolve();
        }
      } else if (item.op === 'await_d') {
        await this.deferred(item.d).promise;
      } else if (item.op === 'await_act') {
        const promise = this.perform(item.a, argument);
        try {
          await promise;
        } catch (error) {
          if (!item.caught) {
            throw error;
          }
        }
      } else {
        this.perform(item, argument);
      }
    }
    return this.end(body.end, argument);
  }

  callbacks(id, members, positions) {
    const result = {};
    for (const [name, controllerAt] of Object.entries(positions)) {
      if (members[name] !== undefined) {
        result[name] = this.callback(id, name, members[name], controllerAt, name === 'close');
      }
    }
    return result;
  }

  strategy(id, spec, name = 'size') {
    if (spec === undefined || spec.kind === 'none') {
      return undefined;
    }
    const highWaterMark = decode(spec.hwm);
    if (spec.kind === 'count') {
      return new this.api.CountQueuingStrategy({ highWaterMark });
    }
    if (spec.kind === 'bytes') {
      return new this.api.ByteLengthQueuingStrategy({ highWaterMark });
    }
    const result = {};
    if ('hwm' in spec) {
      result.highWaterMark = highWaterMark;
    }
    if ('size' in spec) {
      result.size = this.sizeFunction(id, spec.size, name);
    }
    return result;
  }

  sizeFunction(id, runs, name) {
    let calls = 0;
    return chunk => {
      const call = calls++;
      this.log(tagOf(id), `${name}#${call} ${show(chunk)}`);
      const run = runs[call];
      if (run === undefined) {
        return 1;
      }
      this.performAll(run.acts ?? [], chunk);
      if ('throw' in run) {
        throw decode(run.throw);
      }
      return decode(run.ret);
    };
  }

  // Constructing.

  op_new_readable(action) {
    const { id, source, strategy } = action;
    const members = this.callbacks(id, source, { start: 0, pull: 0, cancel: undefined });
    if (source.type !== undefined) {
      members.type = source.type;
    }
    if (source.auto !== undefined) {
      members.autoAllocateChunkSize = source.auto;
    }
    this.objects.set(id, new this.api.ReadableStream(members, this.strategy(id, strategy)));
  }

  op_new_writable(action) {
    const { id, sink, strategy } = action;
    const members = this.callbacks(id, sink, { start: 0, write: 1, close: undefined, abort: undefined });
    this.objects.set(id, new this.api.WritableStream(members, this.strategy(id, strategy)));
  }

  op_new_transform(action) {
    const { id, transformer, writable, readable } = action;
    const members = this.callbacks(id, transformer, { start: 0, transform: 1, flush: 0, cancel: undefined });
    const stream = new this.api.TransformStream(
      members, this.strategy(id, writable, 'wsize'), this.strategy(id, readable, 'rsize')
    );
    this.objects.set(id, stream);
    this.objects.set(`${id}r`, stream.readable);
    this.objects.set(`${id}w`, stream.writable);
  }

  op_from(action) {
    const { id, items, next } = action;
    this.objects.set(id, this.api.ReadableStream.from(next === undefined ? items.map(v => decode(v)) : {
      [Symbol.asyncIterator]: () => {
        const iterator = { next: this.callback(id, 'next', next, undefined, true) };
        if (action.return !== undefined) {
          const returns = this.callback(id, 'return', action.return, undefined, true);
          iterator.return = async () => {
            await returns();
            return { value: undefined, done: true };
          };
        }
        return iterator;
      }
    }));
  }

  op_ac_new(action, tag) {
    const controller = new AbortController();
    this.objects.set(action.id, controller);
    controller.signal.addEventListener('abort', () => this.log(tag, 'abort event'));
  }

  op_ac_abort(action, tag, label, argument) {
    this.target(action, tag, label)?.abort(decode(action.v, argument));
  }

  // Readable streams and readers.

  op_get_reader(action, tag, label) {
    const stream = this.target(action, tag, label);
    if (stream !== undefined) {
      this.objects.set(action.id, action.mode === undefined ? stream.getReader() : stream.getReader({ mode: 'byob' }));
    }
  }

  op_read(action, tag, label) {
    const reader = this.target(action, tag, label);
    if (reader instanceof this.api.ReadableStreamBYOBReader) {
      this.log(tag, `${label} needs a view`);
      return undefined;
    }
    return reader && this.track(tag, label, reader.read());
  }

  op_readb(action, tag, label) {
    const reader = this.target(action, tag, label);
    if (reader === undefined) {
      return undefined;
    }
    const View = VIEWS[action.fmt];
    const { BYTES_PER_ELEMENT: width } = View;
    const view = new View(new ArrayBuffer(width * (action.len + 2)), width * action.off, action.len);
    const promise = action.min === undefined ? reader.read(view) : reader.read(view, { min: action.min });
    return this.track(tag, label, promise);
  }

  op_release(action, tag, label) {
    this.target(action, tag, label)?.releaseLock();
  }

  op_cancel(action, tag, label, argument) {
    const object = this.target(action, tag, label);
    return object && this.track(tag, label, object.cancel(decode(action.v, argument)));
  }

  op_closed(action, tag, label) {
    const object = this.target(action, tag, label);
    return object && this.track(tag, label, object.closed);
  }

  op_locked(action, tag, label) {
    const stream = this.target(action, tag, label);
    if (stream !== undefined) {
      this.log(tag, `${label} = ${stream.locked}`);
    }
  }

  op_tee(action, tag, label) {
    const stream = this.target(action, tag, label);
    if (stream !== undefined) {
      const [branch1, branch2] = stream.tee();
      this.objects.set(action.ids[0], branch1);
      this.objects.set(action.ids[1], branch2);
    }
  }

  op_drain(action, tag, label) {
    const reader = this.target(action, tag, label);
    return reader && this.track(tag, label, this.drain(reader, action.max, tag, label));
  }

  async drain(reader, max, tag, label) {
    for (let i = 0; i < max; i++) {
      const result = await reader.read();
      this.log(tag, `${label} got ${show(result)}`);
      if (result.done) {
        return;
      }
    }
  }

  op_values(action, tag, label) {
    const stream = this.target(action, tag, label);
    if (stream !== undefined) {
      this.objects.set(action.id, stream.values({ preventCancel: !!action.pk }));
      this.pendingNexts.set(action.id, 0);
    }
  }

  op_next(action, tag, label) {
    const iterator = this.target(action, tag, label);
    if (iterator === undefined) {
      return undefined;
    }
    const promise = iterator.next();
    const settled = () => this.pendingNexts.set(action.on, this.pendingNexts.get(action.on) - 1);
    this.pendingNexts.set(action.on, this.pendingNexts.get(action.on) + 1);
    promise.then(settled, settled);
    return this.track(tag, label, promise, showNext);
  }

  op_return(action, tag, label) {
    const iterator = this.target(action, tag, label);
    if (iterator === undefined) {
      return undefined;
    }
    if (this.pendingNexts.get(action.on) > 0) {
      this.log(tag, `${label} skipped: a next is pending`);
      return undefined;
    }
    return this.track(tag, label, iterator.return(), () => 'done');
  }

  op_iterate(action, tag, label) {
    const stream = this.target(action, tag, label);
    return stream && this.track(tag, label, this.iterate(stream, action, tag, label));
  }

  async iterate(stream, action, tag, label) {
    const iterator = stream.values({ preventCancel: !!action.pk });
    for (let i = 0; i < action.max; i++) {
      const { value, done } = await iterator.next();
      if (done) {
        this.log(tag, `${label} ended`);
        return;
      }
      this.log(tag, `${label} got ${show(value)}`);
    }
    await iterator.return();
    this.log(tag, `${label} left`);
  }

  op_for_await(action, tag, label) {
    const stream = this.target(action, tag, label);
    return stream && this.track(tag, label, this.forAwait(stream, action, tag, label));
  }

  async forAwait(stream, action, tag, label) {
    for await (const chunk of stream.values({ preventCancel: !!action.pk })) {
      this.log(tag, `${label} got ${show(chunk)}`);
    }
  }

  op_pipe_to(action, tag, label) {
    const stream = this.target(action, tag, label);
    const destination = this.objects.get(action.dest);
    if (stream === undefined || destination === undefined) {
      return undefined;
    }
    return this.track(`pipe${action.i}`, label, stream.pipeTo(destination, pipeOptions(action, this.objects)));
  }

  op_pipe_through(action, tag, label) {
    const stream = this.target(action, tag, label);
    const transform = this.objects.get(action.dest);
    if (stream !== undefined && transform !== undefined) {
      stream.pipeThrough(transform, pipeOptions(action, this.objects));
    }
  }

  // Writable streams and writers.

  op_get_writer(action, tag, label) {
    const stream = this.target(action, tag, label);
    if (stream !== undefined) {
      this.objects.set(action.id, stream.getWriter());
    }
  }

  op_write(action, tag, label, argument) {
    const writer = this.target(action, tag, label);
    return writer && this.track(tag, label, writer.write(decode(action.v, argument)));
  }

  op_close(action, tag, label) {
    const object = this.target(action, tag, label);
    return object && this.track(tag, label, object.close());
  }

  op_abort(action, tag, label, argument) {
    const object = this.target(action, tag, label);
    return object && this.track(tag, label, object.abort(decode(action.v, argument)));
  }

  op_ready(action, tag, label) {
    const writer = this.target(action, tag, label);
    return writer && this.track(tag, label, writer.ready);
  }

  op_wsize(action, tag, label) {
    const writer = this.target(action, tag, label);
    if (writer !== undefined) {
      this.log(tag, `${label} = ${show(writer.desiredSize)}`);
    }
  }

  // Controllers.

  controller(action, tag, label) {
    return this.target(action, tag, label, this.controllers);
  }

  op_c_enqueue(action, tag, label, argument) {
    const controller = this.controller(action, tag, label);
    if (controller === undefined) {
      return;
    }
    let chunk = decode(action.v, argument);
    if (action.v?.arg && ArrayBuffer.isView(chunk)) {
      chunk = chunk.slice();
    }
    controller.enqueue(chunk);
  }

  op_c_close(action, tag, label) {
    this.controller(action, tag, label)?.close();
  }

  op_c_error(action, tag, label, argument) {
    this.controller(action, tag, label)?.error(decode(action.v, argument));
  }

  op_c_terminate(action, tag, label) {
    this.controller(action, tag, label)?.terminate();
  }

  op_c_size(action, tag, label) {
    const controller = this.controller(action, tag, label);
    if (controller !== undefined) {
      this.log(tag, `${label} = ${show(controller.desiredSize)}`);
    }
  }

  op_c_signal(action, tag, label) {
    const controller = this.controller(action, tag, label);
    if (controller === undefined) {
      return;
    }
    const { signal } = controller;
    this.log(tag, `${label} aborted ${signal.aborted}${signal.aborted ? ` ${show(signal.reason)}` : ''}`);
    if (signal.aborted) {
      return; // Node calls a listener that is added during the event; by the DOM Standard it is too late
    }
    signal.addEventListener('abort', () => {
      this.log(tag, `${label} event ${show(signal.reason)}`);
      this.performAll(action.acts);
    });
  }

  op_c_byob(action, tag, label) {
    const controller = this.controller(action, tag, label);
    if (controller === undefined) {
      return;
    }
    const request = controller.byobRequest;
    if (request !== null) {
      this.requests.set(action.on, request);
    }
    this.log(tag, `${label} = ${request === null ? 'null' : `${request.view.byteLength} bytes`}`);
  }

  request(action, tag, label) {
    const controller = this.controller(action, tag, label);
    const request = controller?.byobRequest;
    if (controller !== undefined && request === null) {
      this.log(tag, `${label} has no request`);
    }
    return request ?? undefined;
  }

  op_c_respond(action, tag, label) {
    const request = this.request(action, tag, label);
    if (request !== undefined) {
      request.view.fill(action.fill, 0, Math.min(action.n, request.view.byteLength));
      request.respond(action.n);
    }
  }

  op_c_respond_view(action, tag, label) {
    const request = this.request(action, tag, label);
    if (request !== undefined) {
      const view = request.view.subarray(0, action.n);
      view.fill(action.fill);
      request.respondWithNewView(view);
    }
  }

  op_c_stale(action, tag, label) {
    const request = this.target(action, tag, label, this.requests);
    if (request !== undefined) {
      this.log(tag, `${label} ${request.view === null ? 'answered' : 'open'}`);
      request.respond(action.n);
    }
  }

  // The rest.

  op_micro(action, tag, label) {
    queueMicrotask(() => {
      this.log(tag, label);
      this.performAll(action.acts);
    });
  }

  op_ticks(action, tag, label) {
    let tick = 0;
    const next = () => {
      this.log(tag, `${label} tick ${++tick}`);
      if (tick < action.n) {
        queueMicrotask(next);
      }
    };
    queueMicrotask(next);
  }

  op_settle(action) {
    const { fulfil, reject } = this.deferred(action.d);
    (action.ok ? fulfil : reject)(decode(action.v));
  }
}

const option = name => {
  const index = process.argv.indexOf(name);
  return index < 0 ? undefined : process.argv[index + 1];
};

const api = loadApi(option('--impl') ?? 'native', option('--path') ?? '.');
let machine;
process.on('unhandledRejection', () => undefined);
process.on('uncaughtException', error => machine.log('!', `UNCAUGHT ${error.stack}`));
for await (const line of createInterface({ input: process.stdin })) {
  machine = new Machine(api);
  const lines = await machine.run(JSON.parse(line));
  process.stdout.write(JSON.stringify(lines) + '\n');
}
