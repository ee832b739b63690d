#!/usr/bin/env python3
"""Small changes to three controllers beside three members of etcd, in turn, run after run.

  tests/bench/quorum.py [--runs N=3] [--clients 1,16,64] [--seconds 5] [--etcd BINARY] [--base-port P] [--out FILE]

Both have three members on this machine's one disk and sync what they acknowledge; the client is the same program for
both (tidemark-proposals), a connection for each client, to the leader. etcd is Debian's (etcd-server), as it comes but
for its folders and ports. Every run is a line of JSON in --out (default: build/quorum-bench.jsonl).
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BIN = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))
TICKS = os.sysconf('SC_CLK_TCK')
BASE = 26092


def cpu_of(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def metric(url, name):
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = re.search(r'^%s (\S+)$' % name, answer.read().decode(), re.M)
    return float(found.group(1))


class Tidemark:
    name = 'tidemark'

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='tidemark-quorum-')
        self.home = os.path.join(self.folder, 'cluster')
        self.do('up', self.home, '--brokers', '1', '--base-port', str(BASE))
        return self

    def __exit__(self, *_):
        self.do('down', self.home)
        shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, *args):
        done = subprocess.run([os.path.join(ROOT, 'scripts', 'cluster'), *args], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, env=dict(os.environ, TIDEMARK_BIN_DIR=BIN))
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def nodes(self):
        lines = [line.split() for line in self.do('nodes', self.home).splitlines()]
        return {n[0]: (int(n[1]), n[2]) for n in lines if n[0].startswith('controller')}

    def pids(self):
        return [pid for pid, _ in self.nodes().values()]

    def leader(self):
        return self.nodes()[self.do('active', self.home)][1]

    def syncs(self):
        return sum(metric('http://127.0.0.1:%d/metrics' % (BASE + 250 + i), 'tidemark_raft_disk_write_seconds_count')
                   for i in range(len(self.nodes())))


class Etcd:
    name = 'etcd'

    def __init__(self, binary):
        self.binary = binary

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix='etcd-quorum-')
        peers = ['http://127.0.0.1:%d' % (BASE + 400 + i) for i in range(3)]
        self.clients = ['http://127.0.0.1:%d' % (BASE + 410 + i) for i in range(3)]
        cluster = ','.join('m%d=%s' % (i, peer) for i, peer in enumerate(peers))
        self.members = []
        for i in range(3):
            log = open(os.path.join(self.folder, 'log%d' % i), 'w')
            self.members.append(subprocess.Popen(
                [self.binary, '--name', 'm%d' % i, '--data-dir', os.path.join(self.folder, 'm%d' % i),
                 '--listen-peer-urls', peers[i], '--initial-advertise-peer-urls', peers[i],
                 '--listen-client-urls', self.clients[i], '--advertise-client-urls', self.clients[i],
                 '--initial-cluster', cluster, '--initial-cluster-state', 'new'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self.leader()
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.terminate()
        for member in self.members:
            member.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [member.pid for member in self.members]

    def leader(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for url in self.clients:
                try:
                    if metric(url + '/metrics', 'etcd_server_is_leader') == 1:
                        return url.rsplit('/', 1)[1]
                except (OSError, AttributeError):
                    pass
            time.sleep(0.05)
        raise RuntimeError('etcd has no leader after %d s: %s' % (seconds, self.folder))

    def syncs(self):
        return sum(metric(url + '/metrics', 'etcd_disk_wal_fsync_duration_seconds_count') for url in self.clients)


def measure(system, clients, seconds):
    syncs, cpu = system.syncs(), sum(map(cpu_of, system.pids()))
    done = subprocess.run([os.path.join(BIN, 'tidemark-proposals'), '--system', system.name, '--endpoint',
                           system.leader(), '--clients', str(clients), '--seconds', str(seconds)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    line = json.loads(done.stdout)
    # One second of them is not counted, in the changes; so these two are of a little more.
    made = line['changes'] * (seconds + 1) / seconds
    line.update(system=system.name, clients=clients, syncs_per_change=(system.syncs() - syncs) / made,
                cpu_us_per_change=(sum(map(cpu_of, system.pids())) - cpu) * 1e6 / made)
    return line


def middle(lines, key):
    values = sorted(line[key] for line in lines)
    return '%.4g (%.4g-%.4g)' % (statistics.median(values), values[0], values[-1])


def table(lines):
    keys = ['per_second', 'p50_us', 'p99_us', 'syncs_per_change', 'cpu_us_per_change', 'refused']
    print('| clients | system | ' + ' | '.join(keys) + ' |')
    print('|---|---' + '|---' * len(keys) + '|')
    for clients in sorted({line['clients'] for line in lines}):
        for name in ('tidemark', 'etcd'):
            those = [line for line in lines if line['clients'] == clients and line['system'] == name]
            if those:
                print('| %d | %s | %s |' % (clients, name, ' | '.join(middle(those, key) for key in keys)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--clients', default='1,16,64')
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--etcd', default=shutil.which('etcd'))
    parser.add_argument('--base-port', type=int, default=BASE)
    parser.add_argument('--out', default=os.path.join(ROOT, 'build', 'quorum-bench.jsonl'))
    args = parser.parse_args()
    globals()['BASE'] = args.base_port
    if not args.etcd or not os.access(args.etcd, os.X_OK):
        sys.exit('quorum: no etcd here: install the package etcd-server, or name the program with --etcd')
    lines = []
    with open(args.out, 'a') as out:
        for run in range(args.runs):
            for system in (Tidemark(), Etcd(args.etcd)):
                with system:
                    for clients in map(int, args.clients.split(',')):
                        line = measure(system, clients, args.seconds)
                        line['run'] = run
                        lines.append(line)
                        out.write(json.dumps(line) + '\n')
                        out.flush()
                        print(json.dumps(line), flush=True)
    table(lines)


if __name__ == '__main__':
    main()
