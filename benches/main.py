"""Runs the benches named on the command line, or all, and prints one table."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(room, wanted):
    names = wanted or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    modules = [(name, importlib.import_module(f"bench_{name}")) for name in names]
    rows = []
    for name, module in modules:
        print(f"== {name}: {module.__doc__.splitlines()[0]}", flush=True)
        place = Path(room) / name
        place.mkdir()
        for row in module.measure(place):
            print(f"   {' | '.join(row)}", flush=True)
            rows.append((name, *row))
    print("\n| bench | what | Safelight | against | ratio | wanted |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
