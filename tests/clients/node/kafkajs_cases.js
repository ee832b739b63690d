// kafkajs: kafkajs_cases.js BOOTSTRAP PREFIX
'use strict';
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const assert = require('assert');
const {Kafka, logLevel} = require('kafkajs');
const {version} = require('kafkajs/package.json');

const [bootstrap, prefix] = process.argv.slice(2);
const kafka = new Kafka({brokers: bootstrap.split(','), logLevel: logLevel.NOTHING});
const name = (text) => `${prefix}-${text}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const FENCED = ['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'];

async function until(test, what, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  while (!await test()) {
    if (Date.now() > end) throw new Error(`within ${seconds} s never: ${what}`);
    await pause(20);
  }
}

async function create(text, numPartitions) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({waitForLeaders: true, topics: [{topic: name(text), numPartitions, replicationFactor: -1}]});
  await admin.disconnect();
  return name(text);
}

async function send(topic, partition, ...values) {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({topic, messages: values.map((value) => ({value, partition}))});
  await producer.disconnect();
}

/** A producer that fences every earlier one of the id when its first transaction begins. */
async function transactional(id, transactionTimeout = 60000) {
  const producer = kafka.producer({transactionalId: name(id), idempotent: true, maxInFlightRequests: 1, transactionTimeout,
    retry: {retries: 5}});
  await producer.connect();
  return producer;
}

const put = (transaction, topic, partition, value) => transaction.send({topic, messages: [{value, partition}]});

async function refused(promise, what, codes) {
  try {
    await promise;
  } catch (e) {
    const type = e.type || (e.cause && e.cause.type);
    if (codes && !codes.includes(type)) throw new Error(`${what}: ${type} ${e.message}`);
    return;
  }
  throw new Error(`not refused: ${what}`);
}

/** Reads the topic from its beginning: exactly these values, in any order of partitions, and no more. */
async function reads(topic, wanted, committed = true) {
  const got = [];
  const consumer = kafka.consumer({groupId: `${topic}-${Math.random()}`, readUncommitted: !committed,
    maxWaitTimeInMs: 100});
  await consumer.connect();
  await consumer.subscribe({topic, fromBeginning: true});
  await consumer.run({eachMessage: async ({message}) => got.push(message.value.toString())});
  await until(() => got.length >= wanted.length, `${wanted.length} records of ${topic}`);
  await pause(500);
  await consumer.disconnect();
  assert.deepStrictEqual(got.sort(), [...wanted].sort());
}

async function transactions() {
  const topic = await create('transactions', 2);
  const producer = await transactional('transactions');
  const sent = [], wanted = [];
  for (let i = 0; i < 6; i++) {
    const transaction = await producer.transaction();
    for (const partition of [0, 1]) {
      sent.push(`${i} ${partition}`);
      await put(transaction, topic, partition, `${i} ${partition}`);
    }
    if (i % 3 === 1) {
      await transaction.abort();
    } else {
      await transaction.commit();
      wanted.push(...sent.slice(-2));
    }
  }
  const open = await producer.transaction();
  await put(open, topic, 0, 'open');
  await Promise.all([reads(topic, wanted), reads(topic, [...sent, 'open'], false)]);
  await open.commit();
  await reads(topic, [...wanted, 'open']);
  await producer.disconnect();
}

/** A zombie is refused whichever it tries first, a record or the commit. */
async function fencing() {
  const topic = await create('fencing', 1);
  const wanted = ['record', 'commit'];
  for (const id of wanted) {
    const first = await transactional(id);
    const old = await first.transaction();
    await put(old, topic, 0, 'of the first');
    const second = await transactional(id), transaction = await second.transaction();  // aborts the old one
    if (id === 'record') await refused(put(old, topic, 0, 'too late'), 'a record of a fenced producer', FENCED);
    await refused(old.commit(), 'a commit of a fenced producer', FENCED);
    await put(transaction, topic, 0, id);
    await transaction.commit();
    await Promise.all([first.disconnect(), second.disconnect()]);
  }
  await reads(topic, wanted);
}

async function timeout() {
  const topic = await create('timeout', 1);
  const producer = await transactional('timeout', 1500);
  const late = await producer.transaction();
  await put(late, topic, 0, 'never committed');
  await send(topic, 0, 'behind it');
  await reads(topic, ['behind it']);  // until the coordinator aborts it, it holds up what is behind it
  await refused(late.commit(), 'a transaction that took too long', FENCED);
  const next = await transactional('timeout');
  const transaction = await next.transaction();
  await put(transaction, topic, 0, 'of the next');
  await transaction.commit();
  await reads(topic, ['behind it', 'of the next']);
  await Promise.all([producer.disconnect(), next.disconnect()]);
}

/** Copies count records or a few more, ten a transaction that holds the group's offsets as well; aborts one at abortAt. */
async function copy(source, sink, count, abortAt) {
  const groupId = name('copies');
  const producer = await transactional('copier');
  const consumer = kafka.consumer({groupId, readUncommitted: false, maxWaitTimeInMs: 100});
  await consumer.connect();
  await consumer.subscribe({topic: source, fromBeginning: true});
  let copied = 0, failure;
  const one = async (partition, some) => {
    const transaction = await producer.transaction();
    for (const {value} of some) await put(transaction, sink, partition, value);
    const offset = (BigInt(some[some.length - 1].offset) + 1n).toString();
    await transaction.sendOffsets({consumerGroupId: groupId, topics: [{topic: source, partitions: [{partition, offset}]}]});
    if (abortAt !== undefined && copied >= abortAt) {
      abortAt = undefined;
      await transaction.abort();
      return false;
    }
    await transaction.commit();
    copied += some.length;
    return true;
  };
  await consumer.run({autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: 1,
    eachBatch: async ({batch, isStale, resolveOffset}) => {
      for (let at = 0; at < batch.messages.length && !failure && copied < count && !isStale();) {
        const some = batch.messages.slice(at, at + 10);
        try {
          if (!await one(batch.partition, some)) continue;  // aborted: the same again
        } catch (e) {
          failure = e;
          return;
        }
        resolveOffset(some[some.length - 1].offset);
        at += some.length;
      }
    }});
  await until(() => failure || copied >= count, `${count} records copied`);
  await consumer.disconnect();
  await producer.disconnect();
  if (failure) throw failure;
  return copied;
}

async function exactlyOnce() {
  const source = await create('source', 2), sink = await create('sink', 2);
  const wanted = [...Array(200).keys()].map(String);
  await send(source, 0, ...wanted.slice(0, 110));
  await send(source, 1, ...wanted.slice(110));
  const copied = await copy(source, sink, 100, 50);
  await copy(source, sink, 200 - copied);  // goes on where the first has ended
  await reads(sink, wanted);
}

/** The cases, all at once, since most of their time is waiting. */
async function main() {
  let failed = false;
  await Promise.all([['transactions commit and abort, and readers see what is committed', transactions],
    ['a second producer of a transactional id fences the first', fencing],
    ['a transaction that takes too long is aborted', timeout],
    ['consume, transform and produce, exactly once', exactlyOnce]].map(async ([what, body]) => {
    const began = Date.now();
    let verdict = 'ok';
    try {
      await Promise.race([body(), pause(90000).then(() => Promise.reject(new Error('not done within 90 s')))]);
    } catch (e) {
      failed = true;
      verdict = `FAIL ${e.message.replace(/\s+/g, ' ').slice(0, 300)}`;
    }
    console.log(`kafkajs ${version}: ${what}: ${verdict} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }));
  process.exit(failed ? 1 : 0);
}

main();
