"""Sections of scripts/bench: what a broker's cleaner compacts in a second, and what producers notice of it."""
import os
import struct
import time

import wire

CLEANERS = ('log-cleaner', 'kafka-log-clean')  # as the kernel names their threads
TICKS = os.sysconf('SC_CLK_TCK')
RECORDS, KEYS, VALUE = 4_000_000, 1_000_000, 84  # 100 bytes with the key, each key four times
MIXED = dict(records=3_000_000, size=600, keys=500_000)


def cleaners_cpu(pids):
    """CPU seconds of the cleaner threads of these processes."""
    ticks = 0
    for pid in pids:
        for thread in os.listdir('/proc/%d/task' % pid):
            try:
                with open('/proc/%d/task/%s/stat' % (pid, thread)) as f:
                    name, rest = f.read().rsplit(')', 1)
            except OSError:
                continue  # it has ended
            if name.split('(', 1)[1] in CLEANERS:
                fields = rest.split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def segments(system, topic):
    """{(node, partition): sizes of its segments, the active one last}"""
    out = {}
    for node in system.brokers():
        data = os.path.join(system.home, node, 'data')
        for partition in os.listdir(data):
            if partition.rpartition('-')[0] == topic:
                folder = os.path.join(data, partition)
                out[node, partition] = [size_of(os.path.join(folder, f)) for f in sorted(os.listdir(folder))
                                        if f.endswith('.log')]
    return out


def size_of(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0  # it went meanwhile


def total(system, topic):
    return sum(map(sum, segments(system, topic).values()))


def compact(system, topic):
    """IncrementalAlterConfigs: from now on it is due for the cleaners."""
    settings = {'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01'}
    body = struct.pack('>ib', 1, 2) + wire.string(topic) + struct.pack('>i', len(settings))
    body += b''.join(wire.string(k) + b'\0' + wire.string(v) for k, v in settings.items()) + b'\0'
    r = wire.Reader(wire.call(system.ports[0], 44, 0, body))
    r.get('ii')
    error, message = r.get('h'), r.string()
    if error:
        raise RuntimeError('%s cannot be compacted: %d %s' % (topic, error, message))


def cleaned(system, topic, seconds=300):
    """Waits until the topic has been compacted: (seconds of work, CPU seconds of the cleaners)."""
    pids = list(system.brokers().values())
    cpu_before = cpu = cleaners_cpu(pids)
    before = size = total(system, topic)
    compact(system, topic)
    end = time.monotonic() + seconds
    began = changed = worked = None
    seen = cpu_before
    while changed is None or time.monotonic() - worked < 3:
        time.sleep(0.01)
        now, used, left = time.monotonic(), cleaners_cpu(pids), total(system, topic)
        if began is None and used - cpu_before >= 2 / TICKS:
            began = now
        if left != size:
            size, changed, cpu = left, now, used
        if used - seen >= 5 / TICKS or changed == now:  # to look for work costs a little, too
            worked, seen = now, used
        if now > end:
            raise RuntimeError('%s is not compacted: %d of %d bytes' % (topic, size, before))
    if size >= before:
        raise RuntimeError('nothing of %s went' % topic)
    return changed - began, cpu - cpu_before


def compaction(system):
    for topic in ('warm', 'dirty'):  # a machine that compiles its code as it goes has done so by the second
        system.topic(topic, 1, segment_bytes=64 << 20)
        system.load('produce', topic, partitions=1, records=RECORDS, size=VALUE, keys=KEYS)
        dirty = sum(sum(sizes[:-1]) for sizes in segments(system, topic).values()) / 1e6
        before = system.cpu()
        took, used = cleaned(system, topic)
        process = system.cpu() - before
    yield 'dirty, MB', dirty
    yield 'left, MB', total(system, topic) / 1e6
    yield 'compacted, MB/s', dirty / took
    yield 'compacted, MB/s per core of the cleaner', dirty / used
    yield 'CPU s of the whole broker meanwhile', process


def cleaner(system):
    system.topic('hot', 1)
    system.topic('dirty', 12, segment_bytes=16 << 20)  # the newest of each stays as it is
    system.load('produce', 'dirty', partitions=12, **MIXED)
    system.load('produce', 'hot', partitions=1, records=25000, rate=5000)
    alone = system.load('produce', 'hot', partitions=1, records=50000, rate=5000)
    yield 'producer alone, p99 us', alone['p99']
    pids = list(system.brokers().values())
    idle, before = cleaners_cpu(pids), total(system, 'dirty')
    compact(system, 'dirty')
    end = time.monotonic() + 60
    while cleaners_cpu(pids) - idle < 5 / TICKS:
        if time.monotonic() > end:
            raise RuntimeError('no cleaner begins')
        time.sleep(0.01)
    began = cleaners_cpu(pids)
    beside = system.load('produce', 'hot', partitions=1, records=50000, rate=5000)
    used = cleaners_cpu(pids) - began
    yield 'producer beside cleaners, p99 us', beside['p99']
    yield 'times', beside['p99'] / alone['p99']
    yield 'CPU s of all cleaners meanwhile', used
    yield 'gone of %d MB meanwhile, MB' % (before / 1e6), (before - total(system, 'dirty')) / 1e6
