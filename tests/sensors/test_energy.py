from __future__ import annotations

from types import SimpleNamespace

import pytest

from ltxbench.sensors.energy import NvmlMeter, idle_power_w, stretch_j
from ltxbench.sensors.macmon_meter import AppleSilicon, MacmonMeter, from_metrics
from ltxbench.sensors.nvidia import Nvidia
from ltxbench.sensors.rapl import RaplMeter, open_rapl
from tests.sensors import h100


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def metrics(package=20.0, gpu=15.0, clock=1380, temperature=61.5):
    """`macmon.Metrics` of macmon-lib 0.7.2: written from its source, which was not run on a Mac."""
    return SimpleNamespace(
        power=SimpleNamespace(package=package, gpu=gpu),
        gpu_usage=[SimpleNamespace(frequency_mhz=clock, usage=0.97)],
        temperature=SimpleNamespace(gpu_average=temperature),
    )


class Sampler:
    def __init__(self, *answers):
        self.answers = list(answers)

    def metrics(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_stretch_shorter_than_five_ticks_of_the_counter_has_no_figure():
    assert stretch_j(10, 14, 0.5, 0.1) == 4
    assert stretch_j(10, 14, 0.49, 0.1) is None


def test_a_counter_that_was_not_read_or_restarted_gives_no_figure():
    assert stretch_j(None, 14, 9, 0.1) is None
    assert stretch_j(10, None, 9, 0.1) is None
    assert stretch_j(10, 3, 9, 0.1) is None


def test_idle_power_is_the_counter_s_growth_over_the_time():
    nvml, clock = h100.idle(), Clock()

    def sleep(seconds):
        clock.now_s += seconds
        nvml.answers["nvmlDeviceGetTotalEnergyConsumption"] += 150_000

    meter = NvmlMeter(Nvidia(nvml, "handle"))
    assert idle_power_w(meter, 2.0, sleep=sleep, clock=clock) == 75.0
    assert idle_power_w(meter, 0.2, sleep=sleep, clock=clock) is None


def test_macmon_s_mean_power_times_the_time_since_the_last_call_adds_up():
    clock = Clock()
    meter = MacmonMeter(Sampler(metrics(package=20), metrics(package=40)), ValueError, clock)
    clock.now_s = 2.0
    assert meter.read_j() == pytest.approx(40)
    clock.now_s = 2.5
    assert meter.read_j() == pytest.approx(60)
    assert meter.latest == AppleSilicon(40.0, 15.0, 1380.0, 97.0, 61.5)


@pytest.mark.parametrize("lost", [ValueError("SMC"), metrics(package=0.0), metrics(package=float("nan"))])
def test_a_reading_that_is_lost_loses_the_total(lost):
    clock = Clock()
    meter = MacmonMeter(Sampler(metrics(), lost, metrics()), ValueError, clock)
    clock.now_s = 1.0
    assert meter.read_j() is not None
    assert meter.read_j() is None
    assert meter.read_j() is None


def test_a_zero_of_macmon_is_a_sensor_that_is_not_there():
    assert from_metrics(metrics(package=0, gpu=0, clock=0, temperature=0)) == AppleSilicon(gpu_used_percent=97.0)


def package(folder, name, kind, energy_uj):
    (folder / name).mkdir()
    (folder / name / "name").write_text(kind)
    (folder / name / "energy_uj").write_text(str(energy_uj))
    (folder / name / "max_energy_range_uj").write_text("262143328850")
    return folder / name


def test_rapl_adds_up_the_packages_and_not_their_parts(tmp_path):
    first = package(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    second = package(tmp_path, "intel-rapl:1", "package-1", 262143328849)
    package(tmp_path, "intel-rapl:0:0", "core", 5)
    package(tmp_path, "intel-rapl:2", "psys", 5)
    meter = open_rapl(tmp_path)
    (first / "energy_uj").write_text("3000000")
    (second / "energy_uj").write_text("999999")
    assert meter.read_j() == pytest.approx(3.0, abs=1e-5)


def test_rapl_that_may_have_wrapped_unseen_or_may_not_be_read_is_lost(tmp_path):
    clock = Clock()
    folder = package(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = RaplMeter([folder], clock)
    clock.now_s = 3600
    assert meter.read_j() is None
    (folder / "energy_uj").unlink()
    assert open_rapl(tmp_path) is None
    assert open_rapl(tmp_path / "missing") is None
