"""The checker must notice each kind of wrong history."""
import unittest

import checker


def lines(text):
    return [line.split() for line in text.strip().splitlines()]


PRODUCED = {'p': lines('A 0 0 0 1\nA 0 1 1 2\nF 0 2 TIMED_OUT 3')}
GOOD = 'R 0 0 p 0 5\nR 0 1 p 1 5'


class CheckerTest(unittest.TestCase):
    def verdict(self, final, other=GOOD):
        return checker.judge(PRODUCED, lines(final), [lines(other)])

    def test_good(self):
        v = self.verdict(GOOD)
        self.assertEqual((v.acknowledged, v.read), (2, 2))
        self.assertEqual(v[2:], ([], [], [], []))

    def test_unacknowledged_records_may_be_there(self):
        self.assertEqual(self.verdict(GOOD + '\nR 0 2 p 2 5')[2:], ([], [], [], []))

    def test_lost(self):
        self.assertEqual(len(self.verdict('R 0 0 p 0 5', 'G 1 2').lost), 1)

    def test_moved_to_another_offset(self):
        self.assertEqual(len(self.verdict('R 0 0 p 0 5\nR 0 7 p 1 5', 'G 1 2').lost), 1)

    def test_acknowledged_without_an_offset(self):
        produced = {'p': lines('A 0 0 -1001 1')}
        self.assertEqual(checker.judge(produced, lines('R 0 3 p 0 5'), []).lost, [])
        self.assertEqual(len(checker.judge(produced, lines('R 0 3 p 1 5'), []).lost), 1)

    def test_duplicated(self):
        self.assertEqual(len(self.verdict(GOOD + '\nR 0 2 p 0 5').duplicated), 1)

    def test_disordered(self):
        self.assertEqual(len(self.verdict('R 0 0 p 1 5\nR 0 1 p 0 5').disordered), 1)

    def test_two_values_at_one_offset(self):
        self.assertEqual(len(self.verdict(GOOD, 'R 0 1 p 2 5').conflicts), 1)

    def test_read_what_is_gone_later(self):
        self.assertEqual(len(self.verdict(GOOD, 'R 0 2 p 2 5').conflicts), 1)

    def test_gap_straddles_the_fault(self):
        times = checker.gaps(lines('A 0 0 0 100\nA 0 1 1 900\nA 0 2 2 910\nA 1 0 0 100\nA 1 1 1 150'))
        self.assertEqual(checker.longest_gap(times, 120, 5000), 800)
        self.assertEqual(checker.longest_gap(times, 905, 5000), 10)
        self.assertEqual(checker.longest_gap(times, 500, 5000), 10)


if __name__ == '__main__':
    unittest.main()
