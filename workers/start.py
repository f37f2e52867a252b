"""Starts a worker: `python -I -B start.py ENGINE SOCKET`.

Isolated Python (`-I`) looks for modules neither beside this file nor where the environment says, so
the one folder of ours is named here.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from atalaya_worker.main import main

if __name__ == "__main__":
    main(sys.argv[1:])
