"""More listeners for the brokers of a test's cluster."""
import re


def add(path, listeners, lines):
    """The broker's file listens at these (name, port) and nowhere else, and has these lines besides."""
    text = ','.join('%s://127.0.0.1:%d' % listener for listener in listeners)
    with open(path) as f:
        old = f.read()
    new = re.sub(r'(?m)^(advertised\.)?listeners=.*$', lambda m: (m.group(1) or '') + 'listeners=' + text, old)
    with open(path, 'w') as f:
        f.write('\n'.join([new, *lines, '']))
