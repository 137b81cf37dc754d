"""A disk that is small, and one that is full."""
import os
import subprocess
import tempfile

import pytest


@pytest.fixture
def small_disk():
    """A directory on a file system of 24 MB."""
    place = tempfile.mkdtemp(prefix="nacelle-small-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)
    os.rmdir(place)


def fill(path):
    """Takes all the space there is."""
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while f.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
