"""The west is killed; the counter goes on in the east, misses nothing, and reads again only what is a moment old."""
import os
import subprocess
import sys

from cases import equal, until
from confluent_kafka import Consumer, TopicPartition
from support import BOOTSTRAP as WEST
from support import FOLDER, Program, node, run_steps, second_cluster, stop_cluster

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAM = [sys.executable, os.path.join(HERE, 'regions.py')]
VISITS, LATER, COUNTED, PARTS = 600, 50, 400, 6


class Regions:
    def __init__(self):
        self.home, self.east, self.mirror, self.counted = None, None, None, []

    def begin(self):
        self.home, self.east = second_cluster('east')
        self.part(0)

    def part(self, number):
        """Some visits, and some of them counted."""
        visits, counted = VISITS // PARTS, COUNTED // PARTS
        subprocess.run([*PROGRAM, 'visit', WEST, '--count', str(visits), '--first', str(number * visits)], check=True)
        said = subprocess.run([*PROGRAM, 'count', WEST, '--count', str(counted)], check=True, capture_output=True, text=True)
        self.counted += map(int, said.stdout.split())
        equal(len(set(self.counted)), counted * (number + 1))

    def copy(self):
        """MirrorMaker knows no positions from before it was started, so visits go on meanwhile."""
        config = os.path.join(FOLDER, 'mirror.properties')
        with open(os.path.join(HERE, 'mirror.properties')) as source, open(config, 'w') as f:
            f.write(source.read().replace('WEST', WEST).replace('EAST', self.east))
            f.write('plugin.discovery = service_load\neast.plugin.discovery = service_load\n')
        self.mirror = Program('mirror', 'org.apache.kafka.connect.mirror.MirrorMaker', config)
        for number in range(1, PARTS):
            until(lambda: self.ends() == number * VISITS // PARTS, 'a copy of what was visited', 120, 0.5)
            self.part(number)
        until(self.copied, 'the copies of visits and of the counter', 120, 0.5)

    def ends(self):
        """How many visits are in the east. (Copied without transactions.)"""
        east = Consumer({'bootstrap.servers': self.east, 'group.id': 'counter', 'log_level': 0})
        try:
            if 'west.visits' not in east.list_topics(timeout=10).topics:
                return 0
            return sum(east.get_watermark_offsets(tp, timeout=10)[1] for tp in self.copies())
        finally:
            east.close()

    @staticmethod
    def copies():
        return [TopicPartition('west.visits', p) for p in range(2)]

    def copied(self):
        """Are all visits in the east, and the counter about where it is in the west?"""
        east, west = (Consumer({'bootstrap.servers': at, 'group.id': 'counter', 'log_level': 0}) for at in (self.east, WEST))
        try:
            there = west.committed([TopicPartition('visits', p) for p in range(2)], timeout=10)
            here = east.committed(self.copies(), timeout=10)
            return self.ends() == VISITS and all(w.offset < 0 or 0 <= e.offset <= w.offset for w, e in zip(there, here))
        finally:
            east.close()
            west.close()

    def lose_the_west(self):
        for kind in ('broker', 'controller'):
            for i in range(3):
                node('kill', '%s-%d' % (kind, i + 1))
        self.mirror.kill()
        subprocess.run([*PROGRAM, 'visit', self.east, '--count', str(LATER), '--first', str(VISITS)], check=True)
        counter = subprocess.Popen([*PROGRAM, 'count', self.east, '--count', '100000'], stdout=subprocess.PIPE, text=True)
        missing = set(range(VISITS + LATER)) - set(self.counted)
        again = 0
        try:
            for line in counter.stdout:
                again += int(line) not in missing
                missing.discard(int(line))
                if not missing:
                    break
        finally:
            counter.kill()
        equal(missing, set())
        assert again < COUNTED, 'it began at the beginning'


regions = Regions()
try:
    run_steps('regions', [('visits are counted in the west', regions.begin), ('the east gets a copy', regions.copy),
                          ('the west is lost, the counter goes on in the east', regions.lose_the_west)])
finally:
    if regions.mirror:
        regions.mirror.kill()
    if regions.home:
        stop_cluster(regions.home)
