"""Columns: arrays, tables and lists as the columns that libkedge reads.

numpy is used when the caller uses it, and is never needed.

SPDX-License-Identifier: Apache-2.0
"""

import array
import ctypes
import sys

from kedge import library

COLUMN_BYTES = ctypes.sizeof(library.Column)

# By numpy's kind and size of an item.
PLAIN = {"f4": library.F32, "f8": library.F64, "i1": library.I8, "i2": library.I16,
         "i4": library.I32, "i8": library.I64, "u1": library.U8, "u2": library.U16,
         "u4": library.U32, "u8": library.U64, "b1": library.U8}


def numpy():
    """numpy, if somebody has loaded it."""
    return sys.modules.get("numpy")


def is_array(value):
    np = numpy()
    return np is not None and isinstance(value, np.ndarray)


def is_table(value):
    """A DataFrame of pandas, polars or their like."""
    return hasattr(value, "columns") and hasattr(value, "__getitem__") \
        and not isinstance(value, dict)


def address(data):
    return data.__array_interface__["data"][0]


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")


def is_missing(value):
    return value is None or value != value


class Columns:
    """The columns of one batch, and all that must live as long as they do."""

    def __init__(self):
        self.column = []
        self.keep = []
        self.rows = None

    def count(self, rows):
        if self.rows is None:
            self.rows = rows
        elif rows != self.rows:
            raise ValueError(f"columns of {self.rows} and of {rows} rows")

    def put(self, data, stride, kind, width=0, dictionary=None, words=0):
        self.column.append(library.Column(data, stride, kind, width, dictionary, words))

    def add(self, values, kind):
        """Any one-dimensional values; rows of vectors for a vector."""
        if kind == library.VECTOR:
            self.add_vectors(values)
        elif is_array(values):
            self.add_array(values, kind)
        elif hasattr(values, "cat") and hasattr(values.cat, "codes"):
            self.add_codes(values.cat.codes.to_numpy(), list(values.cat.categories))
        elif hasattr(values, "to_numpy"):
            self.add_array(values.to_numpy(), kind)
        else:
            self.add_list(list(values), kind)

    def add_array(self, values, kind):
        np = numpy()
        if values.ndim != 1:
            raise ValueError("a column has one dimension")
        code = values.dtype.kind + str(values.dtype.itemsize)
        if values.dtype.kind == "O":
            self.add_list(values.tolist(), kind)
            return
        if values.dtype.kind == "U":
            values = np.char.encode(values, "utf-8")
        elif code not in PLAIN and values.dtype.kind != "S":
            values = values.astype(np.float64)
        if not values.dtype.isnative:
            values = values.astype(values.dtype.newbyteorder("="))
        self.count(len(values))
        self.keep.append(values)
        code = values.dtype.kind + str(values.dtype.itemsize)
        if values.dtype.kind == "S":
            self.put(address(values), values.strides[0], library.BYTES,
                     values.dtype.itemsize)
        else:
            self.put(address(values), values.strides[0], PLAIN[code])

    def add_list(self, values, kind):
        self.count(len(values))
        if kind == library.TEXT:
            self.add_strings(values)
            return
        if kind == library.NUMBER:
            try:
                numbers = array.array("d", values)
            except TypeError:
                numbers = self.numbers_of(values)
            if numbers is not None:
                self.keep.append(numbers)
                self.put(numbers.buffer_info()[0], 8, library.F64)
                return
        places, words, codes = {}, [], array.array("i")
        for value in values:
            if is_missing(value):
                codes.append(-1)
                continue
            place = places.get(value)
            if place is None:
                place = places[value] = len(words)
                words.append(value)
            codes.append(place)
        self.put_codes(codes.buffer_info()[0], codes.itemsize, codes.itemsize, words)
        self.keep.append(codes)

    @staticmethod
    def numbers_of(values):
        """With None as missing; None when there is anything else."""
        try:
            return array.array("d", [float("nan") if v is None else v for v in values])
        except TypeError:
            return None

    def add_strings(self, values):
        texts = [None if is_missing(v) else as_bytes(v) for v in values]
        strings = (library.String * max(1, len(texts)))(
            *[(t, 0 if t is None else len(t)) for t in texts])
        self.keep += [texts, strings]
        self.put(ctypes.addressof(strings), ctypes.sizeof(library.String), library.STRING)

    def add_codes(self, codes, words):
        self.count(len(codes))
        self.keep.append(codes)
        self.put_codes(address(codes), codes.strides[0], codes.dtype.itemsize, words)

    def put_codes(self, data, stride, size, words):
        kind = {1: library.CODE8, 2: library.CODE16, 4: library.CODE32,
                8: library.CODE64}[size]
        texts = [as_bytes(word) for word in words]
        dictionary = (library.String * max(1, len(texts)))(*[(t, len(t)) for t in texts])
        self.keep += [texts, dictionary]
        self.put(data, stride, kind, 0, dictionary, len(texts))

    def add_vectors(self, values):
        if not is_array(values):
            rows = [array.array("f", row) for row in values]
            width = len(rows[0]) if rows else 0
            if any(len(row) != width for row in rows):
                raise ValueError("vectors of different sizes")
            flat = array.array("f", [x for row in rows for x in row])
            self.count(len(rows))
            self.keep.append(flat)
            self.put(flat.buffer_info()[0], 4 * width, library.VECTOR_F32, width)
            return
        np = numpy()
        kind = np.float64 if values.dtype == np.float64 else np.float32
        values = np.ascontiguousarray(values, kind)
        if values.ndim != 2:
            raise ValueError("vectors are the rows of a matrix")
        self.count(len(values))
        self.keep.append(values)
        self.put(address(values), values.strides[0],
                 library.VECTOR_F64 if kind == np.float64 else library.VECTOR_F32,
                 values.shape[1])

    def table(self):
        """The address of all columns together."""
        table = (library.Column * len(self.column))(*self.column)
        self.keep.append(table)
        return ctypes.addressof(table)


def matrix_table(np, matrix, extra, cache):
    """Columns of a matrix of plain numbers, and of one-dimensional arrays beside it,
    made without a loop. (what to keep, its address); None: not that plain."""
    code = PLAIN.get(matrix.dtype.kind + str(matrix.dtype.itemsize))
    if code is None or not matrix.dtype.isnative:
        return None
    rows, width = matrix.shape
    dtype = cache.get("dtype")
    if dtype is None:
        dtype = cache["dtype"] = np.dtype(
            [("data", "u8"), ("stride", "i8"), ("type", "i4"), ("width", "u4"),
             ("dictionary", "u8"), ("words", "u8")])
        cache["places"] = np.arange(512, dtype=np.uint64)
    table = np.zeros(width + len(extra), dtype)
    matrix_part = table[:width]
    step = np.uint64(matrix.strides[1] & (2**64 - 1))
    matrix_part["data"] = cache["places"][:width] * step + np.uint64(address(matrix))
    matrix_part["stride"] = matrix.strides[0]
    matrix_part["type"] = code
    for i, values in enumerate(extra, width):
        code = PLAIN.get(values.dtype.kind + str(values.dtype.itemsize))
        if code is None or values.shape != (rows,) or not values.dtype.isnative:
            return None
        table[i] = (address(values), values.strides[0], code, 0, 0, 0)
    return table, address(table)
