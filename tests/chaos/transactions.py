#!/usr/bin/env python3
"""Transactions over several partitions and a group's offset run while brokers and controllers are killed and cut off.

Each of four producers (tests/chaos/transactions.cc) commits or aborts transactions; the faults are those of
failover.py. At the end a read_committed reader reads everything, and what was seen is judged:
  torn      a transaction is there in all of its partitions, or in none
  lost      one that was acknowledged as committed is there
  aborted   one that was acknowledged as aborted is not
  twice     no record stands twice, and a producer's stand in the order it sent them
  offsets   the group's offset is that of its last committed transaction
  hanging   no partition holds an open transaction any more: its last stable offset is its end
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import checker  # noqa: E402
import failover  # noqa: E402

PRODUCERS = ['t1', 't2', 't3', 't4']


def judge(logs, final, offsets):
    """logs: {id: lines}; final: lines of a read_committed reader; offsets: {id: committed}. {kind: [findings]}."""
    found = {'torn': [], 'lost': [], 'aborted': [], 'twice': [], 'offsets': []}
    places, newest = {}, {}
    for _, partition, offset, producer, sequence, _ in (l for l in final if l[0] == 'R'):
        key = (int(partition), producer)
        if newest.get(key, -1) >= int(sequence):
            found['twice'].append((*key, int(sequence), int(offset)))
        newest[key] = int(sequence)
        places.setdefault((producer, int(sequence)), set()).add(int(partition))
    for producer, lines in logs.items():
        last = 0
        for _, sequence, outcome, partitions, _ in (l for l in lines if l[0] == 'T'):
            wanted = set() if partitions == '-' else {int(p) for p in partitions.split(',')}
            seen = places.pop((producer, int(sequence)), set())
            what = (producer, int(sequence), outcome, sorted(wanted), sorted(seen))
            if seen and seen != wanted and outcome != 'U' or outcome == 'U' and not seen <= wanted:
                found['torn'].append(what)
            elif outcome == 'C' and seen != wanted:
                found['lost'].append(what)
            elif outcome == 'A' and seen:
                found['aborted'].append(what)
            if outcome == 'C' or outcome == 'U' and seen:
                last = int(sequence) + 1
        if producer in offsets and offsets[producer] != last:
            found['offsets'].append((producer, offsets[producer], last))
    found['lost'] += [('not in any log', *key) for key in places]
    return found


class Run(failover.Run):
    program = 'transactions'

    def begin_load(self):
        for i, name in enumerate(PRODUCERS):
            self.begin(name, 'run', '--id', name, '--partitions', str(failover.PARTITIONS), '--seed',
                       str(self.args.seed + i), program=self.args.transactions)

    def judge(self):
        said = [self.end(name, 60) for name in PRODUCERS]
        # What a producer left open at its end is aborted by its timeout of 10 s.
        check = subprocess.run(self.workload('check', '--partitions', str(failover.PARTITIONS), '--groups',
                                             ','.join(PRODUCERS), program=self.args.transactions),
                               capture_output=True, text=True)
        if check.returncode:
            self.problems.append('hanging: ' + check.stderr.strip())
        offsets = {line.split()[1]: int(line.split()[2]) for line in check.stdout.splitlines()}
        final = subprocess.run(self.workload('read', '--log', self.log('final'), '--partitions',
                                             str(failover.PARTITIONS)), capture_output=True, text=True)
        if final.returncode:
            self.problems.append('final read: ' + final.stderr.strip())
        logs = {name: checker.parse(self.log(name)) for name in PRODUCERS}
        found = judge(logs, checker.parse(self.log('final')), offsets)
        failover.say('')
        for name, words in zip(PRODUCERS, said):
            failover.say('%s %s' % (name, words.splitlines()[-1] if words else 'said nothing'))
        committed = sum(line[2] == 'C' for lines in logs.values() for line in lines)
        failover.say('committed=%d %s' % (committed, ' '.join('%s=%d' % (k, len(v)) for k, v in found.items())))
        if not committed:
            self.problems.append('nothing was committed')
        self.problems += ['%s: %s%s' % (k, v[:5], ' ...' if len(v) > 5 else '') for k, v in found.items() if v]


if __name__ == '__main__':
    sys.exit(failover.main(Run, __doc__))
