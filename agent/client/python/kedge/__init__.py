"""Kedge: tells the Kedge agent of this host what a model sees and answers.

    import kedge

    model = kedge.Model("bike-demand", "v1", inputs=["temp", "season"])
    model.observe({"temp": 0.3, "season": "winter"}, prediction=120.5, id="r17")
    model.label("r17", 131)

Rows go into memory that is shared with the agent. Nothing here waits, prints or raises
while a model is served: what does not fit is dropped and counted (Model.stats()). It
works in threads and, opened before or after, in the workers of a pre-fork server.

SPDX-License-Identifier: Apache-2.0
"""

from kedge.library import setup, version
from kedge.model import Model, Stats

__all__ = ["Model", "Stats", "setup", "version"]
