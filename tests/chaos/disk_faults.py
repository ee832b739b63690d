"""Disks of brokers that are full for a while, or that begin to fail, and what must be seen of it meanwhile."""
import os
import struct
import time

import checker
import forgetful_disk
import small_disk
import wire

FULL_SECONDS = 5
# Bytes that stay free: below the least that a broker keeps (1 %), down to none.
LEAVE = (0, 0, 100 << 10, 1 << 20)


class Disks:
    def __init__(self, run, full, fails, power):
        """Lays the data folders of the cluster (not yet up) on disks for these faults. `run` is the Run of failover.py."""
        self.run, self.small, self.forgetful, self.fails = run, None, None, fails
        self.folders = ['data', 'data2'] if fails else ['data']
        cluster = os.path.join(run.dir, 'cluster')
        try:
            if full:
                self.small = small_disk.SmallDisks(run.dir, [n for n in run.nodes if n.startswith('broker')], cluster)
            if fails or power:
                program = os.path.join(os.path.dirname(run.args.workload), 'tidemark-forgetfs')
                self.forgetful = forgetful_disk.ForgetfulDisk(program, os.path.join(run.dir, 'disk'), run.nodes, cluster,
                                                              self.folders[1:] if full else self.folders)
        except BaseException:
            self.close()
            raise

    def settings(self):
        return ['--set', 'log.dirs=' + ','.join(self.folders)] if self.fails else []

    def cut(self, node):
        random = self.run.random
        self.forgetful.cut(node, random.getrandbits(32), random.choice([0, 0.1, 0.5, 0.9]))

    def full(self, brokers):
        """The disks of these are full for some seconds: all go on, refuse producers, and have room again by themselves."""
        word, leave = 'producers are refused', self.run.random.choice(LEAVE)
        before = {broker: self.run.said(broker).count(word) for broker in brokers}
        processes = self.run.do('nodes')
        end = time.monotonic() + FULL_SECONDS
        try:
            while time.monotonic() < end:
                for broker in brokers:
                    self.small.fill(broker, leave)
                time.sleep(0.1)
        finally:
            for broker in brokers:
                self.small.free(broker)
        freed = self.run.now_ms()
        for broker in brokers:
            said = self.run.said(broker)
            if said.count(word) == before[broker]:
                raise RuntimeError('%s refused nobody while its disk was full' % broker)
            if 'directory is offline' in said:
                raise RuntimeError('a directory of %s went offline because its disk was full' % broker)
        self.acknowledged_since(freed)
        if self.run.do('nodes') != processes:
            raise RuntimeError('a full disk ended a process: ' + self.run.do('nodes'))

    def fail(self, broker):
        """One directory of the broker fails: what lies there is led elsewhere, the rest stays. Then the broker is stopped
        or killed and the disk mended, with what was synced at least."""
        random, topic = self.run.random, self.run.topic
        folder = random.choice(self.forgetful.folders)
        lost = {int(name.rpartition('-')[2]) for name in os.listdir(self.forgetful.path(broker, folder))
                if name.rpartition('-')[0] == topic}
        if not lost:
            raise RuntimeError('%s of %s holds no partition' % (folder, broker))
        self.forgetful.fail(broker, folder, random.choice(['writes', 'all']))
        self.wait(lambda: self.moved(int(broker.rpartition('-')[2]), lost),
                  'other leaders for partitions %s of %s of %s' % (sorted(lost), folder, broker))
        self.acknowledged_since(self.run.now_ms())
        self.run.do(random.choice(['stop', 'kill']), broker)
        self.forgetful.mend(broker, folder)
        if random.random() < 0.5:
            self.cut(broker)

    def moved(self, broker, lost):
        """In the eyes of another broker."""
        port = self.run.ports[broker % len(self.run.ports)]
        try:
            partitions = wire.metadata(port, [self.run.topic])['topics'][self.run.topic]['partitions']
        except (OSError, struct.error, KeyError):
            return False
        return all(p['leader'] not in (-1, broker) and broker not in p['isr'] if p['index'] in lost
                   else broker in p['isr'] for p in partitions)

    def acknowledged_since(self, ms):
        """Every partition takes records again."""
        def all_took():
            newest = {}
            for producer in ('p1', 'p2'):
                for partition, times in checker.gaps(checker.parse(self.run.log(producer))).items():
                    newest[partition] = max(times[-1], newest.get(partition, 0))
            return len(newest) == self.run.partitions and min(newest.values()) > ms
        self.wait(all_took, 'acknowledgements in every partition')

    def wait(self, test, what):
        end = time.monotonic() + self.run.args.patience
        while not test():
            if time.monotonic() > end:
                raise RuntimeError('no %s within %d s' % (what, self.run.args.patience))
            time.sleep(0.1)

    def close(self):
        if self.forgetful:
            self.forgetful.close()
        if self.small:
            self.small.close()
