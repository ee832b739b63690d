"""The disks of a cluster on tidemark-forgetfs: one file system, a folder a node, power cuts at will (needs /dev/fuse)."""
import os
import subprocess
import time


class ForgetfulDisk:
    def __init__(self, program, mountpoint, nodes, cluster_dir):
        """Mounts it and lays each node's data folder of the cluster (not yet up) there."""
        self.at = mountpoint
        os.makedirs(mountpoint, exist_ok=True)
        self.process = subprocess.Popen([program, mountpoint], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not os.path.ismount(mountpoint):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError('tidemark-forgetfs did not mount ' + mountpoint)
            time.sleep(0.01)
        for node in nodes:
            os.mkdir(os.path.join(mountpoint, node))
            home = os.path.join(cluster_dir, node)
            os.makedirs(home)
            os.symlink(os.path.join(mountpoint, node), os.path.join(home, 'data'))
        root = os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(root)
        os.close(root)

    def cut(self, node, seed, keep):
        """What `node`, whose process is gone, has not synced is lost; sectors and names stay with probability `keep`."""
        with open(os.path.join(self.at, '.control'), 'w') as control:
            control.write('cut %s %d %f\n' % (node, seed, keep))

    def close(self):
        subprocess.run(['fusermount3', '-u', '-z', self.at], capture_output=True, check=False)
        self.process.wait()
