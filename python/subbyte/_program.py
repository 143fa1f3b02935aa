"""Runs the native program: its results, its messages as errors and warnings, and how far it is."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import selectors
import subprocess
import sys
import warnings
from typing import Callable, Mapping, Optional, Sequence, Union


class SubbyteError(Exception):
    """Why something could not be done, in one message that names the file, the node or the option."""

    def __init__(self, message: str, exit_status: int = 1):
        super().__init__(message)
        self.message = message
        #: That of the program: 1 the input or the work failed, 2 what was asked for is wrong.
        self.exit_status = exit_status


class SubbyteWarning(UserWarning):
    """What should be known although the work goes on, such as that a precision ruins a model."""


# As a traceback and a warning name them.
SubbyteError.__module__ = SubbyteWarning.__module__ = "subbyte"


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far the work is."""

    #: "quantizing", "calibrating" and others.
    phase: str
    #: From 0 to 1; None where the length of the phase is not known.
    fraction: Optional[float]


#: A function that is told; True for a bar on standard error, False for none, None for one on a terminal or in a notebook.
ProgressOption = Union[Callable[[Progress], None], bool, None]


@dataclasses.dataclass(frozen=True)
class Finished:
    stdout: str
    #: What was said that is neither a warning nor progress, a line each.
    notes: list[str]


def program() -> pathlib.Path:
    """The path of the native program: as the wheel laid it out, or that which the variable SUBBYTE names."""
    named = os.environ.get("SUBBYTE")
    if named:
        return pathlib.Path(named)
    name = "subbyte.exe" if os.name == "nt" else "subbyte"
    return pathlib.Path(__file__).resolve().parent / "bin" / name


def version() -> str:
    """The version of the program."""
    return run(["--version"]).stdout.split()[-1]


def run(
    arguments: Sequence[str], progress: ProgressOption = False, names: Optional[Mapping[str, str]] = None
) -> Finished:
    """Runs the program. Raises SubbyteError where it fails, and warns where it does.

    `names` are what its messages are to call the files that a caller knows nothing of, by their paths.
    """
    path = program()
    if not path.is_file():
        raise SubbyteError(f"{path} is missing: this installation is not whole; install subbyte again with pip")
    told = _Told(_listener(progress), names or {})
    # With a terminal of its own the program says at every moment how far it is.
    terminal = _open_terminal() if told.listens else None
    stderr = subprocess.PIPE if terminal is None else terminal[1]
    process = subprocess.Popen(
        [str(path), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    try:
        if terminal is not None:
            os.close(terminal[1])
        reader = process.stderr.fileno() if terminal is None else terminal[0]
        stdout = _read_both(process.stdout.fileno(), reader, told)
        status = process.wait()
    except BaseException:
        # The program removes what it has begun to write.
        process.terminate()
        process.wait()
        raise
    finally:
        if terminal is not None:
            os.close(terminal[0])
        elif process.stderr is not None:
            process.stderr.close()
        process.stdout.close()
        told.end()
    if status != 0:
        raise SubbyteError(told.error() or f"the program ended with status {status}", status)
    for text in told.warnings:
        warnings.warn(text, SubbyteWarning, stacklevel=3)
    return Finished(stdout.decode("utf8", "replace"), told.notes)


def _open_terminal() -> tuple[int, int] | None:
    """Both ends of a pseudo-terminal; None where there are none."""
    try:
        import fcntl
        import struct
        import termios

        ours, its = os.openpty()
        size = os.get_terminal_size(2) if sys.__stderr__ and os.isatty(2) else os.terminal_size((80, 24))
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))
        return ours, its
    except (ImportError, OSError):
        return None


def _read_both(stdout: int, stderr: int, told: _Told) -> bytes:
    """Reads both to their ends, at the same time, for a pipe that is full stops the program."""
    whole = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                try:
                    piece = os.read(key.fd, 65536)
                except OSError:  # a pseudo-terminal whose other end is closed
                    piece = b""
                if not piece:
                    selector.unregister(key.fd)
                elif key.fd == stdout:
                    whole += piece
                else:
                    told.hear(piece)
    return bytes(whole)


_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# "quantizing [====    ] 12/40", "quantizing [====    ] 30 % 1 s left", "reading"
_BAR = re.compile(r"(?P<phase>[^\[\d]*[^\[\d\s]) *(?:\[[= ]*\])? *(?:(?P<done>\d+)/(?P<count>\d+)|(?P<percent>\d+) %)?")


class _Told:
    """What the program says on standard error, told apart."""

    def __init__(self, listener: Optional[Callable[[str, Progress], None]], names: Mapping[str, str]):
        self.listens = listener is not None
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._listener = listener
        self._names = names
        self._errors: list[str] = []
        self._lines: list[str] | None = None
        self._pending = b""

    def hear(self, piece: bytes) -> None:
        """A bar begins with a carriage return and ends with the next; a message ends with a newline."""
        self._pending += piece
        while match := re.search(rb"\r\n|\r|\n", self._pending):
            text = self._pending[: match.start()].decode("utf8", "replace")
            self._pending = self._pending[match.end() :]
            text = _ESCAPES.sub("", text).rstrip()
            if match[0] == b"\r":
                self._bar(text)
            else:
                self._message(text)

    def end(self) -> None:
        if self._pending:
            self.hear(b"\n")
        if self._listener is not None:
            self._listener("", Progress("", None))

    def error(self) -> str:
        return "\n".join(self._errors)

    def _bar(self, text: str) -> None:
        match = _BAR.fullmatch(text) or _BAR.match(text)
        if self._listener is None or not match:
            return
        fraction = None
        if match["percent"]:
            fraction = int(match["percent"]) / 100
        elif match["count"] and int(match["count"]) > 0:
            fraction = int(match["done"]) / int(match["count"])
        self._listener(text, Progress(match["phase"], fraction))

    def _message(self, text: str) -> None:
        for path, name in self._names.items():
            text = re.sub(rf"(--[a-z-]+:? )?'{re.escape(path)}'", name, text)
        if text.startswith("error: "):
            self._errors.append(text[len("error: ") :])
            self._lines = self._errors
        elif text.startswith("warning: "):
            self.warnings.append(text[len("warning: ") :])
            self._lines = None
        elif self._lines is not None and text:
            self._lines.append(text)  # of an error of several lines
        elif text:
            self.notes.append(text)


def _listener(progress: ProgressOption) -> Optional[Callable[[str, Progress], None]]:
    if callable(progress):
        call = progress
        return lambda text, told: call(told) if text else None
    if progress is None:
        progress = "ipykernel" in sys.modules or bool(getattr(sys.stderr, "isatty", lambda: False)())
    return _Bar().show if progress else None


class _Bar:
    """The program's own bar, one line that is written over: terminals and notebooks both heed a carriage return."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, text: str, _: Progress) -> None:
        sys.stderr.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
        sys.stderr.flush()
        self._width = len(text)
