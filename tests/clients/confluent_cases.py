"""confluent-kafka: confluent_cases.py BOOTSTRAP PREFIX [--member TOPIC GROUP]"""
import os
import signal
import subprocess
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType)

from cases import CODECS, Cases, equal, until

BOOTSTRAP, PREFIX = sys.argv[1], sys.argv[2]
COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4', 'log_level': 2}


def name(text):
    return '%s-%s' % (PREFIX, text)


ADMIN = AdminClient(COMMON)


def admin():
    return ADMIN


def create(topic, partitions=1, **configs):
    for future in admin().create_topics([NewTopic(topic, partitions, config=configs)]).values():
        future.result(30)

    def led():
        found = admin().list_topics(topic, 10).topics[topic].partitions
        return len(found) == partitions and all(p.leader >= 0 for p in found.values())
    until(led, topic + ' has leaders')
    return topic


def send(topic, values, **more):
    failures, offsets = [], []

    def delivered(error, message):
        failures.append(error) if error else offsets.append(message.offset())
    p = Producer({**COMMON, 'linger.ms': 20, **more})
    for value in values:
        p.produce(topic, value, on_delivery=delivered)
    equal(p.flush(30), 0)
    equal(failures, [])
    return offsets


def consumer(group, **more):
    return Consumer({**COMMON, 'group.id': group, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False,
                     'session.timeout.ms': 6000, 'heartbeat.interval.ms': 500, **more})


def read(c, count, seconds=30):
    out, end = [], time.monotonic() + seconds
    while len(out) < count and time.monotonic() < end:
        message = c.poll(0.2)
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            out.append(message)
    equal(len(out), count)
    return out


def assigned(topic, partitions=1):
    c = consumer(name('none'))
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    return c


def led(c, topic):
    try:
        return c.get_watermark_offsets(TopicPartition(topic, 0), 10)
    except KafkaException:
        return False


def code_of(future):
    try:
        future.result(30)
        return None
    except KafkaException as e:
        return e.args[0].code()


def topics():
    topic = create(name('admin'), 3, **{'retention.ms': '3600000'})
    a = admin()
    assert topic in a.list_topics(timeout=10).topics
    equal(code_of(a.create_topics([NewTopic(topic, 3)])[topic]), KafkaError.TOPIC_ALREADY_EXISTS)
    equal(code_of(a.create_topics([NewTopic('no/slash', 3)])['no/slash']), KafkaError.TOPIC_EXCEPTION)
    a.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
    until(lambda: len(a.list_topics(topic, 10).topics[topic].partitions) == 5, 'five partitions')
    resource = ConfigResource(ResourceType.TOPIC, topic)
    settings = list(a.describe_configs([resource]).values())[0].result(30)
    equal(settings['retention.ms'].value, '3600000')
    a.delete_topics([topic])[topic].result(30)
    until(lambda: topic not in a.list_topics(timeout=10).topics, 'deleted')
    equal(code_of(a.delete_topics([topic])[topic]), KafkaError.UNKNOWN_TOPIC_OR_PART)


def alter_configs():
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry
    topic, a = create(name('config')), admin()

    def alter(op, value):
        entry = ConfigEntry('retention.ms', value, incremental_operation=op)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        list(a.incremental_alter_configs([resource]).values())[0].result(30)

    def value():
        resource = ConfigResource(ResourceType.TOPIC, topic)
        return list(a.describe_configs([resource]).values())[0].result(30)['retention.ms'].value
    alter(AlterConfigOpType.SET, '7200000')
    until(lambda: value() == '7200000', 'the new value')
    alter(AlterConfigOpType.DELETE, None)
    until(lambda: value() == '604800000', 'the default again')


def codec(kind):
    topic = create(name(kind))
    values = [b'value %d ' % i + b'x' * 200 for i in range(500)]
    send(topic, values, **{'compression.type': kind})
    c = assigned(topic)
    got = read(c, 500)
    c.close()
    equal([m.value() for m in got], values)
    equal([m.offset() for m in got], list(range(500)))


def keys_and_headers():
    topic = create(name('keys'), 4)
    p = Producer(COMMON)
    for i in range(40):
        p.produce(topic, b'v%d' % i, b'k%d' % (i % 8), headers=[('n', b'%d' % i), ('null', None)])
    equal(p.flush(30), 0)
    c = assigned(topic, 4)
    got = read(c, 40)
    c.close()
    homes = {}
    for m in got:
        homes.setdefault(m.key(), set()).add(m.partition())
        equal(m.headers(), [('n', m.value()[1:]), ('null', None)])
    assert all(len(h) == 1 for h in homes.values()), homes


def acks(kind):
    topic = create(name('acks-%s' % kind))
    c = assigned(topic)
    until(lambda: led(c, topic), 'its leader knows that it leads')  # else what nobody acknowledges is lost
    send(topic, [b'a', b'b', b'c'], acks=kind)
    equal([m.value() for m in read(c, 3)], [b'a', b'b', b'c'])
    c.close()


def idempotent():
    topic = create(name('idempotent'))
    values = [b'%d' % i for i in range(1000)]
    send(topic, values, **{'enable.idempotence': True, 'batch.num.messages': 10, 'linger.ms': 1})
    c = assigned(topic)
    equal([m.value() for m in read(c, 1000)], values)
    c.close()


def commit_and_resume():
    topic, group = create(name('resume')), name('resume')
    send(topic, [b'%d' % i for i in range(20)])
    c = consumer(group)
    c.subscribe([topic])
    last = read(c, 10)[-1]
    c.commit(last, asynchronous=False)
    equal(c.committed([TopicPartition(topic, 0)], 10)[0].offset, 10)
    c.close()
    c = consumer(group)
    c.subscribe([topic])
    equal([m.offset() for m in read(c, 10)], list(range(10, 20)))
    c.close()
    a = admin()
    assert group in [g.group_id for g in a.list_consumer_groups().result(30).valid], 'group is not listed'
    equal(a.describe_consumer_groups([group])[group].result(30).state.name, 'EMPTY')
    a.delete_consumer_groups([group])[group].result(30)
    assert group not in [g.group_id for g in a.list_consumer_groups().result(30).valid], 'group is still listed'


def member(topic, group, assignor):
    c = consumer(group, **{'partition.assignment.strategy': assignor})
    c.subscribe([topic])
    while True:
        c.poll(0.1)


def rebalance(assignor):
    topic, group = create(name('rebalance-' + assignor), 4), name('rebalance-' + assignor)
    c = consumer(group, **{'partition.assignment.strategy': assignor})
    c.subscribe([topic])

    def owns(count):
        c.poll(0.1)
        return len(c.assignment()) == count
    until(lambda: owns(4), 'alone it has all 4 partitions', pause=0)
    other = subprocess.Popen([sys.executable, sys.argv[0], BOOTSTRAP, PREFIX, '--member', topic, group, assignor])
    try:
        until(lambda: owns(2), 'it shares with a new member', pause=0)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        until(lambda: owns(4), 'it takes over from a dead member', pause=0)
    finally:
        other.kill()
        other.wait()
    c.close()


def static_member():
    topic, group = create(name('static'), 2), name('static')
    ids = []
    for _ in range(2):
        c = consumer(group, **{'group.instance.id': 'one'})
        c.subscribe([topic])

        def owns():
            c.poll(0.1)
            return len(c.assignment()) == 2
        until(owns, 'both partitions', pause=0)
        ids.append(c.memberid())
        c.close()
    described = admin().describe_consumer_groups([group])[group].result(30)
    equal([m.group_instance_id for m in described.members], ['one'])
    assert ids[0] and ids[1], ids


def seek():
    topic = create(name('seek'))
    p = Producer(COMMON)
    for i in range(10):
        p.produce(topic, b'%d' % i, timestamp=1700000000000 + i * 1000)
        equal(p.flush(30), 0)
    c = assigned(topic)
    read(c, 10)
    c.seek(TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING))
    equal(read(c, 10)[0].offset(), 0)
    c.seek(TopicPartition(topic, 0, 7))
    equal(read(c, 3)[0].value(), b'7')
    found = c.offsets_for_times([TopicPartition(topic, 0, 1700000004500)], 10)[0]
    equal(found.offset, 5)
    c.seek(TopicPartition(topic, 0, found.offset))
    equal(read(c, 5)[0].value(), b'5')
    equal(c.get_watermark_offsets(TopicPartition(topic, 0), 10), (0, 10))
    c.close()


def transactional(text, **more):
    p = Producer({**COMMON, 'transactional.id': name(text), **more})
    p.init_transactions(30)
    return p


def committed_reader(topic, isolation='read_committed'):
    c = consumer(name('none'), **{'isolation.level': isolation})
    c.assign([TopicPartition(topic, p, 0) for p in range(len(admin().list_topics(topic, 10).topics[topic].partitions))])
    return c


def values_of(messages):
    return sorted(m.value() for m in messages)


def transactions():
    topic = create(name('transactions'), 2)
    p = transactional('transactions')
    wanted, seen = [], []
    for i in range(6):
        p.begin_transaction()
        for partition in (0, 1):
            p.produce(topic, b'%d %d' % (i, partition), partition=partition)
            seen.append(b'%d %d' % (i, partition))
        equal(p.flush(30), 0)  # else those that are aborted are never sent
        if i % 3 == 1:
            p.abort_transaction(30)
        else:
            p.commit_transaction(30)
            wanted += seen[-2:]
    c = committed_reader(topic)
    equal(values_of(read(c, len(wanted))), sorted(wanted))
    # One that is open is seen by nobody who asks for what is committed.
    p.begin_transaction()
    p.produce(topic, b'open', partition=0)
    equal(p.flush(30), 0)
    assert c.poll(1) is None, 'an open transaction is seen'
    everything = committed_reader(topic, 'read_uncommitted')
    got = values_of(read(everything, len(seen) + 1))
    equal([v for v in got if v == b'open'], [b'open'])
    everything.close()
    p.commit_transaction(30)
    equal(read(c, 1)[0].value(), b'open')
    c.close()


def fencing():
    topic = create(name('fencing'))
    first = transactional('fencing')
    first.begin_transaction()
    first.produce(topic, b'of the first')
    equal(first.flush(30), 0)
    second = transactional('fencing')  # aborts it
    try:
        first.produce(topic, b'too late')
        first.commit_transaction(30)
        raise AssertionError('a fenced producer commits')
    except KafkaException as e:
        equal((e.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH), e.args[0].fatal()),
              (True, True))
    second.begin_transaction()
    second.produce(topic, b'of the second')
    second.commit_transaction(30)
    c = committed_reader(topic)
    equal(read(c, 1)[0].value(), b'of the second')
    c.close()


def transaction_timeout():
    topic = create(name('timeout'))
    p = transactional('timeout', **{'transaction.timeout.ms': 1500, 'message.timeout.ms': 1400})
    p.begin_transaction()
    p.produce(topic, b'never committed')
    equal(p.flush(30), 0)
    send(topic, [b'behind it'])
    c = committed_reader(topic)
    # Until the coordinator aborts it, it holds up what is behind it.
    equal(read(c, 1)[0].value(), b'behind it')
    c.close()
    try:
        p.commit_transaction(30)
        raise AssertionError('a transaction that took too long is committed')
    except KafkaException:
        pass
    p = transactional('timeout')
    p.begin_transaction()
    p.produce(topic, b'of the next')
    p.commit_transaction(30)
    c = committed_reader(topic)
    equal([m.value() for m in read(c, 2)], [b'behind it', b'of the next'])
    c.close()


def copy(p, c, sink, count, abort_at=None):
    """Copies about `count` records a transaction of ten; one is aborted, and what it read is read again."""
    done = 0
    while done < count:
        p.begin_transaction()
        some = [m for m in c.consume(10, 1) if not m.error()]
        for m in some:
            p.produce(sink, m.value(), partition=m.partition())
        if some:
            p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 30)
        if abort_at is not None and done >= abort_at:
            abort_at = None
            p.abort_transaction(30)
            for place in c.committed(c.assignment(), 10):
                c.seek(place if place.offset >= 0 else TopicPartition(place.topic, place.partition, 0))
            continue
        p.commit_transaction(30)
        done += len(some)


def consume_transform_produce():
    source, sink, group = create(name('source'), 2), create(name('sink'), 2), name('copies')
    wanted = [b'%d' % i for i in range(200)]
    send(source, wanted)
    for abort_at in (50, None):  # the second goes on where the first has ended
        c = consumer(group, **{'isolation.level': 'read_committed'})
        c.subscribe([source])
        copy(transactional('copier'), c, sink, 100, abort_at)
        c.close()
    c = committed_reader(sink)
    equal(values_of(read(c, 200)), sorted(wanted))
    assert c.poll(1) is None, 'something is there twice'
    c.close()


if '--member' in sys.argv:
    member(*sys.argv[4:7])
VERSION = confluent_kafka.version() if isinstance(confluent_kafka.version(), str) else confluent_kafka.version()[0]
cases = Cases('confluent-kafka ' + VERSION)
if VERSION != '2.0.2':  # which is here for its transactions
    cases.run('create, list, describe, grow and delete topics', topics)
    cases.run('alter topic settings', alter_configs)
    for each in CODECS:
        cases.run('produce ' + each, codec, each)
    cases.run('keys and headers', keys_and_headers)
    for each in (0, 1, 'all'):
        cases.run('acks %s' % each, acks, each)
    cases.run('idempotent producer', idempotent)
    cases.run('group commits and resumes, is listed, described and deleted', commit_and_resume)
    for each in ('range', 'cooperative-sticky'):
        cases.run('group (%s) rebalances when a member joins and when it dies' % each, rebalance, each)
    cases.run('static member keeps its place', static_member)
    cases.run('seek to beginning, offset and timestamp', seek)
cases.run('transactions commit and abort, and readers see what is committed', transactions)
cases.run('a second producer of a transactional id fences the first', fencing)
cases.run('a transaction that takes too long is aborted', transaction_timeout)
cases.run('consume, transform and produce, exactly once', consume_transform_produce)
cases.done()
