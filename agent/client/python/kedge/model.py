"""Model: one version of a model, and what is observed of it.

SPDX-License-Identifier: Apache-2.0
"""

import array
import collections
import contextlib
import ctypes
import functools
import threading

from kedge import columns, library

KINDS = {"number": library.NUMBER, "category": library.CATEGORY, "text": library.TEXT,
         "vector": library.VECTOR}
LARGE_BATCH = 1024

Stats = collections.namedtuple(
    "Stats", "observed dropped refused beside waiting is_attached errors last_error")


def kind_of(values):
    """What a feature is that nobody has declared, by the first of its values."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if hasattr(values, "cat") and hasattr(values.cat, "codes"):
        return "category"
    if kind in ("U", "S"):
        return "category"
    if kind is not None and kind != "O":
        return "vector" if getattr(values, "ndim", 1) == 2 else "number"
    for value in values:
        if value is not None:
            if isinstance(value, (str, bytes)):
                return "category"
            return "vector" if hasattr(value, "__len__") else "number"
    return "number"


def declared(features):
    """{name: kind} of a dict, or of names, which are numbers."""
    if isinstance(features, dict):
        return dict(features)
    return {name: "number" for name in features}


class Model:
    """A version of a model. `inputs` and `outputs` are names, which are numbers, or
    {name: "number" | "category" | "text" | "vector"}. Without inputs the first rows tell
    what they are. With strict=True a mistake in the rows raises; else it is counted."""

    def __init__(self, name, version="", inputs=None, outputs=("prediction",),
                 strict=False):
        self.name, self.version, self.strict = name, version, strict
        self.outputs = declared(outputs)
        self.errors, self.last_error = 0, None
        self._handle = None
        self._cache = {}
        self._lock = threading.Lock()
        if inputs is not None:
            self._open(declared(inputs))

    def _open(self, inputs):
        self.inputs = inputs
        every = [(n, k, library.INPUT) for n, k in inputs.items()]
        every += [(n, k, library.OUTPUT) for n, k in self.outputs.items()]
        features = (library.Feature * len(every))(
            *[(str(n).encode(), KINDS[k], side) for n, k, side in every])
        handle = ctypes.c_void_p()
        status = library.held.kedge_open(str(self.name).encode(),
                                         str(self.version).encode(), features, len(every),
                                         ctypes.byref(handle))
        if status != library.OK:
            raise ValueError(f"no such model can be opened (status {status})")
        self._names = tuple(inputs)
        self._kinds = [KINDS[k] for _, k, _ in every]
        self._is_plain = all(kind == library.NUMBER for kind in self._kinds)
        self._handle = handle

    def _learn(self, inputs):
        with self._lock:
            if self._handle is None:
                self._open(inputs)

    def close(self):
        """The model stays known to the agent; others may have opened it too."""
        handle, self._handle = self._handle, None
        library.held.kedge_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def _mistake(self, error):
        self.errors += 1
        self.last_error = f"{type(error).__name__}: {error}"
        if self.strict:
            raise error

    # --- Rows

    @staticmethod
    def _event(id, time):
        if id is None and time is None:
            return None
        text = None if id is None else columns.as_bytes(id)
        return library.Event(text, len(text) if text else 0, int((time or 0) * 1e9))

    def observe(self, features, prediction=None, id=None, time=None):
        """One row: `features` by name or in their order, the prediction or a dict of
        outputs, the id that a label will name, the seconds since 1970. True: it found
        room."""
        try:
            if self._handle is None:
                self._learn({n: kind_of([v]) for n, v in features.items()})
            row = [features.get(n) for n in self._names] \
                if isinstance(features, dict) else list(features)
            if isinstance(prediction, dict):
                row += [prediction.get(n) for n in self.outputs]
            elif prediction is not None:
                row.append(prediction)
            event = self._event(id, time)
            if self._is_plain:
                return self._observe_plain(row, event)
            return self._observe_any(row, id, time)
        except Exception as error:  # a guest does not stop its host
            self._mistake(error)
            return False

    def _observe_plain(self, row, event):
        try:
            numbers = array.array("d", row)
        except TypeError:
            numbers = array.array("d", [float("nan") if v is None else v for v in row])
        pointer, count = numbers.buffer_info()
        return library.held.kedge_observe_f64(
            self._handle, pointer, count, event and ctypes.byref(event)) == library.OK

    def _observe_any(self, row, id, time):
        batch = columns.Columns()
        for kind, value in zip(self._kinds, row):
            batch.add([value], kind)
        if len(row) > len(self._kinds):
            raise ValueError(f"{len(row)} values for {len(self._kinds)} features")
        return self._send(batch.table(), len(row), 1, None if id is None else [id],
                          None if time is None else [time]) == 1

    # --- Batches

    def observe_batch(self, features, predictions=None, ids=None, times=None):
        """Many rows: a matrix, a DataFrame, {name: column} or a list of rows; the
        predictions as a column or {output: column}; the ids; the seconds since 1970.
        How many found room."""
        try:
            return self._observe_batch(features, predictions, ids, times)
        except Exception as error:
            self._mistake(error)
            return 0

    def _observe_batch(self, features, predictions, ids, times):
        if columns.is_array(features) and features.ndim == 2:
            if self._handle is None:
                self._learn({f"f{i}": "number" for i in range(features.shape[1])})
            plain = self._matrix(features, predictions)
            if plain:
                table, pointer = plain
                return self._send(pointer, len(table), len(features), ids, times)
            features = {n: features[:, i] for i, n in enumerate(self._names)}
        named = self._named(features)
        if self._handle is None:
            self._learn({n: kind_of(v) for n, v in named.items()})
        batch = columns.Columns()
        for kind, name in zip(self._kinds, self._names):
            batch.add(named[name], kind)
        for kind, values in zip(self._kinds[len(self._names):],
                                self._outputs(predictions)):
            batch.add(values, kind)
        return self._send(batch.table(), len(batch.column), batch.rows or 0, ids, times)

    def _outputs(self, predictions):
        if predictions is None:
            return []
        if isinstance(predictions, dict):
            return [predictions[n] for n in self.outputs]
        if columns.is_array(predictions) and predictions.ndim == 2:
            return [predictions[:, i] for i in range(predictions.shape[1])]
        return [predictions]

    def _matrix(self, matrix, predictions):
        outputs = self._outputs(predictions)
        width = matrix.shape[1] + len(outputs)
        if width > len(self._kinds) or matrix.shape[1] != len(self._names):
            raise ValueError(f"{width} columns for {len(self._kinds)} features")
        if any(kind in (library.TEXT, library.VECTOR) for kind in self._kinds) or \
                not all(columns.is_array(values) for values in outputs):
            return None
        return columns.matrix_table(columns.numpy(), matrix, outputs, self._cache)

    def _named(self, features):
        """{name: column} of whatever it is."""
        if isinstance(features, dict):
            return features
        if columns.is_table(features):
            return {name: features[name] for name in features.columns}
        if isinstance(features, (str, bytes)):
            raise TypeError("text is no batch")
        rows = list(features)
        if rows and isinstance(rows[0], dict):
            names = self._names if self._handle else tuple(rows[0])
            return {n: [row.get(n) for row in rows] for n in names}
        turned = list(zip(*rows)) or [()] * len(self._names)
        names = self._names if self._handle else [f"f{i}" for i in range(len(turned))]
        if len(turned) != len(names):
            raise ValueError(f"{len(turned)} columns for {len(names)} inputs")
        return dict(zip(names, turned))

    def _send(self, table, count, rows, ids, times):
        beside = columns.Columns()
        beside.rows = rows
        id_column = stamps = None
        if ids is not None:
            if not columns.is_array(ids) and not hasattr(ids, "to_numpy"):
                beside.add_strings(list(ids))
                beside.count(len(ids))
            else:
                beside.add(ids, library.CATEGORY)
            id_column = ctypes.byref(beside.column[0])
        if times is not None:
            stamps = array.array("Q", [int(t * 1e9) for t in times])
            beside.count(len(stamps))
            stamps = (stamps, stamps.buffer_info()[0])
        taken = ctypes.c_size_t()
        call = library.held if rows < LARGE_BATCH else library.free
        call.kedge_observe_batch(self._handle, table, count, rows, id_column,
                                 stamps and stamps[1], ctypes.byref(taken))
        return taken.value

    # --- What comes later, and beside

    def label(self, id, value, time=None):
        """What became true of the prediction of this id."""
        try:
            event = self._event(id, time)
            return library.held.kedge_label(self._handle, float(value),
                                            ctypes.byref(event)) == library.OK
        except Exception as error:
            self._mistake(error)
            return False

    def metric(self, name, value, time=None):
        """A number of your own that is watched beside the model."""
        try:
            event = self._event(None, time)
            return library.held.kedge_metric(
                self._handle, str(name).encode(), float(value),
                event and ctypes.byref(event)) == library.OK
        except Exception as error:
            self._mistake(error)
            return False

    def stats(self):
        """What became of this process's rows."""
        raw = library.RawStats()
        library.held.kedge_stats(self._handle, ctypes.byref(raw))
        return Stats(raw.observed, raw.dropped, raw.refused, raw.beside, raw.waiting,
                     bool(raw.is_attached), self.errors, self.last_error)

    # --- Around a predicting function

    def watch(self, predict):
        """A decorator: whatever `predict(features, ...)` is given and answers is
        observed, one row (a dict) or a batch (all else), and handed on untouched."""
        @functools.wraps(predict)
        def watched(features, *rest, **more):
            answer = predict(features, *rest, **more)
            if isinstance(features, dict) and not hasattr(
                    next(iter(features.values()), None), "__array__"):
                self.observe(features, answer)
            else:
                self.observe_batch(features, answer)
            return answer
        return watched

    @contextlib.contextmanager
    def request(self, features, id=None, time=None):
        """with model.request(features, id) as r: r.prediction = ...; the row is observed
        at its end, unless the block raises."""
        asked = Request()
        yield asked
        self.observe(features, asked.prediction, id, time)


class Request:
    """One request under way; set its prediction."""

    prediction = None
