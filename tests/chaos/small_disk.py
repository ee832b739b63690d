"""Small disks for brokers, which are filled from outside and freed again (needs root).

Each is an ext4 of its own in a file that is loop-mounted; where there are no loop devices, a tmpfs. The folder carries
the process id of the maker, so that what a killed run has left mounted is found and unmounted by the next one.
"""
import errno
import os
import shutil
import subprocess

import unavailable

FOLDER = 'small-disks-%d'
SIZE = 256 << 20
PIECES = (1 << 20, 64 << 10, 4 << 10)


def run(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as e:
        raise unavailable.Unavailable(str(e)) from e
    return done.returncode, (done.stderr or done.stdout).strip()


def mount(file, at):
    """An empty ext4 in `file`, or a tmpfs, at `at`."""
    with open(file, 'wb') as f:
        f.truncate(SIZE)
    failed, _ = run('mkfs.ext4', '-q', '-F', '-m', '0', file)
    failed = failed or run('mount', '-o', 'loop', file, at)[0]
    if failed:
        failed, why = run('mount', '-t', 'tmpfs', '-o', 'size=%d' % SIZE, 'tmpfs', at)
        if failed:
            raise unavailable.Unavailable('no small disk can be mounted here: ' + why)


def unmount(which):
    """Whatever is mounted where `which` says so."""
    with open('/proc/mounts') as f:
        mounted = [line.split()[1] for line in f]
    for at in mounted:
        if which(at):
            run('umount', '-l', at)


def stale(at):
    """Made by a run whose process is gone."""
    owner = at.partition('/' + FOLDER.replace('%d', ''))[2].partition('/')[0]
    return owner.isdigit() and not os.path.exists('/proc/' + owner)


class SmallDisks:
    def __init__(self, folder, nodes, cluster_dir):
        """Mounts one for each of `nodes` and lays its data folder of the cluster (not yet up) there."""
        unmount(stale)
        self.at = os.path.join(os.path.realpath(folder), FOLDER % os.getpid())
        try:
            for node in nodes:
                os.makedirs(self.path(node))
                mount(os.path.join(self.at, node + '.img'), self.path(node))
                # Not the root of the file system, where ext4 has a folder of its own.
                os.mkdir(self.path(node, 'data'))
                home = os.path.join(cluster_dir, node)
                os.makedirs(home, exist_ok=True)
                os.symlink(self.path(node, 'data'), os.path.join(home, 'data'))
        except BaseException:
            self.close()
            raise

    def path(self, *parts):
        return os.path.join(self.at, *parts)

    def fill(self, node, leave):
        """Takes what is free, also what became free since the last call, except about `leave` bytes."""
        with open(self.path(node, 'ballast'), 'ab') as ballast:
            for piece in PIECES:
                while shutil.disk_usage(self.path(node)).free > leave + piece:
                    try:
                        os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, piece)
                    except OSError as e:
                        if e.errno != errno.ENOSPC:
                            raise
                        break

    def free(self, node):
        try:
            os.remove(self.path(node, 'ballast'))
        except FileNotFoundError:
            pass

    def close(self):
        unmount(lambda at: at.startswith(self.at + '/'))
        shutil.rmtree(self.at, ignore_errors=True)
