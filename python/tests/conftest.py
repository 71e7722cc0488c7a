"""Settings of all tests."""

import os

# scikit-learn's checks of array libraries ask for it before SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
