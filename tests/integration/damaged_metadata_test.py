#!/usr/bin/env python3
"""Bytes of a controller's database change on the disk: it refuses to start and says so, or has lost nothing."""
import os
import shutil
import subprocess
import sys
import tempfile

import process
from cases import Cases, equal, until

PORT = 25900
SETTINGS = 40
PLACES = 7


def tidemark(*args):
    return subprocess.run([os.path.join(process.BIN, 'tidemark'), *args, '--bootstrap-controllers',
                           '127.0.0.1:%d' % PORT], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          env=process.CLEAN)


def value(number):
    return str(1000000 + number)


class Controller:
    def __init__(self, folder):
        self.data, self.config = os.path.join(folder, 'data'), os.path.join(folder, 'server.properties')
        with open(self.config, 'w') as f:
            f.write('node.id=1\nlog.dirs=%s\nlisteners=CONTROLLER://127.0.0.1:%d\nhttp.port=-1\n'
                    'controller.quorum.bootstrap.servers=127.0.0.1:%d\n' % (self.data, PORT, PORT))

    def running(self):
        return process.Running('tidemark-controller', '--config', self.config)


def fill(controller):
    """Some of it is in tables, some in the log; and it is killed."""
    equal(tidemark('storage', 'format', '--config', controller.config, '--standalone').returncode, 0)
    for run in range(2):
        with controller.running() as running:
            assert running.says('controller: active'), running.said()
            for i in range(run * SETTINGS // 2, (run + 1) * SETTINGS // 2):
                done = tidemark('config', 'set', 'broker', 'default', 'message.max.bytes=' + value(i))
                equal((done.returncode, done.stderr), (0, ''))


def files(controller, kind):
    raft = os.path.join(controller.data, 'raft')
    return [os.path.join(raft, name) for name in sorted(os.listdir(raft))
            if (name.startswith(kind) or name.endswith(kind)) and os.path.getsize(os.path.join(raft, name)) > 0]


def flip(path, at):
    with open(path, 'r+b') as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x20]))


def damage(controller, kind):
    """One flipped byte at a time, in copies; at least one has to be refused."""
    sound = controller.data + '.sound'
    refused = 0
    for path in files(controller, kind):
        size = os.path.getsize(path)
        for at in sorted({size * i // PLACES for i in range(PLACES)} | {size - 1}):
            os.rename(controller.data, sound)
            shutil.copytree(sound, controller.data)
            flip(path, at)
            try:
                refused += starts_whole_or_not(controller, (os.path.basename(path), at, size))
            finally:
                shutil.rmtree(controller.data)
                os.rename(sound, controller.data)
    assert refused > 0, 'no flipped byte was noticed'


def starts_whole_or_not(controller, where):
    """True: it has refused."""
    with controller.running() as running:
        until(lambda: running.process.poll() is not None or 'controller: active' in running.said(), 'it starts or not')
        if running.process.poll() is not None:
            said = running.said().strip().splitlines()[-1]
            assert running.process.returncode == 1, (where, running.process.returncode, said)
            assert 'is damaged' in said or 'cannot open' in said or 'is gone' in said, (where, said)
            return True
        said = tidemark('config', 'get', 'broker', 'default').stdout
        assert value(SETTINGS - 1) in said, (where, said)
        return False


def main():
    cases = Cases('damaged metadata')
    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(folder)
        cases.run('a controller that is killed', fill, controller)
        for kind in '.log', '.sst', 'MANIFEST', 'CURRENT':
            cases.run('a flipped byte in ' + kind, damage, controller, kind)
    cases.done()


if __name__ == '__main__':
    sys.exit(main())
