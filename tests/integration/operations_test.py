#!/usr/bin/env python3
"""The procedures of docs/operations.md, as they stand there: every command of every block is run, in order, by three
controllers 1 to 3 at a, b and c, and a fourth at d. A procedure that this test does not know fails it."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import process
from cases import Cases, equal, until

BASE = 25800
NEWEST = 4  # level of metadata.version
TIDEMARK = os.path.abspath(os.path.join(process.BIN, 'tidemark'))
IDS = (1, 2, 3, 4)


def port(controller):
    return BASE + controller


def address(host):
    return '127.0.0.1:%d' % port('abcd'.index(host) + 1)


def procedures():
    """{heading: [command]}; a block that names its language is no commands."""
    with open(os.path.join(process.ROOT, 'docs', 'operations.md')) as f:
        text = f.read()
    found, heading, inside = {}, None, None
    for line in text.splitlines():
        if line.startswith('#') and inside is None:
            heading = line.strip('# ')
        elif line.startswith('```'):
            inside = line[3:] if inside is None else None
        elif inside == '' and line.strip():
            found.setdefault(heading, []).append(line)
    voters = re.search(r'`controller\.quorum\.voters=(\S+)`', text).group(1)
    return found, re.sub(r'([a-d]):9093', lambda m: address(m.group(1)), voters)


class Machine:
    """The controllers' files, and those that run."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}
        self.commands, self.voters = procedures()
        self.done = set()

    def path(self, controller, *more):
        return os.path.join(self.folder, str(controller), *more)

    def data(self, controller):
        return self.path(controller, 'data')

    def write(self, controller, **settings):
        os.makedirs(self.path(controller), exist_ok=True)
        with open(self.path(controller, 'server.properties'), 'w') as f:
            f.write('node.id=%d\nlog.dirs=%s\nlisteners=CONTROLLER://127.0.0.1:%d\nhttp.port=-1\n' % (
                controller, self.data(controller), port(controller)))
            f.writelines('%s=%s\n' % (key.replace('_', '.'), value) for key, value in settings.items())

    def joins(self, controller):
        """Its file does not name the voters."""
        self.write(controller, controller_quorum_bootstrap_servers=','.join('127.0.0.1:%d' % port(i) for i in IDS))

    def start(self, controller):
        self.running[controller] = process.Running('tidemark-controller', '--config',
                                                   self.path(controller, 'server.properties'))
        assert self.running[controller].says('controller: started'), self.running[controller].said()

    def end(self, controller, kill=False):
        running = self.running.pop(controller)
        if not kill:
            equal(running.stop(), 0)
        running.__exit__()

    def tidemark(self, *args):
        return subprocess.run([TIDEMARK, *args, '--bootstrap-controllers',
                               ','.join('127.0.0.1:%d' % port(i) for i in self.running)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, env=process.CLEAN)

    def run(self, heading, index, controller=None, **names):
        """A command of a procedure; what it printed."""
        line = self.commands[heading][index]
        self.done.add((heading, index))
        if controller is not None:
            names['FILE'] = self.path(controller, 'server.properties')
        words = [names.get(word, word) for word in shlex.split(line)]
        words = [re.sub(r'^([a-d]):9093$', lambda m: address(m.group(1)), word) for word in words]
        equal(words[0], 'tidemark')
        done = self.tidemark(*words[1:])
        equal((line, done.returncode, done.stderr), (line, 0, ''))
        return done.stdout

    def status(self):
        done = self.tidemark('quorum', 'status', '--format', 'json')
        return json.loads(done.stdout) if done.returncode == 0 else dict(leader=-1, voters=[], learners=[])

    def leads(self, *who):
        until(lambda: self.status()['leader'] in (who or self.running), 'one of %s leads' % (who,))

    def voters_are(self, *ids):
        equal(sorted(v['id'] for v in self.status()['voters']), list(ids))

    def directory(self, controller):
        done = self.tidemark('storage', 'info', self.data(controller), '--format', 'json')
        return json.loads(done.stdout)[0]['directory_id']

    def create(self, topic):
        """Without brokers nothing can be created, but settings can be changed."""
        equal(self.tidemark('config', 'set', 'broker', 'default', 'message.max.bytes=%d' % topic).returncode, 0)

    def knows(self, topic):
        said = self.tidemark('config', 'get', 'broker', 'default').stdout
        assert str(topic) in said, said


def begin(m, cluster):
    for controller in 1, 2, 3:
        m.write(controller, controller_quorum_voters=m.voters)
        m.run('Begin', 0, controller, ID=cluster)
        m.start(controller)
    m.leads()
    until(lambda: all(v['directory_id'] != '-' for v in m.status()['voters']), 'the voters are known')
    m.voters_are(1, 2, 3)
    m.create(1000001)


def status(m):
    assert 'leader' in m.run('The controllers', 0)


def features(m):
    def level():
        done = m.tidemark('features', 'describe', '--format', 'json')
        return done.returncode == 0 and json.loads(done.stdout)['features'][0]['level']
    until(lambda: level() == NEWEST, 'the newest level')
    assert 'metadata.version' in m.run('Upgrade and downgrade', 0)
    m.run('Downgrade', 0)
    equal(level(), 1)
    m.run('Upgrade', 0)
    equal(level(), 1)
    m.run('Upgrade', 1)
    equal(level(), NEWEST)


def rules(m):
    for i in range(5):
        m.run('What clients may do', i)
    assert 'deny' in m.run('What clients may do', 5).lower()


def add(m, cluster):
    m.joins(4)
    m.run('Add one', 0, 4, ID=cluster)
    m.start(4)
    until(lambda: [x['id'] for x in m.status()['learners']] == [4], 'the fourth follows')
    m.run('Add one', 1, NEW=m.directory(4))
    m.voters_are(1, 2, 3, 4)


def remove(m):
    m.run('Remove one', 0)
    m.voters_are(1, 2, 3)
    m.end(4)


def damage(path):
    """Bytes in the middle of every file of the database that has some."""
    for name in os.listdir(path):
        full = os.path.join(path, name)
        size = os.path.getsize(full)
        if name.endswith(('.log', '.sst')) or name.startswith('MANIFEST'):
            with open(full, 'r+b') as f:
                for at in range(size // 3, size, max(1, size // 3)):
                    f.seek(at)
                    byte = f.read(1)
                    f.seek(at)
                    f.write(bytes([byte[0] ^ 0xff]))


def replace(m, cluster):
    """Of one whose database is damaged: it refuses to start, and says what to do."""
    old = m.directory(3)
    m.end(3, kill=True)
    damage(os.path.join(m.data(3), 'raft'))
    code, lines = process.end_of('tidemark-controller', '--config', m.path(3, 'server.properties'))
    equal(code, 1)
    assert 'is damaged' in lines[-1], lines[-1]
    os.rename(m.data(3), m.path(3, 'damaged'))
    rebuilt(m, cluster, old)
    shutil.rmtree(m.path(3, 'damaged'))


def rebuilt(m, cluster, old=None):
    """The third, formatted anew."""
    m.joins(3)
    m.run('Replace a lost disk', 0, 3, ID=cluster)
    m.start(3)
    if old:
        m.run('Replace a lost disk', 1, OLD=old)
    m.run('Replace a lost disk', 2, NEW=m.directory(3))
    assert 3 in [v['id'] for v in m.status()['voters']]


def lead(m):
    m.run('Let another one lead', 0)
    m.leads(2)


def back_up(m, file):
    assert 'wrote ' + file in m.run('Back up the metadata', 0, BACKUP=file)


def recover(m, cluster):
    m.create(1000002)
    for controller in 1, 3:
        m.end(controller, kill=True)
        shutil.rmtree(m.data(controller))
    m.end(2)
    assert 'only voter' in m.run('Recover from one survivor', 0, 2)
    m.start(2)
    m.leads(2)
    m.voters_are(2)
    m.knows(1000002)
    rebuilt(m, cluster)
    m.voters_are(2, 3)


def restore(m, cluster, file):
    for controller in 2, 3:
        m.end(controller)
        shutil.rmtree(m.data(controller))
    m.joins(1)
    assert cluster in m.run('Restore the metadata', 0, 1, BACKUP=file)
    m.start(1)
    m.leads(1)
    m.knows(1000001)
    rebuilt(m, cluster)
    m.voters_are(1, 3)
    m.run('Restore the metadata', 1)


def nothing_left_out(m):
    wanted = {(heading, i) for heading, lines in m.commands.items() for i in range(len(lines))}
    equal(sorted(wanted - m.done), [])


def main():
    cases = Cases('operations')
    with tempfile.TemporaryDirectory() as folder:
        m, file = Machine(folder), os.path.join(folder, 'metadata.backup')
        cluster = subprocess.run([TIDEMARK, 'storage', 'random-uuid'], capture_output=True, text=True,
                                 check=True).stdout.strip()
        try:
            cases.run('begin', begin, m, cluster)
            cases.run('status', status, m)
            cases.run('feature levels', features, m)
            cases.run('what clients may do', rules, m)
            cases.run('add one', add, m, cluster)
            cases.run('remove one', remove, m)
            cases.run('replace a lost disk', replace, m, cluster)
            cases.run('let another one lead', lead, m)
            cases.run('back up the metadata', back_up, m, file)
            cases.run('recover from one survivor', recover, m, cluster)
            cases.run('restore the metadata', restore, m, cluster, file)
            cases.run('no command is left out', nothing_left_out, m)
        finally:
            for running in m.running.values():
                running.__exit__()
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
