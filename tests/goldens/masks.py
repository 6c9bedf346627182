"""What differs from call to call, from machine to machine or from version to version, with the reason.

Of a pattern the group is masked, where it has one, else all of it.
"""

from __future__ import annotations

import json
import re

STAR = '*'  # stands for what is masked
OUTPUT = {  # of whatever is printed or logged
    r'; this processor has units for --amp bf16': 'a processor has units for it or not',
    r'(?<=choose from )(.*)(?=\))': 'argparse quotes choices from Python 3.12 on',
    r'(\d[\d,]*) images/s': 'the machine, and what else it does',
    r'free memory is ([\d.,]+) MiB': 'what the machine has free',
    r'seconds: (phase 1 .*)$': 'seconds',
    r'^  --dataset NAME +(data set.*(?:\n {24}.*)*)': 'one more data set is no other command line',
    r'known: (.*)(?=, fake:NUM)': 'likewise',
    r'\d{4}-\d\d-\d\d[T _]\d\d[:-]\d\d[:-]\d\d(?:[.,]\d+)?': 'moments of the call',
}
NUMBERS = {  # besides, of what is committed: processors round otherwise
    r'(?:loss|error@\d) (-?\d[\d.]*(?: \+- [\d.]+)?)': 'scores of a trained network',
    r'(\d[\d.]*) % accuracy': 'likewise',
}
PROGRESS = r'^ *running .*\n'  # a line every so many seconds, which is left out
PRINTED = {  # besides, of what is printed by a process that was given its time
    r'^ *(?:done|failed) +\S+  (.*?)  \(\d+ of': 'seconds of a run',
    r'^\d+ runs? in ([^:]*):': 'seconds of all',
    r'[ |&,](\d[\d.]*(?: *[|&,] *| +)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?= *[|\\]*$)': 'seconds and images/s',
    r',(\d+\.\d+,\d+\.\d+),\d+,\d+,(?:True|False)': 'likewise, in CSV',
    r' {2,}|-{4,}': 'widths of such columns',
}
CONFIG = {  # fields of config.json
    'git': 'the checkout', 'versions': 'what is installed', 'device': 'the processor', 'num_threads': 'the machine',
    'started': 'the moment', 'finished': 'the moment', 'seconds': 'the machine', 'phases': 'seconds',
}  # fmt: skip
CONFIG_NUMBERS = {'test': 'scores of a trained network', 'averaged_test': 'likewise'}  # of what is committed
LEFT_OUT = {'checkpoint_previous.pth.tar': 'how often a run saves goes by its time'}  # files
CHECKPOINT = {'seconds': 'the machine'}  # keys of what a checkpoint holds
TABLE = {'epoch_seconds', 'images_per_second', 'seconds', 'seconds_in_turn', 'seconds_side_by_side'}  # columns and tags
PAGE = {
    r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}': 'Bokeh names documents anew',
    r'\["seconds",\{"type":"ndarray","array":\{"type":"bytes","data":"([^"]*)"': 'seconds of curves',
    r'epochs? \d+ of \d+ in ([\d.,]+ \w+)': 'seconds',
    r'(?:training time(?: in turn)?|as if side by side|images per second)</dt><dd>([^<]*)<': 'seconds',
    r'data-heading="(?:seconds|images/s|after, in turn|after, side by side)"[^>]*>([^<]*)<': 'seconds',
    r'>git commit</th><td>([^<]*)<': 'the checkout',
}
PDF = rb'/CreationDate \([^)]*\)'  # the moment it was drawn


def mask(text: str, *, numbers: bool = False) -> str:
    """Return a text with what OUTPUT names masked, and with what NUMBERS names, if wanted."""
    return _masked(text, *OUTPUT, *(NUMBERS if numbers else ()))


def mask_printed(text: str) -> str:
    """Return what a command printed with the same masked, and what PRINTED names."""
    return _masked(re.sub(PROGRESS, '', text, flags=re.MULTILINE), *PRINTED, *OUTPUT)


def mask_page(text: str) -> str:
    """Return the text of a page with the same masked, and what PAGE names, in short lines."""
    return mask(re.sub(r'(?=<)|(?<=[,}])', '\n', _masked(text, *PAGE)))


def mask_config(text: str, *, numbers: bool = False) -> str:
    """Return the text of a config.json with the same masked, and the fields that CONFIG names; order says nothing."""
    names = CONFIG | (CONFIG_NUMBERS if numbers else {})
    content = {name: STAR if name in names else value for name, value in json.loads(text).items()}
    return mask(json.dumps(content, indent=1, sort_keys=True), numbers=numbers)


def _masked(text: str, *patterns: str) -> str:
    for pattern in patterns:
        text = re.sub(pattern, _starred, text, flags=re.MULTILINE)
    return text


def _starred(match: re.Match) -> str:
    start, end = (place - match.start() for place in match.span(min(1, match.re.groups)))
    return f'{match[0][:start]}{STAR}{match[0][end:]}'
