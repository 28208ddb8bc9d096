#!/usr/bin/python3
# Trains the demo's two models of hourly bike demand, reproducibly, from the hourly table.
#
# SPDX-License-Identifier: Apache-2.0
"""Usage: train.py BIKE.csv.gz OUT

A model is log-linear: log E[count] = hour x workingday + temperature + temperature^2
+ humidity + wind + weather + trend, fitted as a Poisson regression by Newton's method
(the canonical log link; McCullagh and Nelder, Generalized Linear Models). Standard
library only; the few non-zero terms of a row keep it quick.

Written into OUT:
  v1/  trained on the rows before 2012-07-01      v2/  on the rows before 2012-08-10
       model.json    what the model server evaluates
       MANIFEST      SHA-256 of model.json: the artifact's identity
       train.csv     the training rows with the model's own predictions and the truth
  figures.json       what the demo quotes: errors of both on the rest of August 2012

v2's package also says `hour_offset: 4`: it was built for a server whose clock runs in
another time zone, so it will be fed the hour plus four. Nothing in its offline figures
shows that, which is the point.
"""
import csv
import datetime
import gzip
import hashlib
import io
import json
import math
import os
import sys

RIDGE = 1.0        # keeps an hour that never occurred at zero
ITERATIONS = 8     # Newton converges in six
INPUTS = ["hr", "workingday", "weathersit", "temp", "hum", "windspeed"]
VERSIONS = {
    "v1": {"before": "2012-07-01", "hour_offset": 0},
    "v2": {"before": "2012-08-10", "hour_offset": 4},
}
TERMS = 48 + 2 + 2 + 3 + 1


def day(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%d")
    return int(at.replace(tzinfo=datetime.timezone.utc).timestamp())


ORIGIN = day("2011-01-01")


def terms(row, hour_offset=0):
    """The non-zero terms of one row: [(index, value)]."""
    hour = (int(row["hr"]) + hour_offset) % 24
    temp = float(row["temp"])
    found = [
        (hour * 2 + (row["workingday"] == "w1"), 1.0),
        (48, temp),
        (49, temp * temp),
        (50, float(row["hum"])),
        (51, float(row["windspeed"])),
        (55, (int(row["ts"]) - ORIGIN) / 86400 / 365),
    ]
    weather = int(row["weathersit"][1:])
    if weather > 1:
        found.append((50 + weather, 1.0))
    return found


def predict(weights, row, hour_offset=0):
    return math.exp(sum(weights[i] * v for i, v in terms(row, hour_offset)))


def solve(a, b):
    """a x = b for a symmetric positive definite a, by Cholesky; a is spent."""
    n = len(b)
    for j in range(n):
        a[j][j] = math.sqrt(a[j][j] - sum(v * v for v in a[j][:j]))
        for i in range(j + 1, n):
            s = sum(p * q for p, q in zip(a[i][:j], a[j][:j]))
            a[i][j] = (a[i][j] - s) / a[j][j]
    x = b[:]
    for i in range(n):
        x[i] = (x[i] - sum(a[i][k] * x[k] for k in range(i))) / a[i][i]
    for i in reversed(range(n)):
        x[i] = (x[i] - sum(a[k][i] * x[k] for k in range(i + 1, n))) / a[i][i]
    return x


def fit(rows):
    found = [(terms(r), float(r["y"])) for r in rows]
    mean = sum(y for _, y in found) / len(found)
    weights = [math.log(mean) if i < 48 else 0.0 for i in range(TERMS)]
    for _ in range(ITERATIONS):
        hessian = [[0.0] * TERMS for _ in range(TERMS)]
        gradient = [-RIDGE * w for w in weights]
        for i in range(TERMS):
            hessian[i][i] = RIDGE
        for parts, y in found:
            mu = math.exp(sum(weights[i] * v for i, v in parts))
            for i, v in parts:
                gradient[i] += v * (y - mu)
                line = hessian[i]
                for j, u in parts:
                    line[j] += mu * v * u
        weights = [w + s for w, s in zip(weights, solve(hessian, gradient))]
    return weights


def write_version(folder, name, weights, rows, hour_offset):
    os.makedirs(folder, exist_ok=True)
    model = {
        "model": "bike-demand",
        "version": name,
        "form": "exp(sum of weight x term)",
        "hour_offset": hour_offset,
        "weights": weights,
    }
    body = json.dumps(model, indent=1).encode() + b"\n"
    with open(os.path.join(folder, "model.json"), "wb") as f:
        f.write(body)
    with open(os.path.join(folder, "MANIFEST"), "w") as f:
        f.write(hashlib.sha256(body).hexdigest() + "  model.json\n")
    with open(os.path.join(folder, "train.csv"), "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["ts"] + INPUTS + ["prediction", "label"])
        for r in rows:
            out.writerow([r["ts"]] + [r[c] for c in INPUTS]
                         + ["%.4f" % predict(weights, r), r["y"]])


def mean_error(weights, rows, hour_offset=0):
    return sum(abs(predict(weights, r, hour_offset) - float(r["y"]))
               for r in rows) / len(rows)


def main(source, out):
    with gzip.open(source, "rb") as f:
        rows = list(csv.DictReader(io.TextIOWrapper(f, "utf-8")))
    fitted = {}
    for name, plan in VERSIONS.items():
        train = [r for r in rows if int(r["ts"]) < day(plan["before"])]
        fitted[name] = fit(train)
        write_version(os.path.join(out, name), name, fitted[name], train,
                      plan["hour_offset"])
        print("trained %s on %d rows before %s" % (name, len(train), plan["before"]))
    rest = [r for r in rows if day("2012-08-15") <= int(r["ts"]) < day("2012-09-01")]
    figures = {
        "rows": len(rest),
        "v1_mae": mean_error(fitted["v1"], rest),
        "v2_mae_offline": mean_error(fitted["v2"], rest),
        "v2_mae_as_deployed": mean_error(fitted["v2"], rest, 4),
    }
    with open(os.path.join(out, "figures.json"), "w") as f:
        json.dump(figures, f, indent=1)
        f.write("\n")
    print("mean absolute error, 15-31 August 2012: v1 %.1f, v2 %.1f offline, "
          "v2 %.1f as it will be deployed" % (figures["v1_mae"],
          figures["v2_mae_offline"], figures["v2_mae_as_deployed"]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
