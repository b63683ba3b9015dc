"""`python -m app`: the command line."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run a command; what cannot be started is one sentence and exit code 1."""
    if os.getpid() == 1:
        # The first process of a container is spared the default action, which is to end: a stop
        # before `serve` listens for one would wait for the kill.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        _complain(reason)
        sys.exit(1)


def _run() -> None:
    # What a start imports stays: searching it for garbage, now and at the end, costs a third.
    gc.disable()
    # Not at the top, so that Ctrl-C is no traceback while imports last.
    from app.cli.commands import commands, first_word  # noqa: PLC0415

    cli = commands(first_word())
    gc.freeze()
    gc.enable()
    cli()


def _complain(reason: str) -> None:
    from app.cli.say import as_json, complain  # noqa: PLC0415 - as above

    complain(reason if as_json() else f"orderly: {reason}", code="failed")


def _reason(error: Exception) -> str | None:
    """Return the sentence for an error that is the operator's to mend; None for a bug."""
    # Not at the top: most commands need no database.
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from app.bus.errors import StreamError  # noqa: PLC0415
    from app.errors import StartupError  # noqa: PLC0415

    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        # What happens beside loops comes wrapped, once for each group of them.
        error = error.exceptions[0]
    if isinstance(error, StartupError):
        return str(error)
    if isinstance(error, OSError | SQLAlchemyError | StreamError):
        # What a machine or a server refuses; a traceback is no help.
        line = (str(getattr(error, "orig", None) or error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {line}"
    return None


if __name__ == "__main__":
    main()
