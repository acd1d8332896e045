"""Let OpenMP's threads sleep while they wait.

By default they spin, so that two programs that share a laptop's cores (a notebook that trains, another one, a test run)
slow each other down about tenfold. Sleeping costs a few per cent when there is only one. It must be set before torch is
imported; a value that the user has set stays.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
