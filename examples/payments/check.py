"""Workers and a broker are killed while transfers are carried out; each is whole, and none is made twice."""
import os
import subprocess
import sys

from cases import equal, until
from support import BOOTSTRAP, node, run_steps

COUNT = 300
PART = COUNT // 3  # each worker has so many at least
PROGRAM = [sys.executable, os.path.join(os.path.dirname(os.path.realpath(__file__)), 'payments.py')]


class Worker:
    """Reads what the program says; `with` kills it at the end."""

    def __enter__(self):
        self.process = subprocess.Popen([*PROGRAM, 'work', BOOTSTRAP], stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def carries_out(self, count):
        for _ in range(count):
            line = self.process.stdout.readline()
            assert line.startswith('carried out '), 'the worker ended: code %s' % self.process.wait(10)
        return int(line.split()[-1])


def audit(isolation='read_committed'):
    said = subprocess.run([*PROGRAM, 'audit', BOOTSTRAP, '--isolation', isolation], check=True, capture_output=True,
                          text=True).stdout
    return {name: int(number) for name, number in (line.split() for line in said.splitlines())}


def ask(number):
    subprocess.run([*PROGRAM, 'ask', BOOTSTRAP, '--count', str(PART), '--first', str(number * PART)], check=True)


def die():
    for number in range(2):
        ask(number)
        with Worker() as worker:
            worker.carries_out(PART // 2)
        found = audit()
        equal((found['half'], found['double'], found['sum']), (0, 0, 0))


def lose_a_broker():
    ask(2)
    with Worker() as worker:
        worker.carries_out(PART // 2)
        node('kill', 'broker-2')
        worker.carries_out(PART // 3)
        node('start', 'broker-2')
        until(lambda: worker.carries_out(1) == COUNT - 1, 'the last transfer', 90, 0)


def judge():
    equal(audit(), {'transfers': COUNT, 'half': 0, 'double': 0, 'sum': 0})


run_steps('payments', [('workers are killed', die), ('a broker is killed', lose_a_broker),
                       ('every transfer is whole and made once', judge)])
