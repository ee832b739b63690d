"""A network of namespaces on this machine: a hub, where the clients run, and one namespace a node (needs root).

Every node has an address of its own on a bridge in the hub. A cut is a firewall rule in the node's namespace: packets
vanish without a word, as on a network, and it can be for some peers or in one direction only. Names carry the process
id of the maker, so that what a killed run has left is found and removed by the next one.
"""
import os
import re
import subprocess

PREFIX = 'tmc%d-'
HUB, HUB_ADDRESS = 'hub', '10.91.0.254'
FIRST = {'broker': 1, 'controller': 101}


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError('%s: %s' % (' '.join(command), done.stderr.strip()))
    return done.stdout


def node_address(name):
    kind, number = name.split('-')
    return '10.91.0.%d' % (FIRST[kind] + int(number) - 1)


class Network:
    def __init__(self, nodes, owner=None):
        """owner: the process that made the network, when it is there already."""
        self.nodes = nodes
        self.prefix = PREFIX % (owner or os.getpid())
        if owner is None:
            self.remove_stale()
            try:
                self.make()
            except BaseException:
                self.remove()
                raise

    def inside(self, node, *command):
        return ['ip', 'netns', 'exec', self.prefix + node, *command]

    def make(self):
        hub = self.prefix + HUB
        run('ip', 'netns', 'add', hub)
        run('ip', '-n', hub, 'link', 'set', 'lo', 'up')
        run('ip', '-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
        run('ip', '-n', hub, 'addr', 'add', HUB_ADDRESS + '/24', 'dev', 'bridge')
        run('ip', '-n', hub, 'link', 'set', 'bridge', 'up')
        for node in self.nodes:
            space, port = self.prefix + node, node.replace('controller', 'c').replace('broker', 'b')
            run('ip', 'netns', 'add', space)
            run('ip', '-n', space, 'link', 'set', 'lo', 'up')
            run('ip', '-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space)
            run('ip', '-n', hub, 'link', 'set', port, 'master', 'bridge', 'up')
            run('ip', '-n', space, 'addr', 'add', node_address(node) + '/24', 'dev', 'eth0')
            run('ip', '-n', space, 'link', 'set', 'eth0', 'up')

    def cut(self, node, peers=None, directions=('saddr', 'daddr')):
        """No packet between the node and the peers (nodes; None: everybody) any more; ('saddr',): it only sends."""
        rules = ['table inet cut {']
        for direction in directions:
            chain, hook = ('in', 'input') if direction == 'saddr' else ('out', 'output')
            which = '' if peers is None else 'ip %s { %s } ' % (direction, ', '.join(map(node_address, peers)))
            device = ('iifname' if hook == 'input' else 'oifname') + ' eth0 '
            rules.append(' chain %s { type filter hook %s priority 0; %s%sdrop; }' % (chain, hook, device, which))
        run(*self.inside(node, 'nft', '\n'.join(rules + ['}'])))

    def heal(self, node):
        run(*self.inside(node, 'nft', 'delete', 'table', 'inet', 'cut'))

    def remove(self):
        for node in [*self.nodes, HUB]:
            subprocess.run(['ip', 'netns', 'del', self.prefix + node], capture_output=True, check=False)

    @staticmethod
    def remove_stale():
        for line in run('ip', 'netns', 'list').splitlines():
            name = line.split()[0]
            made = re.fullmatch(r'tmc(\d+)-.*', name)
            if made and not os.path.exists('/proc/' + made[1]):
                run('ip', 'netns', 'del', name)
