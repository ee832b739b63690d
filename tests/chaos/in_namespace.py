#!/usr/bin/env python3
"""in_namespace.py PREFIX NODE COMMAND...: becomes COMMAND in the network namespace of NODE (CLUSTER_EXEC of network.py)."""
import os
import sys

prefix, node, *command = sys.argv[1:]
os.execvp('ip', ['ip', 'netns', 'exec', prefix + node, *command])
