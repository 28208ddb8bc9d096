"""Library: finds libkedge and describes its calls and structures to ctypes.

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import ctypes.util
import os
import pathlib

OK, DROPPED, RANGE, NOMEM, FULL = range(5)
NUMBER, CATEGORY, TEXT, VECTOR = range(4)
INPUT, OUTPUT, LABEL, SIGNAL = range(4)
(MISSING, F32, F64, I64, STRING, VECTOR_F32, VECTOR_F64, I8, I16, I32, U8, U16, U32, U64,
 CODE8, CODE16, CODE32, CODE64, BYTES) = range(19)


class Feature(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("kind", ctypes.c_int), ("side", ctypes.c_int)]


class Event(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("id_size", ctypes.c_size_t),
                ("time_ns", ctypes.c_uint64)]


class String(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class Column(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("stride", ctypes.c_ssize_t),
                ("type", ctypes.c_int), ("width", ctypes.c_uint32),
                ("dictionary", ctypes.POINTER(String)), ("words", ctypes.c_size_t)]


class RawStats(ctypes.Structure):
    _fields_ = [("observed", ctypes.c_uint64), ("dropped", ctypes.c_uint64),
                ("refused", ctypes.c_uint64), ("beside", ctypes.c_uint64),
                ("waiting", ctypes.c_uint64), ("is_attached", ctypes.c_int)]


SIGNATURES = {
    "kedge_setup": [ctypes.c_char_p, ctypes.c_size_t],
    "kedge_open": [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Feature),
                   ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p)],
    "kedge_close": [ctypes.c_void_p],
    "kedge_observe_f64": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                          ctypes.POINTER(Event)],
    "kedge_observe_batch": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                            ctypes.c_size_t, ctypes.POINTER(Column), ctypes.c_void_p,
                            ctypes.POINTER(ctypes.c_size_t)],
    "kedge_label": [ctypes.c_void_p, ctypes.c_double, ctypes.POINTER(Event)],
    "kedge_metric": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double,
                     ctypes.POINTER(Event)],
    "kedge_stats": [ctypes.c_void_p, ctypes.POINTER(RawStats)],
}


def find():
    """The path of libkedge: KEDGE_LIBRARY, beside this package, or where the system has
    it."""
    told = os.environ.get("KEDGE_LIBRARY")
    beside = pathlib.Path(__file__).parent / "libkedge.so.1"
    if told:
        return told
    return str(beside) if beside.exists() else "libkedge.so.1"


def load(kind):
    library = kind(find())
    for name, arguments in SIGNATURES.items():
        call = getattr(library, name)
        call.argtypes = arguments
        call.restype = ctypes.c_int
    library.kedge_close.restype = None
    library.kedge_stats.restype = None
    library.kedge_version.restype = ctypes.c_char_p
    return library


# No call waits, so short ones keep the interpreter's lock: to give it up and win it back
# costs more than the call. Large batches give it up.
held = load(ctypes.PyDLL)
free = load(ctypes.CDLL)


def setup(socket=None, lane_bytes=0):
    """Before the first model: where the agent's socket is, and how many bytes each
    observing thread shares with it (0: 1 MiB)."""
    path = None if socket is None else os.fsencode(socket)
    if held.kedge_setup(path, lane_bytes) != OK:
        raise ValueError("out of bounds, or a model is open already")


def version():
    """The version of libkedge."""
    return held.kedge_version().decode()
