#!/usr/bin/env python3
"""Draws what tidemark-image-bench prints, over the number of partitions.

  build/release/bin/tidemark-image-bench | tests/bench/image_curves.py > docs/metadata-image.svg
"""
import re
import sys

import picture


def number(text):
    return float(text.replace(',', ''))


def main():
    rows = [[cell.strip() for cell in line.strip().strip('|').split('|')] for line in sys.stdin
            if re.match(r'\| *[\d,]+ *\|', line)]
    if not rows:
        sys.exit('image_curves: no table of tidemark-image-bench')

    def last(cell, pattern):
        return number(re.search(pattern, cell).group(1))
    columns = [
        ('snapshot made', lambda row: 1000 * number(row[3])),
        ('snapshot loaded', lambda row: 1000 * number(row[4])),
        ('create a topic', lambda row: last(row[5], r'^([\d.,]+)')),
        ('alter a partition', lambda row: last(row[6], r'^([\d.,]+)')),
        ('fence a broker', lambda row: last(row[8], r': ([\d.,]+)')),
        ('fence 100 of 300 brokers', lambda row: last(row[-1], r': ([\d.,]+),')),
        ('its longest turn', lambda row: last(row[-1], r', ([\d.]+)$')),
    ]
    print(picture.curves('The metadata image', 'partitions', 'milliseconds of processor time',
                         [(name, [(number(row[0]), value(row)) for row in rows]) for name, value in columns]), end='')


if __name__ == '__main__':
    main()
