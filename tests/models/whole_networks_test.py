"""Whole networks of each kind (whole_networks.py) at every precision, several sizes through one module, what one run returns given
to the next: as ONNX Runtime computes them, from the source at float32, else from the ONNX that convert writes.

At float32 by default; at all precisions with SUBBYTE_ALL=1.
"""

import os

import numpy as np
import onnx
import pytest

import whole_networks as networks
from harness import assert_outputs, convert, oracle, relative_l2, run_sessions

ALL = os.environ.get("SUBBYTE_ALL", "0") not in {"", "0"}
PRECISIONS = ["float32", "float16", "8bit", "4bit", "3bit", "2bit", "mixed"] if ALL else ["float32"]
FLOAT32, NARROW = 2e-5, 1e-4
# Activations are rounded to 8 bits: a float that differs in its last bit may be rounded to the next step.
STEPS = {"int8": 0.02}

KINDS = {
    "voice activity": lambda folder: networks.voice_activity(),
    "detector": lambda folder: networks.detector(),
    "file kind": lambda folder: networks.file_kind(),
    "speech encoder": lambda folder: networks.speech_encoder(),
    "speech decoder": lambda folder: networks.speech_decoder(),
    "segmenter": lambda folder: networks.segmenter(),
    "vision transformer": lambda folder: networks.vision_transformer(),
    "int8": lambda folder: networks.static(networks.segmenter(), folder),
    "packed": lambda folder: networks.packed(networks.speech_decoder()),
}


def in_turn(model, network: networks.Network) -> tuple[list[dict], list[dict]]:
    """The inputs of each run, and what ONNX Runtime gives: carried values are its own."""
    given, wanted = [], []
    for run in network.runs:
        carried = {name: wanted[-1][of] for name, of in network.carried.items()} if wanted else {}
        given.append(run | carried)
        wanted.append(oracle(model, given[-1]))
    return given, wanted


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """For each kind and precision: what the module gave, and what it must."""
    folder, sessions, wanted = tmp_path_factory.mktemp("whole"), [], []
    for kind, make in KINDS.items():
        (own := folder / kind.replace(" ", "-")).mkdir()
        network = make(own)
        onnx.save(network.model, own / "m.onnx")
        for precision in PRECISIONS:
            module = convert(own / "m.onnx", own / f"{precision}.webgpu.js", "--precision", precision, "--no-check")
            source = own / "m.onnx"
            if precision != "float32":
                source = convert(source, own / f"{precision}.onnx", "--precision", precision, "--no-check", "--target-format", "onnx")
            given, expected = in_turn(source, network)
            sessions.append({"module": module, "device": "default", "runs": given})
            wanted.append(expected)
    names = [(kind, precision) for kind in KINDS for precision in PRECISIONS]
    return {name: (session["runs"], expected) for name, session, expected in zip(names, run_sessions("node", sessions), wanted)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_as_onnx_runtime(made, kind, precision):
    runs, wanted = made[kind, precision]
    assert len(runs) == len(wanted)
    for run, expected in zip(runs, wanted):
        assert "error" not in run, run
        if kind in STEPS:
            for name, value in expected.items():
                assert relative_l2(run["outputs"][name], value) <= STEPS[kind], name
            continue
        assert all(np.isfinite(value).all() for value in expected.values())
        assert_outputs(run["outputs"], expected, FLOAT32 if precision == "float32" else NARROW, f"{kind} at {precision}")
