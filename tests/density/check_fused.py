"""The fused kernel, in a process of its own: under Triton's interpreter, or compiled.

`python check_fused.py interpret` holds densities against a float64 triple loop;
`python check_fused.py compile` prints what the compiler says for each architecture, as JSON.
Neither needs a GPU.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from shiftcli.density import fused
from shiftcli.density.voxelizer import GRIDS, grid_axis, voxelize

#: CUDA architectures: A100, H100 and H200, B200.
TARGETS = (80, 90, 100)


def triple_loop(positions, channels, grids) -> np.ndarray:
    """Equations 1 and 2 of one environment in float64, a plane of voxels at a time."""
    result = np.zeros((len(grids) * 4, 16, 16, 16))
    for g, edge in enumerate(grids):
        axis = grid_axis(edge, dtype=torch.float64).numpy()
        for i, x in enumerate(axis):
            for j, y in enumerate(axis):
                for k, z in enumerate(axis):
                    squares = ((positions - np.array([x, y, z])) ** 2).sum(axis=1)
                    density = np.exp(-3.0 * squares)
                    for element in range(4):
                        own = density[channels == element]
                        result[4 * g + element, i, j, k] = own.sum()
    return result


def environments() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positions and channels of the cases, each of a length of its own."""
    rng = np.random.default_rng(0)

    def random(count: int, extent: float, kinds: tuple[int, ...] = (0, 1, 2, 3)):
        channels = np.sort(rng.choice(kinds, count))
        return rng.uniform(-extent, extent, (count, 3)), channels

    corners = np.stack(np.meshgrid(*[[-2.0, 2.0]] * 3), axis=-1).reshape(-1, 3)
    border = np.concatenate([corners * edge / 4.0 for edge in GRIDS])
    faces = np.concatenate([sign * edge / 2 * np.eye(3) for edge in GRIDS for sign in (-1, 1)])
    touching = np.concatenate([border, faces])
    return {
        "one atom": (np.array([[0.3, -0.2, 0.9]]), np.array([2])),
        "none": (np.zeros((0, 3)), np.zeros(0, int)),
        "no hydrogen, no nitrogen": random(40, 4.0, (1, 3)),
        "a block and one more": random(fused.BLOCK + 1, 3.0, (0,)),
        "500 atoms": random(500, 9.4),
        "on every border": (touching, np.sort(rng.integers(0, 4, len(touching)))),
    }


def interpret() -> None:
    """Compare every case, with paddings and a rotation each, in float32 and bfloat16."""
    cases = environments()
    longest = max(len(channels) for _, channels in cases.values()) + 3
    n = len(cases)
    positions = np.full((n, longest, 3), 1.0e4, np.float32)
    channels = np.full((n, longest), -1)
    for row, (own, kinds) in enumerate(cases.values()):
        positions[row, : len(own)], channels[row, : len(kinds)] = own, kinds
    matrices = np.linalg.qr(np.random.default_rng(1).normal(size=(n, 3, 3)))[0].astype(np.float32)
    matrices[list(cases).index("on every border")] = np.eye(3)
    arrays = [torch.from_numpy(a) for a in (positions, channels, matrices)]
    exact = np.stack([
        triple_loop(positions[row, : len(kinds)].astype(float) @ matrices[row].T, kinds, GRIDS)
        for row, (_, kinds) in enumerate(cases.values())
    ])  # fmt: skip
    got = fused.gaussian_densities(*arrays, grids=GRIDS, dtype=torch.float32)
    assert got.is_contiguous(memory_format=torch.channels_last_3d)
    product = voxelize(arrays[0], arrays[1], rotations=arrays[2])
    for row, name in enumerate(cases):
        worst = float(np.abs(got[row].double().numpy() - exact[row]).max())
        other = float((got[row] - product[row]).abs().max())
        print(f"{name}: {worst:.1e} from float64, {other:.1e} from the products")
        assert worst < 2e-6, name
        assert other < 2e-6, name
    few = slice(0, 3)
    rounded = fused.gaussian_densities(*(a[few] for a in arrays), grids=(4.0, 9.0),
                                       dtype=torch.bfloat16)  # fmt: skip
    plain = fused.gaussian_densities(*(a[few] for a in arrays), grids=(4.0, 9.0),
                                     dtype=torch.float32)  # fmt: skip
    # The interpreter cuts off the last bits, where a GPU rounds to the nearest.
    torch.testing.assert_close(rounded.float(), plain, rtol=2.0**-7, atol=1e-30)
    assert not fused.gaussian_densities(
        *(a[:0] for a in arrays), grids=GRIDS, dtype=torch.float32
    ).numel()


def compile_all() -> None:
    """Compile for each architecture and type; print registers, stack and shared memory."""
    tool = Path(triton.backends.nvidia.__file__).parent / "bin" / "cuobjdump"
    signature = {
        "positions": "*fp32", "bounds": "*i32", "rotations": "*fp32", "edges": "*fp32",
        "atoms": "i32", "inverse_width": "fp32", "reach": "fp32",
    }  # fmt: skip
    constants = {"GRIDS": len(GRIDS), "VOXELS": 16, "SLAB": fused.SLAB, "BLOCK": fused.BLOCK}
    signature |= dict.fromkeys(constants, "constexpr")
    found = {}
    for target in TARGETS:
        for dtype in ("bf16", "fp32"):
            source = ASTSource(
                fused.slab_kernel, signature | {"volume": f"*{dtype}"}, constexprs=constants
            )
            made = triton.compile(source, target=GPUTarget("cuda", target, 32))
            with tempfile.TemporaryDirectory() as folder:
                binary = Path(folder, "kernel.cubin")
                binary.write_bytes(made.asm["cubin"])
                usage = subprocess.run(
                    [tool, "--dump-resource-usage", binary],
                    capture_output=True, text=True, check=True,
                ).stdout  # fmt: skip
            numbers = dict(re.findall(r"(REG|STACK|LOCAL):(\d+)", usage))
            found[f"sm_{target} {dtype}"] = {k: int(v) for k, v in numbers.items()} | {
                "SHARED": made.metadata.shared
            }
    print(json.dumps(found))


if __name__ == "__main__":
    {"interpret": interpret, "compile": compile_all}[sys.argv[1]]()
