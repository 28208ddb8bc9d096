#!/usr/bin/python3
"""A model server in Python that tells Kedge what it sees and answers.

usage: observe.py [ROWS [ROWS_PER_SECOND]]      prints what became of its rows

SPDX-License-Identifier: Apache-2.0
"""

import sys
import time

import kedge

model = kedge.Model("bike-demand", "v1",
                    inputs={"temp": "number", "season": "category"})


@model.watch
def predict(row):
    """The model itself; whatever Kedge does, its answer goes out."""
    return 10 + 100 * row["temp"]


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    pace = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    total = 0
    for i in range(rows):
        total += predict({"temp": i % 40 / 40,
                          "season": ("spring", "summer", "autumn", "winter")[i % 4]})
        if i % (pace // 100 + 1) == 0:
            time.sleep(0.01)
    told = model.stats()
    print(f"served {rows}, mean {total / rows:.3f}, observed {told.observed}, "
          f"dropped {told.dropped}")


if __name__ == "__main__":
    main()
