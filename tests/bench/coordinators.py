"""Sections of scripts/bench: how soon another broker serves what a killed coordinator had."""
import concurrent.futures
import os
import re
import signal
import struct
import time

import wire

TRANSACTIONS, OFFSETS = '__transaction_state', '__consumer_offsets'
IDS = 100_000
COMMITS, COMMITTED_PARTITIONS, GROUPS = 10_000_000, 1000, 8
RETRIABLE = (14, 15, 16, 51, 6, 3, 5)  # loading, no coordinator, not this one, the transaction before, no leader yet


def partition_of(name, partitions):
    """Which partition of a coordinator's topic a name belongs to: Java's hash of a string."""
    code = 0
    for unit in struct.unpack('<%dH' % len(name), name.encode('utf-16-le')):
        code = (31 * code + unit) & 0xffffffff
    code = abs(code - (1 << 32) if code >= 1 << 31 else code)
    return code % partitions if code < 1 << 31 else 0


def leaders(port, topic):
    """({partition: leader's id}, {id: port})"""
    found = wire.metadata(port, [topic])
    return {p['index']: p['leader'] for p in found['topics'][topic]['partitions']}, found['brokers']


def led(system, topic, kind, name):
    """Makes the coordinators' topic by a first look for a coordinator, and waits for all of it."""
    end = time.monotonic() + 60
    while True:
        r = wire.Reader(wire.call(system.ports[0], 10, 1, wire.string(name) + bytes([kind])))
        r.get('i')
        error = r.get('h')
        if not error:
            break
        if time.monotonic() > end:
            raise RuntimeError('no coordinator: error %d' % error)
        time.sleep(0.1)
    system.healthy(topic)
    return leaders(system.ports[0], topic)


def init(connection, name):
    r = wire.Reader(connection.call(22, 1, wire.string(name) + struct.pack('>i', 60000)))
    return r.get('ih')[1]


def commit(connection, group, topic, offset):
    """One OffsetCommit of all partitions; nobody is a member."""
    body = wire.string(group) + struct.pack('>i', -1) + wire.string('') + struct.pack('>qi', -1, 1) + wire.string(topic)
    body += struct.pack('>i', COMMITTED_PARTITIONS)
    body += b''.join(struct.pack('>iqh', p, offset, 0) for p in range(COMMITTED_PARTITIONS))
    r = wire.Reader(connection.call(8, 2, body))
    errors = r.array(lambda: (r.string(), r.array(lambda: r.get('ih')[1])))[0][1]
    return next((e for e in errors if e), 0)


def committed(connection, group, topic):
    """(error, offset of the topic's first partition)"""
    body = wire.string(group) + struct.pack('>i', 1) + wire.string(topic) + struct.pack('>ii', 1, 0)
    r = wire.Reader(connection.call(9, 1, body))

    def one():
        _, offset = r.get('iq')
        r.string()
        return r.get('h'), offset
    return r.array(lambda: (r.string(), r.array(one)))[0][1][0]


def insist(what, seconds=60):
    """Until it answers 0; what only time can mend is asked again."""
    end = time.monotonic() + seconds
    while True:
        error = what()
        if not error:
            return
        if error not in RETRIABLE or time.monotonic() > end:
            raise RuntimeError('error %d' % error)
        time.sleep(0.01)


def on_connections(port, work, jobs):
    """work(connection, job) for every job, each thread with a connection of its own."""
    def some(mine):
        with wire.Connection(port, 60) as connection:
            for job in mine:
                work(connection, job)
    threads = min(32, len(jobs))
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(some, jobs[i::threads]) for i in range(threads)]:
            done.result()


def taken_over(system, topic, victim, partitions, ask):
    """Kills the broker; (seconds until others lead its partitions, until ask(connection, partition) is 0 for all)."""
    survivors = [port for node, port in leaders(system.ports[0], topic)[1].items() if node != victim]
    connections = {port: wire.Connection(port, 60) for port in survivors}
    left, led_after = set(partitions), None
    pid = system.brokers()['broker-%d' % victim]
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while left:
        if time.monotonic() - began > 120:
            raise RuntimeError('%d partitions of %s are not served' % (len(left), topic))
        now, ports = leaders(survivors[0], topic)
        if led_after is None and all(now[p] not in (victim, -1) for p in partitions):
            led_after = time.monotonic() - began
        for p in list(left):
            at = ports.get(now[p])
            error = ask(connections[at], p) if at in connections else 15
            if not error:
                left.discard(p)
            elif error not in RETRIABLE:
                raise RuntimeError('%s-%d answers with error %d' % (topic, p, error))
        time.sleep(0.002)
    return led_after or time.monotonic() - began, time.monotonic() - began


def loads(system, topic, since):
    """What the brokers' logs say of loads since then, if they say it: [(records, ms)]"""
    found = []
    for node, at in since.items():
        with open(os.path.join(system.home, node, 'logs', 'out'), errors='replace') as f:
            f.seek(at)
            found += [(int(m[1]), int(m[2])) for m in re.finditer(
                r'coordinator active partition=%s-\d+ .*records=(\d+) .*ms=(\d+)' % topic, f.read())]
    return found


def log_sizes(system):
    return {node: os.path.getsize(os.path.join(system.home, node, 'logs', 'out')) for node in system.brokers()}


def told(system, topic, since):
    found = loads(system, topic, since)
    if found:
        yield 'records loaded, by the log', sum(records for records, _ in found)
        yield 'longest load of a partition, by the log, ms', max(ms for _, ms in found)


def transactional_ids(system):
    by_partition, brokers = led(system, TRANSACTIONS, 1, 'first')
    victim = by_partition[partition_of('first', len(by_partition))]
    names, i = [], 0
    while len(names) < IDS:  # the more of them, the less it matters which
        name = 'id-%d' % i
        if by_partition[partition_of(name, len(by_partition))] == victim:
            names.append(name)
        i += 1
    began = time.monotonic()
    on_connections(brokers[victim], lambda c, name: insist(lambda: init(c, name)), names)
    yield 'new transactional ids/s, 32 connections', IDS / (time.monotonic() - began)
    sample = {partition_of(name, len(by_partition)): name for name in names}
    since = log_sizes(system)
    led_after, served = taken_over(system, TRANSACTIONS, victim, sample, lambda c, p: init(c, sample[p]))
    yield 'broker killed -9: others lead, ms', led_after * 1000
    yield 'broker killed -9: all %d ids are served, ms' % IDS, served * 1000
    yield 'of that, after others lead, ms', (served - led_after) * 1000
    yield from told(system, TRANSACTIONS, since)


def log_bytes(system, partition):
    """{node: bytes of the partition's segments}"""
    out = {}
    for node in system.brokers():
        folder = os.path.join(system.home, node, 'data', partition)
        try:
            out[node] = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith('.log'))
        except OSError:
            out[node] = -1  # a file went meanwhile
    return out


def compacted(system, partition, most, seconds=600):
    """Waits until no replica has more bytes than that, and none changes."""
    end, before, same = time.monotonic() + seconds, None, 0
    while same < 10:
        now = log_bytes(system, partition)
        same = same + 1 if now == before and max(now.values()) <= most and min(now.values()) >= 0 else 0
        before = now
        if time.monotonic() > end:
            raise RuntimeError('%s is not compacted: %s' % (partition, now))
        time.sleep(0.5)
    return max(before.values())


def commits(system):
    system.topic('committed', COMMITTED_PARTITIONS)
    by_partition, brokers = led(system, OFFSETS, 0, 'first')
    home = partition_of('first', len(by_partition))
    victim = by_partition[home]
    groups = [g for g in map('group-{}'.format, range(100 * GROUPS)) if partition_of(g, len(by_partition)) == home][:GROUPS]
    each = COMMITS // COMMITTED_PARTITIONS // len(groups)
    began = time.monotonic()

    def of_a_group(connection, group):
        for offset in range(1, each + 1):
            insist(lambda: commit(connection, group, 'committed', offset))
    on_connections(brokers[victim], of_a_group, groups)
    yield 'commits/s, %d a request, %d connections' % (COMMITTED_PARTITIONS, len(groups)), (
        each * len(groups) * COMMITTED_PARTITIONS / (time.monotonic() - began))
    began = time.monotonic()
    left = compacted(system, '%s-%d' % (OFFSETS, home), 120 << 20)
    yield 'compacted after, s', time.monotonic() - began
    yield 'left of the log, MB', left / 1e6
    since = log_sizes(system)

    def ask(connection, _):
        for group in groups:
            error, offset = committed(connection, group, 'committed')
            if error:
                return error
            if offset != each:
                raise RuntimeError('%s has %d instead of %d' % (group, offset, each))
        return 0
    led_after, served = taken_over(system, OFFSETS, victim, [home], ask)
    yield 'broker killed -9: another leads, ms', led_after * 1000
    yield 'broker killed -9: what was committed is served, ms', served * 1000
    yield 'of that, after another leads, ms', (served - led_after) * 1000
    yield from told(system, OFFSETS, since)
