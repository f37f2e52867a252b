"""What is installed, read without importing it."""

import importlib.metadata


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def first_missing(*packages: str) -> str | None:
    return next((package for package in packages if installed(package) is None), None)
