// Drives the BullMQ peer and prints one JSON object of measurements on its last line:
// `drive.mjs throughput|latency|dag --tasks N --chunk N --samples N --width N --length N --warmup N`.
import { FlowProducer, Queue, QueueEvents } from 'bullmq';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 20;
const DEADLINE_MS = 180_000;
const url = new URL(process.env.BENCH_REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const queue = new Queue('bench', { connection });
const flows = new FlowProducer({ connection });

// Bulk submission in chunks, then the length of the completed set until it has grown by as many.
async function throughput({ tasks, chunk }) {
  const before = await queue.getCompletedCount();
  const started = performance.now();
  for (let sent = 0; sent < tasks; sent += chunk) {
    const count = Math.min(chunk, tasks - sent);
    await queue.addBulk(Array.from({ length: count }, () => ({ name: 'noop', data: {} })));
  }
  const submitted = performance.now();
  for (;;) {
    const done = (await queue.getCompletedCount()) - before;
    if (done >= tasks) break;
    if (performance.now() - started > DEADLINE_MS) throw new Error(`${done} of ${tasks} jobs finished`);
    await pause(POLL_MS);
  }
  return { submit_s: (submitted - started) / 1000, total_s: (performance.now() - started) / 1000 };
}

// Listens from the beginning of the stream: an event between the first job and the first read would be lost.
async function listener() {
  const events = new QueueEvents('bench', { connection, lastEventId: '0-0' });
  await events.waitUntilReady();
  return events;
}

async function single(events) {
  const job = await queue.add('noop', {});
  await job.waitUntilFinished(events, 30_000);
}

// A parent with `width` children.
async function fanIn(events, width) {
  const children = Array.from({ length: width }, () => ({ name: 'noop', queueName: 'bench', data: {} }));
  const flow = await flows.add({ name: 'noop', queueName: 'bench', data: {}, children });
  await flow.job.waitUntilFinished(events, 60_000);
}

// `length` jobs, each the only child of the next.
async function chain(events, length) {
  let node = { name: 'noop', queueName: 'bench', data: {} };
  for (let i = 1; i < length; i += 1) node = { name: 'noop', queueName: 'bench', data: {}, children: [node] };
  const flow = await flows.add(node);
  await flow.job.waitUntilFinished(events, 60_000);
}

async function timed(samples, work) {
  const measured = [];
  for (let i = 0; i < samples; i += 1) {
    const started = performance.now();
    await work();
    measured.push(performance.now() - started);
  }
  return measured;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(
    [['tasks', '20000'], ['chunk', '1000'], ['samples', '300'], ['width', '100'], ['length', '50'], ['warmup', '50']]
      .map(([name, fallback]) => [name, { type: 'string', default: fallback }]),
  ),
});
const args = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));

const measures = {
  // Without a listener: it would take processor time from the work.
  async throughput() {
    await throughput({ ...args, tasks: args.warmup });
    return throughput(args);
  },
  async latency() {
    const events = await listener();
    await timed(args.warmup, () => single(events));
    return { samples_ms: await timed(args.samples, () => single(events)) };
  },
  async dag() {
    const events = await listener();
    await timed(args.warmup, () => single(events));
    return {
      fan_in_ms: await timed(args.samples, () => fanIn(events, args.width)),
      chain_ms: await timed(args.samples, () => chain(events, args.length)),
    };
  },
};
console.log(JSON.stringify(await measures[positionals[0]]()));
process.exit(0);
