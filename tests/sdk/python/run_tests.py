"""Runs the tests beside it with the SDKs of this interpreter; the last line is `N passed, N failed`. Words choose tests by name."""

import logging
import pathlib
import sys
import time
import unittest
import warnings

import anthropic
import openai

SLOW_SECONDS = 10
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
began = time.monotonic()
loader = unittest.TestLoader()
loader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]] or None


class Timed(unittest.TextTestResult):
    """Names the slow tests: a gateway that waits where it need not is slow in no other way."""

    def startTest(self, test):
        self.since = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        took = time.monotonic() - self.since
        if SLOW_SECONDS < took:
            print(f"slow: {test.id()} took {took:.1f} s")
        super().stopTest(test)


here = pathlib.Path(__file__).parent
tests = loader.discover(str(here), top_level_dir=str(here))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0, resultclass=Timed).run(tests)
failed = {test.id().split(" (")[0] for test, _ in [*result.failures, *result.errors]}
print(f"Python: openai {openai.__version__}, anthropic {anthropic.__version__}, {time.monotonic() - began:.0f} s")
print(f"{result.testsRun - min(len(failed), result.testsRun)} passed, {len(failed)} failed")
