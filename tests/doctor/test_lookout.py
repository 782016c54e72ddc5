from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ltxbench.doctor.lookout import Lookout, conditions
from ltxbench.doctor.readers import Readers
from ltxbench.sensors.power import Power
from ltxbench.sensors.thermal import Thermal
from tests.doctor.machines import CONTAINER, H100, MACBOOK, h100_server

CARD = "NVIDIA H100 80GB HBM3"


def test_a_look_at_this_machine_is_fast_and_leaves_out_what_it_cannot_read():
    lookout = Lookout(None)
    lookout.look()
    start_s = time.process_time()
    found = lookout.look()
    assert time.process_time() - start_s < 0.1
    assert found.gpu_power_w is None
    assert conditions(None).gpu_clock_mhz is None


def test_a_machine_that_tells_nothing_is_not_said_to_run_at_full_speed():
    found = Lookout(None, replace(CONTAINER, thermal=Thermal, power=Power)).look()
    assert found.throttled is None
    assert found.power_source is None


def test_a_macbook_tells_its_thermal_pressure():
    assert Lookout("Apple M3 Max", MACBOOK).look().throttled is False
    hot = replace(MACBOOK, thermal=lambda: Thermal("thermal pressure heavy", pressed=True))
    found = Lookout("Apple M3 Max", hot).look()
    assert (found.throttled, found.throttle_reason) == (True, "thermal pressure heavy")


def test_heat_between_two_looks_is_told_after_the_gpu_has_cooled_down():
    nvml = H100.idle()
    lookout = Lookout(CARD, h100_server(nvml))
    assert lookout.look().throttled is False
    nvml.violations_ns[nvml.NVML_PERF_POLICY_THERMAL] += 2_500_000_000
    after = lookout.look()
    assert (after.throttled, after.throttle_reason) == (True, "GPU slowed down for 2.5 s")
    assert lookout.look().throttled is False


def test_the_power_limit_is_named_but_is_how_the_card_is_built():
    nvml, now = H100.idle(), [0.0]
    lookout = Lookout(CARD, h100_server(nvml), clock=lambda: now[0])
    lookout.look()
    now[0] = 10.0
    nvml.violations_ns[nvml.NVML_PERF_POLICY_POWER] += 8_300_000_000
    after = lookout.look()
    assert after.throttled is False
    assert after.throttle_reason == "GPU at its power limit for 83% of the time"


def test_a_gpu_is_asked_only_when_the_work_is_done_on_it():
    assert Lookout(None, h100_server(H100.loaded())).look().gpu_power_w is None
    found = Lookout(CARD, h100_server(H100.loaded())).look()
    assert found.gpu_power_w == pytest.approx(680.494)
    assert found.gpu_used_bytes == 3207397376


def test_cpu_throttling_between_two_looks_is_counted():
    events = iter((3, 3, 5))
    readers = replace(CONTAINER, thermal=lambda: Thermal("71 °C (x86_pkg_temp)", False, next(events)))
    lookout = Lookout(None, readers)
    assert [lookout.look().throttled for _ in range(3)] == [False, False, True]


def test_readers_are_the_real_ones_unless_told_otherwise():
    assert Readers().swap().used_bytes is None or Readers().swap().used_bytes >= 0
