#!/usr/bin/env python3
"""What there is only so much of: descriptors, connections, memory. At the bound clients wait or are refused, the broker
goes on, and with the load gone everything is as before."""
import contextlib
import os
import re
import socket
import struct
import sys
import time

import process
import wire
from cases import Cases, equal, until

BASE = 23692
MIB = 1 << 20


def metrics(port=BASE + 200):
    with socket.create_connection(('127.0.0.1', port), timeout=5) as sock:
        sock.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        text = b''.join(iter(lambda: sock.recv(65536), b'')).decode()
    return {name: float(value) for name, value in re.findall(r'(?m)^([a-z_]+) ([-0-9.e+]+)$', text)}


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def files_of(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


def few_descriptors(count):
    """Behind this, processes have that limit, soft and hard."""
    return ('bash', '-c', 'ulimit -n %d && exec "$@"' % count, 'limited')


def connect(port=BASE):
    sock = socket.create_connection(('127.0.0.1', port), timeout=10)
    sock.settimeout(10)
    return sock


def topic(name, partitions=1):
    equal(wire.create_topic(BASE, name, partitions)[0], 0)
    good, why = wire.wait_led([BASE], name, 30)
    assert good, why


def sent(name, data, timeout=60.0):
    body = struct.pack('>hhi', -1, -1, 30000) + struct.pack('>i', 1) + wire.string(name)
    body += struct.pack('>ii', 1, 0) + struct.pack('>i', len(data)) + data
    r = wire.Reader(wire.call(BASE, 0, 3, body, timeout))
    r.get('i')
    r.string()
    r.get('i')
    return r.get('ihq')[1]


def descriptors(cases):
    def crowd(cluster):
        topic('few')
        equal(sent('few', wire.batch([b'before'])), 0)
        crowded = [connect() for _ in range(400)]
        # Logs open and roll files all the while.
        until(lambda: metrics()['tidemark_connections_refused_total'] > 200, 'refusals')
        time.sleep(8)
        for sock in crowded:
            sock.close()
        until(lambda: wire.serves(BASE), 'the broker answers')
        equal(process.http_status(BASE + 200, '/readyz'), 200)
        equal(sent('few', wire.batch([b'after'])), 0)
        topic('few-more', 20)
        said = cluster.said('broker-1')
        assert 'offline' not in said, said[-2000:]
        lines = [line for line in said.splitlines() if 'refusing connections' in line]
        assert 1 <= len(lines) <= 3, lines
        assert 'max.connections=172' in lines[0], lines[0]

    def many_logs(cluster):
        topic('first')
        equal(wire.create_topic(BASE, 'many', 400)[0], 0)
        until(lambda: files_of(cluster.pid('broker-1')) > 150, 'logs')
        time.sleep(3)
        crowd = [connect() for _ in range(50)]
        for sock in crowd:
            sock.sendall(wire.frame(18, 0))
            equal(wire.read_frame(sock)[4:6], b'\0\0')
        equal(sent('first', wire.batch([b'record'])), 0)
        for sock in crowd:
            sock.close()
        # A start finds them all, and more than it may open.
        cluster.do('stop', 'broker-1')
        cluster.do('start', 'broker-1')
        until(lambda: wire.serves(BASE), 'the broker answers')
        said = cluster.said('broker-1')
        assert 'offline' not in said, said[-2000:]
        assert 'cannot accept' not in said, said[-2000:]

    with process.Cluster(BASE, '--controllers', '0', '--brokers', '1', command=few_descriptors(300)) as cluster:
        cases.run('400 partitions with 300 descriptors', many_logs, cluster)
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '1', command=few_descriptors(300)) as cluster:
        cases.run('400 connections with 300 descriptors', crowd, cluster)


def huge_frames(pid):
    """100 connections announce 100 MiB and send a part of it; small clients are served meanwhile."""
    crowd = [connect() for _ in range(100)]
    head = struct.pack('>i', 100 * MIB) + struct.pack('>hhih', 0, 9, 1, 4) + b'test' + b'\0'
    part = b'x' * 65536
    for sock in crowd:
        sock.setblocking(False)
        sock.send(head)
    end = time.monotonic() + 5
    total = 0
    most = 0
    while time.monotonic() < end:
        for sock in crowd:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                total += sock.send(part)
        most = max(most, process.resident_mb(pid))
    until(lambda: metrics()['tidemark_request_memory_waiting'] > 0, 'requests wait')
    assert wire.serves(BASE, timeout=10)
    equal(sent('small', wire.batch([b'meanwhile'])), 0)
    for sock in crowd:
        sock.close()
    until(lambda: metrics()['tidemark_request_memory_bytes'] < MIB, 'the memory is back')
    return most


def deaf_readers(pid):
    """300 clients fetch 8 MiB ten times and never read (the kernel takes the first few); one that reads is served.

    Each holds a piece of 256 KiB of its answer, not the answer, and together more than there is."""
    data = wire.batch([os.urandom(900000)])
    for _ in range(10):
        equal(sent('large', data), 0)
    fetch = struct.pack('>iiiib', -1, 30000, 1, 8 * MIB, 0) + struct.pack('>i', 1) + wire.string('large')
    fetch += struct.pack('>i', 1) + struct.pack('>iqi', 0, 0, 8 * MIB)
    crowd = []
    for _ in range(300):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(('127.0.0.1', BASE))
        sock.sendall(wire.frame(1, 4, fetch) * 10)
        crowd.append(sock)
    time.sleep(3)
    most = process.resident_mb(pid)
    until(lambda: metrics()['tidemark_answer_memory_waiting'] > 0, 'answers wait')
    answer = wire.call(BASE, 1, 4, fetch, timeout=60)  # those who do not read are in the way for ten seconds
    assert len(answer) > 900000, len(answer)
    until(lambda: metrics()['tidemark_connections_stalled_total'] > 0, 'those who do not read are noticed')
    for sock in crowd:
        sock.close()
    until(lambda: metrics()['tidemark_answer_memory_bytes'] < MIB, 'the memory is back')
    return most


def many_names(pid):
    """10^6 times one group and one topic in a request."""
    crowd = [connect() for _ in range(4)]
    metadata = struct.pack('>i', 10**6) + b'\0\1t' * 10**6
    groups = struct.pack('>i', 10**6) + b'\0\1g' * 10**6
    for sock in crowd:
        with contextlib.suppress(OSError):
            sock.sendall(wire.frame(15, 0, groups))
            sock.sendall(wire.frame(3, 1, metadata))
    most = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        most = max(most, process.resident_mb(pid))
        time.sleep(0.01)
    for sock in crowd:
        sock.close()
    until(lambda: wire.serves(BASE), 'the broker answers')
    return most


def many_partitions(pid):
    """10^6 partitions in requests for offsets and for the ends of epochs; fetches that want to be remembered with 10^5."""
    most = [0]

    def ask(key, version, body):
        with connect() as sock:
            sock.settimeout(60)
            sock.sendall(wire.frame(key, version, body))
            wire.read_frame(sock)
        most[0] = max(most[0], process.resident_mb(pid))

    def topic_of(partitions):
        return struct.pack('>i', 1) + wire.string('small') + struct.pack('>i', len(partitions)) + b''.join(partitions)
    offsets = topic_of([struct.pack('>iq', i, -1) for i in range(10**6)])
    ask(2, 1, struct.pack('>i', -1) + offsets)
    ask(23, 3, struct.pack('>i', -1) + topic_of([struct.pack('>iii', i, -1, 0) for i in range(10**6)]))
    fetch = struct.pack('>iiiibii', -1, 0, 0, 1 << 20, 0, 0, 0)
    fetch += topic_of([struct.pack('>iqqi', i, 0, -1, 1 << 20) for i in range(10**5)]) + struct.pack('>i', 0)
    total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    # As many as would take an eighth of the memory, were all remembered: a quarter of that is the bound.
    for _ in range(max(20, total // 8 // (640 * 10**5))):
        ask(1, 7, fetch)
    until(lambda: wire.serves(BASE), 'the broker answers')
    return most[0] - total // 32 // MIB


def memory(cases):
    settings = ['--set', 'queued.max.request.bytes=%d' % (32 * MIB), '--set',
                'tidemark.queued.max.response.bytes=%d' % (32 * MIB),
                # "Never", in every way that it can be said (D13): none of them keeps a thread busy.
                '--set', 'replica.lag.time.max.ms=9223372036854775807',
                '--set', 'offsets.retention.check.interval.ms=9223372036854775807',
                '--set', 'log.retention.check.interval.ms=9223372036854775807',
                '--set', 'connections.max.idle.ms=9223372036854775807',
                '--set', 'replica.high.watermark.checkpoint.interval.ms=9223372036854775807']
    with process.Cluster(BASE, '--controllers', '0', '--brokers', '1', *settings) as cluster:
        pid = cluster.pid('broker-1')
        topic('small')
        topic('large')
        idle = process.resident_mb(pid)

        def never():
            before = cpu_seconds(pid)
            time.sleep(3)
            spent = cpu_seconds(pid) - before
            assert spent < 0.6, 'an idle broker took %.2f s of 3' % spent
        cases.run('settings of "never" keep no thread busy', never)

        def bounded(name, function, bound_mb):
            def run():
                most = function(pid)
                assert most - idle <= bound_mb, 'memory grew from %d to %d MB' % (idle, most)
                equal(cluster.pid('broker-1'), pid)
                print('%s: %d MB before, %d at most' % (name, idle, most))
            cases.run(name, run)
        # One request of 100 MiB may overdraw.
        bounded('100 connections with frames of 100 MiB', huge_frames, 32 + 100 + 30)
        bounded('300 clients that read nothing', deaf_readers, 32 + 60 + 30)
        bounded('10^6 groups and topics in a request', many_names, 32 + 150)
        bounded('10^6 partitions in a request, and in sessions', many_partitions, 32 + 300)


def main():
    cases = Cases('limits')
    only = sys.argv[1:]
    for part in (descriptors, memory):
        if not only or part.__name__ in only:
            part(cases)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
