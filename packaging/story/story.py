#!/usr/bin/python3
# The story that packaging/demo tells: a bad version, found, rolled back, proven well again.
#
# SPDX-License-Identifier: Apache-2.0
"""Runs the whole loop on the Bike Sharing data and exits 0 only if it really happened.

The clock is the data's: a day of 24 rows takes a fraction of a second. Everything else is
real: processes, sockets, keys, signatures, files, the store. The next day is only served
once the controller has judged the day before yesterday, so the story comes out the same
on a slow machine, and when something is killed in the middle.
"""
import argparse
import csv
import datetime
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import host as stage
import train

MODEL = "bike-demand"
HOSTS = ["host-1", "host-2", "host-3"]
BEGIN, DEPLOY, END = "2012-07-01", "2012-08-15", "2012-11-11"
STORM = ("2012-10-29", "2012-11-01")
DAY = 86400
DATA = os.path.join(stage.TOP, "tests", "data", "bike", "bike.csv.gz")

POLICY = """\
# What may happen to bike-demand without asking anybody.
policy "bike-rollback" {
    models   = {"bike-demand"}
    when     = "diagnosis in [bad_version, version_pipeline, behaviour]"
    do       = "rollback"
    mode     = "%s"
    executor = "bike-symlink"
    waves    = {"1 host", "100%%"}
    verify { min_samples = 16  max = "14d"  signals = {"loss"}  on_fail = "restore" }
}
"""


def day_of(ts):
    at = datetime.datetime.fromtimestamp(int(ts), datetime.timezone.utc)
    return at.strftime("%Y-%m-%d")


def unix(text):
    """RFC 3339 in UTC -> Unix seconds."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.timestamp()


class Teller:
    """Says what happens, once, with the event time it happened at."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.began = time.monotonic()
        self.line_open = False

    def paint(self, code, text):
        return "\033[%sm%s\033[0m" % (code, text) if self.colour else text

    def close_line(self):
        if self.line_open:
            sys.stdout.write("\r\033[K" if self.colour else "\n")
            self.line_open = False

    def chapter(self, text):
        self.close_line()
        print("\n" + self.paint("1", text), flush=True)

    def say(self, at, text, code="0"):
        self.close_line()
        print("  %s  %s" % (at, self.paint(code, text)), flush=True)

    def note(self, text):
        self.close_line()
        print("  " + text, flush=True)

    def progress(self, text):
        if self.colour:
            sys.stdout.write("\r\033[K  " + self.paint("2", text))
            sys.stdout.flush()
            self.line_open = True


class Story:
    def __init__(self, args):
        self.args = args
        self.tell = Teller()
        self.folder = os.path.abspath(args.folder)
        self.losses = []       # (ts, version served, host, |error|, |error| of v2)
        self.seen = set()      # what was already told
        self.news = []         # what is to be told now: (day, text, colour)
        self.checks = []
        self.random = random.Random(args.kill_seed)
        self.kills = 0
        self.has_ended = False

    # The stage

    def prepare(self):
        self.tell.chapter("Prepare: two models from 18 months of hourly demand")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.models = os.path.join(self.folder, "models")
        out = subprocess.run([sys.executable, os.path.join(stage.HERE, "train.py"), DATA,
                              self.models], stdout=subprocess.PIPE, check=True)
        for line in out.stdout.decode().splitlines():
            self.tell.note(line)
        with gzip.open(DATA, "rb") as f:
            rows = csv.DictReader(io.TextIOWrapper(f, "utf-8"))
            self.rows = [r for r in rows
                         if train.day(BEGIN) <= int(r["ts"]) < train.day(END)]
        with open(os.path.join(self.models, "v2", "model.json")) as f:
            self.v2 = json.load(f)

    def raise_curtain(self):
        self.tell.chapter("A controller with an empty store and fresh keys, three hosts")
        self.controller = stage.Controller(os.path.join(self.folder, "controller"))
        self.controller.start()
        stage.wait_for("the controller", self.controller.is_answering)
        self.register("v1")
        policy = os.path.join(self.folder, "policy.conf")
        with open(policy, "w") as f:
            f.write(POLICY % ("observe" if self.args.no_rollback else "auto"))
        self.controller.kedge("policy", "check", policy)
        self.controller.kedge("policy", "set", policy, "--yes")
        self.hosts = []
        for name in HOSTS:
            h = stage.Host(name, os.path.join(self.folder, name), self.models,
                           self.controller)
            h.start()
            self.hosts.append(h)
            self.tell.note("%s enrolled with a one-time token, serves %s"
                           % (name, h.serves()))
        self.wait_attested("v1", len(HOSTS))

    def register(self, version):
        folder = os.path.join(self.models, version)
        name = "%s@%s" % (MODEL, version)
        self.controller.kedge("model", "add", MODEL, "--version", version, "--artifact",
                              os.path.join(folder, "MANIFEST"), "--train",
                              os.path.join(folder, "train.csv"), "--owner",
                              "city-bikes")
        sealed = self.controller.kedge(
            "baseline", "create", "--model", name, "--csv",
            os.path.join(folder, "train.csv"), "--time", "ts", "--window", "1d",
            "--prediction", "prediction", "--label", "label",
            "--performance", "regression")
        self.tell.note("%s registered; baseline sealed from %s rows, training file "
                       "sha256:%s..." % (name, "{:,}".format(sealed["rows"]),
                                         sealed["source_sha256"][:12]))

    def wait_attested(self, version, count):
        def attested():
            self.revive()
            now = self.controller.kedge("model", "show", MODEL)["serving"]
            return sum(1 for s in now if s["version"] == version) == count
        stage.wait_for("%d hosts to attest %s" % (count, version), attested)

    def processes(self):
        found = [self.controller] if hasattr(self, "controller") else []
        for h in getattr(self, "hosts", []):
            found += [h.agent, h.server]
        return found

    def revive(self):
        """A supervisor's work: what was killed is started again."""
        for p in self.processes():
            if p.child is not None and not p.is_running():
                if not self.args.kills:
                    raise stage.Failed("%s ended by itself:\n%s" % (p.name, p.tail()))
                p.start()

    def choose_kills(self):
        """Random rows at which something is killed, half of them around the rollback."""
        near = [i for i, r in enumerate(self.rows)
                if train.day(DEPLOY) <= int(r["ts"]) < train.day("2012-09-01")]
        some = self.random.sample(near, self.args.kills // 2)
        rest = self.random.sample(range(len(self.rows)), self.args.kills - len(some))
        return sorted(some + rest)

    def kill_behind_orders(self, most):
        """Kills the controller right behind the first orders that it sends, in a thread."""
        def watch():
            seen = 0
            with open(self.controller.log, errors="replace") as log:
                while seen < most and not self.has_ended:
                    line = log.readline()
                    if not line:
                        time.sleep(0.001)
                    elif "order sent" in line:
                        seen += 1
                        self.controller.child.kill()
        threading.Thread(target=watch, daemon=True).start()

    def kill_one(self):
        self.revive()
        victim = self.random.choice([self.controller] + [h.agent for h in self.hosts])
        victim.kill()
        self.kills += 1
        self.tell.note("kill -9 of the %s (%d)" % (victim.name, self.kills))

    # The days

    def play(self):
        self.tell.chapter("July 2012: three hosts serve v1, %d rows a day" % 24)
        days = {}
        for row in self.rows:
            days.setdefault(day_of(row["ts"]), []).append(row)
        owed, served, kill_at = [], 0, self.choose_kills()
        self.kill_behind_orders(self.args.order_kills)
        for day in sorted(days):
            if day == DEPLOY:
                self.deploy()
            if day == STORM[0]:
                self.tell.say(day, "Hurricane Sandy reaches the coast; the city stays "
                                   "at home", "36")
            if day == STORM[1]:
                self.weigh_storm()
            for row in days[day]:
                owed = self.pay(owed, int(row["ts"]))
                owed.append(self.serve(row))
                served += 1
                while kill_at and kill_at[0] < served:
                    kill_at.pop(0)
                    self.kill_one()
            self.catch_up(train.day(day) - DAY)
            self.watch(day)
            if not self.args.fast and DEPLOY <= day <= "2012-09-10":
                time.sleep(0.15)
        self.pay(owed, train.day(END))
        self.catch_up(train.day(END) - 2 * DAY)
        self.watch(day_of(train.day(END)))

    def weigh_storm(self):
        """What the controller makes of the world's own upset."""
        fresh = [a for a in self.alerts() if a["opened"][:10] >= STORM[0]]
        error = self.mean_loss(train.day(STORM[0]), train.day(STORM[1]))
        self.tell.say(STORM[1], "the error was %.0f in those days; new alerts: %s; new plans: "
                      "none. No version changed in these days: %s" % (
                          error, len(fresh) or "none",
                          fresh[0]["diagnosis"]["reason"] if fresh else
                          "it is the world, not the model, and two odd days are no drift"),
                      "36")

    def serve(self, row):
        """One request to the host whose turn it is."""
        ts = int(row["ts"])
        h = self.hosts[(ts // 3600 + ts // DAY) % len(self.hosts)]
        request = {name: row[name] if name in ("workingday", "weathersit")
                   else float(row[name]) for name in train.INPUTS}
        request.update(id="%s-%d" % (h.name, ts), ts=ts)
        answer = h.ask("/predict", request)
        truth = float(row["y"])
        as_v2 = train.predict(self.v2["weights"], row, self.v2["hour_offset"])
        self.losses.append((ts, answer["version"], h.name,
                            abs(answer["prediction"] - truth), abs(as_v2 - truth)))
        return ts + 3600, h, {"id": request["id"], "ts": ts + 3600, "label": truth}

    @staticmethod
    def pay(owed, now):
        """Truths that have become known by `now` are reported; the rest stay owed."""
        for due, h, truth in owed:
            if due <= now:
                h.ask("/truth", truth)
        return [entry for entry in owed if entry[0] > now]

    def catch_up(self, until):
        """Waits until the controller has judged every window that ends by `until`."""
        def caught_up():
            self.revive()
            if not all(h.ask("/health")["waiting"] == 0 for h in self.hosts):
                return False
            try:
                status = self.controller.kedge("fleet", "status")
            except stage.Failed:
                if self.args.kills:
                    return False
                raise
            model = [m for m in status["models"] if m["model"] == MODEL]
            judged = model and model[0]["judged_until"]
            return bool(judged) and unix(judged) >= until
        if until >= train.day(BEGIN) + DAY:
            stage.wait_for("the windows up to " + day_of(until), caught_up, 240)
        self.tell.progress("served and judged up to " + day_of(until + DAY))

    def deploy(self):
        self.tell.chapter("15 August 2012: v2, better offline, goes live")
        self.register("v2")
        for h in self.hosts:
            h.deploy("v2")
        self.wait_attested("v2", len(self.hosts))
        self.tell.say(DEPLOY, "v2 deployed on %d hosts; the agents attest it"
                      % len(self.hosts))

    def once(self, *key):
        fresh = key not in self.seen
        self.seen.add(key)
        return fresh

    def alerts(self):
        return self.controller.kedge("alert", "list", "--model", MODEL)["alerts"]

    def plans(self):
        return self.controller.kedge("rollback", "status")["plans"]

    def watch(self, day):
        """Tells what is new at the controller."""
        try:
            alerts, plans = self.alerts(), self.plans()
        except stage.Failed:
            if self.args.kills:
                return
            raise
        for a in alerts:
            self.tell_alert(a)
        if self.args.kills:
            self.start_suggested(plans)
        for p in plans:
            for step in p["timeline"]:
                if self.once(p["plan"], step["what"]):
                    self.news.append((step["at"][:10], step["what"], "33"))
        for at, what, code in sorted(self.news, key=lambda n: n[0]):
            self.tell.say(at, what, code)
        self.news = []

    def start_suggested(self, plans):
        """Where too many rows died for the inputs to be known to be well, a rollback is
        only suggested, as it should be: then a person starts it."""
        for p in plans:
            if p["state"] == "open" and p["mode"] == "suggest":
                self.tell.note("plan %d is only suggested: a person starts it" % p["plan"])
                try:
                    self.controller.kedge("rollback", "request", str(p["plan"]))
                except stage.Failed:
                    pass  # the controller is away; the next day sees the plan again

    def tell_alert(self, a):
        if self.once(a["alert"], "opened"):
            self.news.append((a["opened"][:10], "%s  alert %s on %s@%s: %s" % (
                a["tier"].upper(), a["alert"], a["model"], a["version"], a["headline"]), "31"))
        for s in a["signals"]:
            if self.once(a["alert"], s["feature"], s["signal"], s["direction"]):
                self.news.append((a["updated"][:10], "moved since %s: %s"
                                  % (s["since"][:10], s["text"]), "0"))
        if self.once(a["alert"], a["diagnosis"]["cause"]):
            self.news.append((a["updated"][:10], "%s: %s" % (
                a["diagnosis"]["cause"].replace("_", " "), a["diagnosis"]["reason"]),
                "0"))
        if a["closed"] and self.once(a["alert"], "closed"):
            self.news.append((a["closed"][:10], "alert %s closed: %s"
                              % (a["alert"], a["closed_why"]), "32"))

    # The end

    def check(self, what, holds, facts=""):
        self.checks.append(bool(holds))
        mark = self.tell.paint("32", "yes") if holds else self.tell.paint("31", "NO ")
        print("  %s  %s%s" % (mark, what, "  (%s)" % facts if facts else ""), flush=True)

    def mean_loss(self, begin, end, column=3, version=None):
        found = [x[column] for x in self.losses
                 if begin <= x[0] < end and version in (None, x[1])]
        return sum(found) / len(found) if found else float("nan")

    def reckon(self):
        """What it cost, from the true counts, and what it would have cost."""
        bad = [x[0] for x in self.losses if x[1] == "v2"]
        first, last = min(bad), max(bad)
        end = train.day(END)
        before = self.mean_loss(train.day(BEGIN), first)
        during = self.mean_loss(first, last + 1)
        self.tell.chapter("Mean absolute error, from the true counts")
        self.tell.note("before  (v1, %s to %s)  %6.1f" % (BEGIN, day_of(first), before))
        self.tell.note("during  (v2, %s to %s)  %6.1f" % (day_of(first), day_of(last),
                                                          during))
        if self.args.no_rollback:
            return before, during, during
        after = self.mean_loss(last + 1, end)
        without = self.mean_loss(last + 1, end, 4)
        rows = sum(1 for x in self.losses if x[0] > last)
        self.tell.note("after   (v1, %s to %s)  %6.1f" % (day_of(last + 1), END, after))
        self.tell.note("the same %s rows by v2, without Kedge:  %6.1f; Kedge spared "
                       "%s wrongly placed bikes" % ("{:,}".format(rows), without,
                       "{:,.0f}".format((without - after) * rows)))
        return before, during, after

    def judge(self):
        before, during, after = self.reckon()
        alerts, plans = self.alerts(), self.plans()
        early = [a for a in alerts if a["opened"][:10] < DEPLOY]
        found = [a for a in alerts if a["version"] == "v2"]
        audit = self.controller.kedge("audit", "verify")
        told = self.controller.kedge("audit", "counts")
        counts = told["total"]
        # Rows that died with their agent say nothing of the inputs.
        died = sum(i["dropped"].get("crash", 0) for i in told["instances"]
                   if i["version"] == "v2")
        self.tell.chapter("Did it really happen?")
        self.check("no alert before the deployment", not early)
        self.check("one alert on v2", len(found) == 1,
                   "opened %s" % found[0]["opened"][:10] if found else "none")
        signals = {(s["feature"], s["signal"]) for a in found for s in a["signals"]}
        self.check("found from late labels", any(f == "loss" for f, _ in signals))
        self.check("and without any label, by the contribution of hr",
                   ("hr", "contribution") in signals or died,
                   "%d rows of v2 died with their agent" % died if died else "")
        self.check("observed = merged + late + dropped",
                   counts["observed"] == counts["merged"] + counts["late"]
                   + sum(counts["dropped"].values()),
                   "{:,} rows".format(counts["observed"]))
        self.check("no row is counted twice", counts["observed"] <= len(self.losses),
                   "{:,} served".format(len(self.losses)))
        self.check("the audit chain is intact", audit["result"] == "intact",
                   "%d records" % audit["leaves"])
        if self.args.no_rollback:
            self.check("nobody rolled back", all(h.serves() == "v2" for h in self.hosts)
                       and not any(p["mode"] != "observe" for p in plans))
            self.check("the loss stays bad", during > 3 * before,
                       "%.1f against %.1f" % (during, before))
            return
        self.judge_rollback(plans, found)
        self.check("the loss recovered", after < 1.5 * before < during,
                   "%.1f, then %.1f, then %.1f" % (before, during, after))

    def judge_rollback(self, plans, found):
        plan = plans[0] if len(plans) == 1 else None
        self.check("one plan, from v2 to v1, and none for the storm",
                   plan and (plan["from"], plan["to"]) == ("v2", "v1"),
                   "%d plans" % len(plans))
        done = [h for w in plan["waves"] for h in w["hosts"]] if plan else []
        self.check("canary host first, then the rest",
                   plan and [len(w["hosts"]) for w in plan["waves"]] == [1, 2])
        self.check("three signed orders, three signed receipts, all applied",
                   len(done) == 3 and all(h["receipt"] == "done" for h in done))
        self.check("all symlinks point to v1 again",
                   all(h.serves() == "v1" for h in self.hosts))
        self.check("all servers serve it",
                   all(h.ask("/health")["version"] == "v1" for h in self.hosts))
        self.check("recovery verified, incident closed",
                   plan and plan["state"] == "done"
                   and all(a["closed"] for a in found))

    def show(self):
        """What the reader would type next."""
        for words in (["fleet", "status"], ["model", "show", MODEL],
                      ["why", "--model", MODEL], ["audit", "verify"]):
            self.tell.chapter("$ kedge " + " ".join(words))
            sys.stdout.flush()
            subprocess.run([stage.program("kedge"), "--config", self.controller.conf,
                            *words, "-o", "table"], stdin=subprocess.DEVNULL,
                           check=False)

    def how_to_go_on(self):
        self.tell.chapter("Everything is left running")
        print("  export KEDGE_CONFIG=%s" % self.controller.conf)
        print("  export PATH=%s:$PATH" % stage.BUILD)
        print("  kedge fleet status | kedge alert list | kedge audit log | kedge --help")
        print("  stop it:  kill %s" % " ".join(str(p.child.pid)
                                              for p in self.processes()))

    def close(self):
        self.has_ended = True
        for p in reversed(self.processes()):
            p.stop()


def main():
    args = argparse.ArgumentParser(prog="packaging/demo", description=__doc__,
                                   formatter_class=argparse.RawTextHelpFormatter)
    args.add_argument("--keep", action="store_true", help="leave everything running")
    args.add_argument("--no-rollback", action="store_true",
                      help="the same story without the action")
    args.add_argument("--fast", action="store_true", help="no pauses for the reader")
    args.add_argument("--folder", default=os.path.join(stage.BUILD, "demo"),
                      help=argparse.SUPPRESS)
    args.add_argument("--kills", type=int, default=0, help=argparse.SUPPRESS)
    args.add_argument("--order-kills", type=int, default=0, help=argparse.SUPPRESS)
    args.add_argument("--kill-seed", type=int, default=1, help=argparse.SUPPRESS)
    args = args.parse_args()
    story = Story(args)
    is_kept = False
    try:
        story.prepare()
        story.raise_curtain()
        story.play()
        story.judge()
        if not args.fast:
            story.show()
        good = all(story.checks)
        story.tell.chapter("The story took %.0f s. %s" % (
            time.monotonic() - story.tell.began,
            "It really happened." if good else "It did NOT come out as it should."))
        if args.keep:
            story.how_to_go_on()
            is_kept = True
        return 0 if good else 1
    except stage.Failed as failed:
        story.tell.close_line()
        print("\npackaging/demo: %s\nlogs: %s/*.log" % (failed, story.folder),
              file=sys.stderr)
        return 1
    finally:
        if not is_kept:
            story.close()


if __name__ == "__main__":
    sys.exit(main())
