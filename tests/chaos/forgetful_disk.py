"""The disks of a cluster on tidemark-forgetfs: one file system, on it each node's data folders; power cuts, failures
and hangs of a folder at will (needs /dev/fuse)."""
import os
import subprocess
import time

import unavailable


class ForgetfulDisk:
    def __init__(self, program, mountpoint, nodes, cluster_dir, folders=('data',)):
        """Mounts it and lays these folders of each node of the cluster (not yet up) there."""
        if not os.path.exists('/dev/fuse'):
            raise unavailable.Unavailable('there is no /dev/fuse')
        self.at, self.folders = mountpoint, folders
        os.makedirs(mountpoint, exist_ok=True)
        self.process = subprocess.Popen([program, mountpoint], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not os.path.ismount(mountpoint):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError('tidemark-forgetfs did not mount ' + mountpoint)
            time.sleep(0.01)
        for node in nodes:
            home = os.path.join(cluster_dir, node)
            os.makedirs(home, exist_ok=True)
            for folder in folders:
                os.mkdir(self.path(node, folder))
                os.symlink(self.path(node, folder), os.path.join(home, folder))
        root = os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(root)
        os.close(root)

    def path(self, node, folder):
        return os.path.join(self.at, '%s-%s' % (node, folder))

    def command(self, verb, node, folder, *more):
        with open(os.path.join(self.at, '.control'), 'w') as control:
            control.write(' '.join([verb, '%s-%s' % (node, folder), *more]) + '\n')

    def cut(self, node, seed, keep):
        """What `node`, whose process is gone, has not synced is lost; sectors and names stay with probability `keep`."""
        for folder in self.folders:
            self.command('cut', node, folder, str(seed), '%f' % keep)

    def fail(self, node, folder, what):
        """I/O errors from now on: for 'writes' (and syncs), or for 'all'."""
        self.command('fail', node, folder, what)

    def hang(self, node, folder):
        """Syncs wait from now on, and nothing fails. Mend it before you wait for the end of a process."""
        self.command('hang', node, folder)

    def mend(self, node, folder):
        self.command('mend', node, folder)

    def close(self):
        subprocess.run(['fusermount3', '-u', '-z', self.at], capture_output=True, check=False)
        self.process.wait()
