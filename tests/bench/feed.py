#!/usr/bin/env python3
"""A failover of the controllers beside many partitions while many brokers subscribe anew.

  tests/bench/feed.py [--partitions N=1000000] [--brokers N=50] [--runs N=3] [--base-port P] [--out FILE]

Three real controllers; the brokers are simulated by tidemark-feed-bench as far as controllers see them: they register,
send heartbeats and read their feeds. Topics of 10 partitions and three replicas are made, then the active controller
is killed -9. What is measured from there on: until the first topic is made, the longest that another one takes within
the next two seconds, until all brokers hear from the new controller, and until all have what they lack. Each run twice:
with brokers that have all, and with brokers that start from nothing and are sent a snapshot. Every run is a line of
JSON in --out (default: build/feed-bench.jsonl).
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get('TIDEMARK_BIN_DIR', os.path.join(ROOT, 'build', 'release', 'bin'))


def cluster(verb, home, *args):
    done = subprocess.run([os.path.join(ROOT, 'scripts', 'cluster'), verb, home, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env=dict(os.environ, TIDEMARK_BIN_DIR=BIN))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def property_of(home, node, key):
    with open(os.path.join(home, node, 'server.properties')) as f:
        return next(line.split('=', 1)[1].strip() for line in f if line.startswith(key + '='))


def cluster_id(home, node):
    for folder, _, files in os.walk(os.path.join(home, node)):
        if 'meta.properties' in files:
            with open(os.path.join(folder, 'meta.properties')) as f:
                return next(line.split('=', 1)[1].strip() for line in f if line.startswith('cluster.id='))
    raise RuntimeError('no meta.properties in ' + home)


def measure(args, from_nothing):
    folder = tempfile.mkdtemp(prefix='tidemark-feed-', dir=args.folder)
    home = os.path.join(folder, 'cluster')
    try:
        cluster('up', home, '--brokers', '1', '--base-port', str(args.base_port))
        cluster('stop', home, 'broker-1')
        nodes = [line.split() for line in cluster('nodes', home).splitlines() if line.startswith('controller')]
        command = [os.path.join(BIN, 'tidemark-feed-bench'), '--cluster-id', cluster_id(home, nodes[0][0]),
                   '--brokers', str(args.brokers), '--partitions', str(args.partitions)]
        for name, pid, address in nodes:
            command += ['--controllers', address, '--pids', pid, '--ids', property_of(home, name, 'node.id')]
        done = subprocess.run(command + ['--from-nothing'] * from_nothing, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError('%s: %s' % (home, done.stderr or done.stdout))
        return json.loads(done.stdout)
    finally:
        cluster('down', home)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--partitions', type=int, default=1000000)
    parser.add_argument('--brokers', type=int, default=50)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--base-port', type=int, default=24592)
    parser.add_argument('--folder', help='where the cluster lies (default: where temporary files do)')
    parser.add_argument('--out', default=os.path.join(ROOT, 'build', 'feed-bench.jsonl'))
    args = parser.parse_args()
    with open(args.out, 'a') as out:
        for run in range(args.runs):
            for from_nothing in (False, True):
                line = json.dumps(dict(run=run, load=os.getloadavg()[0], **measure(args, from_nothing)))
                print(line, flush=True)
                print(line, file=out, flush=True)


if __name__ == '__main__':
    sys.exit(main())
