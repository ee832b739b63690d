"""aiokafka: aiokafka_cases.py BOOTSTRAP PREFIX"""
import asyncio
import sys

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from cases import Cases, equal

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]
FACTOR = min(3, len(BOOTSTRAP.split(',')))


def name(text):
    return '%s-%s' % (PREFIX, text)


async def create(text, partitions=1):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name(text), partitions, FACTOR)])
        while True:
            described = (await admin.describe_topics([name(text)]))[0]
            if len(described['partitions']) == partitions and all(p['leader'] >= 0 for p in described['partitions']):
                return name(text)
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


def transactional(text, **more):
    """Entered, it has fenced every earlier producer of the id."""
    return AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=name(text), **more)


async def send(topic, values, partition=0):
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as p:
        for value in values:
            await p.send(topic, value, partition=partition)


async def reads(topic, wanted, partitions=1, isolation='read_committed'):
    """Exactly these, in any order of partitions, and no more."""
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, isolation_level=isolation, enable_auto_commit=False,
                                auto_offset_reset='earliest') as c:
        c.assign([TopicPartition(topic, p) for p in range(partitions)])
        await c.seek_to_beginning()
        got = []
        while len(got) < len(wanted):
            got.append((await asyncio.wait_for(c.getone(), 30)).value)
        equal(sorted(got), sorted(wanted))
        equal(await c.getmany(timeout_ms=500), {})


async def transactions():
    topic = await create('transactions', 2)
    sent, wanted = [], []
    async with transactional('transactions') as p:
        for i in range(6):
            await p.begin_transaction()
            for partition in (0, 1):
                sent.append(b'%d %d' % (i, partition))
                await p.send_and_wait(topic, sent[-1], partition=partition)
            if i % 3 == 1:
                await p.abort_transaction()
            else:
                await p.commit_transaction()
                wanted += sent[-2:]
        async with p.transaction():
            await p.send_and_wait(topic, b'open', partition=0)
            await asyncio.gather(reads(topic, wanted, 2), reads(topic, sent + [b'open'], 2, 'read_uncommitted'))
        await reads(topic, wanted + [b'open'], 2)


async def refused(what, action, kinds=(ProducerFenced, InvalidProducerEpoch)):
    try:
        await action
    except kinds:
        return
    raise AssertionError('not refused: ' + what)


async def close(zombie):
    """A fenced producer says so once more, or not, when it is closed."""
    try:
        await zombie.stop()
    except KafkaError:
        pass


async def fencing():
    """A zombie is refused whichever it tries first, a record or the commit."""
    topic = await create('fencing')
    for text in ('record', 'commit'):
        first = transactional(text)
        await first.start()
        await first.begin_transaction()
        await first.send_and_wait(topic, b'of the first')
        async with transactional(text) as second:  # aborts it
            if text == 'record':
                await refused('a record of a fenced producer', first.send_and_wait(topic, b'too late'))
            await refused('a commit of a fenced producer', first.commit_transaction(), KafkaError)
            await close(first)
            async with second.transaction():
                await second.send_and_wait(topic, text.encode())
    await reads(topic, [b'record', b'commit'])


async def timeout():
    topic = await create('timeout')
    late = transactional('timeout', transaction_timeout_ms=1500)
    await late.start()
    await late.begin_transaction()
    await late.send_and_wait(topic, b'never committed')
    await send(topic, [b'behind it'])
    await reads(topic, [b'behind it'])  # until the coordinator aborts it, it holds up what is behind it
    await refused('the commit of a transaction that took too long', late.commit_transaction(), KafkaError)
    await close(late)
    async with transactional('timeout') as p, p.transaction():
        await p.send_and_wait(topic, b'of the next')
    await reads(topic, [b'behind it', b'of the next'])


async def copy(source, sink, group, count, abort_at=None):
    """Copies count records or a few more in transactions of ten at most; one is aborted, and its records read again."""
    copied = 0
    async with transactional('copier') as p, AIOKafkaConsumer(
            source, bootstrap_servers=BOOTSTRAP, group_id=group, isolation_level='read_committed',
            enable_auto_commit=False, auto_offset_reset='earliest') as c:
        while copied < count:
            some = await c.getmany(timeout_ms=500, max_records=10)
            if not some:
                continue
            await p.begin_transaction()
            for tp, records in some.items():
                for r in records:
                    await p.send_and_wait(sink, r.value, partition=tp.partition)
            places = {tp: OffsetAndMetadata(records[-1].offset + 1, '') for tp, records in some.items()}
            await p.send_offsets_to_transaction(places, group)
            if abort_at is not None and copied >= abort_at:
                abort_at = None
                await p.abort_transaction()
                await c.seek_to_committed()
            else:
                await p.commit_transaction()
                copied += sum(map(len, some.values()))
    return copied


async def exactly_once():
    source, sink = await create('source', 2), await create('sink', 2)
    wanted = [b'%d' % i for i in range(200)]
    await send(source, wanted[:110], 0)
    await send(source, wanted[110:], 1)
    copied = await copy(source, sink, name('copies'), 100, abort_at=50)
    await copy(source, sink, name('copies'), 200 - copied)  # goes on where the first has ended
    await reads(sink, wanted, 2)


cases = Cases('aiokafka ' + aiokafka.__version__)
for what, body in (('transactions commit and abort, and readers see what is committed', transactions),
                   ('a second producer of a transactional id fences the first', fencing),
                   ('a transaction that takes too long is aborted', timeout),
                   ('consume, transform and produce, exactly once', exactly_once)):
    cases.run(what, lambda body=body: asyncio.run(body()))
cases.done()
