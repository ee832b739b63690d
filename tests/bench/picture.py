"""Pictures as SVG. Latency over percentile: the x axis stretches towards 100 %, the y axis is logarithmic. Curves over a
size: both axes are logarithmic. Pure."""
import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 420, 70, 50, 40, 150
COLORS = ['#1666b0', '#c8501e', '#2e8b57', '#7b4ca0', '#8a8a00', '#b02a6b', '#444444']
CURVES_RIGHT = 230  # room for what the curves are
TICKS = [0, 50, 90, 99, 99.9, 99.99]


def x_of(percent):
    share = min(4.0, -math.log10(max(1e-9, 1 - percent / 100))) / 4.0
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def latencies(title, series):
    """series: (system, [[percent, us], ...]) of every run; runs of a system share its colour."""
    values = [us for _, curve in series for _, us in curve if us > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def y_of(us):
        share = (math.log10(max(us, 10 ** low)) - low) / max(1, high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
        WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>',
        '<text x="%d" y="22" font-size="15">%s: latency of an acknowledged record</text>' % (LEFT, title)]
    for percent in TICKS:
        x = x_of(percent)
        out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>' % (x, TOP, x, HEIGHT - BOTTOM))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%g %%</text>' % (x, HEIGHT - BOTTOM + 18, percent))
    for power in range(low, high + 1):
        y = y_of(10 ** power)
        text = '%g ms' % (10 ** power / 1000)
        out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>' % (LEFT, y, WIDTH - RIGHT, y))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 8, y + 4, text))
    systems = list(dict.fromkeys(name for name, _ in series))
    for name, curve in series:
        points = ' '.join('%.1f,%.1f' % (x_of(p), y_of(us)) for p, us in curve)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6"/>' % (
            points, COLORS[systems.index(name) % len(COLORS)]))
    for i, name in enumerate(systems):
        y = TOP + 14 + 20 * i
        out.append('<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="3"/>' % (
            WIDTH - RIGHT + 12, y - 4, WIDTH - RIGHT + 34, y - 4, COLORS[i % len(COLORS)]))
        out.append('<text x="%d" y="%d">%s</text>' % (WIDTH - RIGHT + 40, y, name))
    out.append('<text x="%.1f" y="%d" text-anchor="middle">percentile</text>' % (
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10))
    return '\n'.join(out + ['</svg>', ''])


def curves(title, x_label, y_label, series):
    """series: (name, [(x, y), ...]); a y of zero is left out."""
    points = [(x, y) for _, curve in series for x, y in curve if y > 0]
    ends = []
    for values in zip(*points):
        ends.append((math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))))
    (left, right), (low, high) = ends

    def at(x, y):
        return (LEFT + (math.log10(x) - left) / max(1, right - left) * (WIDTH - LEFT - CURVES_RIGHT),
                HEIGHT - BOTTOM - (math.log10(y) - low) / max(1, high - low) * (HEIGHT - BOTTOM - TOP))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
        WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>',
        '<text x="%d" y="22" font-size="15">%s</text>' % (LEFT, title)]
    for power in range(left, right + 1):
        x, _ = at(10 ** power, 10 ** low)
        out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>' % (x, TOP, x, HEIGHT - BOTTOM))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
            x, HEIGHT - BOTTOM + 18, format(10 ** power, ',')))
    for power in range(low, high + 1):
        _, y = at(10 ** left, 10 ** power)
        out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>' % (LEFT, y, WIDTH - CURVES_RIGHT, y))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 8, y + 4, format(10 ** power, 'g')))
    for i, (name, curve) in enumerate(series):
        color = COLORS[i % len(COLORS)]
        places = [at(x, y) for x, y in curve if y > 0]
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>' % (
            ' '.join('%.1f,%.1f' % place for place in places), color))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*place, color) for place in places]
        out.append('<text x="%.1f" y="%.1f" fill="%s">%s</text>' % (
            places[-1][0] + 8, places[-1][1] + 4, color, name))
    out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
        (LEFT + WIDTH - CURVES_RIGHT) / 2, HEIGHT - 10, x_label))
    out.append('<text x="16" y="%.1f" text-anchor="middle" transform="rotate(-90 16 %.1f)">%s</text>' % (
        HEIGHT / 2, HEIGHT / 2, y_label))
    return '\n'.join(out + ['</svg>', ''])
