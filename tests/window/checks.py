"""Runs the window checks and closes with the line `window: N passed, N failed`.

A check is a function `check_*` of a file `test_*.py` beside this one, called in the order it is
written. It gets the stage that the file's `set_up` made. After the first failure of a file the rest
of that file is not run, as the stage is no longer what the next check expects; each of those counts
as failed.
"""

import importlib
import inspect
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent


def run_file(name):
    """Runs one file's checks; gives how many passed and failed."""
    module = importlib.import_module(name)
    checks = [item for item in vars(module).items() if item[0].startswith("check_")]
    checks = [(label, check) for label, check in checks if inspect.isfunction(check)]
    passed = 0
    stage = None
    try:
        stage = module.set_up()
        for label, check in checks:
            began = time.monotonic()
            try:
                check(stage)
            except BaseException:
                print(f"FAILED {name} {label}", flush=True)
                traceback.print_exc(file=sys.stdout)
                stage.explain(label)
                raise
            passed += 1
            print(f"ok {name} {label} ({time.monotonic() - began:.1f} s)", flush=True)
    except KeyboardInterrupt:
        raise
    except BaseException:
        if stage is None:
            print(f"FAILED {name} set_up", flush=True)
            traceback.print_exc(file=sys.stdout)
    finally:
        if stage is not None:
            stage.tear_down()
    return passed, len(checks) - passed


def main(wanted):
    names = sorted(path.stem for path in HERE.glob("test_*.py"))
    if wanted:
        names = [f"test_{name}" for name in wanted]
    passed = failed = 0
    for name in names:
        more_passed, more_failed = run_file(name)
        passed += more_passed
        failed += more_failed
    print(f"window: {passed} passed, {failed} failed", flush=True)
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
