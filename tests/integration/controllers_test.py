#!/usr/bin/env python3
"""All controllers are restarted, one after the other (SIGTERM), three times, while topics are made, grown and deleted:
no call fails. A second process on a controller's directory is refused, and changes nothing."""
import os
import random
import sys
import threading

import process
from cases import Cases, equal, until

sys.path.insert(0, os.path.join(process.ROOT, 'tests', 'chaos'))
import controller_kills as kills  # noqa: E402

BASE = 25492
WORKERS = 3


def main():
    cases = Cases('rolling restart', seconds=150)
    with process.Cluster(BASE, '--brokers', '1') as cluster:
        run(cases, cluster)
    cases.done()


def run(cases, cluster):
    calls, ledger, stop = kills.Calls(BASE), kills.Ledger(), threading.Event()

    def restarts():
        threads = [threading.Thread(target=kills.work, args=(n, 1, calls, ledger, stop)) for n in range(WORKERS)]
        for thread in threads:
            thread.start()
        try:
            for node in random.Random(1).choices(kills.CONTROLLERS, k=3) + list(kills.CONTROLLERS) * 2:
                cluster.do('stop', node)
                cluster.do('start', node)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        print(ledger.counts)
        equal(ledger.wrong, [])
        equal((ledger.counts['refused'], ledger.counts['unknown']), (0, 0))
        assert ledger.counts['done'] > 50, ledger.counts
        kills.compare(ledger, calls.topics(), 'after the restarts')
    cases.run('no call fails while every controller is restarted', restarts)

    def two_processes():
        node = cluster.do('active')
        code, said = process.end_of('tidemark-controller', '--config', cluster.path(node, 'server.properties'),
                                    cwd=cluster.path(node))
        assert code not in (0, None), (code, said)
        assert any('another process is using the directory' in line for line in said), said
        equal(cluster.do('active'), node)
        equal(until(calls.topics, 'the topics are there'), calls.topics())
    cases.run('a second process on the directory is refused', two_processes)


if __name__ == '__main__':
    sys.exit(main())
