#!/usr/bin/env python3
"""What deploy/ offers fits the binaries: units are valid, example settings are all known and allowed."""
import os
import re
import subprocess
import sys
import tempfile

import process
from cases import Cases, equal

DEPLOY = os.path.join(process.ROOT, 'deploy')


def unit(role):
    """systemd finds nothing wrong in the unit, once its program is where the build put it."""
    with open(os.path.join(DEPLOY, 'systemd', 'tidemark-%s.service' % role)) as f:
        text = f.read()
    assert 'Type=notify' in text
    program = os.path.join(process.BIN, 'tidemark-' + role)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'tidemark-%s.service' % role)
        with open(path, 'w') as f:
            f.write(re.sub(r'/usr/bin/tidemark-\w+', program, text))
        done = subprocess.run(['systemd-analyze', 'verify', '--recursive-errors=no', path], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        equal((done.returncode, done.stderr.strip()), (0, ''))


def example(role):
    """As it is, and with every commented setting switched on, no key is unknown and no value is refused."""
    with open(os.path.join(DEPLOY, 'config', role + '.properties')) as f:
        text = f.read()
    everything = re.sub(r'^#(?=[a-z][\w.]*=)', '', text, flags=re.M)
    assert everything != text, 'no commented setting'
    for form in (text, everything):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'server.properties')
            with open(path, 'w') as f:
                f.write(form)
            # An empty directory: the process reads all its settings, then asks for a formatted one.
            code, lines = process.end_of('tidemark-' + role, '--config', path, '--override', 'log.dirs=' + folder)
            equal(code, 1)
            said = '\n'.join(lines)
            assert 'unknown configuration' not in said, said
            assert 'storage format' in lines[-1], said


cases = Cases('deploy')
for each in ('controller', 'broker'):
    cases.run('systemd unit of the ' + each, unit, each)
    cases.run('example settings of the ' + each, example, each)
cases.done()
