"""What differs from call to call, from machine to machine or from version to version, by name, with the reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

STAR = '*'  # stands for what is masked


@dataclass(frozen=True)
class Mask:
    """A place in a text that is not compared.

    Args:
        why: it says nothing about the code.
        pattern: what is replaced; where it has a group, that alone.
        star: what it is replaced by.
    """

    why: str
    pattern: str
    star: str = STAR

    def apply(self, text: str) -> str:
        """Return the text with the place masked."""
        return re.sub(self.pattern, self._star, text, flags=re.MULTILINE)

    def _star(self, match: re.Match) -> str:
        start, end = (place - match.start() for place in match.span(min(1, match.re.groups)))
        return f'{match[0][:start]}{self.star}{match[0][end:]}'


# Of whatever is printed or logged.
OUTPUT = {
    'units': Mask('a processor has units for it or not', r'; this processor has units for --amp bf16'),
    'choices': Mask('argparse quotes choices from Python 3.12 on', r'(?<=choose from )(.*)(?=\))'),
    'speed': Mask('the machine, and what else it does', r'(\d[\d,]*) images/s'),
    'memory': Mask('what the machine has free', r'free memory is ([\d.,]+) MiB'),
    'phases': Mask('seconds', r'seconds: (phase 1 .*)$'),
    'data sets': Mask('one more is no other command line', r'^  --dataset NAME +(data set.*(?:\n {24}.*)*)'),
    'names of data sets': Mask('likewise', r'known: (.*)(?=, fake:NUM)'),
    'moments': Mask('of the call', r'\d{4}-\d\d-\d\d[T _]\d\d[:-]\d\d[:-]\d\d(?:[.,]\d+)?'),
}  # fmt: skip
# Besides, of what is committed: processors round otherwise.
NUMBERS = {
    'scores': Mask('of a trained network', r'(?:loss|error@\d) (-?\d[\d.]*(?: \+- [\d.]+)?)'),
    'accuracy': Mask('likewise', r'(\d[\d.]*) % accuracy'),
}  # fmt: skip
# Besides, of what is printed by a process that was given its time.
PRINTED = {
    'progress': Mask('a line every so many seconds', r'^ *running .*\n', star=''),
    'finished': Mask('seconds', r'^ *(?:done|failed) +\S+  (.*?)  \(\d+ of'),
    'in all': Mask('seconds', r'^\d+ runs? in ([^:]*):'),
    'columns': Mask(
        'seconds and images/s',
        r'[ |&,](\d[\d.]*(?: *[|&,] *| +)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?= *[|\\]*$)',
    ),
    'csv': Mask('seconds and images/s', r',(\d+\.\d+,\d+\.\d+),\d+,\d+,(?:True|False)'),
    'widths': Mask('of such columns', r' {2,}|-{4,}'),
}  # fmt: skip
# Of config.json, by the names of its fields.
CONFIG = {
    'git': 'the checkout', 'versions': 'what is installed', 'device': 'the processor', 'num_threads': 'the machine',
    'started': 'the moment', 'finished': 'the moment', 'seconds': 'the machine', 'phases': 'seconds',
}  # fmt: skip
CONFIG_NUMBERS = {'test': 'scores of a trained network', 'averaged_test': 'likewise'}  # of what is committed
LEFT_OUT = {'checkpoint_previous.pth.tar': 'how often a run saves goes by its time'}  # files
CHECKPOINT = {'seconds': 'the machine'}  # keys of what a checkpoint holds
# Columns of tables and tags of TensorBoard.
TABLE = {
    'epoch_seconds': 'the machine', 'images_per_second': 'the machine', 'seconds': 'the machine',
    'seconds_in_turn': 'the machine', 'seconds_side_by_side': 'the machine',
}  # fmt: skip
# Of pages.
PAGE = {
    'documents': Mask('Bokeh names them anew', r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'),
    'curves': Mask('seconds', r'\["seconds",\{"type":"ndarray","array":\{"type":"bytes","data":"([^"]*)"'),
    'status': Mask('seconds', r'epochs? \d+ of \d+ in ([\d.,]+ \w+)'),
    'facts': Mask('seconds', r'(?:training time(?: in turn)?|as if side by side|images per second)</dt><dd>([^<]*)<'),
    'cells': Mask('seconds', r'data-heading="(?:seconds|images/s|after, in turn|after, side by side)"[^>]*>([^<]*)<'),
    'commit': Mask('the checkout', r'>git commit</th><td>([^<]*)<'),
}  # fmt: skip
PDF = Mask('the moment it was drawn', r'/CreationDate \([^)]*\)')


def mask(text: str, *, numbers: bool = False) -> str:
    """Return a text with what OUTPUT names masked, and with what NUMBERS names, if wanted."""
    for each in (*OUTPUT.values(), *(NUMBERS.values() if numbers else ())):
        text = each.apply(text)
    return text


def mask_printed(text: str) -> str:
    """Return what a command printed with the same masked, and what PRINTED names."""
    for each in PRINTED.values():
        text = each.apply(text)
    return mask(text)


def mask_page(text: str) -> str:
    """Return the text of a page with the same masked, and what PAGE names, in short lines."""
    for each in PAGE.values():
        text = each.apply(text)
    return mask(re.sub(r'(?=<)|(?<=[,}])', '\n', text))


def mask_config(text: str, *, numbers: bool = False) -> str:
    """Return the text of a config.json with the same masked, and the fields that CONFIG names; order says nothing."""
    names = CONFIG | (CONFIG_NUMBERS if numbers else {})
    content = {name: STAR if name in names else value for name, value in json.loads(text).items()}
    return mask(json.dumps(content, indent=1, sort_keys=True), numbers=numbers)
