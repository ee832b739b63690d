#!/usr/bin/env python3
"""Measures a running Kafka-protocol system, ours by default, others by their cluster script.

  scripts/bench [--cluster [NAME=]PATH[,KEY=VALUE...]]... [--runs N=3] [--out FILE] [--pictures DIR] [SECTION]...

Sections:
  many      1,000 partitions written round-robin, 1 KiB, acks=all, one idempotent producer
  latency   one acknowledged record at a time, on a cluster of few partitions
  rate      5,000 records of 1 KiB a second to one partition
  idle      10,000 idle partitions: CPU of the brokers, and the latency of one record beside them
  scale     10,000 partitions: made and in full ISR; a broker killed -9: serves again, is in all ISRs again
  delete    a topic of 1,000 partitions deleted beside 9,000 others: how long, and the pauses of a producer meanwhile
  failover  a broker killed -9, and one paused: until every partition acknowledges writes of all replicas in sync again
  limit     one broker beside a bare program that receives, checks, writes and syncs the same requests
  calls     system calls of the brokers for each record, one at a time and at full speed (needs strace)
  work      tasks that shards are given and allocations of the brokers for each batch, one record at a time and at full speed
            (tidemark only; preloads a library that counts)
  syncs     syncs of all brokers for each acknowledged record, by the number of partitions (needs strace)
  transactions  of 10 records of 1 KiB over 3 partitions, by one producer and by 20 at once; what they wrote, read by
            read_committed and read_uncommitted consumers
  transactional-ids  100,000 of one coordinator; it is killed -9: until others serve them
  commits   10 million of a few groups, compacted; their coordinator is killed -9: until another serves what is left
  compaction  one broker compacts 400 MB of records of 100 bytes, each key four times: in a second, and in a second of CPU
  cleaner   a producer at 5,000 records a second, alone, and while all brokers compact 6 GB
  streams   Kafka Streams counts half a million words, exactly once
  restart   2 GB in 12 partitions, just written; a broker killed -9: serves again, is in all ISRs again
  cold      a producer at 5,000 records a second, alone, beside a consumer that reads 1 GB which no page cache has, and
            beside a broker that was away and fetches 1 GB which none has

A cluster script follows the contract of scripts/cluster; several are measured in turn, run after run, so that what the
machine does meanwhile hits all alike. Every run is a line of JSON in --out (default: build/bench.jsonl); the table at
the end has medians with minimum and maximum; --pictures draws latency over percentile of each section that has one,
every run a line. Clients are librdkafka's (tidemark-load), for every system.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'support')]
import cleaning  # noqa: E402
import coordinators  # noqa: E402
import picture  # noqa: E402
import streams  # noqa: E402
import wire  # noqa: E402

BIN = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
TICKS = os.sysconf('SC_CLK_TCK')
CURVE = 'curve'  # a figure that is drawn, not written: [[percentile, us], ...]


def cpu_of(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read_bytes(pid):
    with open('/proc/%d/io' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('read_bytes'))


def resident_mib(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) / 1024


class System:
    """One cluster, up for one run."""

    base_port = 24092

    def __init__(self, name, script, settings):
        self.name, self.script, self.settings = name, script, settings
        self.size, self.own = [], []
        self.counted = False

    def fit_for(self, section):
        self.size = ['--controllers', '0', '--brokers', '1'] if section in ALONE else []
        self.counted = section == 'work'
        self.own = SETTINGS.get(section, [])
        return self

    def environment(self):
        if not self.counted:
            return None
        return dict(os.environ, LD_PRELOAD=os.path.join(BIN, 'libtidemark-allocations.so'),
                    COUNT_ALLOCATIONS=self.folder)

    def do(self, verb, *args):
        done = subprocess.run([self.script, verb, self.home, *args], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env=self.environment())
        if done.returncode:
            raise RuntimeError('%s %s: %s' % (self.script, verb, (done.stderr or done.stdout).strip()))
        return done.stdout.strip()

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='tidemark-bench-')
        self.home = os.path.join(self.folder, 'cluster')
        sets = [word for s in [*self.own, *self.settings] for word in ('--set', s)]
        try:
            self.bootstrap = self.do('up', '--base-port', str(self.base_port), *self.size, *sets).splitlines()[-1]
        except RuntimeError:
            # What of it did start, if any.
            subprocess.run([self.script, 'down', self.home], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.ports = [int(b.rsplit(':', 1)[1]) for b in self.bootstrap.split(',')]
        return self

    def __exit__(self, *_):
        self.do('down')
        shutil.rmtree(self.folder, ignore_errors=True)

    def brokers(self):
        nodes = [line.split() for line in self.do('nodes').splitlines()]
        return {n[0]: int(n[1]) for n in nodes if n[0].startswith('broker') and n[1] != '-'}

    def cpu(self):
        return sum(map(cpu_of, self.brokers().values()))

    def disk_read(self, but=()):
        """Bytes that brokers had to have read from the disk."""
        return sum(read_bytes(pid) for name, pid in self.brokers().items() if name not in but)

    def topic(self, name, partitions, **configs):
        factor = min(3, len(self.ports))
        configs = {key.replace('_', '.'): str(value) for key, value in configs.items()}
        error, message = wire.create_topic(self.ports[0], name, partitions, factor, timeout=120, configs=configs)
        if error:
            raise RuntimeError('creating %s: %s %s' % (name, error, message))
        self.healthy(name)

    def healthy(self, name, seconds=300):
        good, why = wire.wait_healthy(self.ports, name, min(3, len(self.ports)), seconds)
        if not good:
            raise RuntimeError('%s is not in full ISR: %s' % (name, why))
        good, why = wire.wait_led(self.ports, name, seconds)
        if not good:
            raise RuntimeError('%s: %s' % (name, why))

    def load(self, verb, topic, **options):
        words = [w for k, v in options.items() for w in ('--' + k, str(v))]
        done = subprocess.run([os.path.join(BIN, 'tidemark-load'), verb, '--bootstrap', self.bootstrap, '--topic', topic,
                               *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError('%s of %s: %s %s' % (verb, topic, done.stderr.strip(), done.stdout.strip()))
        return json.loads(done.stdout)


# --- sections: each takes a System that is up and yields (figure, value) ---

def many(system):
    system.topic('many', 1000)
    system.load('produce', 'many', partitions=1000, records=20000)
    before = system.cpu()
    got = system.load('produce', 'many', partitions=1000, records=200000)
    used = system.cpu() - before
    yield 'records/s', got['records'] / got['seconds']
    yield 'broker CPU s per 200,000 records', used
    yield 'client CPU s', got['client_cpu']


def one_at_a_time(system, topic):
    got = system.load('latency', topic, records=3000)
    yield 'one record p50, us', got['p50']
    yield 'one record p99, us', got['p99']
    yield CURVE, got['curve']


def latency(system):
    system.topic('one', 1)
    yield from one_at_a_time(system, 'one')


def rate(system):
    system.topic('one', 1)
    got = system.load('produce', 'one', partitions=1, records=100000, rate=5000)
    yield 'p50 at 5,000 a second, us', got['p50']
    yield 'p99 at 5,000 a second, us', got['p99']
    yield CURVE, got['curve']


def transactions(system):
    system.topic('paid', 3)
    system.load('transact', 'paid', seconds=3)  # the coordinator's topic is made, and loaded
    for producers in (1, 20):
        before = system.cpu()
        got = system.load('transact', 'paid', producers=producers, seconds=10)
        used = system.cpu() - before
        of = ', %d producer%s' % (producers, 's' if producers > 1 else '')
        yield 'transactions/s' + of, got['records'] / got['seconds']
        yield 'commit p50, us' + of, got['p50']
        yield 'commit p99, us' + of, got['p99']
        yield 'broker CPU ms per transaction' + of, 1000 * used / got['records']
    rates = {}
    for isolation in ('read_uncommitted', 'read_committed') * 3:
        got = system.load('consume', 'paid', partitions=3, isolation=isolation)
        rates.setdefault(isolation, []).append(got['records'] / got['seconds'])
    committed, uncommitted = (statistics.median(rates[i]) for i in ('read_committed', 'read_uncommitted'))
    yield 'records/s read committed', committed
    yield 'times that of read uncommitted', committed / uncommitted


def fill(system, topics=10, partitions=1000):
    for i in range(topics):
        system.topic('fill-%d' % i, partitions)


def idle(system):
    system.topic('one', 1)
    few = dict(one_at_a_time(system, 'one'))
    fill(system)
    time.sleep(5)
    before, began = system.cpu(), time.monotonic()
    time.sleep(20)
    share = (system.cpu() - before) / (time.monotonic() - began) / len(system.ports)
    yield 'CPU of an idle broker, % of a core', 100 * share
    for name, value in one_at_a_time(system, 'one'):
        if name == CURVE:
            continue
        yield name + ', beside 10,000', value
        yield name + ', times that of few', value / few[name]
    yield 'memory of a broker, MiB', statistics.mean(map(resident_mib, system.brokers().values()))


def scale(system):
    began = time.monotonic()
    fill(system)
    yield '10,000 partitions made and in full ISR, s', time.monotonic() - began
    yield from killed_and_started(system, ['fill-%d' % i for i in range(10)])


def killed_and_started(system, topics):
    victim = sorted(system.brokers())[0]
    system.do('kill', victim)
    for name in topics:
        wire.wait_without(system.ports[1:], name, len(system.ports) - 1, 60)
    began = time.monotonic()
    system.do('start', victim)
    yield 'killed -9, started: serves, s', time.monotonic() - began
    for name in topics:
        system.healthy(name)
    yield 'killed -9, started: in all ISRs, s', time.monotonic() - began


def failover(system):
    system.topic('failing', 12)
    for signal_, figure, back in ((signal.SIGKILL, 'killed -9', lambda name, pid: system.do('start', name)),
                                  (signal.SIGSTOP, 'paused', lambda name, pid: os.kill(pid, signal.SIGCONT))):
        leaders = [p['leader'] for p in wire.metadata(system.ports[0], ['failing'])['topics']['failing']['partitions']]
        victim = statistics.mode(leaders)
        name = 'broker-%d' % victim
        others = [port for node, port in wire.metadata(system.ports[0])['brokers'].items() if node != victim]
        pid = system.brokers()[name]
        began = time.monotonic()
        os.kill(pid, signal_)
        while not acknowledge(others, 'failing'):
            if time.monotonic() - began > 60:
                raise RuntimeError('no writes a minute after a broker was ' + figure)
        yield 'broker %s: all partitions acknowledge again, ms' % figure, (time.monotonic() - began) * 1000
        back(name, pid)
        system.healthy('failing')
        time.sleep(1)


def acknowledge(ports, topic):
    """Whether the leader of every partition, one of these brokers, acknowledges a record with acks=all."""
    try:
        meta = wire.metadata(ports[0], [topic], timeout=0.3)
        for p in meta['topics'][topic]['partitions']:
            port = meta['brokers'].get(p['leader'])
            if port not in ports:
                return False
            if wire.produce(port, topic, wire.batch([b'x' * 100]), p['index'], timeout_ms=100)[0]:
                return False
        return True
    except (OSError, struct.error, KeyError):
        return False


def delete(system):
    fill(system, topics=9)
    system.topic('one', 1)
    system.topic('gone', 1000)
    result = {}
    producer = threading.Thread(target=lambda: result.update(
        system.load('produce', 'one', partitions=1, records=10000, rate=1000, linger=0)))
    producer.start()
    time.sleep(3)
    began = time.monotonic()
    body = (b'\0\0\0\1' + wire.string('gone') + b'\0\0\x75\x30')
    answer = wire.Reader(wire.call(system.ports[0], 20, 1, body, timeout=60))
    answer.get('ii')
    answer.string()
    if answer.get('h'):
        raise RuntimeError('the topic could not be deleted')
    left = 'gone-'
    while any(name.startswith(left) and not name.endswith(('-delete', '-stray'))
              for name in folders(system.home)):
        time.sleep(0.05)  # to look is work, too
    yield '1,000 partitions of 10,000 deleted everywhere, s', time.monotonic() - began
    producer.join()
    yield 'slowest record of another topic meanwhile, ms', result['max'] / 1000


def folders(home):
    """Names of partition folders of all brokers."""
    for folder, names, _ in os.walk(home):
        yield from names
        names[:] = [n for n in names if '-' not in n or n.startswith('broker')]


def cold(system):
    system.topic('cold', 12)
    system.topic('hot', 1)
    system.load('produce', 'cold', partitions=12, records=1000000)
    alone = system.load('produce', 'hot', partitions=1, records=50000, rate=5000)
    yield 'producer alone, p99 us', alone['p99']
    warm, _ = beside_a_reader(system)
    yield 'producer beside a reader of what is cached, p99 us', warm
    evict(system.home)
    before = system.disk_read()
    beside, speed = beside_a_reader(system)
    yield 'producer beside a cold reader, p99 us', beside
    yield 'times', beside / alone['p99']
    yield 'times that beside a reader of what is cached', beside / warm
    yield 'cold reader, MiB/s', speed
    yield 'read from the disk for it, MiB', (system.disk_read() - before) / 2**20
    yield from cold_follower(system, alone)


def beside_a_reader(system):
    result = {}
    reader = threading.Thread(target=lambda: result.update(system.load('consume', 'cold', partitions=12)))
    reader.start()
    beside = system.load('produce', 'hot', partitions=1, records=50000, rate=5000)
    reader.join()
    if not result:
        raise RuntimeError('the reader did not get to the end')
    return beside['p99'], result['records'] / 1024 / result['seconds']


def cold_follower(system, alone):
    victim = sorted(system.brokers())[-1]
    system.do('stop', victim)
    system.load('produce', 'cold', partitions=12, records=1000000)
    evict(system.home)
    before = system.disk_read()
    system.do('start', victim)
    began, result = time.monotonic(), {}
    waiter = threading.Thread(target=lambda: (system.healthy('cold'), result.update(seconds=time.monotonic() - began)))
    waiter.start()
    beside = system.load('produce', 'hot', partitions=1, records=50000, rate=5000)
    waiter.join()
    if 'seconds' not in result:
        raise RuntimeError('the broker that was away is not in all ISRs')
    yield 'producer beside a follower that catches up, p99 us', beside['p99']
    yield 'times, beside a follower', beside['p99'] / alone['p99']
    yield 'in all ISRs after, s', result['seconds']
    yield 'read from the disk by leaders, MiB', (system.disk_read({victim}) - before) / 2**20


def traced(pid):
    """Every thread of the process has a tracer."""
    for thread in os.listdir('/proc/%d/task' % pid):
        with open('/proc/%d/task/%s/status' % (pid, thread)) as f:
            if 'TracerPid:\t0' in f.read():
                return False
    return True


class Strace:
    """Counts system calls of the brokers while it is entered."""

    def __init__(self, system, only=None):
        if shutil.which('strace') is None:
            raise RuntimeError('strace is missing: apt-get install strace')
        self.out = os.path.join(system.folder, 'strace')
        self.pids = list(system.brokers().values())
        pids = [word for pid in self.pids for word in ('-p', str(pid))]
        filters = ['-e', 'trace=' + only] if only else []
        self.command = ['strace', '-f', '-qq', '-c', '-U', 'name,calls', '-o', self.out, *filters, *pids]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not all(map(traced, self.pids)):
            if self.process.poll() is not None:
                raise RuntimeError('strace has ended: is it allowed to trace?')
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        with open(self.out) as f:
            rows = [line.split() for line in f]
        self.counts = {r[0]: int(r[1]) for r in rows if len(r) == 2 and r[1].isdigit() and r[0] != 'total'}
        self.total = sum(self.counts.values())


def calls(system):
    system.topic('one', 1)
    system.topic('twelve', 12)
    work = (('one at a time', 1000, lambda: system.load('latency', 'one', records=1000)),
            ('at full speed', 200000, lambda: system.load('produce', 'twelve', partitions=12, records=200000)))
    for name, records, run in work:
        with Strace(system) as traced:
            run()
        yield 'calls of all brokers a record, %s' % name, traced.total / records
        for call, count in sorted(traced.counts.items(), key=lambda item: -item[1])[:8]:
            yield '%s a record, %s' % (call, name), count / records


def work(system):
    system.topic('one', 1)
    system.topic('twelve', 12)
    runs = (('one at a time', lambda: system.load('latency', 'one', records=5000)),
            ('at full speed', lambda: system.load('produce', 'twelve', partitions=12, records=1000000)))
    for name, run in runs:
        run()  # what is made once is there
        before = counted(system)
        run()
        requests, batches, tasks, allocations = (b - a for a, b in zip(before, counted(system)))
        yield 'batches a request, %s' % name, batches / requests
        yield 'tasks of all shards a batch, %s' % name, tasks / batches
        yield 'allocations of all brokers a batch, %s' % name, allocations / batches


def counted(system):
    """Produce requests, batches, tasks and allocations so far, of all brokers."""
    names = ['kafka_server_brokertopicmetrics_totalproducerequests_total', 'tidemark_log_batches_in_total',
             'tidemark_shard_tasks_total']
    totals = dict.fromkeys(names, 0)
    for port in system.ports:
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % (port + 200)) as answer:
            lines = answer.read().decode().splitlines()
        for line in lines:
            name, _, value = line.partition(' ')
            if name in totals:
                totals[name] += float(value)
    allocations = 0
    for pid in system.brokers().values():
        with open(os.path.join(system.folder, str(pid)), 'rb') as f:
            allocations += int.from_bytes(f.read(8), sys.byteorder)
    return [*totals.values(), allocations]


def syncs(system):
    for partitions in (1, 100, 1000, 10000):
        system.topic('p%d' % partitions, partitions)
        with Strace(system, 'fdatasync,fsync,sync_file_range') as traced:
            system.load('produce', 'p%d' % partitions, partitions=partitions, records=50000)
        yield 'syncs of all brokers a record, %d partitions' % partitions, traced.total / 50000


def restart(system):
    system.topic('two-gb', 12)
    system.load('produce', 'two-gb', partitions=12, records=2000000)
    yield from killed_and_started(system, ['two-gb'])


def send(port):
    done = subprocess.run([os.path.join(BIN, 'tidemark-limit'), 'send', '--port', str(port), '--topic', 'limit',
                           '--mib', '2048'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError('tidemark-limit: ' + done.stderr.strip())
    return json.loads(done.stdout)['mib_per_s']


def limit(system):
    system.topic('limit', 4)
    port = system.base_port + 299
    bare = subprocess.Popen([os.path.join(BIN, 'tidemark-limit'), 'serve', '--port', str(port), '--file',
                             os.path.join(system.folder, 'bare')], stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.2)
        before, most = cpu_of(bare.pid), send(port)
        used = cpu_of(bare.pid) - before
    finally:
        bare.kill()
        bare.wait()
    os.remove(os.path.join(system.folder, 'bare'))
    before, broker = system.cpu(), send(system.ports[0])
    yield 'bare program, MiB/s', most
    yield 'broker, MiB/s', broker
    yield 'broker / bare program', broker / most
    yield 'bare program, CPU s per GiB', used / 2
    yield 'broker, CPU s per GiB', (system.cpu() - before) / 2


def evict(home):
    """Throws what the brokers have on disk out of the page cache, and nothing else."""
    os.sync()
    for folder, _, files in os.walk(home):
        for name in files:
            try:
                fd = os.open(os.path.join(folder, name), os.O_RDONLY)
            except OSError:
                continue
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


SECTIONS = dict(many=many, latency=latency, rate=rate, idle=idle, scale=scale, delete=delete, failover=failover,
                limit=limit, calls=calls, work=work, syncs=syncs, transactions=transactions, restart=restart, cold=cold)
SECTIONS.update({'transactional-ids': coordinators.transactional_ids, 'commits': coordinators.commits,
                 'compaction': cleaning.compaction, 'cleaner': cleaning.cleaner, 'streams': streams.streams})
# Of every node, for a section: by default a cleaner looks for work every 15 s.
SETTINGS = dict.fromkeys(('commits', 'compaction', 'cleaner'), ['log.cleaner.backoff.ms=1000'])
ALONE = ('limit', 'compaction')  # those of one broker


def table(lines):
    systems = list(dict.fromkeys(l['system'] for l in lines))
    print('| | ' + ' | '.join('%s, median (min-max)' % s for s in systems) + ' |\n|---|' + '---|' * len(systems))
    for section, figure in dict.fromkeys((l['section'], l['figure']) for l in lines if l['figure'] != CURVE):
        cells = []
        for system in systems:
            values = [l['value'] for l in lines if (l['section'], l['figure'], l['system']) == (section, figure, system)]
            cells.append('%s (%s-%s) n=%d' % (*map(short, (statistics.median(values), min(values), max(values))),
                                              len(values)) if values else '-')
        print('| %s: %s | %s |' % (section, figure, ' | '.join(cells)))


def short(value):
    return '%d' % round(value) if value >= 100 else '%.3g' % value


def system_of(text):
    path, *settings = text.split(',')
    name, eq, path = path.rpartition('=')
    return System(name or os.path.basename(path), os.path.abspath(path), settings)


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench', description=__doc__, add_help=True,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cluster', type=system_of, action='append', metavar='[NAME=]PATH[,KEY=VALUE...]',
                        help='a cluster script and settings of its nodes (default: tidemark=scripts/cluster)')
    parser.add_argument('--base-port', type=int, default=System.base_port)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--out', default=os.path.join(ROOT, 'build', 'bench.jsonl'))
    parser.add_argument('--pictures', metavar='DIR', help='draw latency over percentile there, as SVG')
    parser.add_argument('sections', nargs='*', metavar='SECTION', help=' '.join(SECTIONS))
    args = parser.parse_args()
    unknown = [s for s in args.sections if s not in SECTIONS]
    if unknown:
        parser.error('no section %s; there are: %s' % (unknown[0], ' '.join(SECTIONS)))
    System.base_port = args.base_port
    systems = args.cluster or [system_of('tidemark=' + os.path.join(ROOT, 'scripts', 'cluster'))]
    lines = []
    with open(args.out, 'a') as out:
        for section in args.sections or SECTIONS:
            for run in range(args.runs):
                for system in systems:
                    load = os.getloadavg()[0]
                    try:
                        with system.fit_for(section):
                            figures = list(SECTIONS[section](system))
                    except RuntimeError as e:
                        print('bench: %s, %s, run %d: %s' % (system.name, section, run + 1, e), file=sys.stderr)
                        continue
                    for figure, value in figures:
                        lines.append(dict(section=section, system=system.name, run=run, figure=figure, value=value,
                                          load=load, time=int(time.time())))
                        print(json.dumps(lines[-1]), file=out, flush=True)
                    print('%s %s %d: %s' % (section, system.name, run + 1, ', '.join(
                        '%s %s' % (f, short(v)) for f, v in figures if f != CURVE)), file=sys.stderr, flush=True)
    table(lines)
    for section in dict.fromkeys(l['section'] for l in lines if l['figure'] == CURVE and args.pictures):
        path = os.path.join(args.pictures, 'latency-%s.svg' % section)
        with open(path, 'w') as f:
            f.write(picture.latencies(section, [(l['system'], l['value']) for l in lines
                                                if (l['section'], l['figure']) == (section, CURVE)]))
        print('drawn: ' + path, file=sys.stderr)


if __name__ == '__main__':
    main()
