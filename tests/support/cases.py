"""What the client suites share: named cases that say ok or FAIL, each bounded in time."""
import signal
import sys
import time
import traceback

CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')


class TooLong(Exception):
    pass


def alarm(_signal, _frame):
    raise TooLong('the case took too long')


class Cases:
    """cases.run('name', function): a function fails by raising. Ends the process with the verdict in done()."""

    def __init__(self, suite, seconds=90):
        self.suite, self.seconds, self.failed = suite, seconds, 0
        signal.signal(signal.SIGALRM, alarm)

    def run(self, name, function, *args):
        began = time.monotonic()
        signal.alarm(self.seconds)
        try:
            function(*args)
            verdict = 'ok'
        except Exception as e:
            self.failed += 1
            where = traceback.extract_tb(e.__traceback__)
            line = next((f.lineno for f in reversed(where) if f.filename == sys.argv[0]), where[-1].lineno)
            verdict = 'FAIL line %d: %s: %s' % (line, type(e).__name__, ' '.join(str(e).split())[:300])
        finally:
            signal.alarm(0)
        print('%s: %s: %s (%.1f s)' % (self.suite, name, verdict, time.monotonic() - began), flush=True)

    def done(self):
        sys.stdout.flush()
        sys.exit(1 if self.failed else 0)


def equal(got, wanted):
    if got != wanted:
        raise AssertionError('got %r, wanted %r' % (got, wanted))


def until(test, what, seconds=40, pause=0.05):
    """The first true value of test()."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('within %d s never: %s' % (seconds, what))
        time.sleep(pause)
