"""How cases become vectors: an Instruction collects them, a Vector its tiles, steps and expectations."""

import zlib

import numpy as np
import vectors as form
from oracles.formats import Data

D, M, A = "documented", "measured", "assumed"
ALL, SINCE_TRN2, TRN3 = ["trn1", "trn2", "trn3"], ["trn2", "trn3"], ["trn3"]


class Instruction:
    """The vectors of one file. `name` is that of the file, `instruction` what the file is about."""

    every = {}

    def __init__(self, name, instruction=None, source=None, targets=ALL):
        self.name, self.targets = name, targets
        self.document = {"format": 1, "instruction": instruction or f"nki.isa.{name}", "vectors": []}
        self.source = source or self.document["instruction"]
        Instruction.every[name] = self

    def vector(self, name, shows, provenance=D, source=None, targets=None, **more):
        vector = Vector(f"{self.name}.{name}", shows, provenance, source or self.source, targets or self.targets, more)
        self.document["vectors"].append(vector.document)
        return vector

    def text(self):
        return form.dump(self.document) + "\n"


class Vector:
    def __init__(self, name, shows, provenance, source, targets, more):
        self.tiles = {}
        self.document = {"id": name, "shows": shows, "provenance": provenance, "source": source, "targets": list(targets), **more,
                         "tiles": self.tiles, "steps": []}

    def tile(self, name, dtype, shape, space="sbuf"):
        """A tile without contents."""
        return self.tiles.setdefault(name, {"space": space, "dtype": dtype, "shape": list(shape)})

    def put(self, name, data, space="sbuf", dtype=None):
        """A tile that holds Data; `dtype` names the words anew (the x4 types, float8_e8m0fnu)."""
        self.tiles.pop(name, None)
        self.tile(name, dtype or data.dtype, data.shape, space)["data"] = form.rows(data.words, dtype or data.dtype)
        return data

    def random(self, name, dtype, shape, space="sbuf", **rule):
        """A tile of random words by a rule of the format: bits=True, integers=(from, to), shift=, floats=(low, high)."""
        seed = rule.pop("seed", None) or zlib.crc32(f"{self.document['id']}/{name}".encode())
        if "integers" in rule:
            spec = {"lcg": seed, "as": "integers", "from": rule["integers"][0], "to": rule["integers"][1]}
            if rule.get("shift"):
                spec["shift"] = rule["shift"]
        elif "floats" in rule:
            spec = {"lcg": seed, "as": "floats", "exponents": list(rule["floats"])}
        else:
            spec = {"lcg": seed, "as": "bits"}
        tile = self.tile(name, dtype, shape, space)
        tile["data"] = spec
        words = form.expand(tile, "data")
        return Data(dtype, words) if not dtype.endswith("_x4") else words

    def put_ranks(self, name, datas, space="hbm"):
        """A tile that holds other Data on each rank."""
        self.tile(name, datas[0].dtype, datas[0].shape, space)["data"] = {"ranks": [form.rows(d.words, d.dtype) for d in datas]}
        return datas

    def random_ranks(self, name, dtype, shape, space="hbm", **rule):
        """A tile of random words, other ones on each rank; the list of them."""
        made, specs = [], []
        for rank in range(self.document["ranks"]):
            made.append(self.random(name, dtype, shape, space, seed=zlib.crc32(f"{self.document['id']}/{name}/{rank}".encode()), **rule))
            specs.append(self.tiles[name]["data"])
        self.tiles[name]["data"] = {"ranks": specs}
        return made

    def constant(self, name, data):
        """A shared constant of Data."""
        self.put(name, data, space="hbm")
        self.tiles[name]["constant"] = True
        return data

    def prints(self, prefix, data, **where):
        """The next line that is printed: Data, on core= and rank=."""
        self.document.setdefault("prints", []).append(
            {"prefix": prefix, "dtype": data.dtype, "shape": list(data.shape), "words": form.rows(data.words, data.dtype), **where})

    def step(self, *texts):
        self.document["steps"] += texts

    def expect(self, name, data, space="sbuf", dtype=None, ulps=None):
        """What a tile holds in the end: Data, words together with their dtype, or a list of Data, one for each rank."""
        if isinstance(data, list):
            self.expect(name, data[0], space, dtype, ulps)
            self.tiles[name]["expect"] = {"ranks": [form.rows(d.words, d.dtype) for d in data]}
            return
        words = data.words if isinstance(data, Data) else np.asarray(data)
        dtype = dtype or data.dtype
        tile = self.tile(name, dtype, words.shape, space)
        assert tuple(tile["shape"]) == words.shape, (self.document["id"], name, tile["shape"], words.shape)
        tile["expect"] = form.rows(words, dtype)
        if ulps:
            tile["ulps"] = ulps

    def refused(self, klr, why):
        self.document["refused"] = {"why": why, "klr": klr}
