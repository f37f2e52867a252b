"""The worker as it is, on a machine without a graphics card: `start_on_cpu.py vllm SOCKET`.

For tests of the whole process; see `on_cpu`.
"""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here.parents[1]), str(here / "on_cpu")]
os.environ["ATALAYA_VLLM_ON_CPU"] = "1"
os.environ["VLLM_PLUGINS"] = "atalaya_mllama,vllm_on_cpu"

from atalaya_worker.main import main

if __name__ == "__main__":
    main(sys.argv[1:])
