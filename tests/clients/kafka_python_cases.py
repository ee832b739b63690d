"""kafka-python: kafka_python_cases.py BOOTSTRAP PREFIX [--member TOPIC GROUP]"""
import os
import signal
import subprocess
import sys
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

if not kafka.__version__.startswith('2.0.'):
    from kafka.errors import InvalidProducerEpochError, ProducerFencedError

from cases import CODECS, Cases, equal, until

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]
OLD = kafka.__version__.startswith('2.0.')


def name(text):
    return '%s-%s' % (PREFIX, text)


def admin():
    return KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create(topic, partitions=1):
    a = admin()
    a.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1 if not OLD else FACTOR)])
    a.close()
    until(lambda: partitions_of(topic) == partitions, topic + ' is known with its leaders')
    return topic


def partitions_of(topic):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP)
    try:
        return len(consumer.partitions_for_topic(topic) or ())
    finally:
        consumer.close()


def producer(**more):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **more)


def send(topic, values, **more):
    p = producer(**more)
    futures = [p.send(topic, v) for v in values]
    p.flush(30)
    out = [f.get(30) for f in futures]
    p.close()
    return out


def consumer(topic=None, group=None, **more):
    topics = [topic] if topic else []
    return KafkaConsumer(*topics, bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset='earliest',
                         enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, **more)


def read(c, count, seconds=30):
    out, end = [], time.monotonic() + seconds
    while len(out) < count and time.monotonic() < end:
        for records in c.poll(200).values():
            out += records
    equal(len(out), count)
    return out


def assigned(topic, partitions=1):
    c = consumer()
    c.assign([TopicPartition(topic, p) for p in range(partitions)])
    return c


def topics():
    topic = create(name('admin'), 3)
    a = admin()
    assert topic in a.list_topics()
    about = a.describe_topics([topic])[0]
    equal(len(about['partitions']), 3)
    try:
        create(topic)
        raise AssertionError('a topic was created twice')
    except TopicAlreadyExistsError:
        pass
    a.create_partitions({topic: NewPartitions(5)})
    until(lambda: partitions_of(topic) == 5, 'five partitions')
    a.delete_topics([topic])
    until(lambda: topic not in admin().list_topics(), 'deleted')
    try:
        a.delete_topics([topic])
        raise AssertionError('a topic was deleted twice')
    except UnknownTopicOrPartitionError:
        pass
    a.close()


def codec(kind):
    topic = create(name(kind))
    values = [b'value %d ' % i + b'x' * 200 for i in range(500)]
    send(topic, values, compression_type=None if kind == 'none' else kind, linger_ms=20)
    c = assigned(topic)
    got = read(c, 500)
    c.close()
    equal([r.value for r in got], values)
    equal([r.offset for r in got], list(range(500)))


def keys_and_headers():
    topic = create(name('keys'), 4)
    p = producer()
    homes = {}
    for i in range(40):
        key = b'k%d' % (i % 8)
        at = p.send(topic, b'v%d' % i, key=key, headers=[('n', b'%d' % i), ('empty', b'')]).get(30)
        homes.setdefault(key, set()).add(at.partition)
    p.send(topic, None, key=b'gone').get(30)
    p.close()
    assert all(len(h) == 1 for h in homes.values()), homes
    c = assigned(topic, 4)
    got = read(c, 41)
    c.close()
    for r in got:
        if r.key == b'gone':
            equal(r.value, None)
        else:
            equal([(k, bytes(v)) for k, v in r.headers], [('n', r.value[1:]), ('empty', b'')])


def acks(kind):
    topic = create(name('acks-%s' % kind))
    c = assigned(topic)
    c.end_offsets(c.assignment())  # asked until its leader knows that it leads: else what nobody acknowledges is lost
    send(topic, [b'a', b'b', b'c'], acks=kind)
    equal([r.value for r in read(c, 3)], [b'a', b'b', b'c'])
    c.close()


def idempotent():
    topic = create(name('idempotent'))
    send(topic, [b'%d' % i for i in range(200)], enable_idempotence=True, acks='all')
    c = assigned(topic)
    equal([r.value for r in read(c, 200)], [b'%d' % i for i in range(200)])
    c.close()


def commit_and_resume():
    topic, group = create(name('resume')), name('resume')
    send(topic, [b'%d' % i for i in range(20)])
    c = consumer(topic, group, max_poll_records=10)
    first = read(c, 10)
    c.commit()
    equal(c.committed(TopicPartition(topic, 0)), 10)
    c.close()
    c = consumer(topic, group)
    equal([r.offset for r in read(c, 10)], list(range(10, 20)))
    c.close()
    equal(first[0].offset, 0)
    a = admin()
    assert group in [g[0] if isinstance(g, tuple) else g['group_id'] for g in listed(a)], 'group is not listed'
    a.close()


def listed(a):
    return a.list_consumer_groups() if hasattr(a, 'list_consumer_groups') else a.list_groups()


def member(topic, group):
    """Another process in the group: holds on until it is killed."""
    c = consumer(topic, group)
    while True:
        c.poll(100)


def rebalance():
    topic, group = create(name('rebalance'), 4), name('rebalance')
    c = consumer(topic, group)
    owns = lambda n: lambda: c.poll(100) is not None and len(c.assignment()) == n
    until(owns(4), 'alone it has all 4 partitions', pause=0)
    other = subprocess.Popen([sys.executable, sys.argv[0], BOOTSTRAP, PREFIX, '--member', topic, group])
    try:
        until(owns(2), 'it shares with a new member', pause=0)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        until(owns(4), 'it takes over from a dead member', pause=0)
    finally:
        other.kill()
        other.wait()
    c.close()


def seek():
    topic = create(name('seek'))
    tp = TopicPartition(topic, 0)
    p = producer()
    for i in range(10):
        p.send(topic, b'%d' % i, timestamp_ms=1700000000000 + i * 1000).get(30)
    p.close()
    c = assigned(topic)
    read(c, 10)
    c.seek_to_beginning(tp)
    equal(read(c, 10)[0].offset, 0)
    c.seek(tp, 7)
    equal(read(c, 3)[0].value, b'7')
    found = c.offsets_for_times({tp: 1700000004500})[tp]
    equal((found.offset, found.timestamp), (5, 1700000005000))
    c.seek(tp, found.offset)
    equal(read(c, 5)[0].value, b'5')
    equal((c.beginning_offsets([tp])[tp], c.end_offsets([tp])[tp]), (0, 10))
    c.close()


def transactional(text, **more):
    p = producer(transactional_id=name(text), **more)
    p.init_transactions()
    return p


def committed_values(topic, count):
    c = consumer(isolation_level='read_committed')
    c.assign([TopicPartition(topic, 0)])
    found = [r.value for r in read(c, count)]
    equal(sum(map(len, c.poll(500).values())), 0)
    c.close()
    return found


def transactions():
    topic = create(name('transactions'))
    p = transactional('transactions')
    for value, end in ((b'a', p.commit_transaction), (b'b', p.abort_transaction), (b'c', p.commit_transaction)):
        p.begin_transaction()
        p.send(topic, value)
        p.flush(30)
        end()
    p.close()
    equal(committed_values(topic, 2), [b'a', b'c'])


def fencing():
    topic = create(name('fencing'))
    first = transactional('fencing')
    first.begin_transaction()
    first.send(topic, b'of the first').get(30)
    second = transactional('fencing')  # aborts it
    second.begin_transaction()
    second.send(topic, b'of the second')
    second.commit_transaction()
    try:
        first.commit_transaction()
        raise AssertionError('a fenced producer commits')
    except (ProducerFencedError, InvalidProducerEpochError):
        pass
    second.close()
    first.close(timeout=1)
    equal(committed_values(topic, 1), [b'of the second'])


def transaction_timeout():
    topic = create(name('timeout'))
    late = transactional('timeout', transaction_timeout_ms=1500)
    late.begin_transaction()
    late.send(topic, b'never committed').get(30)
    send(topic, [b'behind it'])
    # Until the coordinator aborts it, it holds up what is behind it.
    equal(committed_values(topic, 1), [b'behind it'])
    try:
        late.commit_transaction()
        raise AssertionError('a transaction that took too long is committed')
    except KafkaError:
        pass
    late.close(timeout=1)
    p = transactional('timeout')
    p.begin_transaction()
    p.send(topic, b'of the next')
    p.commit_transaction()
    p.close()
    equal(committed_values(topic, 2), [b'behind it', b'of the next'])


def exactly_once():
    source, sink, group = create(name('source')), create(name('sink')), name('copies')
    send(source, [b'%d' % i for i in range(30)])
    p, c = transactional('copier'), consumer(source, group, isolation_level='read_committed', max_poll_records=10)
    done, aborted = 0, False
    while done < 30:
        for records in c.poll(500).values():
            p.begin_transaction()
            for r in records:
                p.send(sink, r.value)
            p.send_offsets_to_transaction({TopicPartition(source, 0): OffsetAndMetadata(records[-1].offset + 1, '', -1)},
                                          c.group_metadata())
            if done and not aborted:
                aborted = True
                p.abort_transaction()
                c.seek(TopicPartition(source, 0), c.committed(TopicPartition(source, 0)))
            else:
                p.commit_transaction()
                done += len(records)
    equal(c.committed(TopicPartition(source, 0)), 30)
    p.close()
    c.close()
    equal(committed_values(sink, 30), [b'%d' % i for i in range(30)])


if '--member' in sys.argv:
    member(*sys.argv[4:6])
FACTOR = min(3, len(BOOTSTRAP.split(',')))
cases = Cases('kafka-python ' + kafka.__version__)
cases.run('create, list, describe, grow and delete topics', topics)
for each in CODECS:
    cases.run('produce ' + each, codec, each)
cases.run('keys, headers and null values', keys_and_headers)
for each in (0, 1, 'all'):
    cases.run('acks %s' % each, acks, each)
if not OLD:
    cases.run('idempotent producer', idempotent)
cases.run('group commits and resumes', commit_and_resume)
cases.run('group rebalances when a member joins and when it dies', rebalance)
cases.run('seek to beginning, offset and timestamp', seek)
if not OLD:
    cases.run('transactions commit and abort', transactions)
    cases.run('a second producer of a transactional id fences the first', fencing)
    cases.run('a transaction that takes too long is aborted', transaction_timeout)
    cases.run('consume, transform and produce, exactly once', exactly_once)
cases.done()
