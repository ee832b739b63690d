"""Judges what clients saw: the logs of tidemark-workload (their form is told in workload.cc).

Whatever happens to the cluster, these must hold:
  lost        every acknowledged record is read, at the offset it was acknowledged at
  duplicated  no record stands at two offsets
  disordered  in a partition, a producer's records stand in the order it sent them
  conflicts   all readers, at all times, saw the same record at an offset
"""
import collections

Verdict = collections.namedtuple('Verdict', 'acknowledged read lost duplicated disordered conflicts')


def parse(path):
    """[fields] of each whole line."""
    with open(path) as f:
        return [line.split() for line in f.read().split('\n')[:-1]]


def judge(produced, final, others):
    """produced: {producer id: lines}; final: lines of a full read after the end; others: lines of further readers."""
    at = {}           # (partition, offset) -> (producer, sequence)
    places = {}       # (partition, producer, sequence) -> offset
    duplicated, conflicts, lost, disordered = [], [], [], []
    for _, partition, offset, producer, sequence, _ in (l for l in final if l[0] == 'R'):
        partition, offset, sequence = int(partition), int(offset), int(sequence)
        before = at.setdefault((partition, offset), (producer, sequence))
        if before != (producer, sequence):
            conflicts.append((partition, offset, before, (producer, sequence)))
            continue
        first = places.setdefault((partition, producer, sequence), offset)
        if first != offset:
            duplicated.append((partition, producer, sequence, first, offset))
    for lines in others:
        for _, partition, offset, producer, sequence, _ in (l for l in lines if l[0] == 'R'):
            key, value = (int(partition), int(offset)), (producer, int(sequence))
            if at.get(key) != value:
                conflicts.append((*key, at.get(key), value))
    acknowledged = 0
    for producer, lines in produced.items():
        for _, partition, sequence, offset, _ in (l for l in lines if l[0] == 'A'):
            acknowledged += 1
            found = places.get((int(partition), producer, int(sequence)))
            # Below 0: the broker had it already and no longer knew where.
            if found is None or (found != int(offset) and int(offset) >= 0):
                lost.append((int(partition), producer, int(sequence), int(offset), found))
    newest = {}
    for (partition, offset), (producer, sequence) in sorted(at.items()):
        if newest.get((partition, producer), -1) > sequence:
            disordered.append((partition, offset, producer, sequence))
        newest[partition, producer] = max(sequence, newest.get((partition, producer), -1))
    return Verdict(acknowledged, len(at), lost, duplicated, disordered, conflicts)


def ends(lines):
    """{partition: newest offset} of what was read."""
    newest = {}
    for line in lines:
        if line[0] == 'R':
            newest[int(line[1])] = max(int(line[2]), newest.get(int(line[1]), -1))
    return newest


def gaps(lines, kind='A'):
    """{partition: sorted times in ms} of the log's A or R lines."""
    times = collections.defaultdict(list)
    for line in lines:
        if line[0] == kind:
            times[int(line[1])].append(int(line[-1]))
    return {p: sorted(t) for p, t in times.items()}


# Acknowledgements come far more often than this: a gap that began longer before a fault is another fault's.
BEFORE_MS = 150


def longest_gap(times, begin, end):
    """Longest time between two neighbours in a partition that began at a fault or until the next one, in ms."""
    longest = 0
    for series in times.values():
        for a, b in zip(series, series[1:]):
            if begin - BEFORE_MS <= a < end and b > begin:
                longest = max(longest, b - a)
    return longest
