"""Places that lack what most have: streams, a home, letters, a working folder, file locks, room."""

import errno
import os
import subprocess
import sys

import pytest

from bigbatch.errors import UserError
from tests.conftest import PROJECT
from utils.command import command
from utils.files import write_atomically
from utils.rows import RowFile

SCRIPT = """
import sys
sys.path.insert(0, {project!r})
{before}
from utils.command import command
from utils.logs import log

@command
def main(argv=None):
{body}

sys.exit(main())
"""


def script(tmp_path, body, *, before='', name='script.py'):
    path = tmp_path / name
    indented = '\n'.join(f'    {line}' for line in body.splitlines())
    path.write_text(SCRIPT.format(project=str(PROJECT), before=before, body=indented), encoding='utf-8')
    return path


def call(path, *, closed='', **settings):
    """Run a script, with streams closed as a shell closes them."""
    line = f'exec "{sys.executable}" "{path}" {closed}'
    return subprocess.run(['sh', '-c', line], capture_output=True, text=True, check=False, timeout=60, **settings)


def test_streams_that_are_closed_or_none_are_led_nowhere_and_hold_no_other_file(tmp_path):
    body = f"""
import os, subprocess
log.info('a line')
log.warning('a warning')
print(sys.stdin.read(), end='')
with open({str(tmp_path / 'kept')!r}, 'w') as file:
    subprocess.run([sys.executable, '-c', 'print(1)'], check=True)
    os.write(1, b'printed by a library') and os.write(2, b'too')
return 7
"""
    none = 'sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None'
    cases = [(closed, '') for closed in ('<&-', '>&-', '2>&-', '<&- >&- 2>&-')]
    cases += [('', none), ('', 'sys.stderr.close()')]
    failures = []
    for closed, before in cases:
        done = call(script(tmp_path, body, before=before), closed=closed)
        if done.returncode != 7 or 'Traceback' in done.stderr or (tmp_path / 'kept').read_text():
            failures.append((closed, before, done))
    assert failures == []


def test_letters_that_a_locale_lacks_are_printed_as_numbers(tmp_path):
    path = script(tmp_path, "print('caf\\u00e9')\nlog.warning('\\u00fc')\nreturn 0")
    done = call(path, env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert (done.returncode, done.stdout) == (0, 'caf\\xe9\n'), done.stderr
    assert done.stderr == 'warning: \\xfc\n'


NOBODY = """
import os, pwd
os.environ.pop('HOME', None)
def getpwuid(_):
    raise KeyError
pwd.getpwuid = getpwuid
"""


def test_a_user_without_a_home_has_that_of_the_working_folder(tmp_path):
    body = 'print(os.path.expanduser("~"))\nreturn 0'
    done = call(script(tmp_path, body, before=NOBODY), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f'{tmp_path}\n', '')


def test_a_working_folder_that_is_gone_is_named(tmp_path):
    path = script(tmp_path, 'return 0')
    line = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" "{path}"'
    done = subprocess.run(['sh', '-c', line], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == 'error: the working folder is gone, as if somebody has deleted it: cd to another one\n'


def test_what_the_system_refuses_is_one_line_with_a_remedy(capsys):
    long = 'x' * 300
    cases = {
        OSError(errno.EMFILE, 'No more', 'a.csv'): 'a.csv: No more: allow more open files by `ulimit -n`',
        OSError(errno.EROFS, 'Read-only file system', 'b'): 'b: Read-only file system: mount it writable',
        OSError(errno.EAGAIN, 'Try again'): 'Try again: allow more processes by `ulimit -u`',
        OSError(errno.EIO, 'Input/output error', 'c'): 'c: Input/output error',
        OSError(errno.ENAMETOOLONG, 'Too long', long): f'{long[:200]}...: Too long: no file can have so long a name',
        PermissionError(errno.EACCES, 'Permission denied', 'd'): 'd: Permission denied',
        TimeoutError('timed out'): 'timed out',
    }
    found = {}
    for error in cases:

        @command
        def main(_=None, error=error):
            raise error

        found[error] = (main([]), capsys.readouterr().err)
    assert found == {error: (2, f'error: {line}\n') for error, line in cases.items()}


ASCII = {'PYTHONUTF8': '0', 'LC_ALL': 'C', 'PYTHONCOERCECLOCALE': '0'}


def test_a_locale_without_the_letters_of_a_name_is_named_with_the_remedy(tmp_path):
    environment = {**os.environ, **ASCII}
    path = script(tmp_path, "print('\\u00e9')\nopen('\\u00fc')", name='opens.py')
    done = call(path, env=environment)
    words = "'\\xfc': this locale has no such letters in names of files: start it with PYTHONUTF8=1"
    assert (done.returncode, done.stdout, done.stderr) == (2, '\\xe9\n', f'error: {words}\n')
    parse = 'from utils.parser import Parser\nParser(prog="a").parse_args(["\\udcc3"])'
    done = call(script(tmp_path, parse, name='parses.py'), env=environment)
    assert (done.returncode, done.stderr.count('\n')) == (2, 1) and 'start it with PYTHONUTF8=1' in done.stderr


def test_a_full_disk_under_the_output_is_one_line(tmp_path):
    path = script(tmp_path, "print('x' * 100, flush=True)\nreturn 0")
    done = call(path, closed='> /dev/full')
    assert (done.returncode, done.stderr) == (2, 'error: No space left on device: make room on that disk\n')


@pytest.mark.parametrize('number', [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_that_cannot_flush_keeps_files_and_other_errors_are_told(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    path = tmp_path / 'file'
    monkeypatch.setattr(os, 'fsync', refuse)
    write_atomically(path, lambda file: file.write(b'1'))
    assert path.read_bytes() == b'1'
    number = errno.EIO
    with pytest.raises(UserError, match='file cannot be written'):
        write_atomically(path, lambda file: file.write(b'2'))
    assert [path.read_bytes(), *tmp_path.iterdir()] == [b'1', path]


def test_a_row_that_cannot_be_kept_names_its_file(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    rows = RowFile(tmp_path / 'file' / 'rows.csv', ('name',), ('name',))
    with pytest.raises(UserError, match=r'file/rows\.csv cannot be written'):
        rows.add({'name': 'a'})
    assert rows.rows() == []
