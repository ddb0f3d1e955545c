// The BullMQ peer: one worker process running no-op jobs from Redis, results kept in Redis.
// BENCH_CONCURRENCY is the number of jobs in progress at once.
import { Worker } from 'bullmq';

const url = new URL(process.env.BENCH_REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const concurrency = Number(process.env.BENCH_CONCURRENCY ?? 100);

const worker = new Worker('bench', async () => 0, { connection, concurrency });
worker.on('error', (error) => console.error(error.message));
