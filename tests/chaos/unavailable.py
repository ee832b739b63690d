class Unavailable(RuntimeError):
    """What a fault needs (root, a device) cannot be had on this machine."""
