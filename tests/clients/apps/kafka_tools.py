"""The main classes of Kafka's scripts, in one JVM."""
import base64
import re

from cases import until
from support import Program

HEAD = '--bootstrap-server'
TOOLS = 'org.apache.kafka.tools.'
runner = Program('tools', 'Tools')


def encoded(text):
    return '.' + base64.b64encode(text.encode()).decode()


def tool(name, *args, given=''):
    """(exit code, output) of a class of Kafka's tools."""
    answered = len(runner.lines)
    runner.process.stdin.write(' '.join([TOOLS + name, *map(encoded, (given, *args))]) + '\n')
    runner.process.stdin.flush()
    until(lambda: len(runner.lines) > answered, 'an answer of ' + name, 80, 0.01)
    code, _, output = runner.lines[answered].partition(' ')
    return int(code), base64.b64decode(output).decode()


def good(name, *args, given=''):
    code, output = tool(name, *args, given=given)
    if code:
        raise AssertionError('%s %s: code %d: %s' % (name, ' '.join(args), code, output[-1500:]))
    return output


def has(text, *patterns):
    for pattern in patterns:
        if not re.search(pattern, text):
            raise AssertionError('no "%s" in: %s' % (pattern, text[-1500:]))


def lacks(text, pattern):
    if re.search(pattern, text):
        raise AssertionError('"%s" in: %s' % (pattern, text[-1500:]))
