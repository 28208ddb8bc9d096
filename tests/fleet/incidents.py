#!/usr/bin/python3
"""Incidents: makes fleets of models with one guilty one, as recorded cases.

usage: incidents.py OUT --seeds FROM TO [--models N] [--faults a,b|quiet] [--windows W]

Each seed gives OUT/fleet-SEED/{case.json, signals.csv, lineage.csv, events.csv}; the truth
stands in OUT/manifest.json alone. A fleet has feature sources, models in tiers, KPIs at the
end; every model has input and output drift, errors, latency and traffic. One fault of seven
kinds spreads along the lineage, a window a hop. Besides it, decoys shift on their own, with
or without a deployment; some models fall silent; windows get lost; a KPI may have moved
before for reasons of its own. The assumptions are ours: they test the machinery and prove
nothing about the field.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import pathlib

import numpy as np

FAULTS = ("bad_deploy", "data_break", "slow_drift", "latency", "errors", "silent",
          "feature_source")
SIGNALS = ("in_drift", "out_drift", "err", "p95", "vol")
WINDOW_S, START = 300, 1790000000 // 300 * 300
SEGMENTS = ("eu", "us", "apac")
NEAR_DECOYS = 1  # of the decoys, so many reach the KPI around the onset


class Fleet:
    """The models, what feeds what, and what they measure on a day without trouble."""

    def __init__(self, rng, models, windows):
        self.rng, self.windows = rng, windows
        self.models = [f"m{i:04}" for i in range(models)]
        self.sources = [f"fs{i:03}" for i in range(max(4, models // 25))]
        self.kpis = [f"kpi:ep{i:03}" for i in range(max(4, models // 20))]
        self.parents = {}
        self.weight = {}  # how much of a parent's shift comes through
        self.events = []
        self.link()
        self.measure()

    def link(self):
        rng, n = self.rng, len(self.models)
        tier = n // 5
        for i, name in enumerate(self.models):
            count = rng.choice([1, 2, 3, 4, 5], p=[.36, .34, .17, .09, .04])
            before = self.models[max(0, i - 3 * tier):max(0, i - i % tier)]
            chosen = set()
            if i >= tier and rng.random() < .1:
                count = 0
            for _ in range(count):
                from_source = not before or rng.random() < .45
                pool = self.sources if from_source else before
                chosen.add(pool[rng.integers(len(pool))])
            self.parents[name] = sorted(chosen)
        for kpi in self.kpis:
            late = self.models[2 * tier:]
            self.parents[kpi] = sorted(set(
                late[rng.integers(len(late))] for _ in range(rng.integers(2, 7))))
        for child, parents in self.parents.items():
            for parent in parents:
                self.weight[parent, child] = rng.uniform(.35, .95)

    def measure(self):
        rng, shape = self.rng, (len(self.models), self.windows)
        n = len(self.models)
        self.index = {m: i for i, m in enumerate(self.models)}
        base = rng.lognormal(np.log(.05), .35, (2, n, 1))
        noise = rng.uniform(.15, .4, (2, n, 1))
        drift = base * np.exp(noise * rng.standard_normal((2,) + shape))
        self.values = {"in_drift": drift[0], "out_drift": drift[1]}
        day = 1 + .1 * np.sin(np.arange(self.windows) / 40 + rng.uniform(0, 6, (n, 1)))
        volume = rng.lognormal(np.log(800), 1.3, (n, 1)) + 30
        self.values["vol"] = volume * day * np.exp(.05 * rng.standard_normal(shape))
        latency = rng.lognormal(np.log(35), .8, (n, 1))
        self.values["p95"] = latency * np.exp(.06 * rng.standard_normal(shape))
        self.error_rate = rng.lognormal(np.log(.0015), .8, (n, 1)) * np.ones(shape)
        self.kpi = {k: 100 + rng.normal(0, 2) + rng.normal(0, 1, self.windows)
                    for k in self.kpis}

    def children(self, name):
        return [c for c, parents in self.parents.items() if name in parents]

    def shift(self, name, signal, start, size, ramp=1):
        """Adds `size` (latency, traffic: factor - 1) from window `start` on."""
        if name not in self.index or start >= self.windows:
            return
        rise = np.clip((np.arange(self.windows) - start + 1) / ramp, 0, 1)
        i = self.index[name]
        if signal == "err":
            self.error_rate[i] += size * rise
        elif signal in ("p95", "vol"):
            self.values[signal][i] *= 1 + size * rise
        else:
            self.values[signal][i] += \
                size * rise * np.exp(.05 * self.rng.standard_normal(self.windows))

    def finish(self):
        vol = np.maximum(1, np.round(self.values["vol"]))
        errors = self.rng.binomial(vol.astype(int), np.clip(self.error_rate, 0, 1))
        self.values["vol"], self.values["err"] = vol, errors / vol
        lost = self.rng.random(vol.shape) < .012
        for i in self.rng.choice(len(self.models), len(self.models) // 60 + 1, False):
            lost[i, self.rng.integers(2, self.windows):] = True
        return lost


class Fault:
    """One cause, and what follows from it down to the KPI that is asked about."""

    def __init__(self, fleet, kind, onset):
        self.fleet, self.kind, self.onset = fleet, kind, onset
        self.reached = {}  # KPI: the window in which it moved
        self.size = 1.0

    def can_reach(self, name):
        seen, todo = set(), [name]
        while todo:
            for child in self.fleet.children(todo.pop()):
                if child not in seen:
                    seen.add(child)
                    todo.append(child)
        return [k for k in self.fleet.kpis if k in seen]

    def choose(self):
        rng, fleet = self.fleet.rng, self.fleet
        pool = fleet.sources if self.kind == "feature_source" else fleet.models
        while True:
            self.cause = pool[rng.integers(len(pool))]
            kpis = self.can_reach(self.cause)
            if kpis:
                self.kpi = kpis[rng.integers(len(kpis))]
                return

    def strike(self):
        rng, fleet = self.fleet.rng, self.fleet
        at = self.onset
        big = rng.uniform(.35, .9)
        if self.kind == "bad_deploy":
            fleet.shift(self.cause, "out_drift", at, big)
            fleet.shift(self.cause, "p95", at, rng.uniform(0, .3))
            self.spread(self.cause, "drift", big, at)
        elif self.kind == "data_break":
            fleet.shift(self.cause, "in_drift", at, big)
            fleet.shift(self.cause, "out_drift", at, big * rng.uniform(.3, .8))
            self.spread(self.cause, "drift", big * .7, at)
        elif self.kind == "slow_drift":
            ramp = rng.integers(6, 12)
            fleet.shift(self.cause, "in_drift", at, big * .3, ramp)
            fleet.shift(self.cause, "out_drift", at, big * .6, ramp)
            self.spread(self.cause, "drift", big * .5, at, ramp)
        elif self.kind == "latency":
            fleet.shift(self.cause, "p95", at, rng.uniform(1.5, 4))
            self.spread(self.cause, "p95", rng.uniform(.8, 2), at)
        elif self.kind == "errors":
            rate = rng.uniform(.012, .06)
            fleet.shift(self.cause, "err", at, rate)
            self.spread(self.cause, "err", rate, at)
        elif self.kind == "silent":
            usual = fleet.values["out_drift"][fleet.index[self.cause], :30].std()
            fleet.shift(self.cause, "out_drift", at, usual * rng.uniform(3.5, 8))
            self.spread(self.cause, "nothing", 1, at)
        else:
            for child in fleet.children(self.cause):
                fleet.shift(child, "in_drift", at, big * rng.uniform(.6, 1.2))
            self.spread(self.cause, "drift", big, at)
        self.change()

    def spread(self, name, signal, size, start, ramp=1):
        """Breadth first, each thing once, a window a hop (sometimes none or two)."""
        fleet, rng = self.fleet, self.fleet.rng
        seen, todo = {name}, [(name, size, start)]
        while todo:
            parent, force, at = todo.pop(0)
            for child in fleet.children(parent):
                if child in seen:
                    continue
                seen.add(child)
                came = force * fleet.weight[parent, child]
                when = at + int(rng.choice([0, 1, 2], p=[.3, .5, .2]))
                if child in fleet.kpi:
                    self.reached[child] = when
                    continue
                if came < .03 * size:
                    continue
                if signal == "drift":
                    if parent not in fleet.sources:
                        fleet.shift(child, "in_drift", when, came * .9, ramp)
                    fleet.shift(child, "out_drift", when, came * .7, ramp)
                elif signal != "nothing":
                    fleet.shift(child, signal, when, came, ramp)
                todo.append((child, came * .8, when))

    def change(self):
        rng = self.fleet.rng
        kinds = {"bad_deploy": "deploy", "silent": "deploy",
                 "feature_source": "feature_source"}
        if self.kind in kinds and rng.random() < .8:
            back = rng.uniform(0, WINDOW_S)
            self.fleet.events.append(
                (START + self.onset * WINDOW_S - back, self.cause, kinds[self.kind]))


def upstream(fleet, kpi):
    """The models that reach a KPI."""
    seen, todo = set(), [kpi]
    while todo:
        for parent in fleet.parents.get(todo.pop(), ()):
            if parent in fleet.index and parent not in seen:
                seen.add(parent)
                todo.append(parent)
    return sorted(seen)


def decoys(fleet, rng, avoid, kpi, onset):
    """Models that shift on their own, some after a deployment; and idle changes. A few
    of them could be the cause, by place and by time."""
    n = len(fleet.models)
    near = upstream(fleet, kpi)
    for i in range(n // 10):
        name = fleet.models[rng.integers(n)]
        at = int(rng.integers(3, fleet.windows - 2))
        if i < NEAR_DECOYS:
            name = near[rng.integers(len(near))]
            at = onset + int(rng.integers(-20, 8))
        if name == avoid:
            continue
        signal = SIGNALS[rng.choice(5, p=[.22, .3, .2, .2, .08])]
        size = {"err": rng.uniform(.01, .05), "p95": rng.uniform(.5, 2.5),
                "vol": rng.uniform(-.5, .8)}.get(signal, rng.uniform(.1, .9))
        fleet.shift(name, signal, at, size)
        if signal == "out_drift" and rng.random() < .5:
            for child in fleet.children(name):
                if child in fleet.index and child != avoid:
                    fleet.shift(child, "in_drift", at + 1, size * .5)
                    fleet.shift(child, "out_drift", at + 1, size * .3)
        if rng.random() < .4:
            fleet.events.append((START + at * WINDOW_S - rng.uniform(0, WINDOW_S),
                                 name, "deploy"))
    for _ in range(n // 18):
        fleet.events.append((START + rng.uniform(0, fleet.windows) * WINDOW_S,
                             fleet.models[rng.integers(n)],
                             ("deploy", "config", "baseline", "command")[rng.integers(4)]))


def make(seed, models, windows, kind):
    rng = np.random.default_rng(seed)
    fleet = Fleet(rng, models, windows)
    onset = int(rng.integers(36, 45))
    fault = None
    reported = onset
    kpi = fleet.kpis[rng.integers(len(fleet.kpis))]
    if kind != "quiet":
        fault = Fault(fleet, kind, onset)
        fault.choose()
        fault.strike()
        for k, at in fault.reached.items():
            slow = rng.integers(4, 9) if kind == "slow_drift" else 1
            fall = rng.uniform(3, 13)
            fleet.kpi[k] -= fall * np.clip((np.arange(windows) - at + 1) / slow, 0, 1)
        kpi = fault.kpi
        reported = min(windows - 4, fault.reached[kpi] + int(rng.integers(0, 4))
                       + (3 if kind == "slow_drift" else 0))
        if rng.random() < .25:  # it had moved before, for reasons of its own
            fleet.kpi[kpi][int(rng.integers(8, 26)):] -= rng.uniform(2, 7)
    decoys(fleet, rng, fault.cause if fault else None, kpi, onset)
    return fleet, fault, kpi, reported, fleet.finish()


def cell(signal, value):
    text = {"vol": "%d", "p95": "%.1f"}.get(signal, "%.4f") % value
    return text.replace("0.", ".", 1) if text.startswith("0.") else text


def write(folder, fleet, kpi, reported, lost, case_id):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{m}|{s}" for m in fleet.models for s in SIGNALS]
    lines = ["t," + ",".join(names) + f",{kpi}|kpi"]
    for w in range(fleet.windows):
        row = [str(START + w * WINDOW_S)]
        for i in range(len(fleet.models)):
            row += ["" if lost[i, w] else cell(s, fleet.values[s][i, w]) for s in SIGNALS]
        lines.append(",".join(row) + f",{fleet.kpi[kpi][w]:.2f}")
    (folder / "signals.csv").write_text("\n".join(lines) + "\n")
    edges = [f"{p},{c}" for c, parents in fleet.parents.items() for p in parents]
    (folder / "lineage.csv").write_text("upstream,downstream\n" + "\n".join(edges) + "\n")
    events = [f"{int(t)},{e},{k}" for t, e, k in sorted(fleet.events)]
    (folder / "events.csv").write_text("t,entity,kind\n" + "\n".join(events) + "\n")
    segments = {m: SEGMENTS[fleet.rng.integers(3)] for m in fleet.models}
    (folder / "case.json").write_text(json.dumps({
        "id": case_id, "window_s": WINDOW_S, "t_reported": START + reported * WINDOW_S,
        "kpi": kpi, "kpi_signal": "kpi", "segments": segments}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", nargs=2, type=int, default=(1, 7))
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--faults", default=",".join(FAULTS))
    options = parser.parse_args()
    kinds = options.faults.split(",")
    manifest = []
    for seed in range(options.seeds[0], options.seeds[1] + 1):
        kind = kinds[seed % len(kinds)]
        fleet, fault, kpi, reported, lost = make(seed, options.models, options.windows,
                                                 kind)
        name = f"fleet-{seed}"
        write(options.out / name, fleet, kpi, reported, lost, name)
        entry = {"id": name, "group": f"fleet-{options.models}", "fault": kind,
                 "root_cause": [fault.cause] if fault else [],
                 "case": f"{name}/case.json", "signals": [f"{name}/signals.csv"],
                 "lineage": f"{name}/lineage.csv", "events": f"{name}/events.csv"}
        if fault:
            entry["onset"] = START + fault.onset * WINDOW_S
        manifest.append(entry)
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    main()
