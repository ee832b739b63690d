#!/usr/bin/env python3
"""What idle partitions cost a cluster, and what they do to one record's latency.

  idle_partitions.py [--partitions N=10000] [--runs 3] [--seconds 20]
                     [--records 300] [--base-port P=19292]

Brings up three controllers and three brokers (release build) with N partitions
of three replicas, all in sync, and nobody writing. A line of JSON a run: the
CPU each broker takes, in per cent of a core, and the latency of acks=all
records sent one at a time to a partition beside them (tidemark-load latency),
in microseconds. Run it with --partitions 1 as well: the rest is theirs.
"""
import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'integration'))
import process  # noqa: E402
import wire  # noqa: E402

TICK = os.sysconf('SC_CLK_TCK')
PER_TOPIC = 1000


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def create(ports, partitions):
    made = 0
    while made < partitions:
        count = min(PER_TOPIC, partitions - made)
        name = 'idle-%d' % made
        error, message = wire.create_topic(ports[0], name, count, 3)
        if error:
            sys.exit('cannot create %s: %s' % (name, message))
        good, why = wire.wait_healthy(ports, name, 3, 120)
        if not good:
            sys.exit(why)
        made += count


def run(ports, pids, seconds, records):
    before = [cpu_seconds(pid) for pid in pids]
    begin = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begin
    idle = [round(100 * (cpu_seconds(pid) - b) / passed, 2) for pid, b in zip(pids, before)]
    done = subprocess.run([os.path.join(process.BIN, 'tidemark-load'), 'latency', '--bootstrap',
                           '127.0.0.1:%d' % ports[0], '--topic', 'probe', '--records', str(records)],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit('tidemark-load: ' + done.stderr)
    return dict(idle_cpu_percent=idle, latency=json.loads(done.stdout))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--partitions', type=int, default=10000)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--records', type=int, default=300)
    parser.add_argument('--base-port', type=int, default=19292)
    args = parser.parse_args()
    with process.Cluster(args.base_port) as cluster:
        ports = [args.base_port + i for i in range(3)]
        nodes = [line.split() for line in cluster.do('nodes').splitlines()]
        pids = [int(pid) for name, pid, _ in nodes if name.startswith('broker')]
        create(ports, args.partitions)
        wire.create_topic(ports[0], 'probe', 1, 3)
        wire.wait_healthy(ports, 'probe', 3, 30)
        time.sleep(5)
        for _ in range(args.runs):
            print(json.dumps(dict(partitions=args.partitions, **run(ports, pids, args.seconds, args.records))),
                  flush=True)


if __name__ == '__main__':
    main()
