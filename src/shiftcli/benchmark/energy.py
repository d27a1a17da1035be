"""Energy that the processor has used, where the machine tells."""

from __future__ import annotations

from pathlib import Path

#: Where Linux shows the counters of Intel's and AMD's processors (RAPL).
_COUNTERS = Path("/sys/class/powercap")


class EnergyMeter:
    """Counts joules between its making and `joules`, of all processors of the machine."""

    def __init__(self, counters: Path = _COUNTERS) -> None:
        # A package's counter holds those of its cores: `intel-rapl:0`, not `intel-rapl:0:0`.
        self._files = sorted(counters.glob("*-rapl:[0-9]*/energy_uj"))
        self._files = [file for file in self._files if file.parent.name.count(":") == 1]
        self._start = self._read()

    def _read(self) -> list[int] | None:
        try:
            return [int(file.read_text()) for file in self._files]
        except (OSError, ValueError):  # since 2020 for administrators alone
            return None

    def joules(self) -> float | None:
        """Joules used since; None where the machine does not tell."""
        end = self._read()
        if not self._files or end is None or self._start is None:
            return None
        total = 0
        for file, before, after in zip(self._files, self._start, end, strict=True):
            if after < before:  # it starts anew at its largest value
                try:
                    after += int(file.with_name("max_energy_range_uj").read_text())
                except (OSError, ValueError):
                    return None
            total += after - before
        return total / 1e6
