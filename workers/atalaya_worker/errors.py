"""Errors that somebody is meant to read: a stable code of `src/base/errors.ts`, and one sentence."""


class WorkerError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def internal_error() -> WorkerError:
    """A bug of ours or of a library. What it said is for the log alone."""
    return WorkerError(
        "worker_failed",
        "The engine failed inside itself and is still running. Send the request once more; if it "
        "fails again, report it with the server's log.",
    )


def module_missing(error: ModuleNotFoundError) -> WorkerError:
    return WorkerError(
        "engine_unavailable",
        f"The Python of this engine has no module {error.name}. Make its environment anew with "
        "atalaya engine install, or give it a Python that has what the engine needs.",
    )
