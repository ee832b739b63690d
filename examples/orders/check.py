"""A broker is killed while orders come in; each one that was acknowledged is there, once and in its customer's order."""
import os
import subprocess
import sys

from cases import equal, until
from support import BOOTSTRAP, node, run_steps

COUNT = 4000
PROGRAM = [sys.executable, os.path.join(os.path.dirname(os.path.realpath(__file__)), 'orders.py')]
placed = []


def place():
    shop = subprocess.Popen([*PROGRAM, 'place', BOOTSTRAP, '--count', str(COUNT), '--rate', '1000'],
                            stdout=subprocess.PIPE, text=True)
    for line in shop.stdout:
        outcome, number = line.split()
        equal(outcome, 'placed')
        placed.append(int(number))
        if len(placed) == COUNT // 4:
            node('kill', 'broker-1')
        if len(placed) == COUNT // 2:
            node('start', 'broker-1')
    equal(shop.wait(60), 0)
    equal(sorted(placed), list(range(COUNT)))


def listed():
    lines = subprocess.run([*PROGRAM, 'list', BOOTSTRAP], check=True, capture_output=True, text=True).stdout.splitlines()
    customers = {}
    for number, customer in (line.split() for line in lines):
        customers.setdefault(customer, []).append(int(number))
    return customers


def read():
    until(lambda: sum(map(len, listed().values())) >= COUNT, 'all orders', pause=1)
    found = listed()
    equal(sum(map(len, found.values())), COUNT)
    for customer, numbers in found.items():
        equal((customer, numbers), (customer, list(range(int(customer[1:]), COUNT, 100))))


run_steps('orders', [('orders are placed while a broker is killed', place), ('none is missing, none twice', read)])
